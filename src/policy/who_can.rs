//! Which of many peers may run a request, by which rule, and when. Looks nobody up: the peers are handed in.

use super::Policy;
use super::builtin::rule_of;
use super::decision::{Decision, Refusal};
use super::evaluate::decide;
use super::origin::Origin;
use super::step::Steps;
use crate::identity::Peer;
use crate::request::{Builtin, Request};
use std::time::SystemTime;

/// A peer who may run a request.
#[derive(Clone, Debug)]
pub struct Able {
    /// Who.
    pub peer: Peer,
    /// The rule that permits it.
    pub rule: Origin,
    /// When, where the command's rules for the peer hold only at some times.
    pub hours: Option<String>,
}

/// Those of the peers who may run the request, in their order: at this moment, or where none is given, at some. A request without
/// any argument asks who may run the command with some values at least.
#[must_use]
pub fn who_can(
    policy: &Policy,
    peers: impl IntoIterator<Item = Peer>,
    request: &Request,
    at: Option<SystemTime>,
) -> Vec<Able> {
    let able = |peer: Peer| {
        let rule = rule_for(policy, &peer, request, at)?;
        let hours = policy.command(&peer, &request.command)?.hours(&peer);
        Some(Able { peer, rule, hours })
    };
    peers.into_iter().filter_map(able).collect()
}

/// Those of the peers who may use the built-in, in their order: at this moment, or where none is given, at some.
#[must_use]
pub fn who_can_use(
    policy: &Policy,
    peers: impl IntoIterator<Item = Peer>,
    builtin: Builtin,
    at: Option<SystemTime>,
) -> Vec<Able> {
    let able = |peer: Peer| {
        let rule = rule_of(policy, &peer, builtin, (at, &mut Steps::unrecorded()))?;
        let hours = policy.builtin_hours(&peer, builtin);
        Some(Able { peer, rule, hours })
    };
    peers.into_iter().filter_map(able).collect()
}

fn rule_for(policy: &Policy, peer: &Peer, request: &Request, at: Option<SystemTime>) -> Option<Origin> {
    if request.arguments.is_empty() {
        return policy.first_rule(peer, &request.command, at).cloned();
    }
    match decide(policy, peer, request, at.unwrap_or(SystemTime::UNIX_EPOCH)) {
        Decision::Permit(grant) => Some(grant.rule().clone()),
        Decision::Deny(denial) if at.is_none() && matches!(denial.refusal(), Refusal::NotNow(_)) => {
            Some(denial.rule().clone())
        }
        Decision::Deny(_) => None,
    }
}
