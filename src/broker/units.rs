//! The runs that are units of systemd, and so outlive the broker: what is known of each, and what the next broker does about it.

use super::drain::{is_left, read_for_nobody};
use super::jobs::{Facts, Known, Over, exit};
use super::ledger::Ledger;
use super::run::Entry;
use super::service::Service;
use super::stop::Stop;
use super::store::Store;
use crate::audit::{Event, Kind};
use crate::execution::{Ended, JobId, Outcome, Running, Streams, Tail};
use crate::identity::Uid;
use crate::policy::{Delivery, Grant, Keep, OnDisconnect, Runner, Size};
use serde::{Deserialize, Serialize};
use std::future::pending;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The folder of the facts, below that of all that outlives the broker.
const FOLDER: &str = "units";

/// How long a server that still reads a run's output has to say so, before it is read here.
const REJOINING: Duration = Duration::from_secs(5);

/// What is known of a run, from before its start until after the record of its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Fact {
    id: JobId,
    uid: u32,
    gid: u32,
    user: String,
    command: String,
    request: String,
    rule: String,
    began: SystemTime,
    timeout: Option<Duration>,
    /// From TERM to KILL.
    kill_after: Duration,
    /// How long it is told of after its end, and octets of each stream.
    keep: (Duration, u64),
    /// Octets that it may write, if there is a limit.
    output_limit: Option<u64>,
    ends_with_its_client: bool,
    /// Its process has become the program. Until this is noted, no end of the process is known to be the program's.
    has_begun: bool,
}

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

    /// Notes that a run has begun.
    pub(super) async fn begun(&self, fact: Option<Fact>) {
        let Some(fact) = fact else { return };
        let id = fact.id.clone();
        if let Err(error) = self.note(Fact { has_begun: true, ..fact }).await {
            tracing::warn!("the next broker will not know the end of job {id}: {error}");
        }
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
    ) -> io::Result<Option<Fact>> {
        if !is_unit(grant) {
            return Ok(None);
        }
        let fact = fact(entry, grant, &known.facts);
        self.units.note(fact.clone()).await?;
        Store::put(&known.facts.id, streams, &known.tail)?;
        Ok(Some(fact))
    }

    /// The end of a run of this grant is on the record: nothing more is kept of it. Where it could not be learnt, the next broker
    /// asks again.
    pub(super) async fn close_unit(&self, grant: &Grant, id: &JobId, over: Over) {
        if is_unit(grant) && over.outcome.is_some() {
            self.surroundings.systemd.remove(id).await;
            self.forget_unit(grant, id).await;
        }
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
        for fact in self.units.all()? {
            let service = Arc::clone(self);
            match self.known_again(&fact) {
                Ok(again) => {
                    let places =
                        (self.runs.take(again.0.facts.uid), self.quotas.keep(&again.0.facts.command));
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
        let unit = match self.surroundings.systemd.adopt(&fact.id, fact.timeout, fact.kill_after).await {
            Ok(unit) => unit,
            Err(error) => return tracing::error!("job {}: systemd does not tell of it: {error}", fact.id),
        };
        let invocation = unit.as_ref().and_then(|unit| unit.invocation().map(str::to_owned));
        let is_whole = streams.is_some();
        let ended = match unit {
            Some(unit) => {
                self.outlive(Running::Unit(Box::new(unit), Vec::new()), (&fact, &known), streams).await
            }
            None => Some(Err(io::Error::other("systemd knows of no such unit"))),
        };
        // The broker after this one has it then.
        let Some(ended) = ended else { return };
        let out_of_memory = matches!(&ended, Ok(ended) if ended.out_of_memory);
        let over = Over::of(&fact.id, ended.and_then(|ended| fact.end_of_its_program(ended)));
        // What systemd did not hold of its output, nobody has.
        let over = Over { cut: over.cut || !is_whole, ..over };
        let event = finished(&fact, over).optional("UDSADMIN_OOM", out_of_memory.then_some("yes"));
        self.trail.note(&event.optional("UDSADMIN_INVOCATION", invocation)).await;
        self.jobs.end(&known, over);
        self.tokens.end(&fact.id, over).await;
        self.surroundings.systemd.remove(&fact.id).await;
        Store::forget(&fact.id);
        self.units.strike(&fact.id).await;
    }

    /// Waits for the end of a run, and reads what it writes where no session takes it up again; `None` where the broker ends first.
    async fn outlive(
        &self,
        running: Running,
        (fact, known): (&Fact, &Arc<Known>),
        streams: Option<Streams>,
    ) -> Option<io::Result<Ended>> {
        let is_over = CancellationToken::new();
        let end = async {
            let ended = tokio::select! {
                () = self.draining.cancelled() => None,
                ended = running.finish(known.stop.heard(), hung_up(streams.as_ref())) => Some(ended),
            };
            is_over.cancel();
            ended
        };
        tokio::join!(end, read_again(fact, (known, streams.as_ref()), &is_over)).0
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
        let known = Known::new(facts, tail, Stop::default());
        self.jobs.add(&known);
        Ok((known, streams))
    }
}

/// What is to be known of a run that is about to start.
fn fact(entry: &Entry<'_>, grant: &Grant, facts: &Facts) -> Fact {
    let delivery = &grant.terms().delivery;
    Fact {
        id: facts.id.clone(),
        uid: entry.peer.uid.raw(),
        gid: entry.peer.gid,
        user: facts.user.clone(),
        command: facts.command.to_string(),
        request: facts.request.clone(),
        rule: grant.rule().to_string(),
        began: facts.began,
        timeout: grant.terms().timeout,
        kill_after: grant.terms().ceilings.kill_after,
        keep: (facts.keep.time, facts.keep.output.0),
        output_limit: delivery.output_limit.map(|size| size.0),
        ends_with_its_client: delivery.on_disconnect == OnDisconnect::Term && !entry.wanted.detach,
        has_begun: false,
    }
}

impl Fact {
    /// The end of its unit, where it is its program's, too. A process that never became the program never exits with status 0.
    ///
    /// # Errors
    /// The broker that started the unit ended before it knew; the end of the run is then unknown.
    fn end_of_its_program(&self, ended: Ended) -> io::Result<Ended> {
        if self.has_begun || ended.outcome == Outcome::Exited(0) {
            return Ok(ended);
        }
        let why = format!("its unit came to {}, and nobody knows whether it had begun", ended.outcome);
        Err(io::Error::other(why))
    }

    fn delivery(&self) -> Delivery {
        Delivery {
            output_limit: self.output_limit.map(Size),
            stall_timeout: None,
            on_disconnect: if self.ends_with_its_client { OnDisconnect::Term } else { OnDisconnect::Finish },
            keep: self.keep(),
        }
    }

    const fn keep(&self) -> Keep {
        Keep { time: self.keep.0, output: Size(self.keep.1) }
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

/// The record of the end of a run that an earlier broker started.
fn finished(fact: &Fact, over: Over) -> Event {
    let exit = exit(over.outcome);
    let Fact { id, uid, gid, user, command, request, rule, .. } = fact;
    Event::new(Kind::Finished, format!("{user} (uid {uid}): {request}: ended under another broker: {exit}"))
        .field("UDSADMIN_UID", uid)
        .field("UDSADMIN_USER", user)
        .field("UDSADMIN_GID", gid)
        .field("UDSADMIN_COMMAND", command)
        .field("UDSADMIN_REQUEST", request)
        .decision("permit", rule)
        .field("UDSADMIN_JOB", id)
        .field("UDSADMIN_EXIT", &exit)
        .field("UDSADMIN_MS", over.ms)
        .optional("UDSADMIN_OUTPUT", over.cut.then_some("cut"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(has_begun: bool) -> Fact {
        Fact {
            id: JobId::draw().unwrap(),
            uid: 1000,
            gid: 1000,
            user: "alice".to_owned(),
            command: "backup".to_owned(),
            request: "backup daily".to_owned(),
            rule: "policy.toml:3".to_owned(),
            began: SystemTime::UNIX_EPOCH,
            timeout: None,
            kill_after: Duration::ZERO,
            keep: (Duration::ZERO, 0),
            output_limit: None,
            ends_with_its_client: false,
            has_begun,
        }
    }

    #[test]
    fn the_end_of_a_unit_is_its_programs_where_that_is_known_to_have_begun() {
        let ended = |outcome| Ended { outcome, took: Duration::ZERO, cut: false, out_of_memory: false };
        for outcome in [Outcome::Exited(226), Outcome::Signalled(9), Outcome::Cancelled] {
            assert!(fact(true).end_of_its_program(ended(outcome)).is_ok(), "{outcome}");
            assert!(fact(false).end_of_its_program(ended(outcome)).is_err(), "{outcome}");
        }
        assert!(fact(false).end_of_its_program(ended(Outcome::Exited(0))).is_ok());
    }
}
