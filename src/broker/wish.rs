//! What a session may wish of the broker itself: to read the policy again, to keep it. Decided for its own peer, and on record.

use super::Packets;
use super::force::Version;
use super::reload::By;
use super::run::{REPORTING, report};
use super::service::{Service, Session};
use super::wire::{Answer, NotRun, Order, Report};
use crate::audit::Event;
use crate::identity::Peer;
use crate::protocol::decoder::TRIAL;
use crate::request::Builtin;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A wish.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    /// To read the policy again, and to have it on trial for so long.
    Reload(Option<Duration>),
    /// To keep the policy on trial.
    Confirm,
}

impl Wish {
    const fn builtin(self) -> Builtin {
        match self {
            Self::Reload(_) => Builtin::Reload,
            Self::Confirm => Builtin::Confirm,
        }
    }

    /// Its canonical spelling.
    fn spelling(self) -> String {
        let verb = self.builtin().verb();
        match self {
            Self::Reload(Some(time)) => {
                format!("{verb} confirm={}", humantime::format_duration(time).to_string().replace(' ', ""))
            }
            Self::Reload(None) | Self::Confirm => verb.to_owned(),
        }
    }
}

impl Service {
    /// Fulfils a wish, or not, and reports on it.
    pub(super) async fn fulfil(&self, session: &Session, run: u32, wish: Wish) {
        let (rows, answer) = match self.allowed(session, wish).await {
            Ok((peer, judged)) => {
                let spelling = wish.spelling();
                let by = By::Peer { peer: &peer, builtin: wish.builtin(), request: &spelling };
                match wish {
                    Wish::Reload(trial) => {
                        let trial = trial.map(|time| time.clamp(*TRIAL.start(), *TRIAL.end()));
                        self.policies.reload_for(&by, &judged, trial).await
                    }
                    Wish::Confirm => (Vec::new(), self.policies.confirm(&by, &judged).await),
                }
            }
            Err(why) => (Vec::new(), Answer::NotDone(why)),
        };
        for fields in rows {
            report(session, &Report::Row { run, fields }).await;
        }
        report(session, &Report::Answered { run, answer }).await;
    }

    /// The session's peer, where the policy in force lets it have its wish; and which policy that is.
    async fn allowed(&self, session: &Session, wish: Wish) -> Result<(Peer, Version), NotRun> {
        if self.draining.is_cancelled() {
            return Err(NotRun::Draining);
        }
        let now = self.policies.now();
        let peer = session.peer_now(&now.policy).await;
        let (policy, builtin) = (&now.policy, wish.builtin());
        if session.is_open() && policy.grants_builtin(&peer, builtin, (self.clock)()) {
            return Ok((peer, now.version));
        }
        let hours = policy.builtin_hours(&peer, builtin).map(|hours| format!("only during {hours}"));
        let why = match &hours {
            _ if !session.is_open() => "the client has closed its connection",
            Some(hours) => hours,
            None => "the policy does not grant this built-in",
        };
        self.trail.note(&Event::denied_builtin(&peer, builtin, &wish.spelling(), why)).await;
        Err(hours.map_or(NotRun::Denied, |text| NotRun::NotNow { text }))
    }

    /// Tells the server of every policy that comes into force, until it hangs up. One that it was too slow for is left out.
    pub(super) async fn keep_told(&self, packets: &Packets) -> io::Result<()> {
        let mut ruling = self.policies.watch();
        loop {
            let (standing, texts) = {
                let ruling = ruling.borrow_and_update();
                (ruling.state.standing(), Arc::clone(&ruling.texts))
            };
            timeout(REPORTING, packets.send(&Report::InForce(standing), &[texts.as_fd()])).await??;
            tokio::select! {
                changed = ruling.changed() => changed.map_err(io::Error::other)?,
                _hung_up = packets.receive::<Order>() => return Ok(()),
            }
        }
    }
}
