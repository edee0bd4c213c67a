//! One run, from the order to its start: decide, record, start. In that order, and no step left out.

use super::force::InForce;
use super::input::{Stdin, stdin};
use super::jobs::{Facts, Known, in_short};
use super::quota::Share;
use super::service::{Ordered, Service, Session};
use super::stop::Stop;
use super::tokens::{Asked, Begun, Claim, Claimed};
use super::units::is_unit;
use super::wire::{NotRun, Passing, Report};
use crate::audit::{Event, Kind, Recorded};
use crate::execution::{
    self, JobEnds, JobId, NotProven, Plan, Proven, Room, Running, Streams, Tail, plan, prove,
};
use crate::identity::{Account, Peer};
use crate::limits::{Place, Places};
use crate::policy::{Decision, Denial, Grant, Shown, decide};
use crate::protocol::spell;
use crate::request::{CommandName, Request, Wanted};
use crate::{accounts, files};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Runs at once, of all peers together.
const RUNS_MAX: usize = 512;

/// Runs at once of one user.
const RUNS_PER_USER: usize = 64;

/// Orders to run at once, of all clients together: those under way, and some that wait for a decision or to be told it.
const ORDERS_MAX: usize = RUNS_MAX + 64;

/// Orders to run at once of one user.
const ORDERS_PER_USER: usize = RUNS_PER_USER + 16;

/// How long the server may take to read a report before it counts as stuck.
pub(super) const REPORTING: Duration = Duration::from_secs(10);

/// The places for runs.
#[must_use]
pub fn places() -> Arc<Places> {
    Places::new(RUNS_MAX, RUNS_PER_USER)
}

/// The places for orders: each holds memory and descriptors that the server sent, before anything is decided.
#[must_use]
pub fn order_places() -> Arc<Places> {
    Places::new(ORDERS_MAX, ORDERS_PER_USER)
}

/// One run: whom its reports are for, and what the record says of it at each of its steps.
pub(super) struct Entry<'a> {
    pub(super) session: &'a Session,
    pub(super) run: u32,
    pub(super) now: &'a InForce,
    pub(super) peer: &'a Peer,
    pub(super) request: &'a Request,
    pub(super) wanted: &'a Wanted,
    pub(super) shown: Shown,
    pub(super) stop: &'a Stop,
}

impl Entry<'_> {
    fn event(&self, kind: Kind, what: &str) -> Event {
        Event::about(kind, self.peer, &self.shown, what)
    }

    pub(super) fn granted(&self, kind: Kind, what: &str, grant: &Grant, job: &JobId) -> Event {
        self.event(kind, what)
            .decision("permit", grant.rule())
            .field("UDSADMIN_JOB", job)
            .optional("UDSADMIN_TOKEN", self.wanted.token.as_ref())
            .optional("UDSADMIN_DETACHED", self.wanted.detach.then_some("yes"))
    }
}

/// How an order to run begins.
pub(super) enum Start {
    /// It runs.
    UnderWay(Box<UnderWay>),
    /// It ran before, under the same token.
    Before(Begun),
}

/// A run under way, and what it holds meanwhile.
pub(super) struct UnderWay {
    pub(super) job: Running,
    pub(super) known: Arc<Known>,
    pub(super) streams: Streams,
    pub(super) grant: Arc<Grant>,
    pub(super) claimed: Option<Claimed>,
    /// Of all runs, and of its command's.
    pub(super) places: (Place, Option<Place<CommandName>>),
    /// Where it is this process's child.
    pub(super) busy: Option<TaskTrackerToken>,
}

/// Where a run's output goes, before there is a run.
struct Outlet {
    streams: Streams,
    ends: JobEnds,
    tail: Tail,
}

