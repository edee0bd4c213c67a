//! The broker's policies: the one in force, the one before it while the new one is on trial. Swaps whole, or not at all.

use super::changes::{Changes, capped, cut};
use super::force::{InForce, Refused, State, Version};
use super::record;
use super::texts;
use super::wire::{Answer, NotRun, Row};
use crate::audit::{Event, Trail};
use crate::files::FileError;
use crate::identity::Peer;
use crate::policy::{Diagnostic, Loaded, Severity, Source};
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

/// What is wrong with a policy that is refused.
#[derive(Debug)]
pub enum Unfit {
    /// One of its files is not as it must be.
    File(FileError),
    /// Its text is not as it must be; warnings may be among it.
    Text(Vec<Diagnostic>),
}

/// Reads the installed policy. Blocks.
pub type Load = Arc<dyn Fn() -> Result<Fresh, Unfit> + Send + Sync>;

/// What loading policies takes.
pub struct Setup {
    /// Where the policy is, for the record.
    pub path: PathBuf,
    /// How it is read.
    pub load: Load,
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
        wish: Wish,
    },
}

/// What is in force, for whoever watches it.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// The policy and how things stand.
    pub state: State,
    pub(super) texts: Arc<OwnedFd>,
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

/// A policy that could be swapped in, with everything that goes with it.
struct Candidate {
    now: Arc<InForce>,
    texts: Arc<OwnedFd>,
    warnings: Vec<Diagnostic>,
    changes: Changes,
}

impl Unfit {
    /// The first error on one line, and how many more there are.
    #[must_use]
    pub fn first(&self) -> String {
        match self {
            Self::File(error) => error.to_string(),
            Self::Text(found) => {
                let mut errors = found.iter().filter(|one| one.severity() == Severity::Error);
                let first = errors.next().map_or_else(String::new, ToString::to_string);
                match errors.count() {
                    0 => first,
                    more => format!("{first} (and {more} more; udsadmin check shows all)"),
                }
            }
        }
    }

    /// Every error: its place, and what it is.
    #[must_use]
    pub fn places(&self) -> Vec<(String, String)> {
        match self {
            Self::File(error) => {
                let place =
                    error.place().map_or_else(String::new, |(line, column)| format!(":{line}:{column}"));
                vec![(format!("{}{place}", error.path().display()), error.fault().to_string())]
            }
            Self::Text(found) => {
                let errors = found.iter().filter(|one| one.severity() == Severity::Error);
                let place = |one: &Diagnostic| format!("{}:{}:{}", one.file(), one.line(), one.column());
                errors.map(|one| (place(one), one.message().to_owned())).collect()
            }
        }
    }

    fn rows(&self) -> Vec<Row> {
        let row = |(at, what): (String, String)| {
            vec![("at".to_owned(), cut(&at)), ("message".to_owned(), cut(&what))]
        };
        capped(self.places().into_iter().map(row).collect())
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
        let ruling = watch::Sender::new(Ruling { state, texts, before: None });
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
        match self.candidate().await {
            Ok(Ok(candidate)) => self.swap(candidate, by, confirm).await,
            Ok(Err(unfit)) => self.refuse(&unfit, by).await,
            Err(error) => {
                tracing::error!("the policy can't be read again: {error}");
                (Vec::new(), Answer::NotDone(NotRun::Internal))
            }
        }
    }

    /// Reads the policy, off the event loop: a large one takes its time.
    async fn candidate(&self) -> io::Result<Result<Candidate, Unfit>> {
        let (load, clock, old) = (Arc::clone(&self.setup.load), self.setup.clock, self.now());
        let read = move || {
            let fresh = match load() {
                Ok(fresh) => fresh,
                Err(unfit) => return Ok(Err(unfit)),
            };
            let texts = Arc::new(texts::seal(&fresh.sources)?);
            let version = Version::of(&fresh.sources, clock());
            let Loaded { policy, warnings, .. } = fresh.loaded;
            let changes = Changes::between(&old.policy, &policy);
            let now = Arc::new(InForce { policy, version, warnings: warnings.len() });
            Ok(Ok(Candidate { now, texts, warnings, changes }))
        };
        spawn_blocking(read).await.map_err(io::Error::other)?
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
            commands: now.policy.commands().count(),
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
            (ruling.state.refused, ruling.state.until) = (None, until);
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

    async fn refuse(&self, unfit: &Unfit, by: &By<'_>) -> (Vec<Row>, Answer) {
        let event = record::refused(&self.setup.path, unfit, &self.now().version, by);
        self.setup.trail.note(&event).await;
        let refused = Refused { at: (self.setup.clock)(), why: cut(&unfit.first()) };
        self.ruling.send_modify(|ruling| ruling.state.refused = Some(refused.clone()));
        (unfit.rows(), Answer::Refused(refused))
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
