//! Who may use a built-in, and by which rule. Knows no command of the policy.

use super::Policy;
use super::condition::Condition;
use super::evaluate::gate;
use super::origin::Origin;
use super::step::{Explanation, Step, Steps};
use crate::identity::Peer;
use crate::request::Builtin;
use std::time::SystemTime;

/// Explains whether the peer may use the built-in at this moment.
#[must_use]
pub fn why_builtin(policy: &Policy, peer: &Peer, builtin: Builtin, now: SystemTime) -> Explanation {
    let mut steps = Steps::recorded();
    let permitted = rule_of(policy, peer, builtin, (Some(now), &mut steps)).is_some();
    Explanation { steps: steps.into_vec(), permitted }
}

/// The rule by which the peer may use the built-in at this moment, or where none is given, at some. Those that need no grant
/// are for whoever may connect.
pub(super) fn rule_of(
    policy: &Policy,
    peer: &Peer,
    builtin: Builtin,
    (at, steps): (Option<SystemTime>, &mut Steps),
) -> Option<Origin> {
    let admitting = gate(policy, peer, steps).ok()?;
    if !builtin.needs_grant() {
        steps.note(|| Step::builtin(builtin.verb(), None, "yes"));
        return Some(admitting);
    }
    let mut rules: Vec<(&Condition, &Origin)> = Vec::new();
    for (rule, matched) in policy.grants(peer, builtin) {
        steps.note(|| Step::allow(&matched));
        rules.push((rule, matched.origin));
    }
    let holding = in_time(&rules, at, steps);
    let place = holding.or_else(|| rules.first().map(|(_, origin)| *origin));
    let result = if holding.is_some() { "yes" } else { "no" };
    steps.note(|| Step::builtin(builtin.verb(), place, result));
    holding.cloned()
}

/// The first of the rules that permits at the moment.
fn in_time<'a>(
    rules: &[(&Condition, &'a Origin)],
    at: Option<SystemTime>,
    steps: &mut Steps,
) -> Option<&'a Origin> {
    for (rule, origin) in rules {
        if let Some(now) = at.filter(|_| !rule.during.is_always()) {
            steps.note(|| Step::during(&rule.during, now, origin));
        }
        if at.is_none_or(|now| rule.during.holds(now)) {
            return Some(origin);
        }
    }
    None
}