impl Service {
    /// Carries out one order to run, all of it under one policy, and reports on it.
    pub(super) async fn run(&self, session: &Session, ordered: Ordered, stop: &Stop) {
        let Ordered { run, version, request, wanted, input } = ordered;
        let now = self.policies.now();
        if now.version != version {
            return report(session, &Report::NotRun { run, why: NotRun::OtherPolicy }).await;
        }
        let (peer, shown) = (session.peer_now(&now.policy).await, now.policy.shown(&request));
        let (request, wanted) = (&request, &wanted);
        let entry = Entry { session, run, now: &now, peer: &peer, request, wanted, shown, stop };
        match self.start(&entry, input).await {
            Err(why) => report(session, &Report::NotRun { run, why }).await,
            Ok(Start::Before(begun)) => self.repeat(&entry, begun).await,
            Ok(Start::UnderWay(under_way)) => self.see_to_its_end(*under_way, &entry).await,
        }
    }

    async fn start(&self, entry: &Entry<'_>, input: Option<OwnedFd>) -> Result<Start, NotRun> {
        let input = stdin(input).map_err(|error| internal("the input of a run", &error))?;
        if self.draining.is_cancelled() {
            return Err(NotRun::Draining);
        }
        self.check_client(entry).await?;
        let grant = Arc::new(self.judge(entry).await?);
        // Before any of the input is read: it may be of any length.
        let admitted = grant.admits_input(input.octets);
        if let Err(denial) = admitted.and_then(|()| grant.admits_detachment(entry.wanted.detach)) {
            return Err(self.refuse(entry, &denial).await);
        }
        let claimed = match self.claim(entry, &input).await? {
            Some(Claim::Fresh(claimed)) => Some(claimed),
            Some(Claim::Again(begun)) => return Ok(Start::Before(begun)),
            None | Some(Claim::Taken | Claim::TooMany) => None,
        };
        let place = self.runs.take(entry.peer.uid).ok_or(NotRun::Busy)?;
        let proven = self.prove(entry, &grant).await?;
        let share = self.share(entry, &grant).await?;
        let id = JobId::draw().map_err(|error| internal("an id for a run", &error))?;
        let claimed = begun(claimed, &id).await.map_err(|error| internal("the token of a run", &error))?;
        let (job, known, streams) = self.execute(entry, proven, id, input.file).await?;
        let places = (place, share.spend());
        let claimed = claimed.map(Claimed::started);
        let busy = (!is_unit(&grant)).then(|| self.busy.token());
        Ok(Start::UnderWay(Box::new(UnderWay { job, known, streams, grant, claimed, places, busy })))
    }

    /// Whoever asks must still be there.
    async fn check_client(&self, entry: &Entry<'_>) -> Result<(), NotRun> {
        let Err(gone) = entry.session.is_open() else { return Ok(()) };
        let what = format!("denied: {gone}");
        let event = Event::about(Kind::Denied, entry.peer, &entry.shown.before_proof(), &what);
        self.trail.note(&event.field("UDSADMIN_DECISION", "deny").field("UDSADMIN_REASON", gone)).await;
        Err(NotRun::Denied)
    }

    /// What the run's token is, where it has one.
    async fn claim(&self, entry: &Entry<'_>, input: &Stdin) -> Result<Option<Claim>, NotRun> {
        let Some(token) = &entry.wanted.token else { return Ok(None) };
        let octets = input.read().map_err(|error| internal("the input of a run", &error))?;
        let has_more = entry.shown.request() != entry.request || input.octets.is_some();
        let asked = Asked {
            spelling: spell(entry.shown.request()),
            digest: self.tokens.digest(entry.request, &octets),
            has_more,
        };
        match self.tokens.claim(entry.peer.uid, token, &asked).await {
            Claim::Taken => Err(NotRun::TokenTaken),
            Claim::TooMany => Err(NotRun::TooManyTokens),
            known @ (Claim::Fresh(_) | Claim::Again(_)) => Ok(Some(known)),
        }
    }

    async fn judge(&self, entry: &Entry<'_>) -> Result<Grant, NotRun> {
        match decide(&entry.now.policy, entry.peer, entry.request, (self.clock)()) {
            Decision::Permit(grant) => Ok(grant),
            Decision::Deny(denial) => Err(self.refuse(entry, &denial).await),
        }
    }

    async fn refuse(&self, entry: &Entry<'_>, denial: &Denial) -> NotRun {
        self.trail.note(&Event::denied(entry.peer, &entry.shown, denial)).await;
        denial.refusal().into()
    }

