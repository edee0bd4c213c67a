//! The broker's policies: the one in force, the one before it while the new one is on trial. Swaps whole, or not at all.

use super::changes::Changes;
use super::draft::{Candidate, Draft, Rejection, Unfit};
use super::force::{InForce, Refused, State, Version};
use super::record;
use super::texts;
use super::wire::{Answer, NotRun, Row};
use crate::audit::{Event, Trail};
use crate::identity::Peer;
use crate::policy::{Loaded, Source};
use crate::request::Wish;
use std::fmt;
use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

/// A policy just read.
#[derive(Debug)]
pub struct Fresh {
    /// The policy.
    pub loaded: Loaded,
    /// Its files.
    pub sources: Vec<Source>,
}

/// Reads the files of the installed policy. Blocks.
pub type Read = Arc<dyn Fn() -> Result<Vec<Source>, Unfit> + Send + Sync>;

/// Makes a policy of its files, if it is as it must be. Blocks.
pub type Check = Arc<dyn Fn(&[Source]) -> Result<Loaded, Unfit> + Send + Sync>;

/// What loading policies takes.
pub struct Setup {
    /// Where the policy is, for the record.
    pub path: PathBuf,
    /// How it is read.
    pub read: Read,
    /// How it is checked.
    pub check: Check,
    /// The record.
    pub trail: Arc<Trail>,
    /// The wall clock.
    pub clock: fn() -> SystemTime,
}

/// Who wants a reload.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    /// Root, by SIGHUP.
    Signal,
    /// A peer that the policy lets.
    Peer {
        /// The peer.
        peer: &'a Peer,
        /// What it asked for.
        wish: &'a Wish,
    },
}

/// What is in force, for whoever watches it.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// The policy and how things stand.
    pub state: State,
    pub(super) texts: Arc<OwnedFd>,
    /// The policy that is being checked, and may come into force.
    pub(super) coming: Option<(Version, Arc<OwnedFd>)>,
    before: Option<Before>,
}

/// The policy that comes back, unless the one on trial is confirmed.
#[derive(Clone, Debug)]
struct Before {
    now: Arc<InForce>,
    texts: Arc<OwnedFd>,
    due: Instant,
}

/// The policies of the broker.
pub struct Policies {
    ruling: watch::Sender<Ruling>,
    loading: Mutex<()>,
    setup: Setup,
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policies").field("ruling", &self.ruling).finish_non_exhaustive()
    }
}

impl Policies {
    /// The policy that the broker begins with.
    ///
    /// # Errors
    /// Those of sealing its files in memory.
    pub fn new(fresh: Fresh, setup: Setup) -> io::Result<Self> {
        let version = Version::of(&fresh.sources, (setup.clock)());
        let texts = Arc::new(texts::seal(&fresh.sources)?);
        let Loaded { policy, warnings, .. } = fresh.loaded;
        let state = State::of(InForce { policy, version, warnings: warnings.len() });
        let ruling = watch::Sender::new(Ruling { state, texts, coming: None, before: None });
        Ok(Self { ruling, loading: Mutex::new(()), setup })
    }

    /// The policy in force. Whoever has several steps to take takes it once, for all of them.
    #[must_use]
    pub fn now(&self) -> Arc<InForce> {
        Arc::clone(&self.ruling.borrow().state.now)
    }

