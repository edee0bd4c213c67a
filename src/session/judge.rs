//! One request before one policy, on the server's side. Refuses early what the broker would refuse; permits nothing.

use super::Context;
use crate::audit::Event;
use crate::broker::{Followed, InForce, NotRun};
use crate::identity::Peer;
use crate::policy::{Decision, Policy, decide};
use crate::protocol::reply::Final;
use crate::request::Request;
use crate::transport;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The same words for a command that is not there and for one that is not for this peer.
pub(super) const NO_SUCH: &str = "no such command for you; commands lists yours";

/// How long the user database's word about a peer holds. The broker asks anew for each run.
const KNOWN: Duration = Duration::from_secs(5);

/// A policy, and the peer with all that this policy needs to know of it.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    pub(super) now: Arc<InForce>,
    pub(super) peer: Peer,
    looked: Instant,
}

impl Judge {
    /// The peer is completely known at this moment.
    pub(super) fn new(now: Arc<InForce>, peer: Peer) -> Self {
        Self { now, peer, looked: Instant::now() }
    }

    pub(super) fn policy(&self) -> &Policy {
        &self.now.policy
    }

    /// The same for the policy that is in force by now; `None` where that is still this one, and the peer is still known.
    pub(super) async fn renewed(&self, followed: &Followed) -> Option<Self> {
        let now = followed.now();
        let is_outdated = now.policy.needs_database_groups() && self.looked.elapsed() >= KNOWN;
        if Arc::ptr_eq(&now, &self.now) && !is_outdated {
            return None;
        }
        let peer = transport::regrouped(self.peer.clone(), now.policy.asks_database()).await;
        Some(Self::new(now, peer))
    }

    /// The refusal of a request, with an input of so many octets if it has one, that the policy does not permit, on the
    /// record; `None` where the broker is to decide.
    pub(super) async fn refusal(
        &self,
        request: &Request,
        input: Option<usize>,
        context: &Context,
    ) -> Option<NotRun> {
        let denial = match decide(self.policy(), &self.peer, request, (context.clock)()) {
            Decision::Permit(grant) => grant.admits_input(input).err()?,
            Decision::Deny(denial) => denial,
        };
        let event = Event::denied(&self.peer, &self.policy().shown(request), &denial);
        context.trail.note(&event).await;
        Some(denial.refusal().into())
    }
}

/// The final line of a request that started nothing.
pub(super) fn not_run(why: &NotRun) -> Final {
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
        NotRun::ExecFailed { errno, step, job } => {
            let error = step.clone().unwrap_or_else(|| io::Error::from_raw_os_error(*errno).to_string());
            Final::exec_failed(errno)
                .field("job", job.as_str())
                .text(format!("the program could not be started: {error}"))
        }
        NotRun::AuditUnavailable => Final::audit_unavailable().text("nothing runs without its audit record"),
        NotRun::Draining => Final::draining().text("the service is ending; try again"),
        NotRun::Unavailable => Final::broker_unavailable()
            .text("nothing was started; try again, or see systemctl status udsadmin-broker"),
        NotRun::Internal => Final::internal().text("nothing was started; the journal says more"),
        NotRun::TokenTaken => {
            Final::bad_argument("id").text("is the token of another request of yours; nothing was started")
        }
        NotRun::TooManyTokens => {
            Final::busy().text("you have used too many tokens within ten minutes; leave id= out, or wait")
        }
        NotRun::OtherPolicy => Final::broker_unavailable()
            .text("the policy is just being replaced; nothing was started, try again"),
    }
}
