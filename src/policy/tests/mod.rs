//! Tests of the policy as a whole: broken texts, verdicts, properties. The user database here is a table.

mod broken;
mod diff_properties;
mod differences;
mod properties;
mod rules;
mod verdicts;

use super::{Diagnostic, Explanation, Loaded, LookupFailed, Names, Policy, Source};
use crate::identity::{Gid, Peer, Uid};
use crate::request::{Argument, Request, Value};
use std::path::{Path, PathBuf};

const USERS: [(&str, u32); 9] = [
    ("root", 0),
    ("alice", 1001),
    ("bob", 1002),
    ("carol", 1003),
    ("dave", 1004),
    ("erin", 1005),
    ("mallory", 1006),
    ("nightly", 990),
    ("postgres", 991),
];

const GROUPS: [(&str, u32); 7] = [
    ("root", 0),
    ("wheel", 10),
    ("webops", 2001),
    ("backup-operators", 2002),
    ("dba", 2003),
    ("developers", 2004),
    ("contractors", 2005),
];

/// The users and groups of the tables; of `flaky` it can't tell.
pub(super) struct Table;

fn look_up(table: &[(&str, u32)], name: &str) -> Result<Option<u32>, LookupFailed> {
    if name == "flaky" {
        return Err(LookupFailed("too many open files".to_owned()));
    }
    Ok(table.iter().find(|(known, _)| *known == name).map(|(_, id)| *id))
}

impl Names for Table {
    fn uid_of(&self, user: &str) -> Result<Option<Uid>, LookupFailed> {
        Ok(look_up(&USERS, user)?.map(|raw| Uid::new(raw).unwrap()))
    }

    fn gid_of(&self, group: &str) -> Result<Option<Gid>, LookupFailed> {
        Ok(look_up(&GROUPS, group)?.map(|raw| Gid::new(raw).unwrap()))
    }
}

pub(super) fn uid(user: &str) -> Uid {
    Table.uid_of(user).unwrap().unwrap()
}

pub(super) fn gid(group: &str) -> Gid {
    Table.gid_of(group).unwrap().unwrap()
}

/// A user with a primary group of its own and these supplementary ones.
pub(super) fn peer(user: &str, groups: &[&str]) -> Peer {
    let own = Gid::new(uid(user).raw()).unwrap();
    Peer::of(uid(user), own, groups.iter().map(|group| gid(group)))
}

/// A request as a person writes it, without quoting.
pub(super) fn request(line: &str) -> Request {
    let mut words = line.split_whitespace();
    let command = words.next().unwrap().parse().unwrap();
    let argument = |word: &str| match word.split_once('=') {
        Some((name, value)) => Argument::Named(name.parse().unwrap(), Value::try_from(value).unwrap()),
        None => Argument::Positional(Value::try_from(word).unwrap()),
    };
    Request { command, arguments: words.map(argument).collect() }
}

pub(super) fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

pub(super) fn parse(text: &str) -> Result<Loaded, Vec<Diagnostic>> {
    Policy::parse(&[source("policy.toml", text)], &Table)
}

pub(super) fn policy(text: &str) -> Policy {
    parse(text).unwrap_or_else(|errors| panic!("{errors:#?}")).policy
}

/// The rows of an explanation, as the protocol writes simple ones.
pub(super) fn rows(explanation: &Explanation) -> Vec<String> {
    let row = |fields: Vec<(&str, String)>| {
        fields.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
    };
    explanation.steps.iter().map(|step| row(step.fields())).collect()
}

pub(super) fn project_file(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(super) fn read(path: &str) -> String {
    std::fs::read_to_string(project_file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
