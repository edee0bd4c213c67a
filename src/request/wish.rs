//! What a peer may ask of the service itself, and the broker does. Says nothing of who may.

use super::{Builtin, JobId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long a policy may be on trial (`reload confirm=`).
pub const TRIAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// A wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// To read the policy again, and to have it on trial for so long.
    Reload(Option<Duration>),
    /// To keep the policy on trial.
    Confirm,
    /// To know of runs: of the peer's own, or of everyone's.
    Jobs {
        /// Of everyone's.
        everyone: bool,
    },
    /// To know of one run, and to see what is kept of its output.
    Job {
        /// Which.
        id: JobId,
        /// And to see it go on, to its end.
        follow: bool,
    },
    /// To end one run.
    Cancel(JobId),
}

impl Wish {
    /// The built-in by which it is asked for.
    #[must_use]
    pub const fn builtin(&self) -> Builtin {
        match self {
            Self::Reload(_) => Builtin::Reload,
            Self::Confirm => Builtin::Confirm,
            Self::Jobs { .. } => Builtin::Jobs,
            Self::Job { .. } => Builtin::Job,
            Self::Cancel(_) => Builtin::Cancel,
        }
    }
}

impl fmt::Display for Wish {
    /// Its canonical spelling: `reload confirm=1m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.builtin().verb())?;
        match self {
            Self::Reload(None) | Self::Confirm | Self::Jobs { everyone: false } => Ok(()),
            Self::Reload(Some(time)) => {
                write!(f, " confirm={}", humantime::format_duration(*time).to_string().replace(' ', ""))
            }
            Self::Jobs { everyone: true } => f.write_str(" all"),
            Self::Job { id, follow } => write!(f, " {id}{}", if *follow { " follow" } else { "" }),
            Self::Cancel(id) => write!(f, " job={id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_spelt_in_one_word_for_each_argument() {
        let id = || JobId::of([0x7f, 0x3a, 0, 1, 0xab, 0xcd]);
        for (wish, spelling) in [
            (Wish::Reload(None), "reload"),
            (Wish::Reload(Some(Duration::from_secs(90))), "reload confirm=1m30s"),
            (Wish::Confirm, "confirm"),
            (Wish::Jobs { everyone: false }, "jobs"),
            (Wish::Jobs { everyone: true }, "jobs all"),
            (Wish::Job { id: id(), follow: false }, "job 7f3a0001abcd"),
            (Wish::Job { id: id(), follow: true }, "job 7f3a0001abcd follow"),
            (Wish::Cancel(id()), "cancel job=7f3a0001abcd"),
        ] {
            assert_eq!(wish.to_string(), spelling);
        }
    }
}
