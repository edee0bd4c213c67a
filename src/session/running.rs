//! A run as its client sees it: ordered from the broker, its output passed on, its end told once. Starts nothing itself.

use super::ending::{End, View};
use super::order::{Begun, Errand, Ordering, Stopped, Watch, WayBack};
use super::pipes::{Output, block};
use crate::broker::{Connection, Packet, Report, Row};
use crate::execution::JobId;
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
    /// The broker is gone, and the next one is to take the run up again.
    Rejoining(Pin<Box<dyn Future<Output = Option<Arc<Connection>>> + Send>>),
    /// The broker has said its last word.
    Over(End),
}

/// What the broker is to be told of it.
#[derive(Clone, Copy, Debug)]
enum Word {
    Cancel,
    Cap,
}

/// What there is to do for it.
#[derive(Debug)]
pub(super) enum Step {
    Begun(Result<Begun, Stopped>),
    Reported(io::Result<Option<Packet<Report>>>),
    Told,
    Rejoined(Option<Arc<Connection>>),
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
    view: View,
    link: Option<Arc<Connection>>,
    /// The way back to it, where it outlives the broker.
    way_back: Option<WayBack>,
    stdout: Output,
    stderr: Output,
    job: Option<JobId>,
    word: Option<Word>,
    /// The last word that a broker was told: the next one has not heard it.
    told: Option<Word>,
    /// Octets of output that it may still write; `None` is without limit.
    room: Option<u64>,
    /// How long its client may read nothing; `None` is for ever.
    stall_timeout: Option<Duration>,
    partial_due: Instant,
    linger_until: Instant,
    cut: bool,
    /// Rows to be told after its output.
    rows: Vec<Row>,
    block: Box<[u8]>,
}

impl Running {
    /// Begins to order it.
    pub(super) fn begin(ordering: Ordering, tag: Option<Tag>, errand: Errand) -> Self {
        let (number, way_back) = (ordering.number(), ordering.way_back().ok());
        let starting: Starting = match errand {
            Errand::Run(run) => Box::pin(ordering.run(run)),
            Errand::Wish(wish) => Box::pin(ordering.wish(wish)),
        };
        let streams = [Kind::Stdout, Kind::Stderr].map(|kind| Output::closed(kind, tag.as_ref()));
        Self { way_back, ..Self::new((number, tag), starting, streams) }
    }

    fn new((number, tag): (u32, Option<Tag>), starting: Starting, streams: [Output; 2]) -> Self {
        let (now, [stdout, stderr]) = (Instant::now(), streams);
        Self {
            number,
            tag,
            began: now,
            phase: Phase::Starting(starting),
            view: View::Run,
            link: None,
            way_back: None,
            stdout,
            stderr,
            job: None,
            word: None,
            told: None,
            room: None,
            stall_timeout: None,
            partial_due: now,
            linger_until: now,
            cut: false,
            rows: Vec::new(),
            block: block(),
        }
    }

    pub(super) const fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// Milliseconds since it was asked for.
    pub(super) fn ms(&self) -> u128 {
        self.began.elapsed().as_millis()
    }

    /// How long its client may read nothing of it.
    pub(super) const fn stall_timeout(&self) -> Option<Duration> {
        self.stall_timeout
    }

    /// Whether the broker has not said yet whether it starts.
    pub(super) const fn is_starting(&self) -> bool {
        matches!(self.phase, Phase::Starting(_))
    }

    /// Asks for its end, as soon as the broker has it. Where it is only followed, that ends, and the run goes on.
    pub(super) fn cancel(&mut self) {
        self.word = Some(Word::Cancel);
    }

