//! What peers ask of runs: to list them, to see one, to end one. Each its own; others' where the policy says so, and on record.

use super::finish::{ended, tell_end};
use super::jobs::Known;
use super::jobs::Over;
use super::run::{report, report_with};
use super::service::{Service, Session};
use super::stop::Stop;
use super::wire::{Answer, NotRun, Report, Row};
use super::wish::answer_with;
use crate::audit::{Event, Kind};
use crate::execution::JobId;
use crate::identity::Peer;
use crate::policy::Origin;
use crate::request::{Builtin, Wish};
use std::os::fd::AsFd;
use std::sync::Arc;

/// Who wants to see a run, and by which order.
pub(super) struct Reader<'a> {
    pub(super) session: &'a Session,
    pub(super) run: u32,
    pub(super) peer: &'a Peer,
    /// The word that it has seen enough.
    pub(super) stop: &'a Stop,
}

impl Service {
    /// The rows of the peer's runs, or of everyone's.
    pub(super) async fn list_jobs(&self, peer: &Peer, everyone: bool) -> (Vec<Row>, Answer) {
        if everyone && !self.reaches_others(peer, Builtin::Jobs) {
            let wish = Wish::Jobs { everyone };
            let event = Event::denied_builtin(
                peer,
                Builtin::Jobs,
                &wish,
                &"the policy does not grant it for all users",
            );
            self.trail.note(&event.decision("deny", Origin::DEFAULT_DENY)).await;
            return (Vec::new(), Answer::NotDone(NotRun::Denied));
        }
        let jobs = self.jobs.all((!everyone).then_some(peer.uid));
        (jobs.iter().map(|job| job.row()).collect(), Answer::Listed)
    }

    /// Tells of one run, gives its tail, and where it is followed, tells of its end.
    pub(super) async fn show_job(&self, reader: &Reader<'_>, id: &JobId, follow: bool) {
        let Reader { session, run, peer, stop } = *reader;
        let wish = Wish::Job { id: id.clone(), follow };
        let Some(job) = self.job_for(peer, id, &wish).await else {
            return answer_with(session, run, Vec::new(), Answer::NoSuchJob).await;
        };
        if job.facts.uid != peer.uid && !self.note_reach(Kind::JobRead, peer, &job).await {
            let answer = Answer::NotDone(NotRun::AuditUnavailable);
            return answer_with(session, run, Vec::new(), answer).await;
        }
        report(session, &Report::Row { run, fields: job.row() }).await;
        let answer = Report::Answered { run, answer: Answer::Job };
        report_with(session, &answer, &[job.tail.as_fd()]).await;
        if !follow {
            return;
        }
        tokio::select! {
            over = tell_end(session, &job) => {
                // Where there is none, the connection ends without a word, as this broker does.
                let Some(over) = over else { return };
                report(session, &Report::Row { run, fields: job.row() }).await;
                report(session, &ended(run, id, over)).await;
            }
            _ = stop.heard() => report(session, &ended(run, id, Over::UNKNOWN)).await,
        }
    }

    /// Has one run end.
    pub(super) async fn cancel_job(&self, peer: &Peer, id: &JobId) -> Answer {
        match self.job_for(peer, id, &Wish::Cancel(id.clone())).await {
            None => Answer::NoSuchJob,
            Some(job) if job.over().is_some() => Answer::JobIsOver,
            Some(job) if !self.note_reach(Kind::JobCancelled, peer, &job).await => {
                Answer::NotDone(NotRun::AuditUnavailable)
            }
            Some(job) => {
                job.stop.cancel();
                Answer::Cancelled
            }
        }
    }

    /// The run of that id, where it is the peer's own, or the policy lets it reach those of others.
    async fn job_for(&self, peer: &Peer, id: &JobId, wish: &Wish) -> Option<Arc<Known>> {
        let job = self.jobs.find(id)?;
        if job.facts.uid == peer.uid || self.reaches_others(peer, wish.builtin()) {
            return Some(job);
        }
        let reason = format!("the job is one of {}", job.facts.user);
        let event = Event::denied_builtin(peer, wish.builtin(), wish, &reason);
        self.trail.note(&event.decision("deny", Origin::DEFAULT_DENY)).await;
        None
    }

    fn reaches_others(&self, peer: &Peer, builtin: Builtin) -> bool {
        self.policies.now().policy.reaches_others(peer, builtin, (self.clock)())
    }

    /// Whether it is on the record that the peer does this to a run.
    async fn note_reach(&self, kind: Kind, peer: &Peer, job: &Known) -> bool {
        let (deed, facts) = (kind.name(), &job.facts);
        let event = Event::new(kind, format!("{peer}: {deed}: {} of {}", facts.request, facts.user))
            .peer(peer)
            .field("UDSADMIN_JOB", &facts.id)
            .field("UDSADMIN_COMMAND", &facts.command)
            .field("UDSADMIN_REQUEST", &facts.request)
            .field("UDSADMIN_JOB_UID", facts.uid)
            .field("UDSADMIN_JOB_USER", &facts.user);
        self.trail.record(&event).await.is_ok()
    }
}
