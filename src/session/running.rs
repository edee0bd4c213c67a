//! A run as its client sees it: ordered from the broker, its output passed on, its end told once. Starts nothing itself.

use super::answers::NO_SUCH;
use super::pipes::{BLOCK, Feed, JobEnds, Output, feed, output};
use crate::broker::{Connection, NotRun, OpenError, Report};
use crate::execution::{JobId, Outcome, signal_name};
use crate::protocol::Tag;
use crate::protocol::reply::{Final, Kind};
use crate::request::Request;
use std::future::{Future, pending};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long a part of a line is kept back for the rest of it.
const PARTIAL: Duration = Duration::from_millis(100);

/// How long a pipe may stay open and silent after the job has ended: a process that escaped it may hold the other end.
const LINGER: Duration = Duration::from_secs(1);

type Starting = Pin<Box<dyn Future<Output = Result<Arc<Connection>, NotRun>> + Send>>;

/// How far it has come with the broker.
enum Phase {
    /// The order is on its way.
    Starting(Starting),
    /// The broker has the order.
    Ordered(Arc<Connection>),
    /// The broker has said its last word.
    Over(End),
}

/// What became of it.
#[derive(Clone, Debug)]
enum End {
    NotRun(NotRun),
    Ended(Outcome, u64),
    Unknown,
}

/// What there is to do for it.
#[derive(Debug)]
pub(super) enum Step {
    Linked(Result<Arc<Connection>, NotRun>),
    Reported(io::Result<Option<Report>>),
    CancelSent,
    Fed,
    Output(Kind),
    FlushPartial,
    CutOutput,
}

/// A run under way.
pub(super) struct Running {
    number: u32,
    tag: Option<Tag>,
    began: Instant,
    phase: Phase,
    stdout: Output,
    stderr: Output,
    feed: Option<Feed>,
    job: Option<JobId>,
    cancel_wanted: bool,
    partial_due: Instant,
    linger_until: Instant,
    cut: bool,
    block: Box<[u8]>,
}

/// Everything that an order takes.
pub(super) struct Ordering {
    pub(super) broker: PathBuf,
    pub(super) link: Option<Arc<Connection>>,
    pub(super) client: OwnedFd,
    pub(super) number: u32,
    pub(super) request: Request,
}

impl Running {
    /// Makes the pipes and begins to order the run.
    pub(super) fn begin(ordering: Ordering, tag: Option<Tag>, input: Option<Vec<u8>>) -> io::Result<Self> {
        let (stdout, stdout_end) = output(Kind::Stdout, tag.as_ref())?;
        let (stderr, stderr_end) = output(Kind::Stderr, tag.as_ref())?;
        let mut ends = vec![stdout_end, stderr_end];
        let feed = match input {
            None => None,
            Some(octets) => {
                let (feed, end) = feed(octets)?;
                ends.push(end);
                Some(feed)
            }
        };
        let now = Instant::now();
        Ok(Self {
            number: ordering.number,
            tag,
            began: now,
            phase: Phase::Starting(Box::pin(order(ordering, ends))),
            stdout,
            stderr,
            feed,
            job: None,
            cancel_wanted: false,
            partial_due: now,
            linger_until: now,
            cut: false,
            block: vec![0; BLOCK].into_boxed_slice(),
        })
    }

    pub(super) const fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// Milliseconds since it was asked for.
    pub(super) fn ms(&self) -> u128 {
        self.began.elapsed().as_millis()
    }

    /// Asks for its end, as soon as the broker has it.
    pub(super) fn cancel(&mut self) {
        self.cancel_wanted = true;
    }

