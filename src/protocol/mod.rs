//! Octets to requests, replies to octets, and back (udsadmin-protocol(7)). No IO, no clock, no opinion on who may ask.

pub mod decoder;
pub mod reply;
pub mod word;

mod ask;
mod input;
mod line;
mod parse;
mod printable;
mod stream;
mod tag;
mod text;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;

pub use line::{spell, write_request};
pub use tag::{NotATag, Tag};
