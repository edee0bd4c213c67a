//! A job as a transient service of systemd, which outlives the broker. Asks systemd itself, and starts nothing on its own.

mod become_program;
mod cause;
mod parcel;
mod private;
mod running;
mod service;
mod start;
mod systemd;
mod watched;

pub use become_program::{BECOME, become_program};
pub use running::RunningUnit;
pub use service::Service;
pub use systemd::Systemd;

use super::JobId;
use std::fmt;

/// How the names of our units begin.
const PREFIX: &str = "udsadmin-job-";

/// How they end.
const SUFFIX: &str = ".service";

/// The name of a job's unit.
#[must_use]
pub fn unit_name(job: &JobId) -> String {
    format!("{PREFIX}{job}{SUFFIX}")
}

/// The job whose unit has this name, if it is one of ours.
#[must_use]
pub fn job_of(unit: &str) -> Option<JobId> {
    unit.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

/// Why a unit is not running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotStarted {
    /// Nothing of the program has run.
    Failed {
        /// The nearest number of errno(3): systemd tells steps, and not errors.
        errno: i32,
        /// In words, for the record.
        why: String,
    },
    /// There is no systemd to start it, or none that does it for this user.
    NoSystemd {
        /// The nearest number of errno(3).
        errno: i32,
        /// In words, for the record.
        why: String,
    },
    /// Whether it ran can't be learnt.
    Unknown(String),
}

impl NotStarted {
    fn failed(errno: i32, why: impl fmt::Display) -> Self {
        Self::Failed { errno, why: why.to_string() }
    }

    /// The same, where it has turned out that nothing of the program has run.
    fn surely(self) -> Self {
        match self {
            Self::Unknown(why) => Self::failed(libc::EIO, why),
            failed @ (Self::Failed { .. } | Self::NoSystemd { .. }) => failed,
        }
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { why, .. } | Self::NoSystemd { why, .. } | Self::Unknown(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for NotStarted {}

#[cfg(test)]
mod tests;
