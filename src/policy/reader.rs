//! Reads TOML by the shapes that a policy knows, and notes every misfit with its place. Corrects nothing in silence.

use super::diagnostic::{Diagnostic, Severity};
use super::language::{self, Section};
use super::nearest::meant;
use super::origin::{Document, Origin, Place};
use super::principal::Names;
use super::role::Roles;
use std::ops::Range;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Keys of the policy as a whole.
const FOR_ALL: [&str; 2] = ["audit", "cgroup-limits"];

/// A value of TOML with its place.
pub(super) type Item<'i> = Spanned<DeValue<'i>>;

/// Text of a policy with its place.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// Reads one document; the findings of all documents go to one list.
pub(super) struct Reader<'a> {
    pub(super) document: &'a Arc<Document>,
    pub(super) names: &'a dyn Names,
    pub(super) roles: &'a mut Roles,
    pub(super) findings: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    /// Notes an error.
    pub(super) fn error(&mut self, span: &Range<usize>, message: &str) {
        self.findings.push(Diagnostic::new(Severity::Error, self.place(span), message));
    }

    /// Notes a warning.
    pub(super) fn warning(&mut self, span: &Range<usize>, message: &str) {
        self.findings.push(Diagnostic::new(Severity::Warning, self.place(span), message));
    }

    /// The place of a span of this document.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        Place::new(self.document, span)
    }

    /// The file and line of a span of this document.
    pub(super) fn origin(&self, span: &Range<usize>) -> Origin {
        self.place(span).origin()
    }

    /// Notes every key that the section doesn't have, with the one that was meant or all there are.
    pub(super) fn known_keys(&mut self, table: &DeTable<'_>, section: &Section) {
        for key in table.keys().filter(|key| !section.has(key.get_ref())) {
            let meant =
                elsewhere(key.get_ref(), section).unwrap_or_else(|| meant(key.get_ref(), &section.names()));
            self.error(&key.span(), &format!("unknown key {:?} in {}{meant}", key.get_ref(), section.of));
        }
    }

    /// The table that the item is.
    pub(super) fn table<'t, 'i>(&mut self, item: &'t Item<'i>) -> Option<&'t DeTable<'i>> {
        item.get_ref().as_table().or_else(|| self.misfit(item, "a table"))
    }

    /// The table of a section that has a header of its own.
    pub(super) fn section<'t, 'i>(&mut self, item: &'t Item<'i>) -> Option<&'t DeTable<'i>> {
        if item.get_ref().as_array().is_some_and(is_of_tables) {
            self.error(&item.span(), "this is one table: write it with single brackets");
            return None;
        }
        self.table(item)
    }

    /// The elements of the list that the item is.
    pub(super) fn list<'t, 'i>(&mut self, item: &'t Item<'i>) -> &'t [Item<'i>] {
        item.get_ref().as_array().or_else(|| self.misfit(item, "a list")).map_or(&[], |list| &**list)
    }

    /// The truth value that the item is.
    pub(super) fn truth(&mut self, item: &Item<'_>) -> Option<bool> {
        item.get_ref().as_bool().or_else(|| self.misfit(item, "true or false"))
    }

    /// The integer that the item is, within 64 bits and a sign.
    pub(super) fn integer(&mut self, item: &Item<'_>) -> Option<i64> {
        let Some(digits) = item.get_ref().as_integer() else { return self.misfit(item, "an integer") };
        let value = i64::from_str_radix(digits.as_str(), digits.radix()).ok();
        value.or_else(|| {
            self.error(&item.span(), "integer out of range; the largest is 9223372036854775807");
            None
        })
    }

    /// The string that the item is, without NUL.
    pub(super) fn word(&mut self, item: &Item<'_>) -> Option<Word> {
        let Some(text) = item.get_ref().as_str() else { return self.misfit(item, "a string") };
        if text.contains('\0') {
            self.error(&item.span(), "a string of a policy can't hold NUL");
            return None;
        }
        Some(Word { text: text.to_owned(), span: item.span() })
    }

    /// The strings of the list that the item is.
    pub(super) fn words(&mut self, item: &Item<'_>) -> Vec<Word> {
        self.list(item).iter().filter_map(|element| self.word(element)).collect()
    }

    fn misfit<T>(&mut self, item: &Item<'_>, expected: &str) -> Option<T> {
        let found = match item.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let mend = match (expected, item.get_ref()) {
            ("a list", DeValue::String(_) | DeValue::Integer(_)) => "; put brackets around it",
            ("a string", DeValue::Integer(_) | DeValue::Float(_)) => "; put quotes around it",
            ("an integer" | "true or false", DeValue::String(_)) => "; it stands without quotes",
            ("a table", _) => "; a table is { key = value }, or lines below a [header]",
            _ => "",
        };
        self.error(&item.span(), &format!("expected {expected}, found {found}{mend}"));
        None
    }
}

/// Where a key belongs that stands in a wrong section, if it is only that.
fn elsewhere(key: &str, section: &Section) -> Option<String> {
    let is_of_policy = section.of == language::POLICY.of;
    if is_of_policy && language::COMMAND.has(key) {
        return Some("; it is one of a command: write it below [commands.NAME]".to_owned());
    }
    let is_for_all = !is_of_policy && FOR_ALL.contains(&key);
    is_for_all.then(|| "; it counts for the whole policy: write it before the first [header]".to_owned())
}

/// Whether a list was written with double brackets, or might have been.
pub(super) fn is_of_tables(list: &DeArray<'_>) -> bool {
    list.first().is_some_and(|first| first.get_ref().is_table())
}
