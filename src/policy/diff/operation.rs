//! What a command is, apart from who may run it: whether the same name does the same thing. Compares, and judges nothing.

use super::super::command::{Command, Rule};
use super::super::condition::Condition;
use super::super::rate::{MaxRunning, Rate};
use super::crowd::{World, crowd};
use super::values;
use std::time::Duration;

/// Characters of what runs that people are shown at most.
const SHOWN: usize = 120;

/// What running the new command gives that running the old one doesn't, in a few words; `None` where that is nothing.
pub(super) fn more(old: &Command, new: &Command) -> Option<String> {
    let mut other = Vec::new();
    let mut differs = |differs: bool, word: &'static str| other.extend(differs.then_some(word));
    differs(old.program != new.program, "program");
    differs(old.program == new.program && old.exec != new.exec, "exec");
    differs(old.run_as != new.run_as, "run-as");
    differs(!names(old).eq(names(new)), "args");
    if !other.is_empty() {
        return Some(format!("runs something else ({}): {}", other.join(", "), line(new)));
    }
    let wider = [
        is_longer(new.timeout, old.timeout).then(|| format!("timeout {}", shown(new.timeout))),
        is_more_often(new.limits.rate.as_ref(), old.limits.rate.as_ref())
            .then(|| new.limits.rate.as_ref().map_or("no rate".to_owned(), |rate| format!("rate {rate}"))),
        is_more(new.limits.max_running.as_ref(), old.limits.max_running.as_ref()).then(|| {
            new.limits
                .max_running
                .as_ref()
                .map_or("no max-running".to_owned(), |max| format!("max-running {}", max.runs))
        }),
    ];
    let wider: Vec<String> = wider.into_iter().flatten().collect();
    (!wider.is_empty()).then(|| wider.join(", "))
}

fn is_more_often(rate: Option<&Rate>, than: Option<&Rate>) -> bool {
    let more = |rate: &Rate, than: &Rate| rate.runs > than.runs || rate.per < than.per;
    than.is_some_and(|than| rate.is_none_or(|rate| more(rate, than)))
}

fn is_more(max: Option<&MaxRunning>, than: Option<&MaxRunning>) -> bool {
    than.is_some_and(|than| max.is_none_or(|max| max.runs > than.runs))
}

/// What runs, as whom, in one line that is not too long.
fn line(command: &Command) -> String {
    let elements: Vec<String> = command.exec.iter().map(ToString::to_string).collect();
    let line = elements.join(" ");
    let cut: String = line.chars().take(SHOWN).collect();
    let rest = if cut.len() == line.len() { "" } else { "…" };
    format!("{cut}{rest} as {}", command.run_as.name)
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
    let same =
        |(old, new): (&Rule, &Rule)| old.when == new.when && is_for_same(&old.condition, &new.condition);
    operation
        && arguments().all(|(old, new)| values::are_same(old, new))
        && old.rules.len() == new.rules.len()
        && old.rules.iter().zip(&new.rules).all(same)
}

fn is_for_same(old: &Condition, new: &Condition) -> bool {
    let during = old.during.includes(&new.during) && new.during.includes(&old.during);
    during
        && old.foreign_namespace == new.foreign_namespace
        && crowd(old, World::Own) == crowd(new, World::Own)
}
