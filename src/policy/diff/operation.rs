//! What a command is, apart from who may run it: whether the same name does the same thing. Compares, and judges nothing.

use super::super::command::{Command, Rule};
use super::crowd::crowd;
use super::values;
use std::time::Duration;

/// What running the new command gives that running the old one doesn't, in a few words; `None` where that is nothing.
pub(super) fn more(old: &Command, new: &Command) -> Option<String> {
    let mut other = Vec::new();
    let mut differs = |differs: bool, word: &'static str| other.extend(differs.then_some(word));
    differs(old.program != new.program, "program");
    differs(old.program == new.program && old.exec != new.exec, "exec");
    differs(old.run_as != new.run_as, "run-as");
    differs(!names(old).eq(names(new)), "args");
    if !other.is_empty() {
        return Some(format!("runs something else: {}", other.join(", ")));
    }
    is_longer(new.timeout, old.timeout).then(|| format!("timeout {}", shown(new.timeout)))
}

fn names(command: &Command) -> impl Iterator<Item = &str> {
    command.arguments.iter().map(|spec| spec.name.as_str())
}

fn is_longer(limit: Option<Duration>, than: Option<Duration>) -> bool {
    than.is_some_and(|than| limit.is_none_or(|limit| limit > than))
}

fn shown(limit: Option<Duration>) -> String {
    limit.map_or("infinity".to_owned(), |limit| humantime::format_duration(limit).to_string())
}

/// Whether two commands of one name are the same for everyone: then nobody gains or loses by them.
pub(super) fn are_same(old: &Command, new: &Command) -> bool {
    let arguments = || old.arguments.iter().zip(&new.arguments);
    let operation = more(old, new).or_else(|| more(new, old)).is_none();
    let same = |(old, new): (&Rule, &Rule)| old.when == new.when && crowd(&old.who) == crowd(&new.who);
    operation
        && arguments().all(|(old, new)| values::are_same(old, new))
        && old.rules.len() == new.rules.len()
        && old.rules.iter().zip(&new.rules).all(same)
}
