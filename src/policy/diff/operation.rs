//! What a command is, apart from who may run it: whether the same name does the same thing. Compares, and judges nothing.

use super::super::command::{Command, Rule};
use super::super::condition::Condition;
use super::super::rate::{MaxRunning, Rate};
use super::super::size::Size;
use super::super::terms::{Ceilings, Enforcement, Input, OnDisconnect, Property, Runner, Terms};
use super::crowd::{World, keys};
use super::kinds;
use super::manner;
use super::values;
use std::collections::BTreeSet;
use std::sync::Arc;
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
    other.extend(manner::others(&old.terms.manner, &new.terms.manner));
    if !other.is_empty() {
        return Some(format!("runs something else ({}): {}", other.join(", "), line(new)));
    }
    wider(old, new)
}

/// Which limits of the new command are wider, or are no more.
fn wider(old: &Command, new: &Command) -> Option<String> {
    let terms = [&old.terms, &new.terms];
    let rates = terms.map(|terms| terms.rate.as_ref());
    let mosts = terms.map(|terms| terms.max_running.as_ref());
    let timeouts = terms.map(|terms| terms.timeout);
    let inputs = terms.map(|terms| terms.input);
    let outputs = terms.map(|terms| terms.delivery.output_limit);
    let stalls = terms.map(|terms| terms.delivery.stall_timeout);
    let wider = [
        is_longer(timeouts).then(|| limit("timeout", timeouts.map(|timeout| Some(shown(timeout))))),
        is_more_often(rates).then(|| limit("rate", rates.map(|rate| rate.map(Rate::to_string)))),
        is_more(mosts)
            .then(|| limit("max-running", mosts.map(|most| most.map(|most| most.runs.to_string())))),
        runner(terms.map(|terms| &terms.runner)),
        longer_input(inputs),
        is_longer(outputs).then(|| limit("output-limit", outputs.map(|size| Some(told(size))))),
        is_longer(stalls).then(|| limit("stall-timeout", stalls.map(|timeout| Some(shown(timeout))))),
        outlives(terms).then(|| "on-disconnect finish instead of term".to_owned()),
    ];
    let ceilings = wider_ceilings(terms.map(|terms| &terms.ceilings));
    let limits = wider.into_iter().chain(ceilings).flatten();
    let all: Vec<String> = limits.chain(manner::wider(old, new)).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// The same, of what it may take.
fn wider_ceilings(ceilings: [&Ceilings; 2]) -> [Option<String>; 5] {
    let (times, memory) = (ceilings.map(|of| Some(of.kill_after)), ceilings.map(|of| of.memory_max));
    let (tasks, cpu) = (ceilings.map(|of| of.tasks_max), ceilings.map(|of| of.cpu_max));
    let enforcements = ceilings.map(|of| of.enforcement);
    let is_looser = enforcements == [Enforcement::Required, Enforcement::BestEffort];
    let keeps_limits = ceilings.iter().all(|of| of.has_limits());
    [
        is_longer(times).then(|| limit("kill-after", times.map(|time| Some(shown(time))))),
        is_longer(memory).then(|| limit("memory-max", memory.map(|size| size.map(|size| size.to_string())))),
        is_longer(tasks).then(|| limit("tasks-max", tasks.map(|tasks| tasks.map(|most| most.to_string())))),
        is_longer(cpu).then(|| limit("cpu-max", cpu.map(|cpu| cpu.map(|most| most.to_string())))),
        (is_looser && keeps_limits).then(|| "limits best-effort instead of required".to_owned()),
    ]
}

/// What starts it, where that is another, or a unit with other properties: which of the two gives more is not known, and it is
/// told of both.
fn runner([was, is]: [&Runner; 2]) -> Option<String> {
    let (Runner::Unit(was), Runner::Unit(is)) = (was, is) else {
        return (was != is).then(|| format!("runner {} instead of {}", is.name(), was.name()));
    };
    let differ = |one: &[Property], other: &[Property]| -> Vec<&str> {
        one.iter().filter(|property| !other.contains(property)).map(|property| property.name).collect()
    };
    let names: BTreeSet<&str> = differ(was, is).into_iter().chain(differ(is, was)).collect();
    let names: Vec<&str> = names.into_iter().collect();
    (!names.is_empty()).then(|| format!("another {} of its unit", names.join(", ")))
}

/// A limit that is wider: what it is, and what it was.
fn limit(name: &str, [was, is]: [Option<String>; 2]) -> String {
    let is = is.map_or_else(|| format!("no {name}"), |is| format!("{name} {is}"));
    format!("{is} instead of {}", was.unwrap_or_default())
}

fn is_more_often([than, rate]: [Option<&Rate>; 2]) -> bool {
    let more = |rate: &Rate, than: &Rate| rate.runs > than.runs || rate.per < than.per;
    than.is_some_and(|than| rate.is_none_or(|rate| more(rate, than)))
}

fn is_more([than, max]: [Option<&MaxRunning>; 2]) -> bool {
    than.is_some_and(|than| max.is_none_or(|max| max.runs > than.runs))
}

fn longer_input([than, input]: [Input; 2]) -> Option<String> {
    match (than.limit(), input.limit()) {
        (None, Some(limit)) => Some(format!("stdin bytes (input-limit {limit}) instead of none")),
        (Some(than), Some(limit)) if limit > than => Some(format!("input-limit {limit} instead of {than}")),
        (_, _) => None,
    }
}

/// What runs, as whom, and which values it gets in other ways than as text, in one line that is not too long.
fn line(command: &Command) -> String {
    let elements: Vec<String> = command.exec.iter().map(ToString::to_string).collect();
    let line = elements.join(" ");
    let cut: String = line.chars().take(SHOWN).collect();
    let rest = if cut.len() == line.len() { "" } else { "…" };
    let handed =
        names(command).filter(|(_, way)| *way != "text").map(|(name, way)| format!(", {name} by {way}"));
    format!("{cut}{rest} as {}{}", command.run_as, handed.collect::<String>())
}

/// The arguments' names in their order, and how their values come to the program.
fn names(command: &Command) -> impl Iterator<Item = (&str, &str)> {
    command.arguments.iter().map(|spec| (spec.name.as_str(), kinds::way(&spec.kind)))
}

/// Whether it goes on without its client, as it did not before.
fn outlives(terms: [&Arc<Terms>; 2]) -> bool {
    terms.map(|terms| terms.delivery.on_disconnect) == [OnDisconnect::Term, OnDisconnect::Finish]
}

fn told(limit: Option<Size>) -> String {
    limit.map_or("infinity".to_owned(), |limit| limit.to_string())
}

fn is_longer<T: PartialOrd>([than, limit]: [Option<T>; 2]) -> bool {
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
