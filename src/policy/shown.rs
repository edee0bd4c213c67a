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
///     Shown { request, arguments: Vec::new() }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    request: Request,
    arguments: Vec<(ArgumentName, Value)>,
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

    /// The same without any value.
    #[must_use]
    pub fn withheld(&self) -> Self {
        let hide = |argument: &Argument| match argument {
            Argument::Positional(_) => Argument::Positional(word(WITHHELD)),
            Argument::Named(name, _) => Argument::Named(name.clone(), word(WITHHELD)),
        };
        let arguments = self.request.arguments.iter().map(hide).collect();
        Self { request: Request { arguments, ..self.request.clone() }, arguments: Vec::new() }
    }
}

impl Policy {
    /// The request as it may be shown. Where the policy has a secret, only a value that fits an argument of another type
    /// is.
    #[must_use]
    pub fn shown(&self, request: &Request) -> Shown {
        let command = self.commands.get(&request.command);
        let given = command.and_then(|command| bind::bind(command, &request.arguments).ok());
        let arguments = given.as_deref().map_or_else(Vec::new, |given| self.told(given));
        let shown = Shown { request: request.clone(), arguments };
        match given {
            Some(given) if self.has_secrets => Shown { request: masked(request, &given), ..shown },
            None if self.has_secrets => self.unnamed(&shown.withheld()),
            Some(_) | None => shown,
        }
    }

    /// The values of a request that fits its command, as they may be shown.
    pub(super) fn told(&self, given: &[Given<'_>]) -> Vec<(ArgumentName, Value)> {
        let each = |given: &Given<'_>| {
            let value = |value: &&Value| {
                let told = if self.has_secrets { told(given.spec, value) } else { (*value).clone() };
                (given.spec.name.clone(), told)
            };
            given.values.iter().map(value).collect::<Vec<_>>()
        };
        given.iter().flat_map(each).collect()
    }

    /// The same without names that no command declares: a secret with a `=` in it is read as one.
    fn unnamed(&self, shown: &Shown) -> Shown {
        let declared =
            || self.commands.values().flat_map(|command| &command.arguments).map(ArgumentSpec::name);
        let is_declared = |name: &ArgumentName| declared().any(|known| known == name);
        let hide = |argument: &Argument| match argument {
            Argument::Named(name, _) if !is_declared(name) => Argument::Positional(word(WITHHELD)),
            Argument::Named(..) | Argument::Positional(_) => argument.clone(),
        };
        let arguments = shown.request.arguments.iter().map(hide).collect();
        Shown { request: Request { arguments, ..shown.request.clone() }, arguments: Vec::new() }
    }
}

fn word(text: &str) -> Value {
    Value::try_from(text).unwrap_or_default()
}

/// A value as it may be shown, in a policy that has secrets.
pub(super) fn told(spec: &ArgumentSpec, value: &Value) -> Value {
    if spec.is_secret() {
        word(SECRET)
    } else if spec.check(value).is_err() {
        word(WITHHELD)
    } else {
        value.clone()
    }
}

/// The request with each of its values as it may be shown.
fn masked(request: &Request, given: &[Given<'_>]) -> Request {
    let mask = |value: &Value| {
        let holds = |given: &&Given<'_>| given.values.iter().any(|held| std::ptr::eq(*held, value));
        given.iter().find(holds).map_or_else(|| word(WITHHELD), |given| told(given.spec, value))
    };
    let argument = |argument: &Argument| match argument {
        Argument::Positional(value) => Argument::Positional(mask(value)),
        Argument::Named(name, value) => Argument::Named(name.clone(), mask(value)),
    };
    Request { command: request.command.clone(), arguments: request.arguments.iter().map(argument).collect() }
}
