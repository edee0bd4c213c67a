//! A request as it may be shown and put on the record: without what is secret, and without what might be. Decides nothing.

use super::Policy;
use super::bind::{self, Given};
use super::kind::ArgumentSpec;
use crate::request::{Argument, ArgumentName, Request, Value};

/// What stands for the value of a secret.
const SECRET: &str = "[secret]";

/// What stands for a value that might be one: in a place where it means nothing.
const WITHHELD: &str = "[withheld]";

/// A request without its secrets. Only the policy knows them, and only it makes one:
///
/// ```compile_fail,E0451
/// # use udsadmin::policy::Shown;
/// fn unjudged(request: udsadmin::request::Request) -> Shown {
///     Shown { request, arguments: Vec::new(), is_doubtful: false }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    request: Request,
    arguments: Vec<(ArgumentName, Value)>,
    /// Whether one of its values may turn out to be a secret: what it names is still to be found outside of the policy.
    is_doubtful: bool,
}

impl Shown {
    /// The request, with words in the place of what is not shown.
    #[must_use]
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The arguments as far as the request fits its command: in the declared order, defaults filled in, one entry for
    /// each value.
    #[must_use]
    pub fn arguments(&self) -> &[(ArgumentName, Value)] {
        &self.arguments
    }

    /// The same as long as nothing is proven: of a command that takes a secret, an account or a file that is not there may be
    /// that secret, and with it any other value is in the wrong place.
    #[must_use]
    pub fn before_proof(&self) -> Self {
        if self.is_doubtful { self.withheld() } else { self.clone() }
    }

    /// The same without any value.
    fn withheld(&self) -> Self {
        let hide = |argument: &Argument| match argument {
            Argument::Positional(_) => Argument::Positional(word(WITHHELD)),
            Argument::Named(name, _) => Argument::Named(name.clone(), word(WITHHELD)),
        };
        let arguments = self.request.arguments.iter().map(hide).collect();
        Self::without_values(Request { arguments, ..self.request.clone() })
    }

    const fn without_values(request: Request) -> Self {
        Self { request, arguments: Vec::new(), is_doubtful: false }
    }
}

impl Policy {
    /// The request as it may be shown. Of a command that takes a secret, only values that fit arguments of other types are.
    /// Where any command does, a request that fits none has no values.
    #[must_use]
    pub fn shown(&self, request: &Request) -> Shown {
        let command = self.commands.get(&request.command);
        let given = command.and_then(|command| bind::fit(command, &request.arguments).ok());
        if let Some(given) = given {
            let (request, arguments) = (masked(request, &given), told(&given));
            return Shown { request, arguments, is_doubtful: is_doubtful(&given) };
        }
        let shown = Shown::without_values(request.clone());
        if self.has_secrets { self.unnamed(&shown.withheld()) } else { shown }
    }

    /// The same without names that no command declares: a secret with a `=` in it is read as one.
    fn unnamed(&self, shown: &Shown) -> Shown {
        let hide = |argument: &Argument| match argument {
            Argument::Named(name, _) if !self.argument_names.contains(name) => {
                Argument::Positional(word(WITHHELD))
            }
            Argument::Named(..) | Argument::Positional(_) => argument.clone(),
        };
        let arguments = shown.request.arguments.iter().map(hide).collect();
        Shown::without_values(Request { arguments, ..shown.request.clone() })
    }
}

/// Whether a command takes a secret, and a value of it names something outside of the policy.
fn is_doubtful(given: &[Given<'_>]) -> bool {
    let has_secret = given.iter().any(|given| given.spec.is_secret());
    has_secret && given.iter().any(|given| given.spec.names_something_outside() && !given.values.is_empty())
}

fn word(text: &str) -> Value {
    Value::try_from(text).unwrap_or_default()
}

/// The values of a request that fits its command, as they may be shown.
pub(super) fn told(given: &[Given<'_>]) -> Vec<(ArgumentName, Value)> {
    let tells = teller(given);
    let each = |given: &Given<'_>| {
        let value = |value: &&Value| (given.spec.name.clone(), tells(given.spec, value));
        given.values.iter().map(value).collect::<Vec<_>>()
    };
    given.iter().flat_map(each).collect()
}

/// How the values of a command are shown. One of a command with a secret that is not of its type may be the secret.
fn teller(given: &[Given<'_>]) -> impl Fn(&ArgumentSpec, &Value) -> Value + use<> {
    let has_secret = given.iter().any(|given| given.spec.is_secret());
    move |spec, value| match spec.check(value) {
        _ if spec.is_secret() => word(SECRET),
        Err(_) if has_secret => word(WITHHELD),
        Ok(()) | Err(_) => value.clone(),
    }
}

/// The request with each of its values as it may be shown.
fn masked(request: &Request, given: &[Given<'_>]) -> Request {
    let tells = teller(given);
    let mask = |value: &Value| {
        let holds = |given: &&Given<'_>| given.values.iter().any(|held| std::ptr::eq(*held, value));
        given.iter().find(holds).map_or_else(|| word(WITHHELD), |given| tells(given.spec, value))
    };
    let argument = |argument: &Argument| match argument {
        Argument::Positional(value) => Argument::Positional(mask(value)),
        Argument::Named(name, value) => Argument::Named(name.clone(), mask(value)),
    };
    Request { command: request.command.clone(), arguments: request.arguments.iter().map(argument).collect() }
}
