//! The runs that are units of systemd, and so outlive the broker: what is known of each, and what the next broker does about it.

use super::drain::{is_left, read_for_nobody};
use super::fact::{Fact, fact, finished};
use super::jobs::{Facts, Known, Over};
use super::ledger::Ledger;
use super::run::Entry;
use super::service::Service;
use super::store::Store;
use crate::execution::{Ended, JobId, Streams, Tail};
use crate::identity::Uid;
use crate::policy::{Grant, Runner};
use std::future::{pending, ready};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The folder of the facts, below that of all that outlives the broker.
const FOLDER: &str = "units";

/// How long a server that still reads a run's output has to say so, before it is read here.
const REJOINING: Duration = Duration::from_secs(5);

/// The pause before systemd is asked again that did not tell of a unit.
const ASKING: Duration = Duration::from_secs(5);

/// The end of a unit, as far as it can be learnt, and its invocation.
type End = (io::Result<Ended>, Option<String>);

/// Where the facts are; nowhere for a demonstration, which has no units.
#[derive(Clone, Debug)]
pub struct Units(Option<Ledger>);

impl Units {
    /// Those of this folder. Blocks.
    ///
    /// # Errors
    /// Those of making the folder.
    pub fn open(folder: Option<&Path>) -> io::Result<Self> {
        folder.map(|folder| Ledger::open(&folder.join(FOLDER))).transpose().map(Self)
    }

    /// Notes a run that is about to start. When this returns, the next broker knows of it, even after a loss of power.
    async fn note(&self, fact: Fact) -> io::Result<()> {
        self.aside(move |ledger| ledger.put(&fact.id, &fact)).await
    }

    async fn aside(&self, work: impl FnOnce(&Ledger) -> io::Result<()> + Send + 'static) -> io::Result<()> {
        let Some(ledger) = self.0.clone() else { return Ok(()) };
        tokio::task::spawn_blocking(move || work(&ledger)).await.map_err(io::Error::other)?
    }

    /// There is nothing more to do about a run.
    async fn strike(&self, id: &JobId) {
        let gone = id.clone();
        if let Err(error) = self.aside(move |ledger| ledger.remove(&gone)).await {
            tracing::error!("what is known of job {id} can't be removed: {error}");
        }
    }

    /// Whether anything is noted of a run, be it by another version.
    fn has(&self, id: &JobId) -> bool {
        self.0.as_ref().is_some_and(|ledger| ledger.has(id))
    }

    fn all(&self) -> io::Result<Vec<Fact>> {
        self.0.as_ref().map_or(Ok(Vec::new()), Ledger::all)
    }
}

/// Whether a run of this grant is a unit.
pub(super) fn is_unit(grant: &Grant) -> bool {
    matches!(grant.terms().runner, Runner::Unit(_))
}

impl Service {
    /// Has the next broker know of a run, where there may be one before its end, and systemd hold for it what there is to read.
    pub(super) async fn note_unit(
        &self,
        entry: &Entry<'_>,
        grant: &Grant,
        (known, streams): (&Known, &Streams),
    ) -> io::Result<()> {
        if !is_unit(grant) {
            return Ok(());
        }
        self.units.note(fact(entry, grant, &known.facts)).await?;
        Store::put(&known.facts.id, streams, &known.tail)
    }

    /// Has the next broker know that a run of this grant has begun: before, nobody could tell its end from that of a process that
    /// never became its program.
    pub(super) async fn note_begun(&self, entry: &Entry<'_>, grant: &Grant, facts: &Facts) {
        if !is_unit(grant) {
            return;
        }
        let begun = fact(entry, grant, facts).begun();
        if let Err(error) = self.units.note(begun).await {
            tracing::error!("job {}: that it has begun can't be noted: {error}", facts.id);
        }
    }

    /// The end of a run of this grant is on the record: nothing more is kept of it. Where it could not be learnt, the next broker
    /// asks again.
    pub(super) async fn close_unit(&self, grant: &Grant, id: &JobId, over: Over) {
        if is_unit(grant) && over.outcome.is_some() {
            self.close(id).await;
        }
    }

