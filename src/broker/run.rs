//! One run, from the order to its report: decide, record, start, wait, record. In that order, and no step left out.

use super::force::InForce;
use super::quota::Share;
use super::service::{Ordered, Service, Session};
use super::wire::{NotRun, Report};
use crate::audit::{Event, Kind};
use crate::execution::{self, Job, JobId, NotProven, Outcome, Proven, plan, prove};
use crate::identity::{Account, Peer};
use crate::limits::{Place, Places};
use crate::policy::{Decision, Denial, Grant, Shown, decide};
use crate::request::{CommandName, Request};
use crate::{accounts, files};
use rustix::fs::{FsWord, OFlags, fcntl_getfl, fstatfs};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

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

/// The file system of pipes without a name, and of nothing else (linux/magic.h).
const PIPEFS_MAGIC: FsWord = 0x5049_5045;

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
struct Entry<'a> {
    session: &'a Session,
    run: u32,
    now: &'a InForce,
    peer: &'a Peer,
    request: &'a Request,
    shown: Shown,
}

impl Entry<'_> {
    fn event(&self, kind: Kind, what: &str) -> Event {
        Event::about(kind, self.peer, &self.shown, what)
    }

    fn granted(&self, kind: Kind, what: &str, grant: &Grant, job: &JobId) -> Event {
        self.event(kind, what).decision("permit", grant.rule()).field("UDSADMIN_JOB", job)
    }
}

impl Service {
    /// Carries out one order to run, all of it under one policy, and reports on it.
    pub(super) async fn run(&self, session: &Session, ordered: Ordered, cancel: &CancellationToken) {
        let Ordered { run, version, request, pipes } = ordered;
        let now = self.policies.now();
        if now.version != version {
            return report(session, &Report::NotRun { run, why: NotRun::OtherPolicy }).await;
        }
        let (peer, shown) = (session.peer_now(&now.policy).await, now.policy.shown(&request));
        let entry = Entry { session, run, now: &now, peer: &peer, request: &request, shown };
        let end = match self.start(&entry, pipes).await {
            Err(why) => Report::NotRun { run, why },
            Ok((job, grant, _held)) => self.see_to_its_end(job, &entry, &grant, cancel).await.report(run),
        };
        report(session, &end).await;
    }

