//! Rules without effect, and rules for very many. Says nothing of a group that a directory service may fill.

use super::super::Policy;
use super::super::command::{Command, Rule};
use super::super::condition::Condition;
use super::super::kind::{ArgumentSpec, Kind};
use super::super::origin::Place;
use super::population::{Named, Population};
use super::{Finding, Id, Level};
use crate::identity::{Gid, Peer, Uid};
use crate::request::Value;
use std::time::SystemTime;

/// More users than this in one group are many.
const MANY: usize = 50;

/// Everything that can be said of who may do what. The peers are those of the user database; of none, nothing is said that
/// needs them.
pub(super) fn findings(policy: &Policy, peers: &[Peer], now: SystemTime) -> Vec<Finding> {
    let judge = Judge { policy, population: Population::new(policy, peers), now };
    let commands = policy.commands.values();
    let mut found: Vec<Finding> = commands.flat_map(|command| judge.command(command)).collect();
    found.extend(judge.gates());
    found
}

struct Judge<'a> {
    policy: &'a Policy,
    population: Population<'a>,
    now: SystemTime,
}

impl Judge<'_> {
    /// Whether `[allow]` names anyone.
    fn is_open(&self) -> bool {
        self.policy.allow.iter().any(|gate| !gate.who.all().is_empty())
    }

    fn command(&self, command: &Command) -> Vec<Finding> {
        if !self.is_open() {
            return Vec::new();
        }
        let mut named = command.rules.iter().flat_map(|rule| rule.condition.who.all()).peekable();
        let why = if named.peek().is_none() {
            "no allow rule of it names anyone who exists; add a rule, or remove it"
        } else if named.all(|one| self.is_out(one)) {
            "of those whom its rules name, [allow] lets none connect, or [deny] keeps them out; see both"
        } else {
            let each = command.rules.iter().enumerate();
            return each.flat_map(|(at, rule)| self.rule(command, at, rule)).collect();
        };
        let message = format!("nobody may run this command: {why}");
        vec![Finding::new(Id::GRANTED_TO_NOBODY, Level::Warning, &command.place, &message).about(command)]
    }

    fn rule(&self, command: &Command, at: usize, rule: &Rule) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some(other) = shadow(command, at, rule) {
            let other = &other.origin;
            let message = format!(
                "this rule permits nothing that the rule at {other} does not permit; remove one of them"
            );
            found.push(Finding::new(Id::SHADOWED_RULE, Level::Warning, &rule.place, &message));
        }
        found.extend(self.over(&rule.condition, &rule.place));
        found.extend(self.strangers(&rule.condition, Id::CANNOT_CONNECT));
        found.extend(rule.condition.who.names().into_iter().filter_map(|named| self.many(named)));
        found.into_iter().map(|finding| finding.about(command)).collect()
    }

    /// A rule whose times have all gone by.
    fn over(&self, condition: &Condition, place: &Place) -> Option<Finding> {
        let message = format!(
            "this rule permits nothing any more: {} is over; remove it, or renew its dates",
            condition.during
        );
        let is_over = condition.during.is_over(self.now);
        is_over.then(|| Finding::new(Id::RULE_IN_THE_PAST, Level::Warning, place, &message))
    }

    /// A group with very many members, by itself or in a role.
    fn many(&self, named: Named<'_>) -> Option<Finding> {
        let count = |one: Named<'_>| match one {
            Named::Group(group) => self.population.members(group.id).count(),
            Named::User(_) | Named::Role(_) => 0,
        };
        let number = named.each().into_iter().map(count).max().filter(|number| *number > MANY)?;
        let named_so = named.shown();
        let message = format!(
            "{number} users are in {named_so}, and may all run this command; consider a group of its own"
        );
        Some(Finding::new(Id::GRANTED_WIDELY, Level::Note, named.place(), &message))
    }

    /// Those whom a rule names in vain.
    fn strangers(&self, condition: &Condition, id: Id) -> Vec<Finding> {
        let finding = |named: Named<'_>| {
            let named_so = named.shown();
            let message = format!(
                "this has no effect: {named_so} may not connect; name it in [allow], or remove it here (and see [deny])"
            );
            Finding::new(id, Level::Warning, named.place(), &message)
        };
        let out = condition.who.names().into_iter().filter(|named| self.is_out(*named));
        out.map(finding).collect()
    }

    /// Whether nobody of these may connect, as far as it can be known.
    fn is_out(&self, named: Named<'_>) -> bool {
        match named {
            Named::User(user) => self.is_user_out(user.id),
            Named::Group(group) => self.is_group_out(group.id),
            Named::Role(_) => {
                let each = named.each();
                !each.is_empty() && each.into_iter().all(|one| self.is_out(one))
            }
        }
    }

    /// Of a user whom the database lists, the policy itself says whether it may connect.
    fn is_user_out(&self, uid: Uid) -> bool {
        let Policy { allow, deny, .. } = self.policy;
        let unlisted = || {
            deny.has_user(uid) || !allow.iter().any(|gate| gate.who.has_user(uid)) && !self.allows_groups()
        };
        self.population.user(uid).map_or_else(unlisted, |peer| !self.policy.is_admitted(peer))
    }

    /// A group without members may get some.
    fn is_group_out(&self, gid: Gid) -> bool {
        let mut members = self.population.members(gid).peekable();
        let is_empty = members.peek().is_none();
        self.policy.deny.has_group(gid) || !is_empty && !members.any(|peer| self.policy.is_admitted(peer))
    }

    fn allows_groups(&self) -> bool {
        let all = self.policy.allow.iter().flat_map(|gate| gate.who.all());
        all.into_iter().any(|one| matches!(one, Named::Group(_)))
    }

    /// What can be said of `[allow]`, `[deny]` and the built-ins.
    fn gates(&self) -> Vec<Finding> {
        let Policy { builtins, commands, .. } = self.policy;
        let mut found = Vec::new();
        let first = commands.values().min_by_key(|command| command.place.order());
        if let Some(first) = first.filter(|_| !self.is_open()) {
            let message = "nobody may run anything: [allow] names nobody who exists, so nobody may connect; say who may";
            found.push(Finding::new(Id::NOBODY_CONNECTS, Level::Warning, &first.place, message));
        }
        if self.is_open() {
            found.extend(builtins.iter().flat_map(|(_, who)| self.strangers(who, Id::BUILTIN_FOR_NOBODY)));
            found.extend(self.idle_denies());
        }
        if first.is_some() {
            found.extend(self.idlers());
        }
        found
    }

    /// Denies of whom no `[allow]` could let in.
    fn idle_denies(&self) -> Vec<Finding> {
        if self.allows_groups() {
            return Vec::new();
        }
        let finding = |named: Named<'_>| {
            let level = if matches!(named, Named::User(_)) { Level::Warning } else { Level::Note };
            let named_so = named.shown();
            let message = format!(
                "this deny has no effect: [allow] names users alone, and none of them is, or is in, {named_so}; remove it, or keep \
                 it for what [allow] may come to say"
            );
            Finding::new(Id::IDLE_DENY, level, named.place(), &message)
        };
        let idle = self
            .policy
            .deny
            .names()
            .into_iter()
            .filter(|named| named.each().into_iter().all(|one| self.is_idle(one)));
        idle.map(finding).collect()
    }

    /// Whether none of the users of `[allow]`, all of them listed, is or is in it.
    fn is_idle(&self, denied: Named<'_>) -> bool {
        let allowed = self.policy.allow.iter().flat_map(|gate| gate.who.all());
        let is_other = |one: Named<'_>| match (one, denied) {
            (Named::User(allowed), Named::User(denied)) => allowed.id != denied.id,
            (Named::User(allowed), Named::Group(group)) => {
                self.population.user(allowed.id).is_some_and(|peer| !peer.groups.contains(&group.id))
            }
            (Named::Group(_) | Named::Role(_), _) | (_, Named::Role(_)) => false,
        };
        allowed.into_iter().all(is_other)
    }

    /// Those who may connect and run nothing.
    fn idlers(&self) -> Vec<Finding> {
        let finding = |named: Named<'_>| {
            let named_so = named.shown();
            let message = format!(
                "{named_so} may connect, and no rule of a command or a built-in is for it; add one, or remove it here"
            );
            Finding::new(Id::MAY_DO_NOTHING, Level::Note, named.place(), &message)
        };
        let allowed = self.policy.allow.iter().flat_map(|gate| gate.who.names());
        let idle = allowed.filter(|named| !named.each().into_iter().any(|one| self.does_something(one)));
        idle.map(finding).collect()
    }

    /// Whether a rule names it, or one of it may run something.
    fn does_something(&self, named: Named<'_>) -> bool {
        let Policy { builtins, commands, .. } = self.policy;
        let rules = commands.values().flat_map(|command| command.rules.iter().map(|rule| &rule.condition));
        let mut all = rules.chain(builtins.iter().map(|(_, condition)| condition));
        let is_one = |peer: &Peer| match named {
            Named::User(user) => peer.uid == user.id,
            Named::Group(group) => peer.groups.contains(&group.id),
            Named::Role(_) => false,
        };
        all.any(|condition| condition.who.has(named))
            || self.population.able().iter().any(|peer| is_one(peer))
    }
}

