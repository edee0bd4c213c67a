//! One run, from its start to its end, which is recorded and told. Starts none.

use super::drain::{is_left, read_for_nobody};
use super::jobs::{Known, Over, exit};
use super::run::{Entry, UnderWay, report, report_with};
use super::service::{Service, Session};
use super::stop::Stop;
use super::tokens::Begun;
use super::units::is_unit;
use super::wire::Report;
use crate::audit::{Event, Kind};
use crate::execution::{Ended, JobId, Streams};
use crate::policy::{Delivery, Grant, OnDisconnect};
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Service {
    /// Waits for the end of a run, reads what it writes where the server does not, and tells of the end.
    pub(super) async fn see_to_its_end(&self, under_way: UnderWay, entry: &Entry<'_>) {
        let UnderWay { mut job, known, streams, grant, claimed, places, busy: _busy } = under_way;
        let waits = (!entry.wanted.detach).then_some(entry.session);
        if waits.is_none() {
            report(entry.session, &accepted(entry, &known)).await;
        }
        let secrets = job.secrets();
        let invocation = job.invocation().map(str::to_owned);
        let (ends, is_over) = (job.ends(), CancellationToken::new());
        let end = async {
            let ended = tokio::select! {
                biased;
                ended = job.finish(entry.stop.heard(), streams.hung_up()) => Some(ended),
                // A unit is the next broker's then, which tells of its end.
                () = self.is_to_leave(&ends), if is_unit(&grant) => None,
            };
            is_over.cancel();
            let out_of_memory = matches!(&ended, Some(Ok(ended)) if ended.out_of_memory);
            (ended.map(|ended| Over::of(&known.facts.id, ended)), out_of_memory)
        };
        let reading = read_where_nobody_does(waits, (&known, &streams), &grant.terms().delivery, &is_over);
        let ((over, out_of_memory), ()) = tokio::join!(end, reading);
        let Some(over) = over else {
            // It may yet read them.
            std::mem::forget(secrets);
            return known.leave();
        };
        drop(secrets);
        let finished = self.ended(entry, &grant, &known.facts.id, over);
        let finished = finished.optional("UDSADMIN_OOM", out_of_memory.then_some("yes"));
        self.trail.note(&finished.optional("UDSADMIN_INVOCATION", invocation)).await;
        self.jobs.end(&known, over);
        if let Some(claimed) = claimed {
            claimed.end(over).await;
        }
        self.close_unit(&grant, &known.facts.id, over).await;
        drop(places);
        if waits.is_some_and(|session| !session.is_lost()) {
            report(entry.session, &ended(entry.run, &known.facts.id, over)).await;
        }
        if let Some(session) = waits {
            session.may_leave(&known, streams);
        }
    }

    #[expect(clippy::unused_self, reason = "reads as one of the steps")]
    fn ended(&self, entry: &Entry<'_>, grant: &Grant, id: &JobId, over: Over) -> Event {
        let exit = exit(over.outcome);
        let event = entry.granted(Kind::Finished, &format!("ended: {exit}"), grant, id);
        let event = event.field("UDSADMIN_EXIT", &exit).field("UDSADMIN_MS", over.ms);
        event.optional("UDSADMIN_OUTPUT", over.cut.then_some("cut"))
    }

    /// Tells what became of the run that the client asks for again. Of one that a broker before this one was about to start,
    /// nobody knows whether it did.
    pub(super) async fn repeat(&self, entry: &Entry<'_>, begun: Begun) {
        let (run, id) = (entry.run, begun.job);
        let known = self.jobs.find(&id);
        let has_started = known.is_some() || begun.over.is_some();
        if entry.wanted.detach && has_started {
            return report(entry.session, &Report::Accepted { run, job: id }).await;
        }
        let tail = known.as_ref().map(|job| job.tail.as_fd());
        report_with(entry.session, &Report::Repeats { run, job: id.clone() }, tail.as_slice()).await;
        let Some(job) = known else {
            return report(entry.session, &ended(run, &id, begun.over.unwrap_or(Over::UNKNOWN))).await;
        };
        see_out(entry.session, (run, entry.stop), &job).await;
    }
}

impl Service {
    /// Tells a session that has taken up a run again of its end.
    pub(super) async fn rejoin(&self, session: &Arc<Session>, (run, stop): (u32, &Stop), id: &JobId) {
        let known = self.jobs.find(id).filter(|job| job.facts.uid == session.peer.uid);
        let Some(job) = known else {
            return report(session, &ended(run, id, Over::UNKNOWN)).await;
        };
        job.is_read_by(session);
        see_out(session, (run, stop), &job).await;
    }
}

/// Tells a session of the end of a run, and the run of the session's word to end. Where the end is left to the next broker, it says
/// nothing: the session's server will ask that one.
async fn see_out(session: &Session, (run, stop): (u32, &Stop), job: &Known) {
    let over = tokio::select! {
        over = tell_end(session, job) => over,
        _ = stop.heard() => {
            job.stop.follow(stop);
            tell_end(session, job).await
        }
    };
    if let Some(over) = over {
        report(session, &ended(run, &job.facts.id, over)).await;
    }
}

/// Waits for the end of a run, as long as the session waits for it and this broker does.
pub(super) async fn tell_end(session: &Session, job: &Known) -> Option<Over> {
    tokio::select! { over = job.end() => over, () = session.lost() => None }
}

/// Reads the output of a job from the moment on when the server no longer does: from its start, where nobody waits for it; else
/// from when its client is gone, with whom it ends where the policy says so.
async fn read_where_nobody_does(
    session: Option<&Session>,
    job: (&Known, &Streams),
    delivery: &Delivery,
    over: &CancellationToken,
) {
    if let Some(session) = session {
        if !is_left(session, over).await {
            return;
        }
        if delivery.on_disconnect == OnDisconnect::Term {
            job.0.stop.cancel();
        }
    }
    read_for_nobody(job, delivery, over).await;
}

fn accepted(entry: &Entry<'_>, known: &Known) -> Report {
    Report::Accepted { run: entry.run, job: known.facts.id.clone() }
}

/// The report of a run's end.
pub(super) fn ended(run: u32, job: &JobId, Over { outcome, ms, cut }: Over) -> Report {
    Report::Ended { run, job: job.clone(), outcome, ms, cut }
}

impl Over {
    /// The end of a run that nobody saw.
    pub(super) const UNKNOWN: Self = Self { outcome: None, ms: 0, cut: false };

    /// The end of a run, as far as it could be learnt.
    pub(super) fn of(id: &JobId, ended: io::Result<Ended>) -> Self {
        match ended {
            Ok(Ended { outcome, took, cut, .. }) => {
                let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                Self { outcome: Some(outcome), ms, cut }
            }
            Err(error) => {
                tracing::error!("job {id}: its end can't be learnt: {error}");
                Self::UNKNOWN
            }
        }
    }
}