    async fn start(&self, entry: &Entry<'_>, pipes: Vec<OwnedFd>) -> Result<(Job, Arc<Grant>, Held), NotRun> {
        let has_input = pipes.len() > 2;
        let stdio = stdio(pipes).map_err(|error| internal("the pipes of a run", &error))?;
        if self.draining.is_cancelled() {
            return Err(NotRun::Draining);
        }
        if let Err(gone) = entry.session.is_open() {
            let what = format!("denied: {gone}");
            let event = Event::about(Kind::Denied, entry.peer, &entry.shown.before_proof(), &what);
            self.trail.note(&event.field("UDSADMIN_DECISION", "deny").field("UDSADMIN_REASON", gone)).await;
            return Err(NotRun::Denied);
        }
        let grant = Arc::new(self.judge(entry).await?);
        let place = self.runs.take(entry.peer.uid).ok_or(NotRun::Busy)?;
        let proven = self.prove(entry, &grant, has_input).await?;
        let id = JobId::draw().map_err(|error| internal("an id for a run", &error))?;
        let share = self.share(entry, &grant).await?;
        let job = self.execute(entry, proven, id, stdio).await?;
        Ok((job, grant, Held { _place: place, _share: share.spend() }))
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
    async fn prove(&self, entry: &Entry<'_>, grant: &Arc<Grant>, has_input: bool) -> Result<Proven, NotRun> {
        if has_input && !grant.takes_input() {
            return Err(self.refuse(entry, &grant.unwanted_input()).await);
        }
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
        stdio: [OwnedFd; 3],
    ) -> Result<Job, NotRun> {
        let grant = &*Arc::clone(proven.grant());
        let recorded = self
            .trail
            .record(&entry.granted(Kind::Started, "starts", grant, &id))
            .await
            .map_err(|broken| self.trail_broke(&broken))?;
        let account = match self.make_ready(grant).await {
            Ok(account) => account,
            Err(error) => return Err(self.not_started(entry, grant, id, &error).await),
        };
        let plan = plan(proven, &account, entry.peer, id.clone());
        let starts = Report::Starts { run: entry.run, job: id.clone() };
        let started = match try_to_report(entry.session, &starts).await {
            Ok(()) => execution::launch(plan, stdio, &self.surroundings, recorded).await,
            Err(error) => Err(error),
        };
        match started {
            Ok(job) => Ok(job),
            Err(error) => Err(self.not_started(entry, grant, id, &error).await),
        }
    }

    #[expect(clippy::unused_self, reason = "reads as one of the steps")]
    fn trail_broke(&self, broken: &crate::audit::TrailBroken) -> NotRun {
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

    async fn not_started(&self, entry: &Entry<'_>, grant: &Grant, job: JobId, error: &io::Error) -> NotRun {
        let errno = errno(error);
        let what = format!("could not be started: {error}");
        let event = entry.granted(Kind::Finished, &what, grant, &job);
        let exit = format!("exec-failed:{errno}");
        self.trail.note(&event.field("UDSADMIN_EXIT", exit).field("UDSADMIN_REASON", error)).await;
        NotRun::ExecFailed { errno, step: execution::failed_step(error), job }
    }

    async fn see_to_its_end(
        &self,
        job: Job,
        entry: &Entry<'_>,
        grant: &Grant,
        cancel: &CancellationToken,
    ) -> End {
        let id = job.id().clone();
        let (outcome, took) = match job.finish(cancel.cancelled()).await {
            Ok((outcome, took)) => (Some(outcome), took),
            Err(error) => {
                tracing::error!("job {id}: its end can't be learnt: {error}");
                (None, Duration::ZERO)
            }
        };
        let exit = outcome.map_or_else(|| "unknown".to_owned(), |outcome| outcome.to_string());
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let event = entry.granted(Kind::Finished, &format!("ended: {exit}"), grant, &id);
        self.trail.note(&event.field("UDSADMIN_EXIT", &exit).field("UDSADMIN_MS", ms)).await;
        End { job: id, outcome, ms }
    }
}

/// Reports what is so whether the server hears it or not.
pub(super) async fn report(session: &Session, report: &Report) {
    if let Err(error) = try_to_report(session, report).await {
        tracing::warn!("a report did not reach the server: {error}");
    }
}

/// A server that is gone, or reads nothing, holds up no run: not its end, and not its place.
async fn try_to_report(session: &Session, report: &Report) -> io::Result<()> {
    tokio::time::timeout(REPORTING, session.packets.send(report, &[])).await?
}

/// What a run holds while it is under way.
struct Held {
    _place: Place,
    _share: Option<Place<CommandName>>,
}

struct End {
    job: JobId,
    outcome: Option<Outcome>,
    ms: u64,
}

impl End {
    fn report(self, run: u32) -> Report {
        Report::Ended { run, job: self.job, outcome: self.outcome, ms: self.ms }
    }
}

/// A program that is not as it must be.
fn unfit(error: &files::FileError) -> io::Error {
    let kind = if error.is_missing() { io::ErrorKind::NotFound } else { io::ErrorKind::PermissionDenied };
    io::Error::new(kind, error.to_string())
}

/// The number for an error; what is not the kernel's own is "permission denied", unless it is that something is missing.
fn errno(error: &io::Error) -> i32 {
    let ours = if error.kind() == io::ErrorKind::NotFound { libc::ENOENT } else { libc::EACCES };
    crate::sys::errno(error).unwrap_or(ours)
}

fn internal(what: &str, error: &io::Error) -> NotRun {
    tracing::error!("{what}: {error}");
    NotRun::Internal
}

/// Standard input, output and error, in this order, of what was passed: pipes and nothing else, so that a job writes to
/// nothing that the server could not have written to. A FIFO with a name is none: a job that opens `/dev/stdout` would open
/// it with rights of its own.
fn stdio(pipes: Vec<OwnedFd>) -> io::Result<[OwnedFd; 3]> {
    for (pipe, mode) in pipes.iter().zip([OFlags::WRONLY, OFlags::WRONLY, OFlags::RDONLY]) {
        let access = fcntl_getfl(pipe)? & (OFlags::RWMODE | OFlags::PATH);
        if fstatfs(pipe)?.f_type != PIPEFS_MAGIC || access != mode {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a passed descriptor is no end of a pipe",
            ));
        }
    }
    let mut pipes = pipes.into_iter();
    match (pipes.next(), pipes.next(), pipes.next()) {
        (Some(stdout), Some(stderr), Some(stdin)) => Ok([stdin, stdout, stderr]),
        (Some(stdout), Some(stderr), None) => Ok([File::open("/dev/null")?.into(), stdout, stderr]),
        (_, _, _) => Err(io::Error::new(io::ErrorKind::InvalidInput, "too few pipes were passed")),
    }
}