    /// The next thing to do. Output is looked at only if `may_read`: a client that does not read holds up the job.
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self, may_read: bool) -> Step {
        if !may_read {
            self.linger_until = Instant::now() + LINGER;
        }
        let holds = self.stdout.holds() || self.stderr.holds();
        let is_over = matches!(self.phase, Phase::Over(_));
        let cancel = self.cancel_wanted.then_some(self.number);
        tokio::select! {
            biased;
            step = self.phase.next(cancel) => step,
            () = proceed(&mut self.feed) => Step::Fed,
            kind = readable(&self.stdout, &self.stderr), if may_read => Step::Output(kind),
            () = sleep_until(self.partial_due), if may_read && holds => Step::FlushPartial,
            () = sleep_until(self.linger_until), if may_read && is_over => Step::CutOutput,
        }
    }

    /// Does it. True when the run is over and all its output is in `out`.
    pub(super) fn take(&mut self, step: Step, out: &mut Vec<u8>) -> bool {
        match step {
            Step::Linked(Ok(connection)) => self.phase = Phase::Ordered(connection),
            Step::Linked(Err(why)) => self.end(End::NotRun(why)),
            Step::Reported(Ok(Some(report))) => self.take_report(report),
            Step::Reported(Ok(None)) if self.job.is_none() => self.end(End::NotRun(NotRun::Unavailable)),
            Step::Reported(Ok(None) | Err(_)) => self.end(End::Unknown),
            Step::CancelSent => self.cancel_wanted = false,
            Step::Fed => self.feed = None,
            Step::Output(Kind::Stdout) => self.pass_on(Kind::Stdout, out),
            Step::Output(Kind::Stderr) => self.pass_on(Kind::Stderr, out),
            Step::FlushPartial => {
                self.stdout.flush(out);
                self.stderr.flush(out);
            }
            Step::CutOutput => {
                self.cut = true;
                self.stdout.close(out);
                self.stderr.close(out);
            }
        }
        matches!(self.phase, Phase::Over(_)) && !self.stdout.is_open() && !self.stderr.is_open()
    }

    fn pass_on(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let held = self.stdout.holds() || self.stderr.holds();
        match kind {
            Kind::Stdout => self.stdout.pass_on(&mut self.block, out),
            Kind::Stderr => self.stderr.pass_on(&mut self.block, out),
        }
        let now = Instant::now();
        self.linger_until = now + LINGER;
        if !held {
            self.partial_due = now + PARTIAL;
        }
    }

    fn take_report(&mut self, report: Report) {
        match report {
            Report::Starts { run, job } if run == self.number => self.job = Some(job),
            Report::NotRun { run, why } if run == self.number => self.end(End::NotRun(why)),
            Report::Ended { run, job, outcome, ms } if run == self.number => {
                self.job = Some(job);
                self.end(outcome.map_or(End::Unknown, |outcome| End::Ended(outcome, ms)));
            }
            Report::Opened
            | Report::Refused
            | Report::Starts { .. }
            | Report::NotRun { .. }
            | Report::Ended { .. } => tracing::warn!("the broker reports on another run"),
        }
    }

    fn end(&mut self, end: End) {
        self.feed = None;
        self.linger_until = Instant::now() + LINGER;
        self.phase = Phase::Over(end);
    }

    /// The connection to order the next run by: this run's, where the broker still holds it.
    pub(super) fn link(&self, before: Option<Arc<Connection>>) -> Option<Arc<Connection>> {
        match &self.phase {
            Phase::Ordered(connection) => Some(Arc::clone(connection)),
            Phase::Over(End::Unknown) => None,
            Phase::Starting(_) | Phase::Over(_) => before,
        }
    }

    /// The final line. For a run that is not over: that its end is unknown.
    pub(super) fn last_line(&self) -> Final {
        let last = match &self.phase {
            Phase::Over(End::NotRun(why)) => not_run(why).field("ms", self.ms().to_string()),
            Phase::Over(End::Ended(outcome, ms)) => {
                with_job(ended(*outcome).field("ms", ms.to_string()), self.job.as_ref())
            }
            Phase::Starting(_) | Phase::Ordered(_) | Phase::Over(End::Unknown) => {
                Final::unknown_outcome(self.job.as_ref().map_or("unknown", JobId::as_str))
                    .field("ms", self.ms().to_string())
                    .text("it may have run, and nobody saw its end; look at the journal before you repeat it")
            }
        };
        if self.cut { last.field("output", "cut") } else { last }
    }
}

impl Phase {
    /// What comes from the broker; or, where the run's end is wanted, that the broker was told.
    async fn next(&mut self, cancel: Option<u32>) -> Step {
        match self {
            Self::Starting(starting) => Step::Linked(starting.await),
            Self::Ordered(connection) => match cancel {
                Some(run) => {
                    connection.cancel(run).await;
                    Step::CancelSent
                }
                None => Step::Reported(connection.next().await),
            },
            Self::Over(_) => pending().await,
        }
    }
}

/// Which of the two has something to read. Where both have, it is now the one and now the other: neither can drown the other.
async fn readable(stdout: &Output, stderr: &Output) -> Kind {
    tokio::select! {
        _ = stdout.readable() => Kind::Stdout,
        _ = stderr.readable() => Kind::Stderr,
    }
}

