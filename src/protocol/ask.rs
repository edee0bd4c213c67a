//! What a sound line asks for. Checks the arguments of built-ins; those of commands are for the policy.

use super::tag::Tag;
use super::wanted;
use crate::request::{Argument, Builtin, CommandName, JobId, Request, TRIAL, Value, Wanted, Wish};
use std::time::Duration;

/// The version that this server speaks (`hello 1`).
pub const VERSION: u32 = 1;

/// How replies are spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// Lines for people and scripts.
    #[default]
    Text,
    /// Counted octets for programs.
    Frame,
}

/// What a client proposes for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version of the protocol. Where it is not [`VERSION`], nothing else of the line was looked at.
    pub version: u32,
    /// How replies are to be spelt.
    pub mode: Mode,
    /// How many requests may run at once; never 0.
    pub concurrent: Option<u32>,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// What there is, or how one command is used.
    Help(Option<CommandName>),
    /// What the peer may run.
    Commands,
    /// Who the kernel says the peer is.
    Whoami,
    /// How a request would be decided, without running it.
    Why(Request),
    /// To run a command of the policy, and how.
    Run(Request, Wanted),
    /// To end the running command.
    Cancel,
    /// An answer.
    Ping,
    /// To agree on a version.
    Hello(Hello),
    /// To end the session.
    Quit,
    /// How the server is.
    Status,
    /// Something that the broker does.
    Wish(Wish),
    /// A built-in of the protocol that this version does not serve.
    Unserved(Builtin),
    /// A built-in with what it does not take (`422 bad-argument`).
    Misused {
        /// Which one.
        builtin: Builtin,
        /// The argument at fault, or the one that is missing.
        name: String,
        /// What it takes.
        text: String,
    },
}

/// One argument of a line, and whether its value was in quotes.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) argument: Argument,
    pub(super) quoted: bool,
}

/// Which argument a built-in does not take, and what it takes instead.
pub(super) struct Misuse(String, String);

pub(super) type Checked<T> = Result<T, Misuse>;

pub(super) fn misuse<T>(name: &str, text: impl Into<String>) -> Checked<T> {
    Err(Misuse(name.to_owned(), text.into()))
}

impl Ask {
    /// What a verb with these arguments asks for, and `fed` with an input.
    pub(super) fn of(verb: CommandName, given: Vec<Given>, fed: bool) -> Self {
        let builtin = Builtin::from_verb(verb.as_str());
        let ask = match builtin {
            None => wanted::run(verb, given),
            Some(builtin) => Self::of_builtin(builtin, given, fed),
        };
        let builtin = builtin.unwrap_or(Builtin::Run);
        ask.unwrap_or_else(|Misuse(name, text)| Self::Misused { builtin, name, text })
    }

    fn of_builtin(builtin: Builtin, given: Vec<Given>, fed: bool) -> Checked<Self> {
        if fed && builtin != Builtin::Run {
            return misuse("input", format!("{} takes no input", builtin.verb()));
        }
        match builtin {
            Builtin::Run => named(given).and_then(|(command, given)| wanted::run(command, given)),
            Builtin::Why => named(given).and_then(|(command, given)| wanted::why(command, given)),
            Builtin::Help => help(given),
            Builtin::Hello => hello(&given).map(Self::Hello),
            Builtin::Cancel => cancel(&given),
            Builtin::Commands => alone(builtin, &given, Self::Commands),
            Builtin::Whoami => alone(builtin, &given, Self::Whoami),
            Builtin::Ping => alone(builtin, &given, Self::Ping),
            Builtin::Quit => alone(builtin, &given, Self::Quit),
            Builtin::Status => alone(builtin, &given, Self::Status),
            Builtin::Confirm => alone(builtin, &given, Self::Wish(Wish::Confirm)),
            Builtin::Reload => reload(&given).map(|trial| Self::Wish(Wish::Reload(trial))),
            Builtin::Job => job(&given).map(Self::Wish),
            Builtin::Jobs => jobs(&given).map(Self::Wish),
            Builtin::Drain | Builtin::Kick | Builtin::Sessions => Ok(Self::Unserved(builtin)),
        }
    }
}

pub(super) fn arguments(given: impl IntoIterator<Item = Given>) -> Vec<Argument> {
    given.into_iter().map(|given| given.argument).collect()
}

/// How an argument is called in a reply.
pub(super) fn label(given: &Given) -> &str {
    match &given.argument {
        Argument::Named(name, _) => name.as_str(),
        Argument::Positional(_) => "argument",
    }
}

fn alone(builtin: Builtin, given: &[Given], ask: Ask) -> Checked<Ask> {
    match given.first() {
        None => Ok(ask),
        Some(extra) => misuse(label(extra), format!("{} takes no arguments", builtin.verb())),
    }
}

fn cancel(given: &[Given]) -> Checked<Ask> {
    match given {
        [] => Ok(Ask::Cancel),
        [Given { argument: Argument::Named(name, value), .. }] if name.as_str() == "job" => {
            job_id(value).map(|id| Ask::Wish(Wish::Cancel(id)))
        }
        [first, ..] => cancel_of_another(first),
    }
}

fn cancel_of_another(first: &Given) -> Checked<Ask> {
    let names_a_tag =
        matches!(&first.argument, Argument::Positional(value) if Tag::spelt(value.as_bytes()).is_ok());
    let name = if names_a_tag { "tag" } else { label(first) };
    misuse(name, "cancel takes job=ID, or nothing in this version: it then ends the running command")
}

