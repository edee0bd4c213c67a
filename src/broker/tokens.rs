//! The names that clients gave their runs, so that asking again does not run again. Outlives the broker; runs nothing.

use super::jobs::Over;
use super::ledger::Ledger;
use super::uptime::{Point, Uptime};
use crate::execution::JobId;
use crate::identity::Uid;
use crate::request::{Request, Token};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// How long a token is known after the end of its run (udsadmin-protocol(7), `id=`).
const KNOWN: Duration = Duration::from_secs(10 * 60);

/// Tokens of one user that are known at once.
const PER_USER: usize = 1024;

/// The same, of all users together.
const ALL: usize = 8192;

type Named = (Uid, Token);

/// The tokens that are known.
#[derive(Debug)]
pub struct Tokens {
    known: Mutex<HashMap<Named, Arc<First>>>,
    ledger: Option<Ledger>,
    uptime: Uptime,
    /// The key of digests: this process's own.
    key: RandomState,
}

/// What is asked for under a token.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The request, without what is secret.
    pub(super) spelling: String,
    /// Of all of it: its secrets and its input, too.
    pub(super) digest: u64,
    /// Whether there is more to it than the spelling.
    pub(super) has_more: bool,
}

/// The first run of a token.
#[derive(Debug)]
struct First {
    request: String,
    /// Of all that was asked for; `None` where an earlier broker knew it, which left nothing of secrets behind.
    digest: Option<u64>,
    phase: watch::Sender<Phase>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// It may be started, or not.
    Starting,
    /// It was.
    Begun(Begun),
    /// It was not: the token is free again.
    Void,
}

/// A run that has a token, as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Begun {
    uid: u32,
    token: Token,
    request: String,
    began: Point,
    ended: Option<Point>,
    /// Its id.
    pub(super) job: JobId,
    /// What it came to; `None` as long as that is not known.
    pub(super) over: Option<Over>,
}

/// What a token is, for who comes with it.
#[derive(Debug)]
pub(super) enum Claim {
    /// New: the run is its first.
    Fresh(Claimed),
    /// That of a run which has begun.
    Again(Begun),
    /// That of another request.
    Taken,
    /// New, and one too many.
    TooMany,
}

/// A token whose run is being started. Dropped before it [is](Claimed::started), it is free again.
#[derive(Debug)]
pub(super) struct Claimed {
    tokens: Arc<Tokens>,
    first: Arc<First>,
    named: Named,
    begun: Option<Begun>,
    has_started: bool,
}

impl Tokens {
    /// Those in this folder's ledger; where there is no folder, they are forgotten with this value. Blocks.
    ///
    /// # Errors
    /// Those of reading the folder.
    pub fn open(folder: Option<&Path>, uptime: Uptime) -> io::Result<Arc<Self>> {
        let ledger = folder.map(Ledger::open).transpose()?;
        let facts: Vec<Begun> = ledger.as_ref().map_or(Ok(Vec::new()), Ledger::all)?;
        let known = facts.into_iter().filter_map(|begun| {
            let named = (Uid::new(begun.uid).ok()?, begun.token.clone());
            let (request, phase) = (begun.request.clone(), watch::Sender::new(Phase::Begun(begun)));
            Some((named, Arc::new(First { request, digest: None, phase })))
        });
        let known = Mutex::new(known.collect());
        Ok(Arc::new(Self { known, ledger, uptime, key: RandomState::new() }))
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Named, Arc<First>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What tells one request and its input from another. Says nothing to whoever has not the key, which nobody is given.
    pub(super) fn digest(&self, request: &Request, input: &[u8]) -> u64 {
        self.key.hash_one((request, input))
    }

    /// What this token of this user is. Waits where its run is just being started.
    pub(super) async fn claim(self: &Arc<Self>, uid: Uid, token: &Token, asked: &Asked) -> Claim {
        loop {
            self.forget_old().await;
            let first = match self.look(&(uid, token.clone()), asked) {
                Ok(first) => first,
                Err(claim) => return *claim,
            };
            if !first.is_of(asked) {
                return Claim::Taken;
            }
            let mut phase = first.phase.subscribe();
            let settled = phase.wait_for(|phase| !matches!(phase, Phase::Starting)).await;
            if let Ok(Phase::Begun(begun)) = settled.as_deref() {
                return Claim::Again(begun.clone());
            }
        }
    }

    /// The first run of a token; where there is none, the token is now claimed.
    fn look(self: &Arc<Self>, named: &Named, asked: &Asked) -> Result<Arc<First>, Box<Claim>> {
        let mut known = self.known();
        if let Some(first) = known.get(named) {
            return Ok(Arc::clone(first));
        }
        if known.len() >= ALL || known.keys().filter(|(uid, _)| *uid == named.0).count() >= PER_USER {
            return Err(Box::new(Claim::TooMany));
        }
        let (request, digest) = (asked.spelling.clone(), Some(asked.digest));
        let first = Arc::new(First { request, digest, phase: watch::Sender::new(Phase::Starting) });
        known.insert(named.clone(), Arc::clone(&first));
        let (tokens, named) = (Arc::clone(self), named.clone());
        Err(Box::new(Claim::Fresh(Claimed { tokens, first, named, begun: None, has_started: false })))
    }

    async fn forget_old(&self) {
        let old = self.take_old();
        let Some(ledger) = self.ledger.clone().filter(|_| !old.is_empty()) else { return };
        let removed = spawn_blocking(move || old.iter().for_each(|job| remove(&ledger, job))).await;
        drop(removed.inspect_err(|error| tracing::error!("tokens stay in the ledger: {error}")));
    }

    /// No longer knows what it need not, and gives the runs of that.
    fn take_old(&self) -> Vec<JobId> {
        let is_old = |begun: &Begun| self.uptime.since(begun.ended.as_ref().unwrap_or(&begun.began)) >= KNOWN;
        let mut old = Vec::new();
        self.known().retain(|_, first| match &*first.phase.borrow() {
            Phase::Begun(begun) if is_old(begun) && !first.is_under_way(begun) => {
                old.push(begun.job.clone());
                false
            }
            Phase::Begun(_) | Phase::Starting | Phase::Void => true,
        });
        old
    }

    /// Sees to it that the token of this run, which an earlier broker has started, is known as long as the value that comes back.
    pub(super) fn hold(&self, job: &JobId) -> Option<impl Send + use<>> {
        self.known().values().find(|first| first.is_named(job)).map(Arc::clone)
    }

    /// The run of this id, which an earlier broker has started, is over.
    pub(super) async fn end(&self, job: &JobId, over: Over) {
        let fact = self.known().values().find_map(|first| first.end(job, over, self.uptime.now()));
        if let Some(fact) = fact
            && let Err(error) = self.put(fact).await
        {
            tracing::warn!("what became of job {job} will not be known after a restart: {error}");
        }
    }

    async fn put(&self, begun: Begun) -> io::Result<()> {
        let Some(ledger) = self.ledger.clone() else { return Ok(()) };
        let put = move || ledger.put(&begun.job, &begun);
        spawn_blocking(put).await.map_err(io::Error::other)?
    }
}

fn remove(ledger: &Ledger, job: &JobId) {
    if let Err(error) = ledger.remove(job) {
        tracing::warn!("the token of job {job} stays in the ledger: {error}");
    }
}

impl First {
    fn is_named(&self, job: &JobId) -> bool {
        matches!(&*self.phase.borrow(), Phase::Begun(begun) if begun.job == *job)
    }

