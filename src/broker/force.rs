//! Which policy is in force, since when, and what was refused since. Says so in the same words to everybody.

use crate::policy::{Policy, Source};
use humantime::format_rfc3339_seconds;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::runtime::Handle;

/// The offset basis and the prime of FNV-1a with 64 bits (of Fowler, Noll and Vo).
const FNV: (u64, u64) = (0xcbf2_9ce4_8422_2325, 0x0100_0000_01b3);

/// One loading of a policy. The same texts loaded again are another version: the names in them may mean others by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    digest: u64,
    since: SystemTime,
}

impl Version {
    /// The version of these files, read at this time.
    #[must_use]
    pub fn of(sources: &[Source], since: SystemTime) -> Self {
        let mut digest = FNV.0;
        let mut take = |octets: &[u8]| {
            digest = octets.iter().fold(digest, |sum, octet| (sum ^ u64::from(*octet)).wrapping_mul(FNV.1));
        };
        for Source { name, text } in sources {
            for part in [name, text] {
                take(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
                take(part.as_bytes());
            }
        }
        Self { digest, since }
    }

    /// What tells one text from another: 16 hexadecimal digits. Names a text; proves nothing to anybody.
    #[must_use]
    pub fn digest(&self) -> String {
        format!("{:016x}", self.digest)
    }

    /// When it was loaded.
    #[must_use]
    pub const fn since(&self) -> SystemTime {
        self.since
    }
}

impl fmt::Display for Version {
    /// For people: `the policy of 2026-11-21T17:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the policy of {}", format_rfc3339_seconds(self.since))
    }
}

/// A policy that requests are judged by.
#[derive(Debug)]
pub struct InForce {
    /// The policy.
    pub policy: Policy,
    /// Which it is.
    pub version: Version,
    /// How many warnings it has.
    pub warnings: usize,
}

impl Drop for InForce {
    /// Taking a large policy apart takes a while: that is not for an event loop.
    fn drop(&mut self) {
        let policy = std::mem::take(&mut self.policy);
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn_blocking(move || drop(policy)));
        }
    }
}

/// A policy that did not come into force, or not for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// When.
    pub at: SystemTime,
    /// Why, in one line.
    pub why: String,
}

/// How things stand, as the broker tells those who follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The policy in force.
    pub version: Version,
    /// What was refused since.
    pub refused: Option<Refused>,
    /// When the policy before comes back, unless this one is confirmed.
    pub until: Option<SystemTime>,
}

impl fmt::Display for Standing {
    /// For `systemctl status`: one sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, refused, until } = self;
        if let Some(Refused { at, why }) = refused {
            let since = format_rfc3339_seconds(version.since);
            return write!(
                f,
                "policy refused at {}: {why}; the one of {since} stays in force",
                format_rfc3339_seconds(*at)
            );
        }
        match until {
            None => write!(f, "{version} is in force"),
            Some(until) => {
                write!(
                    f,
                    "{version} is on trial until {}, and waits for confirm",
                    format_rfc3339_seconds(*until)
                )
            }
        }
    }
}

/// The policy in force and how things stand with it.
#[derive(Clone, Debug)]
pub struct State {
    /// The policy in force.
    pub now: Arc<InForce>,
    /// What was refused since.
    pub refused: Option<Refused>,
    /// When the policy before comes back, unless this one is confirmed.
    pub until: Option<SystemTime>,
}

impl State {
    /// A policy of which there is nothing more to say.
    #[must_use]
    pub fn of(now: InForce) -> Self {
        Self { now: Arc::new(now), refused: None, until: None }
    }

    /// How things stand, without the policy itself.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing { version: self.now.version, refused: self.refused.clone(), until: self.until }
    }

    /// The same by name, for `status`.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let time = |time: SystemTime| format_rfc3339_seconds(time).to_string();
        let version = &self.now.version;
        let mut rows = vec![
            ("commands", self.now.policy.commands().len().to_string()),
            ("policy", version.digest()),
            ("policy-since", time(version.since)),
        ];
        if let Some(Refused { at, why }) = &self.refused {
            rows.extend([("policy-refused", why.clone()), ("policy-refused-at", time(*at))]);
        }
        rows.extend(self.until.map(|until| ("confirm-until", time(until))));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), text: text.to_owned() }
    }

    const AT: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn what_moves_from_one_file_to_another_is_another_version() {
        let whole = Version::of(&[source("a", "bc"), source("d", "e")], AT);
        let moved = Version::of(&[source("a", "b"), source("cd", "e")], AT);
        assert_ne!(whole.digest(), moved.digest());
        assert_eq!(whole, Version::of(&[source("a", "bc"), source("d", "e")], AT));
    }

    #[test]
    fn the_same_text_read_again_is_another_version_of_the_same_digest() {
        let (first, again) = (Version::of(&[], AT), Version::of(&[], AT + Duration::from_nanos(1)));
        assert_ne!(first, again);
        assert_eq!(first.digest(), again.digest());
    }

    #[test]
    fn how_things_stand_is_one_sentence() {
        let version = Version::of(&[], AT);
        let mut standing = Standing { version, refused: None, until: None };
        assert_eq!(standing.to_string(), "the policy of 1970-01-01T00:00:00Z is in force");
        standing.until = Some(AT + Duration::from_secs(60));
        let on_trial = "the policy of 1970-01-01T00:00:00Z is on trial until 1970-01-01T00:01:00Z, and waits for confirm";
        assert_eq!(standing.to_string(), on_trial);
        standing.refused = Some(Refused { at: AT, why: "p.toml:1:2: no".to_owned() });
        let refused = "policy refused at 1970-01-01T00:00:00Z: p.toml:1:2: no; the one of 1970-01-01T00:00:00Z stays in force";
        assert_eq!(standing.to_string(), refused);
    }
}
