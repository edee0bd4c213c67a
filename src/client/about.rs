//! `udsadmin commands`, `whoami` and `status`: what the service says of its caller, and of itself. Decides nothing.

use super::asking::{Answer, Common, ask_for, number, pretty, write};
use super::policy::aligned;
use super::run::told;
use crate::request::Builtin;
use serde_json::{Map, Value};
use std::io;
use std::process::ExitCode;

/// List the commands that you may run
///
/// udsadmin run runs one. What a command is not for at this time is listed with its times.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct CommandsArgs {
    #[command(flatten)]
    common: Common,
}

/// Tell who the kernel says you are, to the service
#[derive(clap::Args, Clone, Debug)]
pub(super) struct WhoamiArgs {
    #[command(flatten)]
    common: Common,
}

/// Tell how the service is, where the policy lets you ([[builtins.status.allow]])
#[derive(clap::Args, Clone, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    common: Common,
}

/// How an answer is told: to people, and to programs.
type Telling = (fn(&Answer) -> String, fn(&Answer) -> Value);

/// Lists.
pub(super) fn commands(arguments: &CommandsArgs) -> ExitCode {
    tell(Builtin::Commands, &arguments.common, (list, |answer| answer.rows.clone().into()))
}

/// Tells who asks.
pub(super) fn whoami(arguments: &WhoamiArgs) -> ExitCode {
    tell(Builtin::Whoami, &arguments.common, (pairs, peer))
}

/// Tells how the service is.
pub(super) fn status(arguments: &StatusArgs) -> ExitCode {
    tell(Builtin::Status, &arguments.common, (pairs, state))
}

fn tell(of: Builtin, common: &Common, (people, programs): Telling) -> ExitCode {
    let out = &mut io::stdout();
    told(ask_for(of, common, out).and_then(|answer| {
        let text = if common.json { pretty(&programs(&answer)) } else { people(&answer) };
        write(&text, out)
    }))
}

fn list(answer: &Answer) -> String {
    if answer.rows.is_empty() {
        return "no command of the policy is for you\n".to_owned();
    }
    let cell = |row: &Map<String, Value>, name: &str| plain(row.get(name));
    let cells = |row| [cell(row, "usage"), cell(row, "summary"), cell(row, "during")];
    aligned(&answer.rows.iter().map(cells).collect::<Vec<_>>())
}

/// A line for each field of all rows.
fn pairs(answer: &Answer) -> String {
    let fields = answer.rows.iter().flatten();
    aligned(&fields.map(|(name, value)| [name.clone(), plain(Some(value))]).collect::<Vec<_>>())
}

fn plain(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// The peer, with its groups in a list.
fn peer(answer: &Answer) -> Value {
    let mut fields: Map<String, Value> = answer.rows.iter().flatten().map(pair).collect();
    if let Some(groups) = fields.get_mut("groups") {
        *groups = plain(Some(groups)).split(',').filter(|group| !group.is_empty()).collect();
    }
    fields.into()
}

/// All fields in one object, numbers as such.
fn state(answer: &Answer) -> Value {
    let fields = answer.rows.iter().flatten();
    Value::Object(fields.map(|(name, value)| (name.clone(), number(plain(Some(value))))).collect())
}

fn pair((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}
