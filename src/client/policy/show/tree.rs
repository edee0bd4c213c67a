//! The tables of a policy's files, put together under one name each, with where they stand. Understands no key but by its place.

use crate::policy::Source;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The sections of which every file may have one of its own.
const GATES: [&str; 2] = ["allow", "deny"];

/// The key of the rules of a command or a built-in.
const RULES: &str = "allow";

/// A value of TOML with its place.
type Item<'i> = Spanned<DeValue<'i>>;

/// What a key holds.
pub(super) enum Entry<'t> {
    /// A value to be written behind the key.
    Value(&'t DeValue<'t>),
    /// A table under a header of its own.
    Section(Section<'t>),
    /// Tables, each under a doubled header.
    List(Vec<Section<'t>>),
}

/// A table with its keys, in the order in which a reader of the files meets them.
#[derive(Default)]
pub(super) struct Section<'t> {
    /// The file and line.
    pub(super) from: String,
    /// The keys.
    pub(super) entries: Vec<(String, Entry<'t>)>,
    /// Where in `entries` each key is.
    index: BTreeMap<String, usize>,
}

impl<'t> Section<'t> {
    fn new(from: String, entries: impl Iterator<Item = (&'t str, Entry<'t>)>) -> Self {
        let mut section = Self { from, ..Self::default() };
        entries.for_each(|(key, entry)| section.add(key, entry));
        section
    }

    fn add(&mut self, key: &str, entry: Entry<'t>) {
        let held = self.index.get(key).and_then(|at| self.entries.get_mut(*at));
        match (held.map(|(_, held)| held), entry) {
            (Some(Entry::Section(held)), Entry::Section(more)) => held.extend(more),
            (Some(Entry::List(held)), Entry::List(more)) => held.extend(more),
            (Some(_), _) => {}
            (None, entry) => {
                self.index.insert(key.to_owned(), self.entries.len());
                self.entries.push((key.to_owned(), entry));
            }
        }
    }

    /// Takes in what another file says under the same name. The place is that of what is more than rules.
    fn extend(&mut self, more: Self) {
        if !self.has_values() && more.has_values() {
            self.from.clone_from(&more.from);
        }
        for (key, entry) in more.entries {
            self.add(&key, entry);
        }
    }

    /// Whether it holds more than other tables.
    pub(super) fn has_values(&self) -> bool {
        self.entries.iter().any(|(_, entry)| matches!(entry, Entry::Value(_)))
    }

    /// Whether it has the key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.index.contains_key(key)
    }

    /// Whether it is a section of things that have names, and nothing by itself.
    pub(super) fn holds_members(&self) -> bool {
        self.entries.iter().all(|(_, entry)| matches!(entry, Entry::Section(_)))
    }

    /// The elements of the list that the key holds.
    pub(super) fn listed(&self, key: &str) -> impl Iterator<Item = &'t DeValue<'t>> {
        let entry = self.index.get(key).and_then(|at| self.entries.get(*at));
        let list = entry.and_then(|(_, entry)| match entry {
            Entry::Value(value) => value.as_array(),
            Entry::Section(_) | Entry::List(_) => None,
        });
        list.into_iter().flat_map(|list| list.iter()).map(Item::get_ref)
    }
}

/// One file, parsed.
pub(super) struct File<'s> {
    name: &'s str,
    line_starts: Vec<usize>,
    table: DeTable<'s>,
}

impl<'s> File<'s> {
    /// Parses the file, which is known to be TOML.
    pub(super) fn of(source: &'s Source) -> Self {
        let after_each_newline = source.text().match_indices('\n').map(|(offset, _)| offset + 1);
        let (table, _) = DeTable::parse_recoverable(source.text());
        Self {
            name: &source.name,
            line_starts: std::iter::once(0).chain(after_each_newline).collect(),
            table: table.into_inner(),
        }
    }

    fn place(&self, item: &Item<'_>) -> String {
        let line = self.line_starts.partition_point(|start| *start <= item.span().start);
        format!("{}:{line}", self.name)
    }

    /// What a key of the file holds. The gates are lists: each file has its own.
    fn top<'t>(&'t self, key: &str, item: &'t Item<'t>) -> Entry<'t> {
        match item.get_ref().as_table() {
            Some(gate) if GATES.contains(&key) => Entry::List(vec![self.plain(item, gate)]),
            Some(table) => {
                let entries = in_order(table).map(|(key, item)| (key, self.member(item)));
                Entry::Section(Section::new(self.place(item), entries))
            }
            None => self.list(item).unwrap_or(Entry::Value(item.get_ref())),
        }
    }

    /// One command, built-in, or whatever else has a name.
    fn member<'t>(&'t self, item: &'t Item<'t>) -> Entry<'t> {
        let Some(table) = item.get_ref().as_table() else { return Entry::Value(item.get_ref()) };
        let entry = |(key, item): (&'t str, &'t Item<'t>)| {
            let rules = Some(item).filter(|_| key == RULES).and_then(|item| self.list(item));
            (key, rules.unwrap_or(Entry::Value(item.get_ref())))
        };
        Entry::Section(Section::new(self.place(item), in_order(table).map(entry)))
    }

    /// The tables of a list that is one of tables alone.
    fn list<'t>(&'t self, item: &'t Item<'t>) -> Option<Entry<'t>> {
        let list = item.get_ref().as_array().filter(|list| !list.is_empty())?;
        let tables = list.iter().map(|one| Some(self.plain(one, one.get_ref().as_table()?)));
        Some(Entry::List(tables.collect::<Option<_>>()?))
    }

    /// A table of which everything is a value.
    fn plain<'t>(&'t self, item: &Item<'_>, table: &'t DeTable<'t>) -> Section<'t> {
        let entries = in_order(table).map(|(key, item)| (key, Entry::Value(item.get_ref())));
        Section::new(self.place(item), entries)
    }
}

/// The keys of a table as a reader meets them.
pub(super) fn in_order<'t>(table: &'t DeTable<'t>) -> impl Iterator<Item = (&'t str, &'t Item<'t>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter().map(|(key, item)| (key.get_ref().as_ref(), item))
}

/// Puts the files together.
pub(super) fn united<'t>(files: &'t [File<'_>]) -> Section<'t> {
    let mut whole = Section::default();
    for file in files {
        for (key, item) in in_order(&file.table) {
            whole.add(key, file.top(key, item));
        }
    }
    whole
}
