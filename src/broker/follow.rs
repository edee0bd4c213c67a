//! The server's policy, which follows the broker's. Keeps the one that it has for as long as the broker has no other.

use super::changes::Told;
use super::force::{InForce, Standing, State, Version};
use super::wire::{Answer, Order, Report};
use super::{Packet, Packets, record, texts};
use crate::audit::Trail;
use crate::policy::{Loaded, Names, Policy};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{sleep, timeout};

/// How long a request may wait for the policy that the broker has.
const WAITING: Duration = Duration::from_secs(5);

/// The pause before a broken connection is made again; doubled for each further one that tells nothing.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The policy that the server judges by.
pub struct Followed {
    state: watch::Sender<State>,
    hurry: Notify,
    names: AnyNames,
}

/// Users and groups, for whatever thread asks.
pub type AnyNames = Arc<dyn Names + Send + Sync>;

/// A policy in the making, and the name of its first file.
type Making = JoinHandle<io::Result<(String, InForce)>>;

/// A policy that is not in force, and may never be.
type Coming = (Version, Making);

/// What the broker says to who follows it.
enum Said {
    Coming(Version),
    InForce(Standing),
}

impl fmt::Debug for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Followed").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Followed {
    /// Begins with a policy that the server has read by itself. Those that follow name these users and groups.
    #[must_use]
    pub fn new(first: InForce, names: AnyNames) -> Self {
        Self { state: watch::Sender::new(State::of(first)), hurry: Notify::new(), names }
    }

    /// The policy in force. A request takes it once, for all of its steps.
    #[must_use]
    pub fn now(&self) -> Arc<InForce> {
        Arc::clone(&self.state.borrow().now)
    }

    /// The policy in force, and how things stand.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Connects at once, where the broker is not being followed.
    pub fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Waits for another policy than the one of this version, for some seconds; false where none came.
    pub async fn differs_from(&self, version: &Version) -> bool {
        self.becomes(|state| state.now.version != *version).await
    }

    /// Waits until what the broker has answered is known here, for some seconds; false where it is not.
    pub async fn knows_of(&self, answer: &Answer) -> bool {
        self.becomes(|state| match answer {
            Answer::Reloaded { version, .. } => state.now.version.since() >= version.since(),
            Answer::Refused(this) => {
                let refused = state.refused.as_ref().is_some_and(|refused| refused.at >= this.at);
                refused || state.now.version.since() > this.at
            }
            Answer::Confirmed => state.until.is_none(),
            Answer::NothingToConfirm
            | Answer::Busy
            | Answer::Job
            | Answer::Cancelled
            | Answer::Listed
            | Answer::NoSuchJob
            | Answer::JobIsOver
            | Answer::NotDone(_) => true,
        })
        .await
    }

    async fn becomes(&self, wanted: impl Fn(&State) -> bool) -> bool {
        self.hurry();
        let mut state = self.state.subscribe();
        let come = state.wait_for(wanted);
        matches!(timeout(WAITING, come).await, Ok(Ok(_)))
    }

    /// Follows the broker that listens there. Never ends.
    pub async fn follow(&self, broker: &Path, trail: &Trail) {
        let mut pause = FIRST_PAUSE;
        loop {
            let (told, error) = self.follow_once(broker, trail).await;
            // The first that fails finds a broker that is just being replaced.
            if !told && pause == 2 * FIRST_PAUSE {
                tracing::warn!("the broker can't be followed, the policy stays: {error}");
            }
            pause = if told { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::select! { () = sleep(pause) => {}, () = self.hurry.notified() => {} }
        }
    }

    /// Follows one connection to its end; whether it told anything that could be taken over, and why it ended.
    async fn follow_once(&self, broker: &Path, trail: &Trail) -> (bool, io::Error) {
        let mut told = false;
        let error = async {
            let packets = Packets::connect(broker)?;
            packets.send(&Order::Follow, &[]).await?;
            let mut coming = None;
            loop {
                match next(&packets).await? {
                    (Said::Coming(version), texts) => coming = Some((version, self.make(texts, version))),
                    (Said::InForce(standing), texts) => {
                        self.take(standing, (texts, coming.take()), trail).await?;
                        told = true;
                    }
                }
            }
        };
        let ended: io::Result<std::convert::Infallible> = error.await;
        match ended {
            Ok(never) => match never {},
            Err(error) => (told, error),
        }
    }

    /// Swaps to the policy in force at the broker; where it is the same, takes over how things stand.
    /// One that was made while the broker checked it is there already.
    async fn take(
        &self,
        standing: Standing,
        (texts, coming): (OwnedFd, Option<Coming>),
        trail: &Trail,
    ) -> io::Result<()> {
        let before = self.now();
        let now = if before.version == standing.version {
            before
        } else {
            let coming = coming.filter(|(version, _)| *version == standing.version);
            let making = coming.map_or_else(|| self.make(texts, standing.version), |(_, making)| making);
            let (path, now) = making.await.map_err(io::Error::other)??;
            if now.version.digest() != before.version.digest() {
                trail
                    .note(&record::in_force(Path::new(&path), &now, ", as at the broker", &Told::default()))
                    .await;
            }
            Arc::new(now)
        };
        self.state.send_replace(State { now, refused: standing.refused, until: standing.until });
        Ok(())
    }

    /// Makes the policy of its files, off the event loop. The broker tests it.
    fn make(&self, texts: OwnedFd, version: Version) -> Making {
        let names = Arc::clone(&self.names);
        spawn_blocking(move || {
            let sources = texts::unseal(texts)?;
            let Loaded { policy, warnings, .. } =
                Policy::parse(&sources, &*names).map_err(|found| io::Error::other(first(&found)))?;
            let path = sources.into_iter().next().map_or_else(String::new, |source| source.name);
            Ok((path, InForce { policy, version, warnings: warnings.len() }))
        })
    }
}

async fn next(packets: &Packets) -> io::Result<(Said, OwnedFd)> {
    let Some(Packet { value, mut descriptors }) = packets.receive().await? else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let said = match value {
        Report::Coming(version) => Some(Said::Coming(version)),
        Report::InForce(standing) => Some(Said::InForce(standing)),
        Report::Opened
        | Report::Refused
        | Report::Starts { .. }
        | Report::Accepted { .. }
        | Report::Repeats { .. }
        | Report::NotRun { .. }
        | Report::Ended { .. }
        | Report::Row { .. }
        | Report::Answered { .. } => None,
    };
    said.zip(descriptors.pop()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn first(found: &[crate::policy::Diagnostic]) -> String {
    found.first().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests;
