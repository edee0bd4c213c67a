//! The runs that there is something to tell of: those under way, and for a while those that are over. Starts and ends none.

use super::service::Session;
use super::stop::Stop;
use super::wire::Row;
use crate::execution::{JobId, Outcome, Tail};
use crate::identity::Uid;
use crate::policy::Keep;
use crate::request::CommandName;
use humantime::format_rfc3339_seconds;
use rustix::fs::fstat;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Runs of one user that are over and still told of.
const KEPT_PER_USER: usize = 128;

/// The same, of all users together.
const KEPT: usize = 2048;

/// Octets of output that are kept of one user's runs that are over.
const OCTETS_PER_USER: u64 = 16 << 20;

/// The same, of all users together.
const OCTETS: u64 = 128 << 20;

/// How often what has been kept for long enough is looked for.
const SWEEP: Duration = Duration::from_secs(5);

/// Octets of a block, by which a file's memory is counted (stat(2)).
const BLOCK: u64 = 512;

/// What a run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Over {
    /// How it ended; `None` where that could not be learnt.
    pub(super) outcome: Option<Outcome>,
    /// Milliseconds from its start to its end.
    pub(super) ms: u64,
    /// Whether processes that it left behind were still writing.
    pub(super) cut: bool,
}

/// What is known of a run from its start on.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) id: JobId,
    pub(super) uid: Uid,
    pub(super) user: String,
    pub(super) command: CommandName,
    /// The request, without what is secret; of a long one, the beginning.
    pub(super) request: String,
    pub(super) began: SystemTime,
    pub(super) keep: Keep,
}

/// One run.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) facts: Facts,
    pub(super) tail: Tail,
    pub(super) stop: Stop,
    since: Instant,
    /// How long it had run before that, under earlier brokers.
    before: Duration,
    over: watch::Sender<Option<Over>>,
    /// Cancelled when this broker leaves it to the next one.
    left: CancellationToken,
    /// The session that has taken it up again.
    reader: watch::Sender<Option<Arc<Session>>>,
}

/// All runs that are known.
#[derive(Debug, Default)]
pub struct Jobs {
    known: Mutex<HashMap<JobId, Kept>>,
}

#[derive(Debug)]
struct Kept {
    job: Arc<Known>,
    /// When it ended, and the octets of memory that its output takes.
    ended: Option<(Instant, u64)>,
}

impl Known {
    pub(super) fn new(facts: Facts, tail: Tail, stop: Stop) -> Arc<Self> {
        Self::after(Duration::ZERO, facts, (tail, stop))
    }

    /// One that has run for so long already, under an earlier broker.
    pub(super) fn again(facts: Facts, tail: Tail, ran: Duration) -> Arc<Self> {
        Self::after(ran, facts, (tail, Stop::default()))
    }

    fn after(before: Duration, facts: Facts, (tail, stop): (Tail, Stop)) -> Arc<Self> {
        Arc::new(Self {
            before,
            facts,
            tail,
            stop,
            since: Instant::now(),
            over: watch::Sender::new(None),
            left: CancellationToken::new(),
            reader: watch::Sender::new(None),
        })
    }

    /// What it came to, if it is over.
    pub(super) fn over(&self) -> Option<Over> {
        *self.over.borrow()
    }

    /// A session reads it again.
    pub(super) fn is_read_by(&self, session: &Arc<Session>) {
        self.reader.send_replace(Some(Arc::clone(session)));
    }

    /// Waits for a session that reads it again.
    pub(super) async fn reader(&self) -> Option<Arc<Session>> {
        let mut reader = self.reader.subscribe();
        let come = reader.wait_for(Option::is_some).await;
        come.ok().and_then(|reader| reader.clone())
    }

    /// This broker will not see its end.
    pub(super) fn leave(&self) {
        self.left.cancel();
    }

    /// Waits for its end; `None` where that is left to the next broker.
    pub(super) async fn end(&self) -> Option<Over> {
        let mut over = self.over.subscribe();
        tokio::select! {
            biased;
            ended = over.wait_for(Option::is_some) => ended.ok().and_then(|over| *over),
            () = self.left.cancelled() => None,
        }
    }

