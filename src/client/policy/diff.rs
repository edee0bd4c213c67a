//! `udsadmin policy diff`: who gains or loses what by a change of the policy. Compares what is permitted, and no texts.

use super::super::check::{self, Outcome};
use super::review::Review;
use super::table::aligned;
use super::{Answer, tell};
use crate::accounts::Database;
use crate::policy::{Change, Diff, LeftOut, Loaded, Principal, Values, diff};
use crate::server::start::EX_CONFIG;
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  udsadmin policy diff /etc/udsadmin new/             before a new policy is installed
  udsadmin policy diff main/policy.toml policy.toml   in the review of a change
  udsadmin policy diff <(git show main:policy.toml) policy.toml
  udsadmin policy diff --json old.toml new.toml | jq -r '.gains[] | .peer + \" \" + .command'

A line with + is a gain, one with - a loss:
  +  group webops                          restart    unit=sshd.service
  +  group webops, if also in group staff  restart    unit=nginx.service   [allow] names staff, and not webops
  -  user dave                             (connect)                       may not even connect any more
Values are told one by one where they can be listed, and else by their type; where neither of two types is known to hold
the other, the one is a loss and the other a gain. \"(left out)\" is a request without the argument, with what then stands
for it. A command whose program, exec, args or run-as has changed runs something else: whoever may run it gains that, and
loses what it was. A limit that has become wider is a gain, one that has become narrower a loss. Users and groups are those of
this machine; a name that it doesn't know is told apart by the name. Programs are not looked at, tests not run, and nobody is
asked who can change the files: that is for `udsadmin check`.

Exit status: 0 nobody gains anything, 1 somebody does, 78 a policy can't be used, 64 a mistake on the command line.";

/// Tell who gains or loses which command, with which values, by a change of the policy
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The policy before: a file, a directory with *.toml in it, or one with policy.d
    old: PathBuf,

    /// The policy after
    new: PathBuf,

    /// Answer in JSON, for a program
    #[arg(long)]
    json: bool,
}

/// Compares the two policies. Users and groups are the same for both, whether this machine knows them or not.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let names = Review::of(&Database);
    let load = |path: &Path| check::review(&[path.to_owned()], &names);
    let outcomes = [load(&arguments.old), load(&arguments.new)];
    let [Outcome { loaded: Some(old), .. }, Outcome { loaded: Some(new), .. }] = &outcomes else {
        let unusable = outcomes.iter().filter(|outcome| outcome.loaded.is_none());
        check::tell(unusable, arguments.json, out, err)?;
        return Ok(EX_CONFIG);
    };
    tell(&answer(old, new), arguments.json, out)
}

fn answer(old: &Loaded, new: &Loaded) -> Answer {
    let Diff { gains, losses } = diff(&old.policy, &new.policy);
    let signed = gains.iter().map(|gain| ("+", gain)).chain(losses.iter().map(|loss| ("-", loss)));
    let rows: Vec<_> = signed.map(|(sign, change)| row(sign, change)).collect();
    let object = |changes: &[Change]| changes.iter().map(object).collect::<Value>();
    Answer {
        people: format!("{}{}\n", aligned(&rows), summary(gains.len(), losses.len())),
        json: json!({ "gains": object(&gains), "losses": object(&losses) }),
        yes: gains.is_empty(),
    }
}

fn summary(gains: usize, losses: usize) -> String {
    let counted = |number: usize, one: &str, many: &str| match number {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    format!("{}, {}", counted(gains, "gain", "gains"), counted(losses, "loss", "losses"))
}

fn row(sign: &str, change: &Change) -> [String; 6] {
    let note = change.note().map_or_else(String::new, str::to_owned);
    let times = change.times().unwrap_or_default().to_owned();
    [sign.to_owned(), change.peer(), change.command().to_owned(), change.spelt_values(), times, note]
}

fn object(change: &Change) -> Value {
    let source = |one: &Principal| if one.is_by_database() { "database" } else { "kernel" };
    let principal =
        |one: &Principal| json!({ "kind": one.kind(), "name": one.name(), "source": source(one) });
    let parts: Vec<Value> = change.principals().map(|part| part.iter().map(principal).collect()).collect();
    let values: Map<_, _> =
        change.values().iter().map(|(name, values)| (name.clone(), given(values))).collect();
    let left_out =
        change.values().iter().filter_map(|(name, values)| Some((name.clone(), stands(values.left_out()?))));
    json!({
        "peer": change.peer(),
        "principals": parts,
        "command": change.command(),
        "builtin": change.is_builtin(),
        "values": values,
        "left-out": left_out.collect::<Map<_, _>>(),
        "times": change.times(),
        "foreign-namespace": change.is_foreign(),
        "note": change.note(),
    })
}

/// The list of values, or the type in words.
fn given(values: &Values) -> Value {
    values.listed().map_or_else(|| values.given().into(), |listed| listed.iter().cloned().collect())
}

fn stands(left_out: &LeftOut<String>) -> Value {
    match left_out {
        LeftOut::Nothing => Value::Null,
        LeftOut::Default(text) => text.clone().into(),
    }
}

#[cfg(test)]
mod tests;
