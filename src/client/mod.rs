//! The command-line client. Asks as the calling user, and decides nothing for anyone.

pub mod check;
