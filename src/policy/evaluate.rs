//! Decides. No clock, no files, no sockets: the same arguments give the same answer.

use super::Policy;
use super::bind::{self, Given};
use super::command::{Command, Rule};
use super::condition::Matched;
use super::decision::{Admission, Decision, Denial, Grant, Reason};
use super::demand::{Demand, lay_out};
use super::kind::{ArgumentSpec, one_of};
use super::origin::Origin;
use super::shown::told;
use super::step::{Explanation, Step, Steps};
use super::time::{During, listed};
use crate::identity::{DatabaseGroups, Peer};
use crate::request::{Builtin, CommandName, Request, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

/// Decides whether the peer may run the request at this moment.
pub fn decide(policy: &Policy, peer: &Peer, request: &Request, now: SystemTime) -> Decision {
    match evaluate(policy, peer, request, (now, &mut Steps::unrecorded())) {
        Ok(grant) => Decision::Permit(grant),
        Err(denial) => Decision::Deny(denial),
    }
}

/// Explains what [`decide`] would say: the same evaluation, taken down.
#[must_use]
pub fn why(policy: &Policy, peer: &Peer, request: &Request, now: SystemTime) -> Explanation {
    let mut steps = Steps::recorded();
    let permitted = evaluate(policy, peer, request, (now, &mut steps)).is_ok();
    Explanation { steps: steps.into_vec(), permitted }
}

/// What the request demands of the machine where it runs, as far as the policy permits it at some time.
#[must_use]
pub fn demands(policy: &Policy, peer: &Peer, request: &Request) -> Vec<Demand> {
    let fitting = fitting(policy, peer, request, &mut Steps::unrecorded());
    fitting.map_or_else(|_| Vec::new(), |(_, _, given)| lay_out(&given).1)
}

/// Decides whether the peer may connect.
pub(super) fn admission(policy: &Policy, peer: &Peer) -> Admission {
    match gate(policy, peer, &mut Steps::unrecorded()) {
        Ok(rule) => Admission::Admitted { rule },
        Err(denial) => Admission::Refused(denial),
    }
}

/// Decides whether the peer may connect and use the built-in at this moment.
pub(super) fn builtin(policy: &Policy, peer: &Peer, builtin: Builtin, now: SystemTime) -> Result<(), Denial> {
    gate(policy, peer, &mut Steps::unrecorded())?;
    if !builtin.needs_grant()
        || policy.grants(peer, builtin).any(|(condition, _)| condition.during.holds(now))
    {
        return Ok(());
    }
    let Some((_, first)) = policy.grants(peer, builtin).next() else {
        return Err(Denial::denied(Reason::NotGranted, Origin::DEFAULT_DENY));
    };
    let closed = policy.grants(peer, builtin).map(|(condition, _)| &condition.during);
    Err(Denial::not_now(&listed(closed), first.origin.clone()))
}

fn evaluate(
    policy: &Policy,
    peer: &Peer,
    request: &Request,
    (now, steps): (SystemTime, &mut Steps),
) -> Result<Grant, Denial> {
    let (command, rules, given) = fitting(policy, peer, request, steps)?;
    let rule = in_time(command, &rules, now, steps)?;
    let (texts, demands) = lay_out(&given);
    Ok(Grant {
        command: command.name.clone(),
        program: command.program.clone(),
        argv: command.argv(&texts),
        variables: command.variables(&texts),
        run_as: command.run_as.clone(),
        terms: Arc::clone(&command.terms),
        rule,
        arguments: told(&given),
        demands,
    })
}

/// The command, those of its rules that permit the request at some time, and the values that it has.
fn fitting<'a>(
    policy: &'a Policy,
    peer: &'a Peer,
    request: &'a Request,
    steps: &mut Steps,
) -> Result<(&'a Command, Vec<&'a Rule>, Vec<Given<'a>>), Denial> {
    gate(policy, peer, steps)?;
    let (command, rules) = visible(policy, peer, &request.command, steps)?;
    let given = bind::given(policy, command, &request.arguments, steps)?;
    let rules = check(rules, &given, steps)?;
    Ok((command, rules, given))
}

/// The gate at connect: a deny first, which nothing overrules.
pub(super) fn gate(policy: &Policy, peer: &Peer, steps: &mut Steps) -> Result<Origin, Denial> {
    denied(policy, peer, steps)?;
    if let Some(admitted) = policy.allow.iter().find_map(|table| table.matching(peer)) {
        return Ok(admitted.origin.clone());
    }
    let is_foreign = policy.allow.iter().any(|table| table.naming(peer).is_some());
    steps.note(|| Step::connect(if is_foreign { "foreign-namespace" } else { "no" }));
    let reason = if is_foreign { Reason::ForeignNamespace } else { Reason::NotAdmitted };
    Err(Denial::denied(reason, Origin::DEFAULT_DENY))
}