    /// The unit goes last: of one that is gone, nothing must be known any more.
    async fn close(&self, id: &JobId) {
        Store::forget(id);
        self.units.strike(id).await;
        self.surroundings.systemd.remove(id).await;
    }

    /// A run of this grant has not begun after all.
    pub(super) async fn forget_unit(&self, grant: &Grant, id: &JobId) {
        if is_unit(grant) {
            Store::forget(id);
            self.units.strike(id).await;
        }
    }

    /// Takes over the runs of an earlier broker: waits for the end of each in a task of its own, and puts it on the record.
    ///
    /// # Errors
    /// What is known of them can't be read.
    pub fn take_over(self: &Arc<Self>) -> io::Result<()> {
        let facts = self.units.all()?;
        if self.policies.now().policy.runs_units() || !facts.is_empty() {
            self.tasks.spawn(Arc::clone(self).see_to_strays());
        }
        for fact in facts {
            let service = Arc::clone(self);
            match self.known_again(&fact) {
                Ok(again) => {
                    let facts = &again.0.facts;
                    let places = (self.runs.keep(facts.uid), self.quotas.keep(&facts.command));
                    self.tasks.spawn(async move {
                        service.adopt(fact, again).await;
                        drop(places);
                    });
                }
                Err(error) => tracing::error!("job {}: nothing can be told of it: {error}", fact.id),
            }
        }
        self.store.forget_the_rest();
        Ok(())
    }

    async fn adopt(&self, fact: Fact, (known, streams): (Arc<Known>, Option<Streams>)) {
        let _token = self.tokens.hold(&fact.id);
        let is_whole = streams.is_some();
        let Some((ended, invocation)) = self.outlive((&fact, &known), streams).await else {
            return known.leave();
        };
        let out_of_memory = matches!(&ended, Ok(ended) if ended.out_of_memory);
        let over = Over::of(&fact.id, ended.and_then(|ended| fact.end_of_its_program(ended)));
        // What systemd did not hold of its output, nobody has.
        let over = Over { cut: over.cut || !is_whole, ..over };
        let event = finished(&fact, over).optional("UDSADMIN_OOM", out_of_memory.then_some("yes"));
        self.trail.note(&event.optional("UDSADMIN_INVOCATION", invocation)).await;
        self.tokens.end(&fact.id, over).await;
        self.close(&fact.id).await;
        self.jobs.end(&known, over);
    }

    /// Waits for the end of a run, and reads what it writes where no session takes it up again; `None` where the broker ends first.
    async fn outlive(&self, run: (&Fact, &Known), streams: Option<Streams>) -> Option<End> {
        let is_over = CancellationToken::new();
        let end = async {
            let end = self.end_of_unit(run, streams.as_ref()).await;
            is_over.cancel();
            end
        };
        tokio::join!(end, read_again(run.0, (run.1, streams.as_ref()), &is_over)).0
    }

    /// Asks systemd for the end of a unit, until it tells.
    async fn end_of_unit(&self, run: (&Fact, &Known), streams: Option<&Streams>) -> Option<End> {
        loop {
            match self.try_for_end(run, streams).await? {
                Ok(end) => return Some(end),
                Err(error) => tracing::error!("job {}: systemd does not tell of it: {error}", run.0.id),
            }
            tokio::select! { () = self.draining.cancelled() => return None, () = sleep(ASKING) => {} }
        }
    }

    async fn try_for_end(
        &self,
        (fact, known): (&Fact, &Known),
        streams: Option<&Streams>,
    ) -> Option<io::Result<End>> {
        let systemd = &self.surroundings.systemd;
        let unit = tokio::select! {
            () = self.draining.cancelled() => return None,
            unit = systemd.adopt(&fact.id, fact.timeout, fact.kill_after) => unit,
        };
        let unit = match unit {
            Ok(Some(unit)) => unit,
            Ok(None) => return Some(Ok((Err(io::Error::other("systemd knows of no such unit")), None))),
            Err(error) => return Some(Err(error)),
        };
        let (ends, invocation) = (unit.ends(), unit.invocation().map(str::to_owned));
        tokio::select! {
            biased;
            ended = unit.finish(known.stop.heard(), hung_up(streams)) => {
                Some(ended.map(|ended| (Ok(ended), invocation)))
            }
            // The broker after this one has it then.
            () = self.is_to_leave(&ends) => None,
        }
    }