    /// What the grant demands of the world outside, proven. What is not so is refused like any other value.
    async fn prove(&self, entry: &Entry<'_>, grant: &Arc<Grant>) -> Result<Proven, NotRun> {
        let demanding = Arc::clone(grant);
        let proven = if grant.demands().is_empty() {
            prove(demanding)
        } else {
            let looked = tokio::task::spawn_blocking(move || prove(demanding)).await;
            looked.unwrap_or_else(|error| Err(NotProven::Failed(io::Error::other(error))))
        };
        match proven {
            Ok(proven) => Ok(proven),
            Err(NotProven::Unmet(denial)) => Err(self.refuse(entry, &denial).await),
            Err(NotProven::Failed(error)) => Err(internal("the last look before a run", &error)),
        }
    }

    /// Takes what the command's own limits leave for this run.
    async fn share(&self, entry: &Entry<'_>, grant: &Grant) -> Result<Share, NotRun> {
        match self.quotas.take(entry.peer.uid, grant) {
            Ok(share) => Ok(share),
            Err(exceeded) => {
                let denied = entry.event(Kind::Denied, &format!("denied: {exceeded}"));
                self.trail.note(&exceeded.on(denied)).await;
                Err(exceeded.into())
            }
        }
    }

    async fn execute(
        &self,
        entry: &Entry<'_>,
        proven: Proven,
        id: JobId,
        input: OwnedFd,
    ) -> Result<(Running, Arc<Known>, Streams), NotRun> {
        let grant = Arc::clone(proven.grant());
        let outlet = outlet(&grant).map_err(|error| internal("the pipes of a run", &error))?;
        let on_record = self.make_room(entry, &grant, &id).await?;
        match self.begin_run(entry, proven, (id.clone(), input, outlet), on_record).await {
            Ok(begun) => Ok(begun),
            Err(error) => Err(self.not_started(entry, &grant, id, &error).await),
        }
    }

    /// Starts what is on record. It is known from before its start, and forgotten where that fails.
    async fn begin_run(
        &self,
        entry: &Entry<'_>,
        proven: Proven,
        (id, input, outlet): (JobId, OwnedFd, Outlet),
        place: (Room, Recorded),
    ) -> io::Result<(Running, Arc<Known>, Streams)> {
        let grant = Arc::clone(proven.grant());
        let account = self.make_ready(&grant).await?;
        let Outlet { streams, ends: [stdout, stderr], tail } = outlet;
        let known = Known::new(self.facts(entry, &grant, &id), tail, entry.stop.clone());
        let planned = (plan(proven, &account, entry.peer, id), [input, stdout, stderr]);
        self.jobs.add(&known);
        match self.launch(entry, (&grant, &known, &streams), planned, place).await {
            Ok(job) => Ok((job, known, streams)),
            Err(error) => {
                self.jobs.forget(&known);
                self.forget_unit(&grant, &known.facts.id).await;
                Err(error)
            }
        }
    }

    /// Starts it, once whoever is to know of it does.
    async fn launch(
        &self,
        entry: &Entry<'_>,
        (grant, known, streams): (&Grant, &Known, &Streams),
        (plan, stdio): (Plan, [OwnedFd; 3]),
        (room, recorded): (Room, Recorded),
    ) -> io::Result<Running> {
        self.note_unit(entry, grant, (known, streams)).await?;
        announce(entry, grant, known, streams).await?;
        let job = execution::launch(plan, stdio, (room, &self.surroundings), recorded).await?;
        if !matches!(job, Running::Unknown(_)) {
            self.note_begun(entry, grant, &known.facts).await;
        }
        Ok(job)
    }

    fn facts(&self, entry: &Entry<'_>, grant: &Grant, id: &JobId) -> Facts {
        Facts {
            id: id.clone(),
            uid: entry.peer.uid,
            user: entry.peer.user(),
            command: grant.command().clone(),
            request: in_short(&spell(entry.shown.request())),
            began: (self.clock)(),
            keep: grant.terms().delivery.keep,
        }
    }

