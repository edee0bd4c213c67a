//! Rules without effect, and rules for very many. Says nothing of a group that a directory service may fill.

use super::super::Policy;
use super::super::command::{Command, Rule};
use super::super::kind::{ArgumentSpec, Kind};
use super::super::principal::{Member, Principals};
use super::population::Population;
use super::{Finding, Id, Level};
use crate::identity::{Gid, Peer, Uid};
use crate::request::Value;

/// More users than this in one group are many.
const MANY: usize = 50;

/// Everything that can be said of who may do what. The peers are those of the user database; of none, nothing is said that
/// needs them.
pub(super) fn findings(policy: &Policy, peers: &[Peer]) -> Vec<Finding> {
    let judge = Judge { policy, population: Population::new(policy, peers) };
    let commands = policy.commands.values();
    let mut found: Vec<Finding> = commands.flat_map(|command| judge.command(command)).collect();
    found.extend(judge.gates());
    found
}

struct Judge<'a> {
    policy: &'a Policy,
    population: Population<'a>,
}

impl Judge<'_> {
    fn command(&self, command: &Command) -> Vec<Finding> {
        let say = |id, level, message: &str| Finding::new(id, level, &command.place, message).about(command);
        if self.policy.allow.is_empty() {
            return Vec::new();
        }
        let named = command.rules.iter().any(|rule| !rule.who.is_empty());
        if !named {
            let message = "nobody may run this command: no allow rule of it names anyone who exists; add a rule, or remove it";
            return vec![say(Id::GRANTED_TO_NOBODY, Level::Warning, message)];
        }
        if command.rules.iter().all(|rule| self.reaches_nobody(&rule.who)) {
            let message = "nobody may run this command: [allow] lets none of those connect whom its rules name; name them in \
                           [allow], too";
            return vec![say(Id::GRANTED_TO_NOBODY, Level::Warning, message)];
        }
        let each = command.rules.iter().enumerate();
        each.flat_map(|(at, rule)| self.rule(command, at, rule)).collect()
    }

    fn rule(&self, command: &Command, at: usize, rule: &Rule) -> Vec<Finding> {
        let mut found = Vec::new();
        if let Some(other) = shadow(command, at, rule) {
            let message = format!(
                "this rule permits nothing that the rule at {} does not permit; remove one of them",
                other.origin
            );
            found.push(Finding::new(Id::SHADOWED_RULE, Level::Warning, &rule.place, &message));
        }
        found.extend(self.strangers(&rule.who, Id::CANNOT_CONNECT));
        found.extend(rule.who.groups.iter().filter_map(|group| self.many(group)));
        found.into_iter().map(|finding| finding.about(command)).collect()
    }

    fn many(&self, group: &Member<Gid>) -> Option<Finding> {
        let number = self.population.members(group.id).count();
        let message = format!(
            "group {:?} has {number} members, who may all run this command; consider a group of its own",
            group.name
        );
        (number > MANY).then(|| Finding::new(Id::GRANTED_WIDELY, Level::Note, &group.place, &message))
    }

    /// Those whom a rule names in vain.
    fn strangers(&self, who: &Principals, id: Id) -> Vec<Finding> {
        let message = |word: &str, name: &str| {
            format!(
                "this has no effect: {word} {name:?} may not connect; name it in [allow], or remove it here (and see [deny])"
            )
        };
        let users = who.users.iter().filter(|user| self.user_is_out(user.id));
        let users =
            users.map(|user| Finding::new(id, Level::Warning, &user.place, &message("user", &user.name)));
        let groups = who.groups.iter().filter(|group| self.group_is_out(group.id));
        let groups = groups
            .map(|group| Finding::new(id, Level::Warning, &group.place, &message("group", &group.name)));
        users.chain(groups).collect()
    }

    fn reaches_nobody(&self, who: &Principals) -> bool {
        let users = who.users.iter().all(|user| self.user_is_out(user.id));
        users && who.groups.iter().all(|group| self.group_is_out(group.id))
    }

    /// Whether the user may not connect, as far as it can be known.
    fn user_is_out(&self, uid: Uid) -> bool {
        let Policy { allow, deny, .. } = self.policy;
        let by_group = || {
            self.population.user(uid).map_or(!allow.groups.is_empty(), |peer| self.policy.is_admitted(peer))
        };
        deny.names_user(uid) || !allow.names_user(uid) && !by_group()
    }

    /// Whether nobody of the group may connect, as far as it can be known. One without members may get some.
    fn group_is_out(&self, gid: Gid) -> bool {
        let Policy { allow, deny, .. } = self.policy;
        let mut members = self.population.members(gid).peekable();
        let unknown = members.peek().is_none() && !(allow.groups.is_empty() && allow.users.is_empty());
        let any = unknown || members.any(|peer| self.policy.is_admitted(peer));
        deny.names_group(gid) || !allow.names_group(gid) && !any
    }

    /// What can be said of `[allow]`, `[deny]` and the built-ins.
    fn gates(&self) -> Vec<Finding> {
        let Policy { allow, deny, builtins, commands } = self.policy;
        let mut found = Vec::new();
        let first = commands.values().min_by_key(|command| command.place.order());
        if let Some(first) = first.filter(|_| allow.is_empty()) {
            let message = "nobody may run anything: [allow] names nobody who exists, so nobody may connect; say who may";
            found.push(Finding::new(Id::NOBODY_CONNECTS, Level::Warning, &first.place, message));
        }
        if !allow.is_empty() {
            found.extend(builtins.iter().flat_map(|(_, who)| self.strangers(who, Id::BUILTIN_FOR_NOBODY)));
            found.extend(self.idle_denies(deny));
        }
        if first.is_some() {
            found.extend(self.idlers(allow));
        }
        found
    }

    /// Denies of whom no `[allow]` could let in.
    fn idle_denies(&self, deny: &Principals) -> Vec<Finding> {
        let allow = &self.policy.allow;
        if !allow.groups.is_empty() {
            return Vec::new();
        }
        let in_vain = |word: &str, member: &dyn std::fmt::Debug| {
            format!(
                "this deny has no effect: [allow] names users alone, and {word} {member:?} is none of them; remove it, or keep it \
                     for what [allow] may come to say"
            )
        };
        let users = deny.users.iter().filter(|user| !allow.names_user(user.id));
        let users = users.map(|user| {
            Finding::new(Id::IDLE_DENY, Level::Warning, &user.place, &in_vain("user", &user.name))
        });
        let of_whom = |group: &&Member<Gid>| {
            let mut allowed = allow.users.iter().map(|user| self.population.user(user.id));
            allowed.all(|peer| peer.is_some_and(|peer| !peer.groups.contains(&group.id)))
        };
        let groups = deny.groups.iter().filter(of_whom);
        let groups = groups.map(|group| {
            Finding::new(Id::IDLE_DENY, Level::Note, &group.place, &in_vain("nobody of group", &group.name))
        });
        users.chain(groups).collect()
    }

    /// Those who may connect and run nothing.
    fn idlers(&self, allow: &Principals) -> Vec<Finding> {
        let say = |word: &str, name: &str| {
            format!(
                "{word} {name:?} may connect, and no rule of a command or a built-in is for it; add one, or remove it here"
            )
        };
        let users = allow
            .users
            .iter()
            .filter(|user| !self.does_something(|who| who.names_user(user.id), |peer| peer.uid == user.id));
        let users = users.map(|user| (&user.place, say("user", &user.name)));
        let groups = allow.groups.iter().filter(|group| {
            !self.does_something(|who| who.names_group(group.id), |peer| peer.groups.contains(&group.id))
        });
        let groups = groups.map(|group| (&group.place, say("group", &group.name)));
        users
            .chain(groups)
            .map(|(place, message)| Finding::new(Id::MAY_DO_NOTHING, Level::Note, place, &message))
            .collect()
    }

    /// Whether a rule names them, or one of them may run something.
    fn does_something(&self, is_named: impl Fn(&Principals) -> bool, is_one: impl Fn(&Peer) -> bool) -> bool {
        let Policy { builtins, commands, .. } = self.policy;
        let rules = commands.values().flat_map(|command| command.rules.iter().map(|rule| &rule.who));
        let named = rules.chain(builtins.iter().map(|(_, who)| who)).any(is_named);
        let runs = |peer: &Peer| {
            let granted = builtins.iter().any(|(_, who)| who.matching(peer).is_some());
            granted || self.policy.visible_commands(peer).next().is_some()
        };
        named || self.population.admitted().iter().any(|peer| is_one(peer) && runs(peer))
    }
}

/// A rule of the command that permits all that this one permits; of two that permit the same, the later one is the one too many.
fn shadow<'c>(command: &'c Command, at: usize, rule: &Rule) -> Option<&'c Rule> {
    let covers = |other: &Rule, one: &Rule| other.who.includes(&one.who) && permits_all(command, other, one);
    let others = command.rules.iter().enumerate().filter(|(place, _)| *place != at);
    let mut shadows =
        others.filter(|(place, other)| covers(other, rule) && (*place < at || !covers(rule, other)));
    shadows.next().map(|(_, other)| other).filter(|_| !rule.who.is_empty())
}

/// Whether the one rule permits every value that the other permits.
fn permits_all(command: &Command, one: &Rule, other: &Rule) -> bool {
    // Without `..`: a condition that a rule learns later has to be compared here, too.
    let Rule { who: _, when: _, origin: _, place: _ } = one;
    command.arguments.iter().all(|spec| {
        let permitted = |value: &Value| one.permits(&spec.name, Some(value));
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
