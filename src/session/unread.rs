//! What was read of a client and is not decoded yet. Leaves nothing of it behind: there may be a secret in it.

use crate::protocol::decoder::{Decoder, Item};
use zeroize::{Zeroize, Zeroizing};

/// Octets in the order in which they came. Holds no room while it is empty.
#[derive(Debug, Default)]
pub(super) struct Unread {
    octets: Zeroizing<Vec<u8>>,
    decoded: usize,
}

impl Unread {
    pub(super) fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// Takes what was just read over. Nothing else is waiting: what grows leaves copies of itself behind.
    pub(super) fn fill(&mut self, read: &mut [u8]) {
        *self = Self { octets: Zeroizing::new(read.to_vec()), decoded: 0 };
        read.zeroize();
    }

    /// The next item, once the decoder has all of it.
    pub(super) fn decode(&mut self, decoder: &mut Decoder) -> Option<Item> {
        let mut rest = self.octets.get(self.decoded..).unwrap_or_default();
        let item = decoder.next(&mut rest);
        let end = self.octets.len() - rest.len();
        self.octets.get_mut(self.decoded..end).into_iter().for_each(Zeroize::zeroize);
        self.decoded = end;
        if self.decoded == self.octets.len() {
            *self = Self::default();
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decoded_is_overwritten_though_more_is_waiting() {
        let (mut unread, mut decoder) = (Unread::default(), Decoder::new());
        let mut read = *b"one secret\ntwo\nthr";
        unread.fill(&mut read);
        assert_eq!(read, [0; 18]);
        assert!(unread.decode(&mut decoder).is_some());
        assert_eq!(unread.octets.as_slice(), b"\0\0\0\0\0\0\0\0\0\0\0two\nthr");
        assert!(unread.decode(&mut decoder).is_some() && unread.decode(&mut decoder).is_none());
        assert!(unread.is_empty() && unread.octets.capacity() == 0 && decoder.held() == 3);
    }
}
