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
            self.octets.drain(..self.sent);
            self.sent = 0;
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
    fn what_was_sent_is_given_back_though_more_keeps_coming() {
        let mut out = Outbox::default();
        out.writer().extend_from_slice(b"first");
        for _ in 0..64 {
            out.writer().extend_from_slice(&vec![b'x'; FULL / 4]);
            out.sent(FULL / 4);
        }
        assert_eq!(out.unsent(), b"xxxxx");
        assert!(out.octets.len() <= 2 * FULL, "{} octets are held", out.octets.len());
    }
}
