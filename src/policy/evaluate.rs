//! Decides. No clock, no files, no sockets: the same arguments give the same answer.

use super::Policy;
use super::bind::{self, Given};
use super::command::{Command, Rule};
use super::decision::{Admission, Decision, Denial, Grant, Reason};
use super::demand::lay_out;
use super::kind::{ArgumentSpec, one_of};
use super::origin::Origin;
use super::shown::told;
use super::step::{Explanation, Step, Steps};
use crate::identity::{DatabaseGroups, Namespace, Peer};
use crate::request::{CommandName, Request, Value};
use std::time::SystemTime;

/// Decides whether the peer may run the request. `_now` is for rules that name times, of which there are none
/// yet.
pub fn decide(policy: &Policy, peer: &Peer, request: &Request, _now: SystemTime) -> Decision {
    match evaluate(policy, peer, request, &mut Steps::unrecorded()) {
        Ok(grant) => Decision::Permit(grant),
        Err(denial) => Decision::Deny(denial),
    }
}

/// Explains what [`decide`] would say: the same evaluation, taken down.
#[must_use]
pub fn why(policy: &Policy, peer: &Peer, request: &Request, _now: SystemTime) -> Explanation {
    let mut steps = Steps::recorded();
    let permitted = evaluate(policy, peer, request, &mut steps).is_ok();
    Explanation { steps: steps.into_vec(), permitted }
}

/// Decides whether the peer may connect.
pub(super) fn admission(policy: &Policy, peer: &Peer) -> Admission {
    match gate(policy, peer, &mut Steps::unrecorded()) {
        Ok(rule) => Admission::Admitted { rule },
        Err(denial) => Admission::Refused(denial),
    }
}

fn evaluate(policy: &Policy, peer: &Peer, request: &Request, steps: &mut Steps) -> Result<Grant, Denial> {
    gate(policy, peer, steps)?;
    let (command, rules) = visible(policy, peer, &request.command, steps)?;
    let given = bind::given(policy, command, &request.arguments, steps)?;
    let rule = check(command, rules, &given, steps)?;
    let (texts, demands) = lay_out(&given);
    Ok(Grant {
        command: command.name.clone(),
        program: command.program.clone(),
        argv: command.argv(&texts),
        run_as: command.run_as.clone(),
        timeout: command.timeout,
        rule,
        arguments: told(&given),
        demands,
        takes_input: command.takes_input(),
    })
}

/// The gate at connect: a deny first, which nothing overrules.
fn gate(policy: &Policy, peer: &Peer, steps: &mut Steps) -> Result<Origin, Denial> {
    denied(policy, peer, steps)?;
    let Some(admitted) = policy.allow.matching(peer) else {
        steps.note(|| Step::connect("no"));
        return Err(Denial::denied(Reason::NotAdmitted, Origin::DEFAULT_DENY));
    };
    if peer.namespace == Namespace::Foreign {
        steps.note(|| Step::connect("foreign-namespace"));
        return Err(Denial::denied(Reason::ForeignNamespace, Origin::DEFAULT_DENY));
    }
    Ok(admitted.origin().clone())
}

fn denied(policy: &Policy, peer: &Peer, steps: &mut Steps) -> Result<(), Denial> {
    if let Some(user) = policy.deny.user(peer) {
        steps.note(|| Step::deny(("user", user.name.clone()), "kernel"));
        return Err(Denial::denied(Reason::DeniedUser(user.name.clone()), user.origin.clone()));
    }
    let Some(first) = policy.deny.first_group() else { return Ok(()) };
    let known = match &peer.database_groups {
        DatabaseGroups::Known(groups) => Some(groups),
        DatabaseGroups::NotAsked | DatabaseGroups::Unavailable => None,
    };
    let by_kernel = policy.deny.group_among(&peer.groups).map(|group| (group, "kernel"));
    let by_database = || Some((policy.deny.group_among(known?)?, "database"));
    if let Some((group, source)) = by_kernel.or_else(by_database) {
        steps.note(|| Step::deny(("group", group.name.clone()), source));
        return Err(Denial::denied(Reason::DeniedGroup(group.name.clone()), group.origin.clone()));
    }
    if known.is_none() {
        steps.note(|| Step::deny(("group", first.name.clone()), "unknown"));
        return Err(Denial::denied(Reason::GroupsUnknown, first.origin.clone()));
    }
    Ok(())
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
        let reason = if command.is_some() { Reason::NotForThisPeer } else { Reason::NoSuchCommand };
        return Err(Denial::denied(reason, Origin::DEFAULT_DENY));
    };
    steps.note(|| Step::command_found(name.as_str(), &command.origin()));
    for (_, matched) in &rules {
        steps.note(|| Step::allow(matched));
    }
    Ok((command, rules.into_iter().map(|(rule, _)| rule).collect()))
}

/// Checks each value by its type and by the rules, and finds the first rule that permits them all.
fn check(
    command: &Command,
    mut rules: Vec<&Rule>,
    given: &[Given<'_>],
    steps: &mut Steps,
) -> Result<Origin, Denial> {
    for Given { spec, values } in given {
        let left_out = values.is_empty().then_some(None);
        for value in values.iter().copied().map(Some).chain(left_out) {
            let checked = typed(spec, value).and_then(|()| narrowed(&rules, spec, value));
            steps.note(|| Step::value(spec, value, checked.as_ref().err()));
            rules = checked?;
        }
    }
    rules
        .first()
        .map(|rule| rule.origin.clone())
        .ok_or_else(|| Denial::denied(Reason::NotForThisPeer, command.origin()))
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
    let mut values: Vec<&str> = Vec::new();
    for value in rules.iter().filter_map(|rule| rule.narrowed(&spec.name)).flatten() {
        let text = value.as_text().unwrap_or_default();
        if !values.contains(&text) {
            values.push(text);
        }
    }
    let origin = rules.first().map_or(Origin::DEFAULT_DENY, |rule| rule.origin.clone());
    let missing = if value.is_none() { "is missing: it " } else { "" };
    let text = format!("{missing}must be {}", one_of(values.into_iter()));
    Err(Denial::bad_argument(spec.name.as_str(), &text, origin))
}
