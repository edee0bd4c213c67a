//! What is still to be sent to the client. Holds no room while it is empty.

use crate::protocol::Tag;
use crate::protocol::reply::{self, Final};

/// Octets that may wait before no more output of a job is read.
const FULL: usize = 256 * 1024;

/// Replies on their way out, in order.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    octets: Vec<u8>,
    sent: usize,
}

impl Outbox {
    /// Room to write replies into.
    pub(super) fn writer(&mut self) -> &mut Vec<u8> {
        &mut self.octets
    }

    /// Adds a final line.
    pub(super) fn say(&mut self, tag: Option<&Tag>, last: &Final) {
        reply::final_line(tag, last, &mut self.octets);
    }

    /// What is to be sent next.
    pub(super) fn unsent(&self) -> &[u8] {
        self.octets.get(self.sent..).unwrap_or_default()
    }

    /// So much of it was sent.
    pub(super) fn sent(&mut self, octets: usize) {
        self.sent += octets;
        if self.is_empty() {
            *self = Self::default();
        } else if self.sent >= FULL {
            self.octets.drain(..std::mem::take(&mut self.sent));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.unsent().is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.unsent().len() >= FULL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_not_kept_though_there_is_always_more() {
        let mut out = Outbox::default();
        for round in 0_u8..=255 {
            out.writer().extend_from_slice(&[round; FULL]);
            out.sent(if round == 0 { FULL / 2 } else { FULL });
            assert_eq!(out.unsent(), [round; FULL / 2]);
            assert!(out.octets.len() <= 2 * FULL && out.octets.capacity() <= 4 * FULL);
        }
        out.sent(FULL / 2);
        assert!(out.is_empty() && out.octets.capacity() == 0);
    }
}
