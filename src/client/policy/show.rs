//! `udsadmin policy show`: what a policy of several files comes to, and where each part of it stands. Changes no verdict of it.

mod tree;
mod value;
mod writer;

use super::super::check;
use super::review::Review;
use super::{Answer, Common, Of, tell};
use crate::accounts::Database;
use crate::policy::{Command, Policy, Source};
use crate::server::policy::check_untested;
use crate::server::start::EX_CONFIG;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{self, Write};
use tree::{Entry, File, Section, united};

const EXAMPLES: &str = "\
Examples:
  udsadmin policy show                                      what is installed, with all of policy.d
  udsadmin policy show new/ > policy.toml                   one file that says the same as several
  udsadmin policy show --json | jq '.commands.restart.allow[].at'

The answer is a policy itself: `udsadmin check` takes it. Comments of the files are not in it; where each section stands, and
what counts for a command that says nothing of it, is told in comments. In the answer for programs each section has its place
in `at`, and a command what counts by default in `defaults`; a [[test]] with a time has that in `at`, and its place in `from`.

Exit status: 0 it is shown, 78 the policy can't be used, 64 a mistake on the command line.";

/// Show the policy that all the files make, with the place of each part
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) of: Of,
}

/// The section of the commands.
const COMMANDS: &str = "commands";

/// What counts for commands that say nothing of it.
struct Defaults(BTreeMap<String, [(&'static str, String); 3]>);

impl Defaults {
    fn of_policy(policy: &Policy) -> Self {
        let effective = |command: &Command| {
            let timeout = command
                .terms()
                .timeout
                .map_or("infinity".to_owned(), |it| humantime::format_duration(it).to_string());
            let stdin = command.terms().input.word().to_owned();
            let facts = [("run-as", command.run_as().name.clone()), ("timeout", timeout), ("stdin", stdin)];
            (command.name().to_string(), facts)
        };
        Self(policy.commands().map(effective).collect())
    }

    /// What the command's table does not say itself.
    fn of(&self, command: &str, section: &Section<'_>) -> Vec<(&'static str, String)> {
        let facts = self.0.get(command).into_iter().flatten();
        facts.filter(|(key, _)| !section.has(key)).cloned().collect()
    }
}

/// Shows the installed policy, which has to be one on this machine; or another one, which need not.
pub(super) fn run(common: &Common, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let outcome = match common.policy.as_slice() {
        [] => check::check(&[], &Database, check_untested),
        paths => check::review(paths, &Review::of(&Database)),
    };
    let Some(loaded) = &outcome.loaded else {
        check::tell([&outcome], common.json, out, err)?;
        return Ok(EX_CONFIG);
    };
    tell(&answer(&outcome.sources, &loaded.policy), common.json, out)
}

/// The policy of these files, which is known to be one.
pub(super) fn answer(sources: &[Source], policy: &Policy) -> Answer {
    let files: Vec<File<'_>> = sources.iter().map(File::of).collect();
    let whole = united(&files);
    let defaults = Defaults::of_policy(policy);
    Answer { people: writer::written(&whole, &defaults), json: json(&whole, &defaults), yes: true }
}

fn json(whole: &Section<'_>, defaults: &Defaults) -> Value {
    let mut object = Map::new();
    for (name, entry) in &whole.entries {
        let mut value = entry_json(entry);
        if let (COMMANDS, Entry::Section(commands), Value::Object(told)) = (&**name, entry, &mut value) {
            add_defaults(commands, told, defaults);
        }
        object.insert(name.clone(), value);
    }
    Value::Object(object)
}

fn add_defaults(commands: &Section<'_>, told: &mut Map<String, Value>, defaults: &Defaults) {
    for (name, entry) in &commands.entries {
        if let (Entry::Section(command), Some(Value::Object(told))) = (entry, told.get_mut(name)) {
            let facts =
                defaults.of(name, command).into_iter().map(|(key, text)| (key.to_owned(), text.into()));
            told.insert("defaults".to_owned(), Value::Object(facts.collect()));
        }
    }
}

fn entry_json(entry: &Entry<'_>) -> Value {
    match entry {
        Entry::Value(value) => value::json(value),
        Entry::List(tables) => tables.iter().map(placed_json).collect(),
        Entry::Section(section) if section.holds_members() => section_json(section).into(),
        Entry::Section(section) => placed_json(section),
    }
}

fn section_json(section: &Section<'_>) -> Map<String, Value> {
    section.entries.iter().map(|(name, entry)| (name.clone(), entry_json(entry))).collect()
}

/// The section with its place, under a key that the section does not have.
fn placed_json(section: &Section<'_>) -> Value {
    let place = if section.has("at") { "from" } else { "at" };
    let mut object = section_json(section);
    object.insert(place.to_owned(), section.from.clone().into());
    Value::Object(object)
}

#[cfg(test)]
mod tests;
