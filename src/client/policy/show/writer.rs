//! A policy's tree as TOML, with the place of each section before it. The parser reads the same policy in it.

use super::super::super::exit::shown;
use super::tree::{Entry, Section, in_order};
use super::value::{key, list, text};
use super::{COMMANDS, Defaults};
use std::collections::BTreeSet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The order in which the sections are told; others come before them.
const ORDER: [&str; 6] = ["roles", "allow", "deny", "builtins", COMMANDS, "test"];

/// The keys whose lists are united where several files have them.
const UNITED: [&str; 3] = ["users", "groups", "roles"];

/// Writes the whole policy. What counts by default is told in comments.
pub(super) fn written(whole: &Section<'_>, defaults: &Defaults) -> String {
    let mut entries: Vec<&(String, Entry<'_>)> = whole.entries.iter().collect();
    entries.sort_by_key(|(name, _)| ORDER.iter().position(|known| known == name).map_or(0, |at| at + 1));
    let parts = entries.into_iter().map(|(name, entry)| match entry {
        Entry::Value(_) => String::new(),
        Entry::List(tables) if name == "test" => tables.iter().map(|table| doubled(name, table)).collect(),
        Entry::List(tables) => gate(name, tables),
        Entry::Section(section) => members(name, section, defaults),
    });
    let text: String = std::iter::once(values(whole)).chain(parts).collect();
    text.trim_start().to_owned()
}

/// `[allow]` or `[deny]`: one table, unless one of several says more than whom.
fn gate(name: &str, tables: &[Section<'_>]) -> String {
    let says_more = |table: &Section<'_>| table.entries.iter().any(|(key, _)| !UNITED.contains(&&**key));
    if tables.len() > 1 && tables.iter().any(says_more) {
        return tables.iter().map(|table| doubled(name, table)).collect();
    }
    let [table] = tables else { return united(name, tables) };
    format!("\n{}[{}]\n{}", place(&[table]), key(name), values(table))
}

fn united(name: &str, tables: &[Section<'_>]) -> String {
    let lists = UNITED.iter().filter_map(|held| {
        let mut seen = BTreeSet::new();
        let words = tables.iter().flat_map(|table| table.listed(held));
        let words: Vec<&DeValue<'_>> = words.filter(|word| seen.insert(text(word))).collect();
        (!words.is_empty()).then(|| format!("{held} = {}\n", list(&words)))
    });
    let places: Vec<&Section<'_>> = tables.iter().collect();
    format!("\n{}[{}]\n{}", place(&places), key(name), lists.collect::<String>())
}

/// A section of things that have names, such as commands.
fn members(name: &str, section: &Section<'_>, defaults: &Defaults) -> String {
    let own = if section.has_values() {
        format!("\n{}[{}]\n{}", place(&[section]), key(name), values(section))
    } else {
        String::new()
    };
    let members = section.entries.iter().filter_map(|(member, entry)| match entry {
        Entry::Section(section) => {
            let defaults = if name == COMMANDS { defaults.of(member, section) } else { Vec::new() };
            Some(named(&format!("{}.{}", key(name), key(member)), section, &defaults))
        }
        Entry::Value(_) | Entry::List(_) => None,
    });
    std::iter::once(own).chain(members).collect()
}

/// One of them, with its rules.
fn named(header: &str, section: &Section<'_>, defaults: &[(&str, String)]) -> String {
    let comments = defaults.iter().map(|(key, value)| format!("# {key} = {value:?}, by default\n"));
    let own = if section.has_values() || section.entries.is_empty() {
        format!("\n{}[{header}]\n{}{}", place(&[section]), values(section), comments.collect::<String>())
    } else {
        String::new()
    };
    let rules = section.entries.iter().flat_map(|(name, entry)| match entry {
        Entry::List(rules) => {
            rules.iter().map(|rule| doubled(&format!("{header}.{}", key(name)), rule)).collect()
        }
        Entry::Value(_) | Entry::Section(_) => Vec::new(),
    });
    std::iter::once(own).chain(rules).collect()
}

fn doubled(header: &str, section: &Section<'_>) -> String {
    format!("\n{}[[{header}]]\n{}", place(&[section]), values(section))
}

fn place(sections: &[&Section<'_>]) -> String {
    let places: Vec<String> = sections.iter().map(|section| shown(&section.from)).collect();
    format!("# from {}\n", places.join(", "))
}

/// A line for each key that holds a value.
fn values(section: &Section<'_>) -> String {
    let lines = section.entries.iter().filter_map(|(name, entry)| match entry {
        Entry::Value(value) => Some(line(&key(name), value)),
        Entry::Section(_) | Entry::List(_) => None,
    });
    lines.collect()
}

/// A table of lists has a line for each of them.
fn line(name: &str, value: &DeValue<'_>) -> String {
    let lists =
        |table: &&DeTable<'_>| !table.is_empty() && table.values().all(|item| item.get_ref().is_array());
    let Some(table) = value.as_table().filter(lists) else {
        return format!("{name} = {}\n", text(value));
    };
    let line = |(below, item): (&str, &Spanned<DeValue<'_>>)| {
        format!("{name}.{} = {}", key(below), text(item.get_ref()))
    };
    let lines: Vec<String> = in_order(table).map(line).collect();
    lines.join("\n") + "\n"
}
