//! What a reload changes of who may do what, cut to a size that the record and the seam can hold.

use super::wire::Row;
use crate::audit::Event;
use crate::policy::{Change, Policy, diff};
use std::fmt::Display;

/// Changes of one kind that are told one by one; of the others the number is told.
const TOLD: usize = 64;

/// Octets of a text at most: a packet and a record hold some of them.
const LENGTH: usize = 4096;

/// The first lines of a list that may be long, and how long it is.
#[derive(Clone, Debug, Default)]
pub struct Told {
    lines: Vec<String>,
    all: usize,
}

impl Told {
    /// Those of the list, as many as are told.
    #[must_use]
    pub fn of<T: Display>(list: &[T]) -> Self {
        let lines = list.iter().take(TOLD).map(|one| cut(&one.to_string())).collect();
        Self { lines, all: list.len() }
    }
}

/// Who gains and who loses what.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    gains: Told,
    losses: Told,
    rows: Vec<Row>,
}

impl Changes {
    /// What the new policy changes.
    pub(super) fn between(old: &Policy, new: &Policy) -> Self {
        let found = diff(old, new);
        let mut rows = rows("gain", &found.gains);
        rows.extend(self::rows("loss", &found.losses));
        Self { gains: Told::of(&found.gains), losses: Told::of(&found.losses), rows }
    }

    /// How many there are, in words.
    pub(super) fn count(&self) -> String {
        format!("gains: {}, losses: {}", self.gains.all, self.losses.all)
    }

    /// The event, with a field for each.
    pub(super) fn told_in(&self, event: Event) -> Event {
        let event = fields(event, "UDSADMIN_GAINS", &self.gains);
        fields(event, "UDSADMIN_LOSSES", &self.losses)
    }

    /// A row for each.
    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

/// A row for each change of a kind, as many as are told, and for the others one that says how many there are.
fn rows(kind: &str, changes: &[Change]) -> Vec<Row> {
    let mut rows: Vec<Row> = changes.iter().take(TOLD).map(|change| row(kind, change)).collect();
    let more = changes.len().saturating_sub(TOLD);
    if more > 0 {
        rows.push(vec![field("change", kind), field("more", &more.to_string())]);
    }
    rows
}

fn row(kind: &str, change: &Change) -> Row {
    let mut row = vec![
        field("change", kind),
        field("peer", &change.peer()),
        field("command", change.command()),
        field("values", &change.spelt_values()),
    ];
    row.extend(change.times().map(|times| field("times", times)));
    row.extend(change.is_foreign().then(|| field("namespace", "foreign")));
    row.extend(change.note().map(|note| field("note", note)));
    row
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), cut(value))
}

/// One field of this name for each line that is told, and for the others one that says how many there are.
pub(super) fn fields(event: Event, name: &str, told: &Told) -> Event {
    let event = told.lines.iter().fold(event, |event, line| event.field(name, line));
    let more = told.all - told.lines.len();
    event.optional(name, (more > 0).then(|| format!("and {more} more")))
}

/// The rows, as many as are told, and for the others one that says how many there are.
pub(super) fn capped(mut rows: Vec<Row>) -> Vec<Row> {
    let more = rows.len().saturating_sub(TOLD);
    rows.truncate(TOLD);
    if more > 0 {
        rows.push(vec![("more".to_owned(), more.to_string())]);
    }
    rows
}

/// The beginning of a text that is too long.
pub(super) fn cut(text: &str) -> String {
    if text.len() <= LENGTH {
        return text.to_owned();
    }
    let end = (0..=LENGTH).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().to_owned() + "…"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Kind;

    #[test]
    fn what_is_told_has_an_end() {
        let lines = vec!["é".repeat(LENGTH); TOLD + 3];
        let event = fields(Event::new(Kind::PolicyLoaded, "x"), "UDSADMIN_GAINS", &Told::of(&lines));
        let told: Vec<_> = event.fields().iter().map(|(_, value)| value.len()).collect();
        assert_eq!(told.len(), TOLD + 1);
        assert!(told.iter().all(|octets| *octets <= LENGTH + 3));
        assert_eq!(event.fields().last().map(|(_, value)| value.as_slice()), Some(&b"and 3 more"[..]));
        assert_eq!(capped(vec![Row::new(); TOLD + 3]).len(), TOLD + 1);
        assert_eq!(capped(vec![Row::new(); TOLD]).len(), TOLD);
    }
}
