//! What became of each piece of a sudoers text. A row for everything; nothing is left out for being plain.

use super::super::table::aligned;
use super::syntax::At;
use serde_json::{Value, json};

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
    /// From 1; 0 is the whole file.
    line: usize,
    /// The piece, as written.
    pub(super) what: String,
    pub(super) status: Status,
    pub(super) message: String,
}

impl Row {
    pub(super) fn new(at: &At, what: &str, status: Status, message: &str) -> Self {
        Self { line: at.line, ..Self::of_file(&at.source.name, what, status, message) }
    }

    /// Of what is nowhere in the file.
    pub(super) fn of_file(file: &str, what: &str, status: Status, message: &str) -> Self {
        let (file, what, message) = (file.to_owned(), what.to_owned(), message.to_owned());
        Self { file, line: 0, what, status, message }
    }

    /// File and line.
    pub(super) fn at(&self) -> String {
        if self.line == 0 { self.file.clone() } else { format!("{}:{}", self.file, self.line) }
    }

    fn json(&self) -> Value {
        json!({ "at": self.at(), "what": self.what, "status": self.status.word(), "message": self.message })
    }
}

/// Sorts the rows by their places; those of one place stay as they are.
pub(super) fn sort(rows: &mut [Row]) {
    rows.sort_by(|one, other| (&one.file, one.line).cmp(&(&other.file, other.line)));
}

/// The rows for a program.
pub(super) fn json(rows: &[Row]) -> Value {
    rows.iter().map(Row::json).collect()
}

/// The rows for people, and how many there are of each kind.
pub(super) fn people(rows: &[Row]) -> String {
    let cells = |row: &Row| [row.at(), row.what.clone(), told(row)];
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

fn told(row: &Row) -> String {
    let (word, message) = (row.status.word(), &row.message);
    if message.is_empty() { word.to_owned() } else { format!("{word}: {message}") }
}

/// Whether everything is in the policy, and nothing was unsafe before.
pub(super) fn is_clean(rows: &[Row]) -> bool {
    !rows.iter().any(|row| matches!(row.status, Status::NotCarried | Status::Unsafe))
}
