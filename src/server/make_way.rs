//! How a daemon makes way for the next one, which may be of another version, whose files are in place: when nothing is lost by
//! that, and the next one would begin with the policy that is in force.

use super::{notify, policy};
use crate::broker::Version;
use crate::files::Trust;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

/// What a daemon is doing that was told to make way.
pub const MAKES_WAY: &str = "makes way for the next one as soon as nothing is under way";

/// Why it does not yet, though nothing is under way.
const STAYS: &str =
    "makes way for the next one as soon as the policy in its files is in force: systemctl reload udsadmin";

/// How often the files are looked at then.
const LOOK: Duration = Duration::from_secs(5);

/// The word to make way (SIGUSR1), and what the next one will find.
#[derive(Debug)]
pub struct Way {
    signals: Signal,
    policy: PathBuf,
    trust: Trust,
}

impl Way {
    /// From here on a signal ends nothing.
    ///
    /// # Errors
    /// Those of `sigaction(2)`.
    pub fn new(policy: PathBuf, trust: Trust) -> io::Result<Self> {
        Ok(Self { signals: signal(SignalKind::user_defined1())?, policy, trust })
    }

    /// Waits for the word.
    pub async fn told(&mut self) {
        self.signals.recv().await;
        tracing::info!("{MAKES_WAY}");
        notify::status(MAKES_WAY);
    }

    /// Waits until nobody holds a token of this tracker, at this very moment, and the files hold the policy in force.
    pub async fn is_clear(&self, busy: &TaskTracker, in_force: impl Fn() -> Version) {
        busy.close();
        loop {
            busy.wait().await;
            if !self.leads_to(in_force()).await {
                notify::status(STAYS);
                sleep(LOOK).await;
            } else if busy.is_empty() {
                return;
            }
        }
    }

    /// Whether the next one would begin with this policy: neither with one that nobody has put in force, nor with none.
    async fn leads_to(&self, version: Version) -> bool {
        let (path, trust) = (self.policy.clone(), self.trust);
        let look = move || {
            let fresh = policy::load(&path, trust).ok()?;
            Some(Version::of(&fresh.sources, SystemTime::UNIX_EPOCH).digest() == version.digest())
        };
        spawn_blocking(look).await.is_ok_and(|is_the_same| is_the_same == Some(true))
    }
}