    /// What is in force, and whatever comes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Ruling> {
        self.ruling.subscribe()
    }

    /// Reads the policy again at root's wish, one time after the other. A policy on trial is superseded, and no other comes
    /// back for it.
    pub async fn reload(&self) {
        let _turn = self.loading.lock().await;
        self.load_and_swap(&By::Signal, None).await;
    }

    /// Reads the policy again at a peer's wish, which was judged by the policy of this version. `confirm` puts the new one on
    /// trial for so long.
    pub async fn reload_for(
        &self,
        by: &By<'_>,
        judged: &Version,
        confirm: Option<Duration>,
    ) -> (Vec<Row>, Answer) {
        let Ok(_turn) = self.loading.try_lock() else { return (Vec::new(), Answer::Busy) };
        let is_free = {
            let ruling = self.ruling.borrow();
            ruling.before.is_none() && ruling.state.now.version == *judged
        };
        if is_free { self.load_and_swap(by, confirm).await } else { (Vec::new(), Answer::Busy) }
    }

    async fn load_and_swap(&self, by: &By<'_>, confirm: Option<Duration>) -> (Vec<Row>, Answer) {
        let told = match self.candidate().await {
            Ok(Ok(candidate)) => self.swap(candidate, by, confirm).await,
            Ok(Err(rejection)) => self.refuse(rejection, by).await,
            Err(error) => {
                tracing::error!("the policy can't be read again: {error}");
                (Vec::new(), Answer::NotDone(NotRun::Internal))
            }
        };
        self.ruling.send_if_modified(|ruling| ruling.coming.take().is_some());
        told
    }

    /// Reads the policy, and makes of it all that is as long as it is, off the event loop: a large one takes its time. Whoever
    /// follows can make the same of it meanwhile.
    async fn candidate(&self) -> io::Result<Result<Candidate, Rejection>> {
        let (read, clock) = (Arc::clone(&self.setup.read), self.setup.clock);
        let draft = move || match read() {
            Ok(sources) => Draft::of(sources, clock()).map(Ok),
            Err(unfit) => Ok(Err(Rejection::of(&unfit))),
        };
        let draft = match spawn_blocking(draft).await.map_err(io::Error::other)?? {
            Ok(draft) => draft,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let coming = (draft.version, Arc::clone(&draft.texts));
        self.ruling.send_modify(|ruling| ruling.coming = Some(coming));
        let (check, old) = (Arc::clone(&self.setup.check), self.now());
        spawn_blocking(move || draft.checked(&check, &old)).await.map_err(io::Error::other)
    }

    /// Puts the candidate in force, once that is on the record.
    async fn swap(&self, candidate: Candidate, by: &By<'_>, confirm: Option<Duration>) -> (Vec<Row>, Answer) {
        let Candidate { now, texts, warnings, changes } = candidate;
        let superseded = self.on_trial();
        let event =
            record::reloaded(&self.setup.path, (&now, &warnings), &changes, (by, superseded.as_ref()));
        if !self.recorded(&event, by).await {
            return (Vec::new(), Answer::NotDone(NotRun::AuditUnavailable));
        }
        let until = confirm.and_then(|time| (self.setup.clock)().checked_add(time));
        let answer = Answer::Reloaded {
            version: now.version,
            commands: now.policy.commands().len(),
            warnings: now.warnings,
            until,
        };
        self.put_in_force((now, texts), confirm, until);
        (changes.into_rows(), answer)
    }

    /// Swaps. What was in force waits beside it for as long as the new one is on trial.
    fn put_in_force(
        &self,
        (now, texts): (Arc<InForce>, Arc<OwnedFd>),
        confirm: Option<Duration>,
        until: Option<SystemTime>,
    ) {
        self.ruling.send_modify(|ruling| {
            let now = std::mem::replace(&mut ruling.state.now, now);
            let texts = std::mem::replace(&mut ruling.texts, texts);
            ruling.before = confirm.map(|time| Before { now, texts, due: Instant::now() + time });
            (ruling.state.refused, ruling.state.until, ruling.coming) = (None, until, None);
        });
    }

    /// The policy on trial, if one is.
    fn on_trial(&self) -> Option<Version> {
        let ruling = self.ruling.borrow();
        ruling.before.as_ref().map(|_| ruling.state.now.version)
    }

    /// Root's own reload goes on with a broken trail; nobody else's does.
    async fn recorded(&self, event: &Event, by: &By<'_>) -> bool {
        match (self.setup.trail.record(event).await, by) {
            (Ok(_recorded), _) => true,
            (Err(broken), By::Signal) => {
                tracing::error!("{broken}; lost: {}", event.message());
                true
            }
            (Err(broken), By::Peer { .. }) => {
                tracing::error!("no reload: {broken}");
                false
            }
        }
    }

    async fn refuse(&self, rejection: Rejection, by: &By<'_>) -> (Vec<Row>, Answer) {
        let event = record::refused(&self.setup.path, &rejection, &self.now().version, by);
        self.setup.trail.note(&event).await;
        let refused = Refused { at: (self.setup.clock)(), why: rejection.why };
        let told = Some(refused.clone());
        self.ruling.send_modify(|ruling| (ruling.state.refused, ruling.coming) = (told, None));
        (rejection.rows, Answer::Refused(refused))
    }

    /// Keeps the policy on trial, if that is the one by which this wish was judged.
    pub async fn confirm(&self, by: &By<'_>, judged: &Version) -> Answer {
        let kept = self.ruling.send_if_modified(|ruling| {
            let is_on_trial = ruling.state.now.version == *judged && ruling.before.is_some();
            if is_on_trial {
                (ruling.before, ruling.state.until) = (None, None);
            }
            is_on_trial
        });
        if !kept {
            return Answer::NothingToConfirm;
        }
        self.setup.trail.note(&record::confirmed(&self.setup.path, &self.now(), by)).await;
        Answer::Confirmed
    }

    /// Brings the policy before back where the one on trial is not confirmed in time. Never ends.
    pub async fn undo_in_time(&self) {
        let mut ruling = self.ruling.subscribe();
        loop {
            let due = ruling.borrow_and_update().before.as_ref().map(|before| before.due);
            tokio::select! {
                // The sender lives as long as this.
                changed = ruling.changed() => debug_assert!(changed.is_ok(), "nobody watches without policies"),
                () = at(due) => self.undo().await,
            }
        }
    }

    /// Waits for the turn of a load under way, which may supersede the policy on trial.
    async fn undo(&self) {
        let _turn = self.loading.lock().await;
        let (trial, before) = {
            let ruling = self.ruling.borrow();
            (Arc::clone(&ruling.state.now), ruling.before.clone())
        };
        let Some(before) = before.filter(|before| before.due <= Instant::now()) else { return };
        let back = Arc::clone(&before.now);
        let compare = move || Changes::between(&trial.policy, &back.policy);
        let changes = spawn_blocking(compare).await.unwrap_or_default();
        let back = Arc::clone(&before.now);
        if self.bring_back(before) {
            self.setup.trail.note(&record::undone(&self.setup.path, &back, &changes)).await;
        }
    }

    /// Whether it came to that: it may have been confirmed at the last moment.
    fn bring_back(&self, before: Before) -> bool {
        let refused = Refused { at: (self.setup.clock)(), why: "not confirmed in time".to_owned() };
        self.ruling.send_if_modified(|ruling| {
            let is_on_trial = ruling.before.take().is_some();
            if is_on_trial {
                (ruling.state.now, ruling.texts) = (before.now, before.texts);
                (ruling.state.refused, ruling.state.until) = (Some(refused), None);
            }
            is_on_trial
        })
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