fn denied(policy: &Policy, peer: &Peer, steps: &mut Steps) -> Result<(), Denial> {
    let mut refuse = |matched: Matched<'_>, reason: fn(String) -> Reason| {
        steps.note(|| Step::deny(&matched));
        Err(Denial::denied(reason(matched.name.to_owned()), matched.origin.clone()))
    };
    if let Some(user) = policy.deny.user(peer) {
        return refuse(user, Reason::DeniedUser);
    }
    let Some(first) = policy.deny.first_group() else { return Ok(()) };
    let known = match &peer.database_groups {
        DatabaseGroups::Known(groups) => Some(groups),
        DatabaseGroups::NotAsked | DatabaseGroups::Unavailable => None,
    };
    let by_database = || Some(policy.deny.group_among(known?)?.by("database"));
    match policy.deny.group_among(&peer.groups).or_else(by_database) {
        Some(group) => refuse(group, Reason::DeniedGroup),
        None if known.is_none() => refuse(first.by("unknown"), |_| Reason::GroupsUnknown),
        None => Ok(()),
    }
}

/// The command and those of its rules that are for the peer. Without one, it might as well not exist.
fn visible<'a>(
    policy: &'a Policy,
    peer: &'a Peer,
    name: &CommandName,
    steps: &mut Steps,
) -> Result<(&'a Command, Vec<&'a Rule>), Denial> {
    let command = policy.commands.get(name);
    let rules: Vec<_> = command.into_iter().flat_map(|command| command.rules_for(peer)).collect();
    let Some(command) = command.filter(|_| !rules.is_empty()) else {
        steps.note(|| Step::command_missing(name.as_str()));
        return Err(Denial::denied(not_visible(policy.commands.get(name), peer), Origin::DEFAULT_DENY));
    };
    steps.note(|| Step::command_found(name.as_str(), &command.origin()));
    for (_, matched) in &rules {
        steps.note(|| Step::allow(matched));
    }
    Ok((command, rules.into_iter().map(|(rule, _)| rule).collect()))
}

/// Why the peer may not see the command, of which no rule is for it.
fn not_visible(command: Option<&Command>, peer: &Peer) -> Reason {
    match command {
        None => Reason::NoSuchCommand,
        Some(command) if command.rules.iter().any(|rule| rule.condition.naming(peer).is_some()) => {
            Reason::ForeignNamespace
        }
        Some(_) => Reason::NotForThisPeer,
    }
}

/// Checks each value by its type and by the rules, and leaves the rules that permit them all.
fn check<'a>(
    mut rules: Vec<&'a Rule>,
    given: &[Given<'_>],
    steps: &mut Steps,
) -> Result<Vec<&'a Rule>, Denial> {
    for Given { spec, values } in given {
        let left_out = values.is_empty().then_some(None);
        for (index, value) in values.iter().copied().map(Some).chain(left_out).enumerate() {
            let checked = typed(spec, value).and_then(|()| narrowed(&rules, spec, value));
            let checked = checked.map_err(|denial| denial.of_value(index, values.len()));
            steps.note(|| Step::value(spec, value, checked.as_ref().err()));
            rules = checked?;
        }
    }
    Ok(rules)
}

/// The first of the rules that permits at this moment.
fn in_time(command: &Command, rules: &[&Rule], now: SystemTime, steps: &mut Steps) -> Result<Origin, Denial> {
    let mut closed: Vec<&During> = Vec::new();
    for rule in rules {
        let during = &rule.condition.during;
        if !during.is_always() || !closed.is_empty() {
            steps.note(|| Step::during(during, now, &rule.origin));
        }
        if during.holds(now) {
            return Ok(rule.origin.clone());
        }
        closed.push(during);
    }
    let Some(first) = rules.first() else {
        return Err(Denial::denied(Reason::NotForThisPeer, command.origin()));
    };
    Err(Denial::not_now(&listed(closed), first.origin.clone()))
}

fn typed(spec: &ArgumentSpec, value: Option<&Value>) -> Result<(), Denial> {
    value
        .map_or(Ok(()), |value| spec.check(value))
        .map_err(|text| Denial::bad_argument(spec.name.as_str(), &text, spec.place.origin()))
}

/// The rules that permit the value; without one, the values that they would permit.
fn narrowed<'a>(
    rules: &[&'a Rule],
    spec: &ArgumentSpec,
    value: Option<&Value>,
) -> Result<Vec<&'a Rule>, Denial> {
    let left: Vec<&Rule> = rules.iter().copied().filter(|rule| rule.permits(spec, value)).collect();
    if !left.is_empty() {
        return Ok(left);
    }
    let mut seen = BTreeSet::new();
    let named = rules.iter().filter_map(|rule| rule.narrowed(&spec.name)).flatten();
    let values = named.map(|value| value.as_text().unwrap_or_default()).filter(|text| seen.insert(*text));
    let origin = rules.first().map_or(Origin::DEFAULT_DENY, |rule| rule.origin.clone());
    let missing = if value.is_none() { "is missing: it " } else { "" };
    let text = format!("{missing}must be {}", one_of(values));
    Err(Denial::bad_argument(spec.name.as_str(), &text, origin))
}