    /// The next thing to do. Output is looked at only if `may_read`: a client that does not read holds up the job.
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self, may_read: bool) -> Step {
        if !may_read {
            self.linger_until = Instant::now() + LINGER;
        }
        let holds = self.stdout.holds() || self.stderr.holds();
        let is_over = matches!(self.phase, Phase::Over(_));
        let word = self.word.map(|word| (word, self.number));
        tokio::select! {
            biased;
            step = self.phase.next(word) => step,
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
            Step::Reported(Ok(Some(Packet { value, .. }))) => self.take_report(value),
            Step::Begun(Err(Stopped::Unknown(job))) => {
                self.job = job;
                self.end(End::Unknown);
            }
            Step::Reported(Ok(None) | Err(_)) => self.lose_broker(),
            Step::Rejoined(Some(connection)) => {
                self.word = self.word.or(self.told);
                self.link = Some(Arc::clone(&connection));
                self.phase = Phase::Ordered(connection);
            }
            Step::Rejoined(None) => self.end(End::Unknown),
            Step::Told => self.told = self.word.take(),
            Step::Output(kind) => self.pass_on(kind, out),
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
        let is_over =
            matches!(self.phase, Phase::Over(_)) && !self.stdout.is_open() && !self.stderr.is_open();
        if is_over {
            self.tell_rows(out);
        }
        is_over
    }

    fn take_beginning(&mut self, begun: Begun, out: &mut Vec<u8>) {
        match begun {
            Begun::Starts { connection, job, passing, outlet } => {
                self.link = Some(Arc::clone(&connection));
                (self.job, self.phase) = (Some(job), Phase::Ordered(connection));
                (self.room, self.stall_timeout) = (passing.output_limit, passing.stall_timeout);
                self.way_back = self.way_back.take().filter(|_| passing.outlives);
                match outlet.into_outputs(self.tag.as_ref()) {
                    Ok([stdout, stderr]) => (self.stdout, self.stderr) = (stdout, stderr),
                    Err(error) => tracing::error!("the output of a job can't be watched: {error}"),
                }
            }
            Begun::NotRun(connection, why) => self.end_by(connection, End::NotRun(why)),
            Begun::Accepted(connection, job) => {
                self.job = Some(job);
                self.end_by(connection, End::Told(Final::accepted()));
            }
            Begun::Told(connection, rows, last) => {
                self.rows = rows;
                self.tell_rows(out);
                self.end_by(connection, End::Told(last));
            }
            Begun::Watched(watch) => self.watch(watch, out),
        }
    }

    fn watch(&mut self, watch: Watch, out: &mut Vec<u8>) {
        let Watch { connection, job, tail, rows, view } = watch;
        self.rows = rows;
        self.tell_rows(out);
        if let Some(tail) = tail {
            let output = |kind| Output::of_tail(kind, Arc::clone(&tail), self.tag.as_ref());
            (self.stdout, self.stderr) = (output(Kind::Stdout), output(Kind::Stderr));
        }
        self.view = view;
        match view {
            View::Run | View::Follow => {
                self.link = Some(Arc::clone(&connection));
                (self.job, self.phase) = (job, Phase::Ordered(connection));
            }
            View::Look => self.end_by(connection, End::Told(Final::ok())),
        }
    }

    /// What outlives the broker is taken up again with each next one, as long as there is one; of all else nobody knows the end.
    fn lose_broker(&mut self) {
        match (&self.way_back, &self.job) {
            (Some(way), Some(job)) if self.view == View::Run => {
                self.phase = Phase::Rejoining(Box::pin(way.clone().go(job.clone())));
            }
            _ => self.end(End::Unknown),
        }
    }

    fn tell_rows(&mut self, out: &mut Vec<u8>) {
        for fields in std::mem::take(&mut self.rows) {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, value)).collect();
            reply::row(self.tag.as_ref(), &fields, out);
        }
    }

    fn pass_on(&mut self, kind: Kind, out: &mut Vec<u8>) {
        let held = self.stdout.holds() || self.stderr.holds();
        let output = if kind == Kind::Stdout { &mut self.stdout } else { &mut self.stderr };
        if !output.pass_on(&mut self.block, &mut self.room, out) && self.room == Some(0) {
            self.word = self.word.or(Some(Word::Cap));
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
            Report::Row { run, fields } if run == self.number => self.rows.push(fields),
            Report::Ended { run, job, outcome, ms, cut } if run == self.number => {
                self.job = Some(job);
                self.cut |= cut;
                self.end(match (self.view, outcome) {
                    (View::Follow | View::Look, _) => End::Told(Final::ok()),
                    (View::Run, Some(outcome)) => End::Ended(outcome, ms),
                    (View::Run, None) => End::Unknown,
                });
            }
            Report::Opened
            | Report::Refused
            | Report::Starts { .. }
            | Report::Accepted { .. }
            | Report::Repeats { .. }
            | Report::NotRun { .. }
            | Report::Ended { .. }
            | Report::InForce(_)
            | Report::Coming(_)
            | Report::Row { .. }
            | Report::Answered { .. } => tracing::warn!("the broker reports on another run"),
        }
    }

    fn end_by(&mut self, connection: Arc<Connection>, end: End) {
        self.link = Some(connection);
        self.end(end);
    }

    fn end(&mut self, end: End) {
        self.linger_until = Instant::now() + LINGER;
        self.phase = Phase::Over(end);
        self.stdout.is_whole_now();
        self.stderr.is_whole_now();
    }

    /// The connection to order the next run by: this run's, where the broker still holds it.
    pub(super) fn link(&self, before: Option<Arc<Connection>>) -> Option<Arc<Connection>> {
        match (&self.phase, &self.link) {
            (Phase::Over(End::Unknown), _) => None,
            (_, Some(connection)) => Some(Arc::clone(connection)),
            (Phase::Rejoining(_), _) => None,
            (Phase::Starting(_) | Phase::Ordered(_) | Phase::Over(_), None) => before,
        }
    }

    /// Its client is gone: what it has written and nobody has read is kept. Of one that goes on, the broker reads the rest.
    pub(super) fn abandon(mut self) {
        if matches!(self.phase, Phase::Over(_)) {
            self.stdout.keep_the_rest(&mut self.block, &mut self.room);
            self.stderr.keep_the_rest(&mut self.block, &mut self.room);
        }
    }

    /// The final line. For a run that is not over: that its end is unknown.
    pub(super) fn last_line(&self) -> Final {
        let end = match &self.phase {
            Phase::Over(end) => end,
            Phase::Starting(_) | Phase::Ordered(_) | Phase::Rejoining(_) => &End::Unknown,
        };
        let last = end.last_line(self.job.as_ref(), self.ms());
        let tells_of_its_end = matches!(end, End::Ended(..));
        if self.cut && tells_of_its_end { last.field("output", "cut") } else { last }
    }
}

impl Phase {
    /// What comes from the broker; or, where there is a word for it, that the broker was told.
    async fn next(&mut self, word: Option<(Word, u32)>) -> Step {
        match (self, word) {
            (Self::Starting(starting), _) => Step::Begun(starting.await),
            (Self::Ordered(connection), Some((word, run))) => {
                match word {
                    Word::Cancel => connection.cancel(run).await,
                    Word::Cap => connection.cap(run).await,
                }
                Step::Told
            }
            (Self::Ordered(connection), None) => Step::Reported(connection.next().await),
            (Self::Rejoining(way), _) => Step::Rejoined(way.await),
            (Self::Over(_), _) => pending().await,
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

#[cfg(test)]
mod tests;
