//! Connections: who made them, and what they say. Knows no protocol and decides nothing.

mod peer;
mod stream;

pub use peer::{NoPeer, complete, peer_of, regrouped};
pub use stream::{Read, Stream};