    /// Resolves when this broker is to leave a unit to the next one: when it ends, or, where the unit's own end has begun, when it
    /// can wait for nothing any more.
    pub(super) async fn is_to_leave(&self, ends: &CancellationToken) {
        self.draining.cancelled().await;
        if ends.is_cancelled() {
            self.ending.cancelled().await;
        }
    }

    /// Sees to units of ours that nobody knows of: those that an earlier broker did not live to remove, and those whose facts were
    /// lost. What still runs is left alone until it has ended.
    async fn see_to_strays(self: Arc<Self>) {
        let listed = tokio::select! {
            () = self.draining.cancelled() => return,
            listed = self.surroundings.systemd.list() => listed,
        };
        match listed {
            Ok(jobs) => jobs.into_iter().filter(|id| self.is_stray(id)).for_each(|id| {
                let service = Arc::clone(&self);
                self.tasks.spawn(async move { service.remove_stray(&id).await });
            }),
            Err(error) => tracing::warn!("whether earlier brokers have left units can't be learnt: {error}"),
        }
    }

    fn is_stray(&self, id: &JobId) -> bool {
        self.jobs.find(id).is_none() && !self.units.has(id)
    }

    async fn remove_stray(&self, id: &JobId) {
        let systemd = &self.surroundings.systemd;
        let gone = async {
            let Some(unit) = systemd.adopt(id, None, Duration::ZERO).await? else { return Ok(()) };
            tracing::warn!(
                "job {id} has a unit, and nothing else is known of it; it is removed when it has ended"
            );
            let Ended { outcome, .. } = unit.finish(pending(), ready(())).await?;
            systemd.remove(id).await;
            tracing::warn!("job {id}, of which nothing was known, came to {outcome}");
            Ok::<_, io::Error>(())
        };
        tokio::select! {
            () = self.draining.cancelled() => {}
            gone = gone => drop(gone.inspect_err(|error| tracing::error!("job {id}: its unit is left: {error}"))),
        }
    }

    /// Tells of it again: it can be asked for, followed and cancelled. With what systemd held of its output, if it did.
    fn known_again(&self, fact: &Fact) -> io::Result<(Arc<Known>, Option<Streams>)> {
        let invalid = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        let keep = fact.keep();
        let facts = Facts {
            id: fact.id.clone(),
            uid: Uid::new(fact.uid).map_err(|error| invalid(&error))?,
            user: fact.user.clone(),
            command: fact.command.parse().map_err(|error| invalid(&error))?,
            request: fact.request.clone(),
            began: fact.began,
            keep,
        };
        let (streams, tail) = match self.store.take(&fact.id) {
            Some((streams, tail)) => (Some(streams), tail),
            None => (None, Tail::new(keep.output.0)?),
        };
        let ran = (self.clock)().duration_since(fact.began).unwrap_or_default();
        let known = Known::again(facts, tail, ran);
        self.jobs.add(&known);
        Ok((known, streams))
    }
}

/// Resolves when nobody writes any more. Of what systemd did not hold, nobody can say when.
async fn hung_up(streams: Option<&Streams>) {
    match streams {
        Some(streams) => streams.hung_up().await,
        None => pending().await,
    }
}

/// Reads what the run writes, unless a session comes in time that does: then from when that one is gone. Where nobody is there for
/// it any more, the run ends if its policy says so.
async fn read_again(fact: &Fact, (known, streams): (&Known, Option<&Streams>), is_over: &CancellationToken) {
    let session = tokio::select! {
        session = known.reader() => session,
        () = sleep(REJOINING) => None,
        () = is_over.cancelled() => None,
    };
    if let Some(session) = session
        && !is_left(&session, is_over).await
    {
        return;
    }
    if fact.ends_with_its_client && !is_over.is_cancelled() {
        known.stop.cancel();
    }
    if let Some(streams) = streams {
        read_for_nobody((known, streams), &fact.delivery(), is_over).await;
    }
}
