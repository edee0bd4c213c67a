//! A long answer, told piece by piece: others have their turn in between, and what the client has not read does not pile up.

use super::judge::Judge;
use crate::policy::{Command, Visible};
use crate::protocol::Tag;
use crate::protocol::reply::{self, Final};
use std::sync::Arc;

/// Rows that are told in one go.
const ROWS: usize = 64;

/// A row's field.
pub(super) type Field = (&'static str, String);

/// The commands that a peer may see, a row for each, as far as they are not told yet.
pub(super) struct Listing {
    judge: Arc<Judge>,
    left: Visible,
    tag: Option<Tag>,
    kind: Option<&'static str>,
    last: Final,
}

impl Listing {
    /// The commands of this judge's peer, each said to be of this kind; then this final line.
    pub(super) fn new(
        judge: &Arc<Judge>,
        tag: Option<&Tag>,
        kind: Option<&'static str>,
        last: Final,
    ) -> Self {
        let left = judge.policy().visible(&judge.peer);
        Self { judge: Arc::clone(judge), left, tag: tag.cloned(), kind, last }
    }

    /// Tells some rows. True when there are no more.
    pub(super) fn tell(&mut self, out: &mut Vec<u8>) -> bool {
        for _ in 0..ROWS {
            let Some(command) = self.judge.policy().next_visible(&self.judge.peer, &mut self.left) else {
                return true;
            };
            reply::row(self.tag.as_ref(), &fields_of(&self.judge, command, self.kind), out);
        }
        false
    }

    /// Whose answer it is, and how it ends.
    pub(super) fn into_end(self) -> (Option<Tag>, Final) {
        (self.tag, self.last)
    }
}

/// The row of a command.
pub(super) fn fields_of(judge: &Judge, command: &Command, kind: Option<&str>) -> Vec<Field> {
    let kind = kind.map(|kind| ("kind", kind.to_owned()));
    let rest = [("usage", command.usage()), ("summary", command.summary().to_owned())];
    let fields = [("name", command.name().to_string())].into_iter().chain(kind).chain(rest);
    timed(fields, command.hours(&judge.peer))
}

/// The fields, and when they hold, if only at some times.
pub(super) fn timed(fields: impl IntoIterator<Item = Field>, during: Option<String>) -> Vec<Field> {
    fields.into_iter().chain(during.map(|during| ("during", during))).collect()
}
