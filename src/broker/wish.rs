//! Wishes of a session: what the broker itself is asked to do. Decided for the session's own peer, and on record.

use super::Packets;
use super::ask_jobs::Reader;
use super::force::Version;
use super::reload::By;
use super::reload::Ruling;
use super::run::{REPORTING, report};
use super::service::{Service, Session};
use super::stop::Stop;
use super::wire::{Answer, NotRun, Order, Report, Row};
use crate::audit::Event;
use crate::identity::Peer;
use crate::request::{TRIAL, Wish};
use std::fmt::Display;
use std::io;
use std::os::fd::AsFd;
use tokio::time::timeout;

impl Service {
    /// Fulfils a wish, or not, and reports on it.
    pub(super) async fn fulfil(&self, session: &Session, (run, stop): (u32, &Stop), wish: Wish) {
        let (rows, answer) = match self.allowed(session, &wish).await {
            Ok((peer, judged)) => {
                let by = By::Peer { peer: &peer, wish: &wish };
                match &wish {
                    Wish::Reload(trial) => {
                        let trial = trial.map(|time| time.clamp(*TRIAL.start(), *TRIAL.end()));
                        self.policies.reload_for(&by, &judged, trial).await
                    }
                    Wish::Confirm => (Vec::new(), self.policies.confirm(&by, &judged).await),
                    Wish::Jobs { everyone } => self.list_jobs(&peer, *everyone).await,
                    Wish::Job { id, follow } => {
                        let reader = Reader { session, run, peer: &peer, stop };
                        return self.show_job(&reader, id, *follow).await;
                    }
                    Wish::Cancel(id) => (Vec::new(), self.cancel_job(&peer, id).await),
                }
            }
            Err(why) => (Vec::new(), Answer::NotDone(why)),
        };
        answer_with(session, run, rows, answer).await;
    }

    /// The session's peer, where the policy in force lets it have its wish; and which policy that is.
    async fn allowed(&self, session: &Session, wish: &Wish) -> Result<(Peer, Version), NotRun> {
        if self.draining.is_cancelled() {
            return Err(NotRun::Draining);
        }
        let now = self.policies.now();
        let peer = session.peer_now(&now.policy).await;
        let denied = |reason: &dyn Display| Event::denied_builtin(&peer, wish.builtin(), wish, reason);
        if let Err(gone) = session.is_open() {
            self.trail.note(&denied(&gone).field("UDSADMIN_DECISION", "deny")).await;
            return Err(NotRun::Denied);
        }
        if let Err(denial) = now.policy.judge_builtin(&peer, wish.builtin(), (self.clock)()) {
            self.trail.note(&denied(denial.reason()).decision("deny", denial.rule())).await;
            return Err(denial.refusal().into());
        }
        Ok((peer, now.version))
    }

    /// Tells the server of every policy that comes into force, and of each that may, until it hangs up. One that it was too slow
    /// for is left out.
    pub(super) async fn keep_told(&self, packets: &Packets) -> io::Result<()> {
        let mut ruling = self.policies.watch();
        loop {
            let Ruling { state, texts, coming, .. } = ruling.borrow_and_update().clone();
            let mut reports = vec![(Report::InForce(state.standing()), texts)];
            reports.extend(coming.map(|(version, texts)| (Report::Coming(version), texts)));
            drop(state);
            for (report, texts) in reports {
                timeout(REPORTING, packets.send(&report, &[texts.as_fd()])).await??;
            }
            tokio::select! {
                changed = ruling.changed() => changed.map_err(io::Error::other)?,
                _hung_up = packets.receive::<Order>() => return Ok(()),
            }
        }
    }
}

/// Reports rows, and what they are the answer to.
pub(super) async fn answer_with(session: &Session, run: u32, rows: Vec<Row>, answer: Answer) {
    for fields in rows {
        report(session, &Report::Row { run, fields }).await;
    }
    report(session, &Report::Answered { run, answer }).await;
}
