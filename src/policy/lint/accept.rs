//! Reads `accept`, the findings that an author has looked at and takes, and applies it. Accepts nothing without a reason.

use super::super::Policy;
use super::super::origin::Place;
use super::super::reader::{Item, Reader, Word};
use super::{Finding, Id, Level};

/// One reason of a command's `accept`.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The one finding that is accepted; without it, all of the command.
    id: Option<Id>,
    reason: String,
    place: Place,
}

impl Reader<'_> {
    /// Reads the reasons for which findings about a command are accepted.
    pub(in crate::policy) fn accepted(&mut self, item: &Item<'_>) -> Vec<Accepted> {
        let words = self.words(item);
        if words.is_empty() && item.get_ref().as_array().is_some_and(|list| list.is_empty()) {
            self.error(&item.span(), "accept needs at least one reason");
        }
        words.iter().filter_map(|word| self.reason(word)).collect()
    }

    /// One word before the first colon is the name of a finding; any other text is a reason for all of them.
    fn reason(&mut self, word: &Word) -> Option<Accepted> {
        let named = word.text.split_once(':').filter(|(name, _)| is_name(name.trim()));
        let (id, text) = match named {
            Some((name, reason)) => (Id::named(name.trim()), reason.trim()),
            None => (None, word.text.trim()),
        };
        let message = match named {
            Some((name, _)) if id.is_none() => {
                format!("lint finds no {:?}{}", name.trim(), Id::close_to(name.trim()))
            }
            _ if text.is_empty() => "a reason says why, in some words".to_owned(),
            _ if text.chars().any(char::is_control) => {
                "a reason is one line, without control characters".to_owned()
            }
            _ => {
                let place = self.place(&word.span);
                return Some(Accepted { id, reason: text.to_owned(), place });
            }
        };
        self.error(&word.span, &message);
        None
    }
}

/// Whether it is written like the name of a finding.
fn is_name(text: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.split('-').all(is_part)
}

/// Marks what the commands accept, the reasons for one kind of finding first, and notes a reason for which there is nothing
/// to accept.
pub(super) fn apply(policy: &Policy, found: &mut Vec<Finding>) {
    let mut idle = Vec::new();
    for command in policy.commands() {
        let (single, whole): (Vec<_>, Vec<_>) = command.accepted.iter().partition(|one| one.id.is_some());
        for reason in single.into_iter().chain(whole) {
            let of_command = found.iter_mut().filter(|one| one.command.as_ref() == Some(&command.name));
            if mark(of_command, reason) == 0 {
                idle.push(nothing(reason).about(command));
            }
        }
    }
    found.extend(idle);
}

/// How many findings the reason accepts that no earlier one does.
fn mark<'f>(found: impl Iterator<Item = &'f mut Finding>, reason: &Accepted) -> usize {
    let meant =
        |finding: &&mut Finding| finding.accepted.is_none() && reason.id.is_none_or(|id| id == finding.id);
    found.filter(meant).map(|finding| finding.accepted = Some(reason.reason.clone())).count()
}

fn nothing(reason: &Accepted) -> Finding {
    let what = reason.id.map_or_else(|| "anything".to_owned(), |id| id.to_string());
    let message =
        format!("lint does not find {what} here, so there is nothing to accept; remove this reason");
    Finding::new(Id::ACCEPTS_NOTHING, Level::Note, &reason.place, &message)
}