/// A rule of the command that permits all that this one permits; of two that permit the same, the later one is the one too many.
fn shadow<'c>(command: &'c Command, at: usize, rule: &Rule) -> Option<&'c Rule> {
    let covers =
        |other: &Rule, one: &Rule| other.condition.covers(&one.condition) && permits_all(command, other, one);
    let others = command.rules.iter().enumerate().filter(|(place, _)| *place != at);
    let mut shadows =
        others.filter(|(place, other)| covers(other, rule) && (*place < at || !covers(rule, other)));
    shadows.next().map(|(_, other)| other).filter(|_| !rule.condition.who.all().is_empty())
}

/// Whether the one rule permits every value that the other permits.
fn permits_all(command: &Command, one: &Rule, other: &Rule) -> bool {
    // Without `..`: a condition that a rule learns later has to be compared here, too.
    let Rule { condition: _, when: _, origin: _, place: _ } = one;
    command.arguments.iter().all(|spec| {
        let permitted = |value: &Value| one.permits(spec, Some(value));
        match (one.narrowed(&spec.name), other.narrowed(&spec.name)) {
            (None, _) => true,
            (Some(_), Some(values)) => values.iter().all(permitted),
            (Some(_), None) => {
                spec.is_required() && alternatives(spec).is_some_and(|values| values.iter().all(permitted))
            }
        }
    })
}

/// Every value of the argument, where it has a list of them.
fn alternatives(spec: &ArgumentSpec) -> Option<Vec<Value>> {
    let Kind::OneOf(values) = &spec.kind else { return None };
    values.iter().map(|value| Value::try_from(value.as_str()).ok()).collect()
}