    #[expect(clippy::unused_self, reason = "reads as one of the steps")]
    pub(super) fn trail_broke(&self, broken: &crate::audit::TrailBroken) -> NotRun {
        tracing::error!("nothing runs: {broken}");
        NotRun::AuditUnavailable
    }

    /// The last look before a start: the program is still nobody else's to write, the account still the one of the policy.
    async fn make_ready(&self, grant: &Grant) -> io::Result<Account> {
        let (program, run_as, trust) = (grant.program().to_owned(), grant.run_as().clone(), self.trust);
        let look = move || {
            files::check_program(&program, trust).map_err(|error| unfit(&error))?;
            accounts::run_as(&run_as).map_err(io::Error::other)
        };
        tokio::task::spawn_blocking(look).await.map_err(io::Error::other)?
    }

    pub(super) async fn not_started(
        &self,
        entry: &Entry<'_>,
        grant: &Grant,
        job: JobId,
        error: &io::Error,
    ) -> NotRun {
        let errno = errno(error);
        let what = format!("could not be started: {error}");
        let event = entry.granted(Kind::Finished, &what, grant, &job);
        let exit = format!("exec-failed:{errno}");
        self.trail.note(&event.field("UDSADMIN_EXIT", exit).field("UDSADMIN_REASON", error)).await;
        NotRun::ExecFailed { errno, step: execution::failed_step(error), job }
    }
}

/// Reports what is so whether the server hears it or not.
pub(super) async fn report(session: &Session, report: &Report) {
    report_with(session, report, &[]).await;
}

/// The same, with descriptors.
pub(super) async fn report_with(session: &Session, report: &Report, descriptors: &[BorrowedFd<'_>]) {
    if let Err(error) = try_to_report(session, report, descriptors).await {
        tracing::warn!("a report did not reach the server: {error}");
    }
}

/// A server that is gone, or reads nothing, holds up no run: not its end, and not its place.
async fn try_to_report(session: &Session, report: &Report, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    tokio::time::timeout(REPORTING, session.packets.send(report, descriptors)).await?
}

/// A program that is not as it must be.
fn unfit(error: &files::FileError) -> io::Error {
    let kind = if error.is_missing() { io::ErrorKind::NotFound } else { io::ErrorKind::PermissionDenied };
    io::Error::new(kind, error.to_string())
}

/// The number for an error; what is not the kernel's own is "permission denied", unless it is that something is missing.
fn errno(error: &io::Error) -> i32 {
    let ours = if error.kind() == io::ErrorKind::NotFound { libc::ENOENT } else { libc::EACCES };
    crate::sys::errno(error).or_else(|| execution::unit_errno(error)).unwrap_or(ours)
}

fn internal(what: &str, error: &io::Error) -> NotRun {
    tracing::error!("{what}: {error}");
    NotRun::Internal
}

/// Makes the way for what the run of this grant will write.
fn outlet(grant: &Grant) -> io::Result<Outlet> {
    let (streams, ends) = Streams::make(grant.run_as().uid.raw())?;
    Ok(Outlet { streams, ends, tail: Tail::new(grant.terms().delivery.keep.output.0)? })
}

/// Puts the token of a run that is about to begin where it outlives this process.
async fn begun(claimed: Option<Claimed>, id: &JobId) -> io::Result<Option<Claimed>> {
    let Some(mut claimed) = claimed else { return Ok(None) };
    claimed.begin(id).await?;
    Ok(Some(claimed))
}

/// Tells the server that a run starts, and gives it what there is to read of it; where nobody waits for it, nothing.
async fn announce(entry: &Entry<'_>, grant: &Grant, known: &Known, streams: &Streams) -> io::Result<()> {
    let delivery = &grant.terms().delivery;
    let passing = Passing {
        output_limit: delivery.output_limit.map(|size| size.0),
        stall_timeout: delivery.stall_timeout,
        outlives: is_unit(grant),
    };
    let starts = Report::Starts { run: entry.run, job: known.facts.id.clone(), passing };
    let read = [streams.stdout.as_fd(), streams.stderr.as_fd(), known.tail.as_fd()];
    try_to_report(entry.session, &starts, if entry.wanted.detach { &[] } else { &read }).await
}
