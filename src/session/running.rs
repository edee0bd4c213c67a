//! A run as its client sees it: ordered from the broker, its output passed on, its end told once. Starts nothing itself.

use super::judge::not_run;
use super::order::{Begun, Errand, Ordering, Stopped};
use super::pipes::{BLOCK, Feed, Output, feed, output};
use crate::broker::{Connection, NotRun, Report};
use crate::execution::{JobId, Outcome, signal_name};
use crate::protocol::Tag;
use crate::protocol::reply::{self, Final, Kind};
use std::future::{Future, pending};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How long a part of a line is kept back for the rest of it.
const PARTIAL: Duration = Duration::from_millis(100);

/// How long a pipe may stay open and silent after the job has ended: a process that escaped it may hold the other end.
const LINGER: Duration = Duration::from_secs(1);

type Starting = Pin<Box<dyn Future<Output = Result<Begun, Stopped>> + Send>>;

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
    Told(Final),
    Unknown,
}

/// What there is to do for it.
#[derive(Debug)]
pub(super) enum Step {
    Begun(Result<Begun, Stopped>),
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
    link: Option<Arc<Connection>>,
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

impl Running {
    /// Makes the pipes, where there is something to run, and begins to order it.
    pub(super) fn begin(ordering: Ordering, tag: Option<Tag>, errand: Errand) -> io::Result<Self> {
        let number = ordering.number();
        let (request, input) = match errand {
            Errand::Run(request, input) => (request, input),
            Errand::Wish(wish) => {
                let streams = [Kind::Stdout, Kind::Stderr].map(|kind| Output::closed(kind, tag.as_ref()));
                return Ok(Self::new((number, tag), Box::pin(ordering.wish(wish)), streams));
            }
        };
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
        let starting = Box::pin(ordering.run(request, ends));
        Ok(Self { feed, ..Self::new((number, tag), starting, [stdout, stderr]) })
    }

    fn new((number, tag): (u32, Option<Tag>), starting: Starting, streams: [Output; 2]) -> Self {
        let (now, [stdout, stderr]) = (Instant::now(), streams);
        Self {
            number,
            tag,
            began: now,
            phase: Phase::Starting(starting),
            link: None,
            stdout,
            stderr,
            feed: None,
            job: None,
            cancel_wanted: false,
            partial_due: now,
            linger_until: now,
            cut: false,
            block: vec![0; BLOCK].into_boxed_slice(),
        }
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
            Step::Begun(Ok(begun)) => self.take_beginning(begun, out),
            Step::Begun(Err(Stopped::NotRun(why))) => self.end(End::NotRun(why)),
            Step::Reported(Ok(Some(report))) => self.take_report(report),
            Step::Begun(Err(Stopped::Unknown)) | Step::Reported(Ok(None) | Err(_)) => self.end(End::Unknown),
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

    fn take_beginning(&mut self, begun: Begun, out: &mut Vec<u8>) {
        match begun {
            Begun::Starts(connection, job) => {
                self.link = Some(Arc::clone(&connection));
                (self.job, self.phase) = (Some(job), Phase::Ordered(connection));
            }
            Begun::NotRun(connection, why) => {
                self.link = Some(connection);
                self.end(End::NotRun(why));
            }
            Begun::Told(connection, rows, last) => {
                self.link = Some(connection);
                for fields in &rows {
                    self.tell(fields, out);
                }
                self.end(End::Told(last));
            }
        }
    }

    fn tell(&self, fields: &[(String, String)], out: &mut Vec<u8>) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, value)).collect();
        reply::row(self.tag.as_ref(), &fields, out);
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
            // Its start was announced, and failed.
            Report::NotRun { run, why } if run == self.number => self.end(End::NotRun(why)),
            Report::Ended { run, job, outcome, ms } if run == self.number => {
                self.job = Some(job);
                self.end(outcome.map_or(End::Unknown, |outcome| End::Ended(outcome, ms)));
            }
            Report::Opened
            | Report::Refused
            | Report::Starts { .. }
            | Report::NotRun { .. }
            | Report::Ended { .. }
            | Report::InForce(_)
            | Report::Coming(_)
            | Report::Row { .. }
            | Report::Answered { .. } => tracing::warn!("the broker reports on another run"),
        }
    }

    fn end(&mut self, end: End) {
        self.feed = None;
        self.linger_until = Instant::now() + LINGER;
        self.phase = Phase::Over(end);
    }

    /// The connection to order the next run by: this run's, where the broker still holds it.
    pub(super) fn link(&self, before: Option<Arc<Connection>>) -> Option<Arc<Connection>> {
        match (&self.phase, &self.link) {
            (Phase::Over(End::Unknown), _) => None,
            (_, Some(connection)) => Some(Arc::clone(connection)),
            (Phase::Starting(_) | Phase::Ordered(_) | Phase::Over(_), None) => before,
        }
    }

    /// The final line. For a run that is not over: that its end is unknown.
    pub(super) fn last_line(&self) -> Final {
        let last = match &self.phase {
            Phase::Over(End::NotRun(why)) => not_run(why).field("ms", self.ms().to_string()),
            Phase::Over(End::Ended(outcome, ms)) => {
                with_job(ended(*outcome).field("ms", ms.to_string()), self.job.as_ref())
            }
            Phase::Over(End::Told(last)) => last.clone(),
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
            Self::Starting(starting) => Step::Begun(starting.await),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    /// A run that the broker never tells of, and the job's ends of its stdout and stderr.
    fn run() -> (Running, [File; 2]) {
        let (stdout, stdout_end) = output(Kind::Stdout, None).unwrap();
        let (stderr, stderr_end) = output(Kind::Stderr, None).unwrap();
        let mut run = Running::new((1, None), Box::pin(pending()), [stdout, stderr]);
        run.block = vec![0; 1].into_boxed_slice();
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
