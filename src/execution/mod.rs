//! From a grant to a process and its end. Takes nothing but a proven grant, knows no peer's word, starts no shell.

mod cgroup;
mod job;
mod plan;
mod proof;
pub mod unit;

pub use cgroup::Delegation;
pub use job::{Job, Surroundings, launch};
pub use plan::{Plan, plan};
pub use proof::{Gift, NotProven, Obstacle, Proven, look, prove};

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::str::FromStr;

/// Digits of a job's id.
const DIGITS: usize = 12;

/// The id of one run: 12 hexadecimal digits, drawn at random, so that no two runs of a machine share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JobId(String);

impl JobId {
    /// Draws a new id.
    ///
    /// # Errors
    /// Those of `getrandom(2)`.
    pub fn draw() -> io::Result<Self> {
        let mut octets = [0_u8; 8];
        rustix::rand::getrandom(&mut octets[..], rustix::rand::GetRandomFlags::empty())?;
        Ok(Self(format!("{:012x}", u64::from_ne_bytes(octets) >> 16)))
    }

    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no id of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoJobId;

impl FromStr for JobId {
    type Err = NoJobId;

    fn from_str(text: &str) -> Result<Self, NoJobId> {
        let is_digit = |octet: u8| octet.is_ascii_digit() || (b'a'..=b'f').contains(&octet);
        let is_id = text.len() == DIGITS && text.bytes().all(is_digit);
        is_id.then(|| Self(text.to_owned())).ok_or(NoJobId)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that was not ours.
    Signalled(i32),
    /// By its time limit.
    TimedOut,
    /// Because somebody asked for it.
    Cancelled,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => code.fmt(f),
            Self::Signalled(number) => write!(f, "signal:{}", signal_name(*number)),
            Self::TimedOut => f.write_str("timeout"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// The name of a signal without its `SIG` (signal(7)); its number where it has none of its own.
#[must_use]
pub fn signal_name(number: i32) -> String {
    nix::sys::signal::Signal::try_from(number)
        .map_or_else(|_| number.to_string(), |signal| signal.as_str().trim_start_matches("SIG").to_owned())
}