async fn proceed(feed: &mut Option<Feed>) {
    match feed {
        Some(feed) => while !feed.proceed().await {},
        None => pending().await,
    }
}

/// Sends the order; to a new session with the broker where there is none, or where the broker has ended the old one.
async fn order(ordering: Ordering, ends: JobEnds) -> Result<Arc<Connection>, NotRun> {
    let Ordering { broker, link, client, number, request } = ordering;
    let pipes: Vec<_> = ends.iter().map(AsFd::as_fd).collect();
    if let Some(connection) = link
        && connection.run(number, &request, &pipes).await.is_ok()
    {
        return Ok(connection);
    }
    let connection = Connection::open(&broker, client.as_fd()).await.map_err(|error| not_open(&error))?;
    connection.run(number, &request, &pipes).await.map_err(|error| not_open(&error.into()))?;
    Ok(Arc::new(connection))
}

fn not_open(error: &OpenError) -> NotRun {
    tracing::warn!("{error}");
    match error {
        OpenError::Refused => NotRun::Denied,
        OpenError::Unavailable(_) => NotRun::Unavailable,
    }
}

fn with_job(last: Final, job: Option<&JobId>) -> Final {
    match job {
        Some(job) => last.field("job", job.as_str()),
        None => last,
    }
}

fn ended(outcome: Outcome) -> Final {
    match outcome {
        Outcome::Exited(code) => Final::exit(code),
        Outcome::Signalled(number) => Final::signal(signal_name(number)),
        Outcome::TimedOut => Final::timeout(),
        Outcome::Cancelled => Final::cancelled(),
    }
}

fn not_run(why: &NotRun) -> Final {
    match why {
        NotRun::Denied => Final::denied().text(NO_SUCH),
        NotRun::BadArgument { name, text } => Final::bad_argument(name).text(text.as_str()),
        NotRun::NotNow { text } => Final::denied().text(text.as_str()),
        NotRun::CommandBusy { most } => {
            Final::busy().text(format!("at most {most} of this command run at once; wait for one to end"))
        }
        NotRun::Rate { rate, retry_after } => {
            Final::rate(*retry_after).text(format!("you may run this {rate}; try again in {retry_after} s"))
        }
        NotRun::Busy => Final::busy().text("too many of your commands run; wait for one to end"),
        NotRun::ExecFailed { errno, job } => {
            let error = io::Error::from_raw_os_error(*errno);
            Final::exec_failed(errno)
                .field("job", job.as_str())
                .text(format!("the program could not be started: {error}"))
        }
        NotRun::AuditUnavailable => Final::audit_unavailable().text("nothing runs without its audit record"),
        NotRun::Draining => Final::draining().text("the service is ending; try again"),
        NotRun::Unavailable => Final::broker_unavailable()
            .text("nothing was started; try again, or see systemctl status udsadmin-broker"),
        NotRun::Internal => Final::internal().text("nothing was started; the journal says more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    /// A run that the broker never tells of, and the job's ends of its stdout and stderr.
    fn run() -> (Running, [File; 2]) {
        let (stdout, stdout_end) = output(Kind::Stdout, None).unwrap();
        let (stderr, stderr_end) = output(Kind::Stderr, None).unwrap();
        let now = Instant::now();
        let run = Running {
            number: 1,
            tag: None,
            began: now,
            phase: Phase::Starting(Box::pin(pending())),
            stdout,
            stderr,
            feed: None,
            job: None,
            cancel_wanted: false,
            partial_due: now,
            linger_until: now,
            cut: false,
            block: vec![0; 1].into_boxed_slice(),
        };
        (run, [stdout_end.into(), stderr_end.into()])
    }

    #[tokio::test]
    async fn what_floods_one_output_does_not_drown_the_other() {
        for flooded in [0, 1] {
            let (mut run, mut ends) = run();
            ends[flooded].write_all(&[b'x'; 4096]).unwrap();
            ends[1 - flooded].write_all(b"heard\n").unwrap();
            let mut out = Vec::new();
            for _ in 0..1024 {
                let step = run.next(true).await;
                run.take(step, &mut out);
            }
            assert!(String::from_utf8(out).unwrap().contains("heard\n"), "{flooded}");
        }
    }
}