    /// The row that tells of it.
    pub(super) fn row(&self) -> Row {
        let Facts { id, uid, user, command, request, began, .. } = &self.facts;
        let over = self.over();
        let ran = || u64::try_from((self.before + self.since.elapsed()).as_millis()).unwrap_or(u64::MAX);
        let mut row = vec![
            ("job", id.to_string()),
            ("state", if over.is_some() { "ended" } else { "running" }.to_owned()),
            ("command", command.to_string()),
            ("user", user.clone()),
            ("uid", uid.to_string()),
            ("began", format_rfc3339_seconds(*began).to_string()),
            ("ms", over.map_or_else(ran, |over| over.ms).to_string()),
        ];
        row.extend(over.map(|over| ("exit", exit(over.outcome))));
        row.extend(over.filter(|over| over.cut).map(|_| ("output", "cut".to_owned())));
        row.push(("request", request.clone()));
        row.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Characters of a request that are told of a run.
const REQUEST: usize = 400;

/// The request as rows tell it.
pub(super) fn in_short(request: &str) -> String {
    let short: String = request.chars().take(REQUEST).collect();
    if short.len() < request.len() { short + "…" } else { short }
}

/// How a run ended, as the record and the rows say it.
pub(super) fn exit(outcome: Option<Outcome>) -> String {
    outcome.map_or_else(|| "unknown".to_owned(), |outcome| outcome.to_string())
}

impl Jobs {
    fn known(&self) -> MutexGuard<'_, HashMap<JobId, Kept>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a run from now on.
    pub(super) fn add(&self, job: &Arc<Known>) {
        self.known().insert(job.facts.id.clone(), Kept { job: Arc::clone(job), ended: None });
    }

    /// It was not started after all.
    pub(super) fn forget(&self, job: &Known) {
        self.known().remove(&job.facts.id);
    }

    /// The run is over. It is told of as long as its policy says, and there is room.
    pub(super) fn end(&self, job: &Known, over: Over) {
        job.over.send_replace(Some(over));
        let octets = fstat(&job.tail).map_or(0, |file| u64::try_from(file.st_blocks).unwrap_or(0) * BLOCK);
        let mut known = self.known();
        if let Some(kept) = known.get_mut(&job.facts.id) {
            kept.ended = Some((Instant::now(), octets));
        }
        forget_old(&mut known);
        make_room(&mut known, Some(job.facts.uid), (KEPT_PER_USER, OCTETS_PER_USER));
        make_room(&mut known, None, (KEPT, OCTETS));
    }

    /// The run of that id.
    pub(super) fn find(&self, id: &JobId) -> Option<Arc<Known>> {
        self.known().get(id).map(|kept| Arc::clone(&kept.job))
    }

    /// All runs, or those of one user, in the order in which they began.
    pub(super) fn all(&self, of: Option<Uid>) -> Vec<Arc<Known>> {
        let known = self.known();
        let wanted = known.values().filter(|kept| of.is_none_or(|uid| kept.job.facts.uid == uid));
        let mut jobs: Vec<_> = wanted.map(|kept| Arc::clone(&kept.job)).collect();
        jobs.sort_by_key(|job| (job.facts.began, job.since));
        jobs
    }

    /// Forgets what has been kept for long enough. Never ends.
    pub async fn forget_in_time(&self) {
        loop {
            sleep(SWEEP).await;
            forget_old(&mut self.known());
        }
    }
}

fn forget_old(known: &mut HashMap<JobId, Kept>) {
    let is_kept =
        |kept: &Kept| kept.ended.is_none_or(|(ended, _)| ended.elapsed() < kept.job.facts.keep.time);
    known.retain(|_, kept| is_kept(kept));
}

/// Forgets the oldest of the runs that are over, of one user or of all, until there are so few and they take so little.
fn make_room(known: &mut HashMap<JobId, Kept>, of: Option<Uid>, (runs, octets): (usize, u64)) {
    let is_of = |kept: &Kept| of.is_none_or(|uid| kept.job.facts.uid == uid);
    let mut over: Vec<_> = known
        .iter()
        .filter(|(_, kept)| is_of(kept))
        .filter_map(|(id, kept)| kept.ended.map(|(ended, octets)| (ended, octets, id.clone())))
        .collect();
    over.sort();
    let (mut count, mut held) = (over.len(), over.iter().map(|(_, octets, _)| octets).sum::<u64>());
    for (_, freed, id) in over {
        if count <= runs && held <= octets {
            return;
        }
        known.remove(&id);
        (count, held) = (count - 1, held - freed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Size;
    use crate::protocol::reply::Kind;

    fn job(uid: u32, time: u64) -> Arc<Known> {
        let facts = Facts {
            id: JobId::draw().unwrap(),
            uid: Uid::new(uid).unwrap(),
            user: "alice".to_owned(),
            command: "backup".parse().unwrap(),
            request: "backup daily".to_owned(),
            began: SystemTime::UNIX_EPOCH,
            keep: Keep { time: Duration::from_secs(time), output: Size(1 << 20) },
        };
        Known::new(facts, Tail::new(1 << 20).unwrap(), Stop::default())
    }

    const DONE: Over = Over { outcome: Some(Outcome::Exited(3)), ms: 7, cut: false };

    fn run(jobs: &Jobs, uid: u32, octets: usize) -> Arc<Known> {
        let job = job(uid, 600);
        jobs.add(&job);
        for _ in 0..octets / (64 << 10) {
            job.tail.push(Kind::Stdout, &vec![b'x'; 64 << 10]).unwrap();
        }
        jobs.end(&job, DONE);
        job
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_is_told_of_until_its_time_is_over() {
        let jobs = Jobs::default();
        let (kept, gone) = (job(1, 600), job(1, 0));
        for one in [&kept, &gone] {
            jobs.add(one);
            jobs.end(one, DONE);
        }
        assert_eq!(jobs.all(None).len(), 1);
        assert_eq!(kept.end().await, Some(DONE));
        tokio::select! { () = jobs.forget_in_time() => {}, () = sleep(Duration::from_secs(599)) => {} }
        assert!(jobs.find(&kept.facts.id).is_some());
        tokio::select! { () = jobs.forget_in_time() => {}, () = sleep(Duration::from_secs(6)) => {} }
        assert!(jobs.find(&kept.facts.id).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_run_of_an_earlier_broker_is_told_of_by_when_it_began() {
        let jobs = Jobs::default();
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
        let (earlier, tail) = (job(1, 600).facts.clone(), || Tail::new(0).unwrap());
        let facts = Facts { id: JobId::draw().unwrap(), began: later, ..earlier.clone() };
        let second = Known::new(facts, tail(), Stop::default());
        let first = Known::again(earlier, tail(), Duration::from_secs(7));
        jobs.add(&second);
        jobs.add(&first);
        let ids: Vec<_> = jobs.all(None).iter().map(|job| job.facts.id.clone()).collect();
        assert_eq!(ids, [first.facts.id.clone(), second.facts.id.clone()]);
        assert!(first.row().contains(&("ms".to_owned(), "7000".to_owned())));
    }

    #[tokio::test]
    async fn nobody_waits_for_the_end_of_a_run_that_is_left_to_the_next_broker() {
        let left = job(1, 600);
        let waiting = left.end();
        left.leave();
        assert_eq!(waiting.await, None);
    }

    #[test]
    fn one_user_makes_no_other_forgotten_by_many_runs_or_by_large_ones() {
        let jobs = Jobs::default();
        let other = run(&jobs, 2, 0);
        for _ in 0..KEPT_PER_USER + 10 {
            run(&jobs, 1, 0);
        }
        assert_eq!(jobs.all(Some(Uid::new(1).unwrap())).len(), KEPT_PER_USER);
        for _ in 0..20 {
            run(&jobs, 1, 1 << 20);
        }
        assert!(jobs.all(Some(Uid::new(1).unwrap())).len() <= 16);
        assert!(jobs.find(&other.facts.id).is_some());
    }

    #[test]
    fn a_run_under_way_is_never_forgotten() {
        let jobs = Jobs::default();
        let running = job(1, 0);
        jobs.add(&running);
        for _ in 0..KEPT_PER_USER + 10 {
            run(&jobs, 1, 0);
        }
        assert!(jobs.find(&running.facts.id).is_some());
    }
}