fn jobs(given: &[Given]) -> Checked<Wish> {
    match given {
        [] => Ok(Wish::Jobs { everyone: false }),
        [first] if is_word(first, b"all") => Ok(Wish::Jobs { everyone: true }),
        [first, ..] => misuse(label(first), "jobs takes nothing, or the word all"),
    }
}

fn job(given: &[Given]) -> Checked<Wish> {
    let Some(Given { argument: Argument::Positional(id), .. }) = given.first() else {
        return misuse("job", "must be the id of a job, and come first; jobs lists yours");
    };
    let id = job_id(id)?;
    match given.get(1..).unwrap_or_default() {
        [] => Ok(Wish::Job { id, follow: false }),
        [word] if is_word(word, b"follow") => Ok(Wish::Job { id, follow: true }),
        [extra, ..] => misuse(label(extra), "job takes an id, and perhaps the word follow"),
    }
}

fn job_id(value: &Value) -> Checked<JobId> {
    let id = value.as_text().unwrap_or_default().parse::<JobId>();
    id.or_else(|error| misuse("job", error.to_string()))
}

fn is_word(given: &Given, word: &[u8]) -> bool {
    matches!(&given.argument, Argument::Positional(value) if !given.quoted && value.as_bytes() == word)
}

fn command(given: &Given) -> Option<CommandName> {
    match &given.argument {
        Argument::Positional(value) if !given.quoted => value.as_text()?.parse().ok(),
        Argument::Positional(_) | Argument::Named(..) => None,
    }
}

/// The name of a command, and what follows it.
fn named(given: Vec<Given>) -> Checked<(CommandName, Vec<Given>)> {
    let mut given = given.into_iter();
    match given.next().as_ref().and_then(command) {
        Some(command) => Ok((command, given.collect())),
        None => misuse("name", "must be the bare name of a command, and come first"),
    }
}

fn help(given: Vec<Given>) -> Checked<Ask> {
    let mut given = given.into_iter();
    let Some(first) = given.next() else { return Ok(Ask::Help(None)) };
    match (command(&first), given.next()) {
        (Some(name), None) => Ok(Ask::Help(Some(name))),
        (Some(_), Some(extra)) => misuse(label(&extra), "help takes one name at most"),
        (None, _) => {
            let name = if matches!(first.argument, Argument::Named(..)) { label(&first) } else { "name" };
            misuse(name, "must be the bare name of a command or a built-in")
        }
    }
}

fn hello(given: &[Given]) -> Checked<Hello> {
    let Some(version) = given.first().and_then(version) else {
        return misuse("version", "must be a number, and come first: hello 1");
    };
    let mut hello = Hello { version, mode: Mode::Text, concurrent: None };
    let mut seen = Vec::new();
    for option in given.iter().skip(1).filter(|_| version == VERSION) {
        if seen.contains(&label(option)) {
            return misuse(label(option), "given twice");
        }
        seen.push(label(option));
        propose(option, &mut hello)?;
    }
    Ok(hello)
}

fn version(given: &Given) -> Option<u32> {
    match &given.argument {
        Argument::Positional(value) => number(value),
        Argument::Named(..) => None,
    }
}

fn propose(option: &Given, hello: &mut Hello) -> Checked<()> {
    match &option.argument {
        Argument::Named(name, value) if name.as_str() == "mode" => hello.mode = mode(value)?,
        Argument::Named(name, value) if name.as_str() == "concurrent" => {
            hello.concurrent = Some(concurrent(value)?);
        }
        Argument::Named(..) | Argument::Positional(_) => {
            return misuse(label(option), "hello takes a version, mode= and concurrent=");
        }
    }
    Ok(())
}

fn mode(value: &Value) -> Checked<Mode> {
    match value.as_bytes() {
        b"text" => Ok(Mode::Text),
        b"frame" => Ok(Mode::Frame),
        _ => misuse("mode", "must be one of text, frame"),
    }
}

fn reload(given: &[Given]) -> Checked<Option<Duration>> {
    let Some(first) = given.first() else { return Ok(None) };
    let time = match &first.argument {
        Argument::Named(name, value) if name.as_str() == "confirm" => trial(value)?,
        Argument::Named(..) | Argument::Positional(_) => {
            return misuse(label(first), "reload takes confirm= and nothing else");
        }
    };
    match given.get(1) {
        None => Ok(Some(time)),
        Some(extra) => misuse(label(extra), "reload takes confirm= once, and nothing else"),
    }
}

fn trial(value: &Value) -> Checked<Duration> {
    let time = value.as_text().and_then(|text| humantime::parse_duration(text).ok());
    time.filter(|time| TRIAL.contains(time))
        .map_or_else(|| misuse("confirm", "must be a time from 1s to 1h, like 60s or 5min"), Ok)
}

fn concurrent(value: &Value) -> Checked<u32> {
    number(value)
        .filter(|count| *count > 0)
        .map_or_else(|| misuse("concurrent", "must be a number above 0"), Ok)
}

/// A decimal number of digits alone.
fn number(value: &Value) -> Option<u32> {
    value.as_text().filter(|text| text.bytes().all(|octet| octet.is_ascii_digit()))?.parse().ok()
}