    /// What is to be written of it, where it is of this run, which is over now.
    fn end(&self, job: &JobId, over: Over, now: Point) -> Option<Begun> {
        let fact = match &*self.phase.borrow() {
            Phase::Begun(begun) if begun.job == *job => {
                Begun { over: Some(over), ended: Some(now), ..begun.clone() }
            }
            Phase::Begun(_) | Phase::Starting | Phase::Void => return None,
        };
        self.phase.send_replace(Phase::Begun(fact.clone()));
        Some(fact)
    }

    /// Whether this is what was asked for. What can't be told from another request is another.
    fn is_of(&self, asked: &Asked) -> bool {
        let is_same = self.digest.map_or(!asked.has_more, |digest| digest == asked.digest);
        is_same && self.request == asked.spelling
    }

    /// Whether its run is one of this process's, and not over.
    fn is_under_way(self: &Arc<Self>, begun: &Begun) -> bool {
        begun.over.is_none() && Arc::strong_count(self) > 1
    }
}

impl Claimed {
    /// Its run is about to begin. When this returns, that is known to whoever comes after this process.
    ///
    /// # Errors
    /// Those of writing the ledger.
    pub(super) async fn begin(&mut self, job: &JobId) -> io::Result<()> {
        let (uid, token) = (self.named.0.raw(), self.named.1.clone());
        let (request, began) = (self.first.request.clone(), self.tokens.uptime.now());
        let fact = Begun { uid, token, request, began, ended: None, job: job.clone(), over: None };
        self.begun = Some(fact.clone());
        self.tokens.put(fact).await
    }

    /// Its run was started.
    pub(super) fn started(mut self) -> Self {
        self.has_started = true;
        if let Some(begun) = &self.begun {
            self.first.phase.send_replace(Phase::Begun(begun.clone()));
        }
        self
    }

    /// Its run is over.
    pub(super) async fn end(mut self, over: Over) {
        let Some(begun) = self.begun.take() else { return };
        let begun = Begun { over: Some(over), ended: Some(self.tokens.uptime.now()), ..begun };
        self.first.phase.send_replace(Phase::Begun(begun.clone()));
        let job = begun.job.clone();
        if let Err(error) = self.tokens.put(begun).await {
            tracing::warn!("what became of job {job} will not be known after a restart: {error}");
        }
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if self.has_started {
            return;
        }
        self.tokens.known().remove(&self.named);
        if let Some(begun) = &self.begun {
            self.tokens.ledger.iter().for_each(|ledger| remove(ledger, &begun.job));
        }
        self.first.phase.send_replace(Phase::Void);
    }
}

#[cfg(test)]
mod tests;
