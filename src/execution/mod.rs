//! From a grant to a process and its end. Takes nothing but a proven grant, knows no peer's word, starts no shell.

mod bounds;
mod cgroup;
mod job;
mod plan;
mod proof;
mod room;
mod running;
mod streams;
mod tail;
pub mod unit;

pub use crate::request::JobId;
pub use bounds::{Lacking, listed};
pub use cgroup::Delegation;
pub use job::{Ended, Job};
pub use plan::{Plan, plan};
pub use proof::{Gift, NotProven, Obstacle, Proven, look, prove};
pub use room::{Room, Surroundings};
pub use running::{Running, launch, unit_errno};
pub use streams::{JobEnds, Streams};
pub use tail::{BLOCK, Piece, Tail};

use crate::sys::{NotStarted, Step};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

impl JobId {
    /// Draws a new id.
    ///
    /// # Errors
    /// Those of `getrandom(2)`.
    pub fn draw() -> io::Result<Self> {
        let mut octets = [0_u8; 6];
        rustix::rand::getrandom(&mut octets[..], rustix::rand::GetRandomFlags::empty())?;
        Ok(Self::of(octets))
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
    /// Because somebody asked for it, or nobody waited for it.
    Cancelled,
    /// By its output limit.
    Capped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => code.fmt(f),
            Self::Signalled(number) => write!(f, "signal:{}", signal_name(*number)),
            Self::TimedOut => f.write_str("timeout"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Capped => f.write_str("capped"),
        }
    }
}

/// What a command that runs as a unit lacks where systemd can't be reached.
pub const NO_SYSTEMD: &str = "runner = \"unit\" needs systemd, which can't be reached here";

/// The step that failed on the way to a program, and how, unless it is that of the program itself.
#[must_use]
pub fn failed_step(error: &io::Error) -> Option<String> {
    let why = error.get_ref()?;
    if let Some(unit::NotStarted::NoSystemd { .. }) = why.downcast_ref() {
        return Some(NO_SYSTEMD.to_owned());
    }
    let why = why.downcast_ref::<NotStarted>()?;
    (why.step != Step::Program).then(|| why.to_string())
}

/// The name of a signal without its `SIG` (signal(7)); its number where it has none of its own.
#[must_use]
pub fn signal_name(number: i32) -> String {
    nix::sys::signal::Signal::try_from(number)
        .map_or_else(|_| number.to_string(), |signal| signal.as_str().trim_start_matches("SIG").to_owned())
}
