//! Brings a request's arguments together with those that its command declares. Guesses nothing.

use super::Policy;
use super::command::Command;
use super::decision::Denial;
use super::kind::{ArgumentSpec, Repeat};
use super::nearest::did_you_mean;
use super::step::{Step, Steps};
use crate::request::{Argument, ArgumentName, Value};

/// A misfit: the argument's name, the word for it in `why`, and what the peer is told.
pub(super) struct Misfit {
    name: String,
    /// The number among all that were given, of one that is not declared.
    number: Option<usize>,
    result: &'static str,
    text: String,
}

impl Misfit {
    fn of(spec: &ArgumentSpec, result: &'static str, text: String) -> Self {
        Self { name: spec.name.to_string(), number: None, result, text }
    }

    /// What stands before a `=` may be a part of a secret that holds one: it is not repeated.
    fn numbered(self) -> Self {
        Self { name: self.number.map_or(self.name, |number| number.to_string()), ..self }
    }
}

/// An argument that the command declares, with its values: none where it is optional and left out.
pub(super) struct Given<'a> {
    pub(super) spec: &'a ArgumentSpec,
    pub(super) values: Vec<&'a Value>,
}

/// The values of each declared argument, in the declared order: what the peer gave, or the default, or none where the
/// argument is optional.
pub(super) fn given<'a>(
    policy: &'a Policy,
    command: &'a Command,
    arguments: &'a [Argument],
    steps: &mut Steps,
) -> Result<Vec<Given<'a>>, Denial> {
    fit(command, arguments).map_err(|misfit| {
        let misfit = if policy.has_secrets { misfit.numbered() } else { misfit };
        steps.note(|| Step::argument(&misfit.name, misfit.result));
        Denial::bad_argument(&misfit.name, &misfit.text, command.origin())
    })
}

/// The same, with nobody told of a misfit.
pub(super) fn fit<'a>(command: &'a Command, arguments: &'a [Argument]) -> Result<Vec<Given<'a>>, Misfit> {
    let mut given: Vec<Given<'a>> =
        command.arguments.iter().map(|spec| Given { spec, values: Vec::new() }).collect();
    let mut position = 0;
    for (index, argument) in arguments.iter().enumerate() {
        let (place, value) = match argument {
            Argument::Positional(value) => {
                position += 1;
                (positional(command, position - 1), value)
            }
            Argument::Named(name, value) => (Some(named(command, name, index)?), value),
        };
        let place = place.and_then(|place| given.get_mut(place)).ok_or_else(|| surplus(command, index))?;
        if !place.values.is_empty() && place.spec.repeat.is_none() {
            return Err(Misfit::of(place.spec, "twice", "is given twice".to_owned()));
        }
        place.values.push(value);
    }
    given.into_iter().map(filled).collect()
}

/// The declared argument that a positional one fills: the next, and a last one that takes several the rest.
fn positional(command: &Command, position: usize) -> Option<usize> {
    let last = command.arguments.len().checked_sub(1)?;
    let takes_rest = command.arguments.last().is_some_and(|spec| spec.repeat.is_some());
    let place = if takes_rest { position.min(last) } else { position };
    (place <= last).then_some(place)
}

fn named(command: &Command, name: &ArgumentName, index: usize) -> Result<usize, Misfit> {
    let found = command.arguments.iter().position(|spec| spec.name == *name);
    found.ok_or_else(|| undeclared(command, name, index))
}

/// The argument with the default, where nothing was given.
fn filled(given: Given<'_>) -> Result<Given<'_>, Misfit> {
    let spec = given.spec;
    let values: Vec<&Value> =
        if given.values.is_empty() { spec.default.iter().collect() } else { given.values };
    if values.is_empty() {
        return if spec.is_required() { Err(missing(spec)) } else { Ok(Given { spec, values }) };
    }
    match spec.repeat {
        Some(Repeat { min, .. }) if values.len() < min => {
            Err(Misfit::of(spec, "too-few", format!("must be given {min} times at least")))
        }
        Some(Repeat { max, .. }) if values.len() > max => {
            Err(Misfit::of(spec, "too-many", format!("must be given {max} times at most")))
        }
        Some(_) | None => Ok(Given { spec, values }),
    }
}

fn undeclared(command: &Command, name: &ArgumentName, index: usize) -> Misfit {
    let names = command.arguments.iter().map(|spec| spec.name.as_str());
    let close = did_you_mean(name.as_str(), names);
    let text = format!("is no argument of {}{close}", command.usage());
    Misfit { name: name.to_string(), number: Some(index + 1), result: "unknown", text }
}

/// A positional argument too many is named by its number among all that were given.
fn surplus(command: &Command, index: usize) -> Misfit {
    let text = format!("is too many: {}", command.usage());
    Misfit { name: (index + 1).to_string(), number: None, result: "surplus", text }
}

fn missing(spec: &ArgumentSpec) -> Misfit {
    Misfit::of(spec, "missing", format!("is missing: it must be {}", spec.kind()))
}
