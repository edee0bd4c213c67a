//! Which of many peers may run a request, and by which rule. Looks nobody up: the peers are handed in.

use super::Policy;
use super::decision::Decision;
use super::evaluate::decide;
use super::origin::Origin;
use crate::identity::Peer;
use crate::request::Request;
use std::time::SystemTime;

/// Those of the peers who may run the request, in their order, each with the rule that permits it. A request without any
/// argument asks who may run the command with some values at least.
#[must_use]
pub fn who_can(
    policy: &Policy,
    peers: impl IntoIterator<Item = Peer>,
    request: &Request,
    now: SystemTime,
) -> Vec<(Peer, Origin)> {
    let able = |peer: Peer| rule_for(policy, &peer, request, now).map(|rule| (peer, rule));
    peers.into_iter().filter_map(able).collect()
}

fn rule_for(policy: &Policy, peer: &Peer, request: &Request, now: SystemTime) -> Option<Origin> {
    if request.arguments.is_empty() {
        return policy.first_rule(peer, &request.command).cloned();
    }
    match decide(policy, peer, request, now) {
        Decision::Permit(grant) => Some(grant.rule().clone()),
        Decision::Deny(_) => None,
    }
}
