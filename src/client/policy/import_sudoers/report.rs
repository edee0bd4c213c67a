//! What became of each piece of a sudoers text. A row for everything; nothing is left out for being plain.

use super::super::super::exit::shown;
use super::super::table::aligned;
use super::syntax::At;
use crate::policy::Source;
use serde_json::{Value, json};
use std::rc::Rc;

/// Characters of a place that people are shown at most.
const AT_MAX: usize = 300;

/// Characters of a piece that people are shown at most.
const WHAT_MAX: usize = 160;

/// Characters that people are told of a piece at most.
const TOLD_MAX: usize = 1000;

/// What became of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// It is in the policy, as it was.
    Carried,
    /// It is in the policy and permits less than it did.
    Narrower,
    /// It is in the policy, without something that sudo asked for.
    Wider,
    /// It is for other machines.
    Elsewhere,
    /// It has no bearing on a policy, or needs none.
    Noted,
    /// It is not in the policy.
    NotCarried,
    /// It lets people do more than it seems to, where it stands.
    Unsafe,
}

impl Status {
    const fn word(self) -> &'static str {
        match self {
            Self::Carried => "carried",
            Self::Narrower => "carried, narrower",
            Self::Wider => "carried, wider",
            Self::Elsewhere => "for another host",
            Self::Noted => "noted",
            Self::NotCarried => "not carried",
            Self::Unsafe => "unsafe in the original",
        }
    }
}

/// What became of one piece.
#[derive(Clone, Debug)]
pub(super) struct Row {
    file: String,
    /// Which reading of that file; `None` is before all.
    source: Option<Rc<Source>>,
    /// From 1; 0 is the whole file.
    line: usize,
    /// The piece, as written.
    pub(super) what: String,
    pub(super) status: Status,
    pub(super) message: String,
}

impl Row {
    pub(super) fn new(at: &At, what: &str, status: Status, message: &str) -> Self {
        let source = Some(Rc::clone(&at.source));
        Self { line: at.line, source, ..Self::of_file(&at.source.name, what, status, message) }
    }

    /// Of what is nowhere in the file.
    pub(super) fn of_file(file: &str, what: &str, status: Status, message: &str) -> Self {
        let (file, what, message) = (file.to_owned(), what.to_owned(), message.to_owned());
        Self { file, source: None, line: 0, what, status, message }
    }

    /// File and line.
    pub(super) fn at(&self) -> String {
        if self.line == 0 { self.file.clone() } else { format!("{}:{}", self.file, self.line) }
    }

    fn json(&self) -> Value {
        json!({ "at": self.at(), "what": self.what, "status": self.status.word(), "message": self.message })
    }
}

/// In which order files are read: pieces, each of one file from a line on.
#[derive(Debug, Default)]
pub(super) struct Order(Vec<(Rc<Source>, usize)>);

impl Order {
    /// What is read next is of this file, from this line on.
    pub(super) fn goes_on(&mut self, source: &Rc<Source>, line: usize) {
        self.0.push((Rc::clone(source), line));
    }

    fn place(&self, row: &Row) -> (Option<usize>, usize) {
        let is_of = |(source, first): &(Rc<Source>, usize)| {
            *first <= row.line && row.source.as_ref().is_some_and(|of| Rc::ptr_eq(source, of))
        };
        (self.0.iter().rposition(is_of), row.line)
    }
}

/// Sorts the rows in the order in which their places were read; those of one place stay as they are.
pub(super) fn sort(rows: &mut [Row], order: &Order) {
    rows.sort_by_cached_key(|row| order.place(row));
}

/// The rows for a program.
pub(super) fn json(rows: &[Row]) -> Value {
    rows.iter().map(Row::json).collect()
}

/// The object over several lines. Characters that a terminal obeys are escaped, those too that JSON lets stand.
pub(super) fn object(answer: &Value) -> String {
    let escaped = |character: char| {
        if character.is_control() && character != '\n' {
            format!("\\u{:04x}", u32::from(character))
        } else {
            character.to_string()
        }
    };
    format!("{answer:#}").chars().map(escaped).collect()
}

/// The rows for people, and how many there are of each kind.
pub(super) fn people(rows: &[Row]) -> String {
    let cells = |row: &Row| [cut(&row.at(), AT_MAX), cut(&row.what, WHAT_MAX), cut(&told(row), TOLD_MAX)];
    let table = aligned(&rows.iter().map(cells).collect::<Vec<_>>());
    let mut statuses: Vec<Status> = rows.iter().map(|row| row.status).collect();
    statuses.sort_unstable();
    let counts = statuses.chunk_by(|a, b| a == b).filter_map(|same| {
        let status = same.first()?;
        Some(format!("{} {}", same.len(), status.word()))
    });
    let counts: Vec<String> = counts.collect();
    let summary = if counts.is_empty() { "nothing in it".to_owned() } else { counts.join("; ") };
    format!("{table}{summary}\n")
}

/// The text as people see it, at most so many characters of it.
fn cut(text: &str, most: usize) -> String {
    let seen: String = shown(&text.chars().take(most + 1).collect::<String>());
    if seen.chars().count() <= most {
        return seen;
    }
    seen.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn told(row: &Row) -> String {
    let (word, message) = (row.status.word(), &row.message);
    if message.is_empty() { word.to_owned() } else { format!("{word}: {message}") }
}

/// Whether everything is in the policy, and nothing was unsafe before.
pub(super) fn is_clean(rows: &[Row]) -> bool {
    !rows.iter().any(|row| matches!(row.status, Status::NotCarried | Status::Unsafe))
}
