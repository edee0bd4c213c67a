//! What a peer may ask of the service itself, and the broker does. Says nothing of who may.

use super::Builtin;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long a policy may be on trial (`reload confirm=`).
pub const TRIAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// A wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// To read the policy again, and to have it on trial for so long.
    Reload(Option<Duration>),
    /// To keep the policy on trial.
    Confirm,
}

impl Wish {
    /// The built-in by which it is asked for.
    #[must_use]
    pub const fn builtin(self) -> Builtin {
        match self {
            Self::Reload(_) => Builtin::Reload,
            Self::Confirm => Builtin::Confirm,
        }
    }
}

impl fmt::Display for Wish {
    /// Its canonical spelling: `reload confirm=1m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.builtin().verb())?;
        let Self::Reload(Some(time)) = self else { return Ok(()) };
        write!(f, " confirm={}", humantime::format_duration(*time).to_string().replace(' ', ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_spelt_in_one_word_for_each_argument() {
        for (wish, spelling) in [
            (Wish::Reload(None), "reload"),
            (Wish::Reload(Some(Duration::from_secs(90))), "reload confirm=1m30s"),
            (Wish::Confirm, "confirm"),
        ] {
            assert_eq!(wish.to_string(), spelling);
        }
    }
}
