//! Brings a request's arguments together with those that its command declares. Guesses nothing.

use super::command::Command;
use super::decision::Denial;
use super::kind::ArgumentSpec;
use super::nearest::did_you_mean;
use super::step::{Step, Steps};
use crate::request::{Argument, ArgumentName, Value};
use std::collections::BTreeMap;

/// A misfit: the argument's name, the word for it in `why`, and what the peer is told.
struct Misfit {
    name: String,
    result: &'static str,
    text: String,
}

/// An argument that the command declares, with its value if it has one.
pub(super) type Given<'a> = (&'a ArgumentSpec, Option<Value>);

/// The value of each declared argument, in the declared order: what the peer gave, or the default, or none where the
/// argument is optional.
pub(super) fn given<'a>(
    command: &'a Command,
    arguments: &[Argument],
    steps: &mut Steps,
) -> Result<Vec<Given<'a>>, Denial> {
    let bound = bind(command, arguments).and_then(|bound| fill(command, &bound));
    bound.map_err(|misfit| {
        steps.note(|| Step::argument(&misfit.name, misfit.result));
        Denial::bad_argument(&misfit.name, &misfit.text, command.origin())
    })
}

fn bind<'a>(
    command: &'a Command,
    given: &'a [Argument],
) -> Result<BTreeMap<&'a ArgumentName, &'a Value>, Misfit> {
    let mut unfilled = command.arguments.iter();
    let mut bound = BTreeMap::new();
    for (index, argument) in given.iter().enumerate() {
        let (name, value) = match argument {
            Argument::Positional(value) => {
                (unfilled.next().ok_or_else(|| surplus(command, index))?.name(), value)
            }
            Argument::Named(name, value) => (declared(command, name)?, value),
        };
        if bound.insert(name, value).is_some() {
            return Err(Misfit {
                name: name.to_string(),
                result: "twice",
                text: "is given twice".to_owned(),
            });
        }
    }
    Ok(bound)
}

fn fill<'a>(command: &'a Command, bound: &BTreeMap<&ArgumentName, &Value>) -> Result<Vec<Given<'a>>, Misfit> {
    let value = |spec: &'a ArgumentSpec| {
        let given = bound.get(&spec.name).copied().or(spec.default.as_ref());
        if given.is_none() && spec.is_required() { Err(missing(spec)) } else { Ok((spec, given.cloned())) }
    };
    command.arguments.iter().map(value).collect()
}

fn declared<'a>(command: &'a Command, name: &ArgumentName) -> Result<&'a ArgumentName, Misfit> {
    let names = || command.arguments.iter().map(ArgumentSpec::name);
    names().find(|declared| *declared == name).ok_or_else(|| {
        let close = did_you_mean(name.as_str(), names().map(ArgumentName::as_str));
        let text = format!("is no argument of {}{close}", command.usage());
        Misfit { name: name.to_string(), result: "unknown", text }
    })
}

/// A positional argument too many is named by its number among all that were given.
fn surplus(command: &Command, index: usize) -> Misfit {
    let text = format!("is too many: {}", command.usage());
    Misfit { name: (index + 1).to_string(), result: "surplus", text }
}

fn missing(spec: &ArgumentSpec) -> Misfit {
    let text = format!("is missing: it must be {}", spec.kind());
    Misfit { name: spec.name.to_string(), result: "missing", text }
}
