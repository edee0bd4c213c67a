//! Writes the policy. Whatever is put into it comes out as valid TOML that means the same.

use super::super::super::exit::shown;
use super::who::{Id, Principals};
use crate::request::{Builtin, CommandName, HTTP_METHODS, NAME_MAX};
use std::collections::{BTreeMap, BTreeSet};
use toml::Value;

/// An argument of a command: its name, and the pattern of its values.
pub(super) type Argument = (String, String);

/// A command without its rules; two that are equal are one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Command {
    /// What a name is made of.
    pub(super) stem: String,
    /// The program and its elements, braces doubled where they mean themselves.
    pub(super) exec: Vec<String>,
    pub(super) arguments: Vec<Argument>,
    pub(super) run_as: String,
    /// In seconds.
    pub(super) timeout: Option<u64>,
}

/// What is said of a command, and who may run it.
#[derive(Debug)]
struct Entry {
    command: Command,
    name: String,
    comments: Vec<String>,
    rules: Vec<Principals>,
}

/// A policy in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    entries: Vec<Entry>,
    places: BTreeMap<Command, usize>,
    names: BTreeSet<String>,
    /// How often each stem was numbered.
    numbers: BTreeMap<String, u64>,
    all: Principals,
}

impl Draft {
    /// Lets these run the command. Returns its name.
    pub(super) fn permit(&mut self, command: Command, who: &Principals, comment: &str) -> String {
        self.all.users.extend(who.users.iter().cloned());
        self.all.groups.extend(who.groups.iter().cloned());
        let next = self.entries.len();
        let place = *self.places.entry(command.clone()).or_insert(next);
        if place == next {
            let name = self.new_name(&command.stem);
            self.entries.push(Entry { command, name, comments: Vec::new(), rules: Vec::new() });
        }
        let Some(entry) = self.entries.get_mut(place) else { return String::new() };
        entry.comments.push(comment.to_owned());
        if !entry.rules.contains(who) {
            entry.rules.push(who.clone());
        }
        entry.name.clone()
    }

    fn new_name(&mut self, stem: &str) -> String {
        let stem = name_of(stem);
        let number = self.numbers.entry(stem.clone()).or_insert(0);
        loop {
            *number += 1;
            let suffix = if *number == 1 { String::new() } else { format!("-{number}") };
            let name = cut(&stem, NAME_MAX.saturating_sub(suffix.len())) + &suffix;
            if self.names.insert(name.clone()) {
                return name;
            }
        }
    }

    /// The policy as TOML.
    pub(super) fn text(&self, title: &str) -> String {
        let mut text = String::new();
        for line in title.lines() {
            text.push_str(&comment(line));
        }
        if !self.entries.is_empty() {
            text.push_str("\n[allow]\n");
            text.push_str(&principals(&self.all));
        }
        for entry in &self.entries {
            text.push('\n');
            text.push_str(&entry.text());
        }
        text
    }
}

impl Entry {
    fn text(&self) -> String {
        let Self { command, name, .. } = self;
        let exec: Vec<Value> = command.exec.iter().map(|element| Value::from(element.as_str())).collect();
        let run_as = Some(&command.run_as).filter(|user| *user != "root");
        [
            self.comments.iter().map(|line| comment(line)).collect(),
            format!("[commands.{name}]\nexec = {}\n", Value::from(exec)),
            arguments(&command.arguments),
            run_as.map_or_else(String::new, |user| format!("run-as = {}\n", Value::from(user.as_str()))),
            command.timeout.map_or_else(String::new, |seconds| format!("timeout = \"{seconds}s\"\n")),
            self.rules.iter().map(|rule| self.rule(rule)).collect(),
        ]
        .concat()
    }

    fn rule(&self, who: &Principals) -> String {
        format!("[[commands.{}.allow]]\n{}", self.name, principals(who))
    }
}

fn arguments(arguments: &[Argument]) -> String {
    let one = |(name, pattern): &Argument| {
        let (name, pattern) = (Value::from(name.as_str()), Value::from(pattern.as_str()));
        format!("    {{ name = {name}, pattern = {pattern} }},\n")
    };
    let list: String = arguments.iter().map(one).collect();
    if list.is_empty() { list } else { format!("args = [\n{list}]\n") }
}

fn comment(line: &str) -> String {
    if line.is_empty() { "#\n".to_owned() } else { format!("# {}\n", shown(line)) }
}

fn principals(who: &Principals) -> String {
    let list = |key: &str, ids: &BTreeSet<Id>| {
        let ids: Vec<Value> = ids.iter().map(value).collect();
        if ids.is_empty() { String::new() } else { format!("{key} = {}\n", Value::from(ids)) }
    };
    list("users", &who.users) + &list("groups", &who.groups)
}

fn value(id: &Id) -> Value {
    match id {
        Id::Name(name) => Value::from(name.as_str()),
        Id::Number(raw) => Value::from(i64::from(*raw)),
    }
}

/// A name for a command: small letters, digits and dashes, and none that the protocol itself uses.
fn name_of(stem: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let replaced: String = stem.chars().map(plain).collect();
    let parts: Vec<&str> = replaced.split('-').filter(|part| !part.is_empty()).collect();
    let name = cut(&parts.join("-"), NAME_MAX);
    let is_taken = Builtin::from_verb(&name).is_some() || HTTP_METHODS.contains(&&*name) || name == "in";
    if name.is_empty() {
        "command".to_owned()
    } else if is_taken || name.parse::<CommandName>().is_err() {
        cut(&format!("run-{name}"), NAME_MAX)
    } else {
        name
    }
}

/// At most so many octets of a name, without a dash at the end.
fn cut(name: &str, most: usize) -> String {
    name.chars().take(most).collect::<String>().trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stem_makes_a_name_that_a_command_may_have() {
        for (stem, name) in [
            ("systemctl restart nginx", "systemctl-restart-nginx"),
            ("e2fsck -n --", "e2fsck-n"),
            ("7z", "run-7z"),
            ("kick", "run-kick"),
            ("in", "run-in"),
            ("", "command"),
            ("größe", "gr-e"),
        ] {
            assert_eq!(name_of(stem), name);
        }
        assert_eq!(name_of(&"x-".repeat(99)).len(), 31);
    }

    #[test]
    fn names_are_told_apart_within_their_length() {
        let mut draft = Draft::default();
        let names: Vec<String> = (0..11).map(|_| draft.new_name(&"x".repeat(40))).collect();
        assert_eq!(names.first().map(String::as_str), Some(&*"x".repeat(32)));
        assert_eq!(names.get(1).map(String::as_str), Some(&*("x".repeat(30) + "-2")));
        assert!(names.iter().all(|name| name.parse::<CommandName>().is_ok()));
    }
}
