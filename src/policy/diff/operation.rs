//! What a command is, apart from who may run it: whether the same name does the same thing. Compares, and judges nothing.

use super::super::command::{Command, Rule};
use super::super::condition::Condition;
use super::super::rate::{MaxRunning, Rate};
use super::crowd::{World, keys};
use super::kinds;
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
    wider(old, new)
}

/// Which limits of the new command are wider, or are no more.
fn wider(old: &Command, new: &Command) -> Option<String> {
    let (was, is) = (&old.limits, &new.limits);
    let timeout = is_longer(new.timeout, old.timeout).then(|| format!("timeout {}", shown(new.timeout)));
    let rate = || is.rate.as_ref().map_or("no rate".to_owned(), |rate| format!("rate {rate}"));
    let rate = is_more_often(is.rate.as_ref(), was.rate.as_ref()).then(rate);
    let most = || {
        is.max_running.as_ref().map_or("no max-running".to_owned(), |max| format!("max-running {}", max.runs))
    };
    let most = is_more(is.max_running.as_ref(), was.max_running.as_ref()).then(most);
    let all: Vec<String> = [timeout, rate, most].into_iter().flatten().collect();
    (!all.is_empty()).then(|| all.join(", "))
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

/// The arguments' names in their order, and how their values come to the program.
fn names(command: &Command) -> impl Iterator<Item = (&str, &str)> {
    command.arguments.iter().map(|spec| (spec.name.as_str(), kinds::way(&spec.kind)))
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
        && keys(old, World::Own).eq(keys(new, World::Own))
}
