//! The runs that are units of systemd, and so outlive the broker: what is known of each, and what the next broker does about it.

use super::drain::read_for_nobody;
use super::jobs::{Facts, Known, Over, exit};
use super::ledger::Ledger;
use super::run::Entry;
use super::service::Service;
use super::stop::Stop;
use super::store::Store;
use crate::audit::{Event, Kind};
use crate::execution::{JobId, Running, Streams, Tail};
use crate::identity::Uid;
use crate::policy::{Delivery, Grant, Keep, OnDisconnect, Runner, Size};
use serde::{Deserialize, Serialize};
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
        let (facts, delivery) = (&known.facts, &grant.terms().delivery);
        let fact = Fact {
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
        };
        self.units.note(fact.clone()).await?;
        Store::put(&facts.id, streams, &known.tail)?;
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
        let ended = match unit {
            Some(unit) => {
                self.outlive(Running::Unit(Box::new(unit), Vec::new()), (&fact, &known), streams).await
            }
            None => Some(Over::UNKNOWN),
        };
        // Where there is none, the broker after this one has it.
        let Some(ended) = ended else { return };
        let over = if fact.has_begun { ended } else { Over::UNKNOWN };
        self.trail.note(&finished(&fact, over).optional("UDSADMIN_INVOCATION", invocation)).await;
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
    ) -> Option<Over> {
        let is_over = CancellationToken::new();
        let Some(streams) = streams else {
            let silent = std::future::ready(());
            return tokio::select! {
                () = self.draining.cancelled() => None,
                ended = running.finish(known.stop.heard(), silent) => Some(Over::of(&fact.id, ended)),
            };
        };
        let end = async {
            let ended = tokio::select! {
                () = self.draining.cancelled() => None,
                ended = running.finish(known.stop.heard(), streams.hung_up()) => Some(ended),
            };
            is_over.cancel();
            ended.map(|ended| Over::of(&fact.id, ended))
        };
        tokio::join!(end, read_again(fact, (known, &streams), &is_over)).0
    }

    /// Tells of it again: it can be asked for, followed and cancelled. With what systemd held of its output, if it did.
    fn known_again(&self, fact: &Fact) -> io::Result<(Arc<Known>, Option<Streams>)> {
        let invalid = |error: &dyn std::fmt::Display| io::Error::other(error.to_string());
        let keep = Keep { time: fact.keep.0, output: Size(fact.keep.1) };
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

/// Reads what the run writes, unless a session comes in time that does: then from when that one is gone.
async fn read_again(fact: &Fact, (known, streams): (&Known, &Streams), is_over: &CancellationToken) {
    let on_disconnect = if fact.ends_with_its_client { OnDisconnect::Term } else { OnDisconnect::Finish };
    let delivery = Delivery {
        output_limit: fact.output_limit.map(Size),
        stall_timeout: None,
        on_disconnect,
        keep: known.facts.keep,
    };
    let session = tokio::select! {
        session = known.reader() => session,
        () = sleep(REJOINING) => {
            if fact.ends_with_its_client {
                known.stop.cancel();
            }
            None
        }
        () = is_over.cancelled() => None,
    };
    read_for_nobody(session.as_deref(), (known, streams), &delivery, is_over).await;
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
}
