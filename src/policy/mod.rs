//! The policy: from TOML text to verdicts. Pure: no clock, no files, no sockets, no names but those handed in.
//!
//! Everything is denied that no rule permits, and a deny always wins. The text is refused whole for one error in it.

mod argument;
mod bind;
mod builtin;
mod case;
mod command;
mod condition;
mod decision;
mod definition;
mod demand;
mod diagnostic;
mod diff;
mod evaluate;
mod key;
mod kind;
pub mod language;
pub mod lint;
mod load;
mod lookup;
mod nearest;
mod origin;
mod placeholder;
mod principal;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;
mod rate;
mod reader;
mod role;
mod rule;
mod shown;
mod size;
mod step;
mod syntax;
mod template;
mod terms;
#[cfg(test)]
mod tests;
mod time;
mod visible;
mod who_can;

pub use argument::TAKEN_NAMES;
pub use builtin::why_builtin;
pub use case::Case;
pub use command::{Command, NamedGroup, RunAs};
pub use decision::{Admission, Decision, Denial, Grant, Reason, Refusal};

pub use demand::{Demand, Need, PathNeed, Secret, UserNeed};
pub use diagnostic::{Diagnostic, Severity};
pub use diff::{Change, Diff, LeftOut, Principal, Values, diff};
pub use evaluate::{decide, demands, why};
pub use kind::{ArgumentSpec, Repeat, Target, VALUE_MAX};
pub use origin::{Origin, Source};
pub use principal::{LookupFailed, Names};
pub use rate::{MaxRunning, Rate};
pub use shown::Shown;
pub use size::Size;
pub use step::{Explanation, Step};
pub use terms::manner::{
    Bounds, CapabilitySet, EXCEPT_MAX, Environment, IoPriority, Manner, Resource, Walls,
};
pub use terms::{
    Ceilings, Delivery, Enforcement, INPUT_MAX, Input, Keep, OnDisconnect, Percent, Property, Runner,
    Setting, TIMEOUT_MAX, Terms,
};
pub use time::moment;
pub use visible::Visible;
pub use who_can::{Able, who_can, who_can_use};

use crate::identity::Peer;
use crate::request::{ArgumentName, Builtin, CommandName};
use condition::{Condition, Matched, Principals};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;
use visible::Index;

/// Who may do what. The default permits nothing.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    allow: Vec<Condition>,
    deny: Principals,
    builtins: Vec<(Builtin, Condition)>,
    commands: BTreeMap<CommandName, Command>,
    needs_database_groups: bool,
    /// Whether some command takes a secret.
    has_secrets: bool,
    /// The names of all arguments of all commands.
    argument_names: BTreeSet<ArgumentName>,
    index: Index,
}

/// A policy without errors.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// What its author should look at once more, in the order of the text.
    pub warnings: Vec<Diagnostic>,
    /// What its author expects of it.
    pub tests: Vec<Case>,
}

impl Policy {
    /// Makes one policy of its files. Their order changes no verdict.
    ///
    /// # Errors
    /// Everything that is wrong with it, warnings included, in the order of the text. Where a file isn't
    /// TOML, only the first error of each such file.
    pub fn parse(sources: &[Source], names: &dyn Names) -> Result<Loaded, Vec<Diagnostic>> {
        load::load(sources, names)
    }

    /// Whether a deny names a group, or another rule goes by groups of the user database: a peer's must then be asked for.
    #[must_use]
    pub const fn needs_database_groups(&self) -> bool {
        self.needs_database_groups
    }

    /// The groups, by name, of which the user database must be able to tell for what it says of a peer to count; `None` where it
    /// needn't be asked of any peer.
    #[must_use]
    pub fn asks_database(&self) -> Option<Vec<String>> {
        self.needs_database_groups.then(|| self.denied_groups())
    }

    /// The names of the groups that a deny names, those by number aside.
    fn denied_groups(&self) -> Vec<String> {
        let groups = self.deny.lists().flat_map(|(list, _)| list.groups.iter());
        let names: BTreeSet<&str> = groups.map(|group| &*group.name).collect();
        names.into_iter().filter(|name| name.parse::<u32>().is_err()).map(str::to_owned).collect()
    }

    /// Notes what all of its rules together come to, once they are all there.
    fn settle(&mut self) {
        let of_commands =
            self.commands.values().flat_map(|command| &command.rules).map(|rule| &rule.condition);
        let of_builtins = self.builtins.iter().map(|(_, condition)| condition);
        let mut all = self.allow.iter().chain(of_builtins).chain(of_commands);
        let some_rule_needs_them = all.any(Condition::needs_database_groups);
        self.needs_database_groups = some_rule_needs_them || self.deny.first_group().is_some();
        self.index = Index::of(&self.commands);
    }

    /// Whether the peer may connect at all.
    pub fn admits(&self, peer: &Peer) -> Admission {
        evaluate::admission(self, peer)
    }

    /// Whether the peer may connect and use the built-in at this moment. Those that need no grant are everyone's.
    #[must_use]
    pub fn grants_builtin(&self, peer: &Peer, builtin: Builtin, now: SystemTime) -> bool {
        self.judge_builtin(peer, builtin, now).is_ok()
    }

    /// The same, with the reason and the rule of a refusal.
    ///
    /// # Errors
    /// The refusal.
    pub fn judge_builtin(&self, peer: &Peer, builtin: Builtin, now: SystemTime) -> Result<(), Denial> {
        evaluate::builtin(self, peer, builtin, now)
    }

    /// Whether the policy grants the peer this built-in for the runs of others, at this moment.
    #[must_use]
    pub fn reaches_others(&self, peer: &Peer, builtin: Builtin, now: SystemTime) -> bool {
        let granted = self.grants(peer, builtin).any(|(condition, _)| condition.during.holds(now));
        granted && self.is_admitted(peer)
    }

    /// When the peer may use a granted built-in, if only at some times.
    #[must_use]
    pub fn builtin_hours(&self, peer: &Peer, builtin: Builtin) -> Option<String> {
        let conditions = self.grants(peer, builtin).map(|(condition, _)| condition);
        condition::hours(conditions).filter(|_| self.is_admitted(peer))
    }

    /// The rules of a granted built-in that are for the peer, whatever times they name.
    fn grants(&self, peer: &Peer, builtin: Builtin) -> impl Iterator<Item = (&Condition, Matched<'_>)> {
        let of_it = self.builtins.iter().filter(move |(named, _)| *named == builtin);
        of_it.filter_map(|(_, condition)| Some((condition, condition.matching(peer)?)))
    }

    /// The commands of which some allow rule names the peer, by name, whatever the time. None for a peer that may not connect.
    pub fn visible_commands<'a>(&'a self, peer: &Peer) -> impl Iterator<Item = &'a Command> {
        let mut visible = self.visible(peer);
        std::iter::from_fn(move || self.next_visible(peer, &mut visible))
    }

    /// The same, for who wants them now and then: to be had from [`next_visible`](Self::next_visible).
    #[must_use]
    pub fn visible(&self, peer: &Peer) -> Visible {
        if self.is_admitted(peer) { self.index.named(peer) } else { Visible::default() }
    }

    /// The next command that is visible to the same peer.
    pub fn next_visible<'a>(&'a self, peer: &Peer, visible: &mut Visible) -> Option<&'a Command> {
        let is_seen = |command: &&Command| command.rules_for(peer).next().is_some();
        std::iter::from_fn(|| self.index.next(visible))
            .filter_map(|name| self.commands.get(name))
            .find(is_seen)
    }

    /// The command, if it is visible to the peer.
    #[must_use]
    pub fn command<'a>(&'a self, peer: &Peer, name: &CommandName) -> Option<&'a Command> {
        let command = self.commands.get(name).filter(|command| command.rules_for(peer).next().is_some());
        command.filter(|_| self.is_admitted(peer))
    }

    /// Whether a rule of the command for the peer goes by the time.
    #[must_use]
    pub fn goes_by_time(&self, peer: &Peer, name: &CommandName) -> bool {
        let is_timed = |(rule, _): (&command::Rule, _)| !rule.condition.during.is_always();
        self.command(peer, name).is_some_and(|command| command.rules_for(peer).any(is_timed))
    }

    /// The first rule of the command that is for the peer, who may run it with some values at least: at this moment, or
    /// where none is given, at some.
    #[must_use]
    pub fn first_rule(&self, peer: &Peer, name: &CommandName, at: Option<SystemTime>) -> Option<&Origin> {
        let is_timely = |rule: &&command::Rule| at.is_none_or(|at| rule.condition.during.holds(at));
        let mut rules = self.command(peer, name)?.rules_for(peer).map(|(rule, _)| rule);
        rules.find(is_timely).map(|rule| &rule.origin)
    }

    /// That neither a command nor a built-in has this name, and which one may be meant; `None` where one has it.
    #[must_use]
    pub fn no_such_command(&self, name: &CommandName) -> Option<String> {
        if self.commands.contains_key(name) || Builtin::from_verb(name.as_str()).is_some() {
            return None;
        }
        let close = nearest::did_you_mean(name.as_str(), self.commands.keys().map(CommandName::as_str));
        Some(format!("there is no command {name}{close}"))
    }

    /// Every command, by name.
    #[must_use]
    pub fn commands(&self) -> impl ExactSizeIterator<Item = &Command> {
        self.commands.values()
    }

    /// What `fault` finds wrong with the programs of the commands, at the places that name them. Each is looked at once.
    #[must_use]
    pub fn program_faults(&self, fault: impl Fn(&Path) -> Option<(Severity, String)>) -> Vec<Diagnostic> {
        let mut known = BTreeMap::new();
        let mut found = Vec::new();
        for command in self.commands.values() {
            let fault = known.entry(&command.program).or_insert_with(|| fault(&command.program));
            let at = || command.program_place.clone();
            found.extend(fault.as_ref().map(|(severity, message)| Diagnostic::new(*severity, at(), message)));
        }
        found.sort_by_key(Diagnostic::order);
        found
    }

    /// What `fault` finds wrong with the directories under which arguments take paths, as warnings at those arguments.
    #[must_use]
    pub fn root_faults(&self, fault: impl Fn(&Path) -> Option<String>) -> Vec<Diagnostic> {
        let specs = self.commands.values().flat_map(|command| &command.arguments);
        let roots = specs.flat_map(|spec| spec.roots().map(move |root| (spec, root)));
        let found = roots.filter_map(|(spec, root)| {
            Some(Diagnostic::new(Severity::Warning, spec.place.clone(), &fault(Path::new(root))?))
        });
        let mut faults: Vec<Diagnostic> = found.collect();
        faults.sort_by_key(Diagnostic::order);
        faults
    }

    /// Whether any command of it is run by systemd.
    #[must_use]
    pub fn runs_units(&self) -> bool {
        self.commands.values().any(|command| matches!(command.terms.runner, Runner::Unit(_)))
    }

    /// What `fault` finds wrong with the ceilings of commands, as warnings at these.
    #[must_use]
    pub fn ceiling_faults(&self, fault: impl Fn(&Terms) -> Option<String>) -> Vec<Diagnostic> {
        let found = self.commands.values().filter_map(|command| {
            let message = fault(&command.terms)?;
            Some(Diagnostic::new(Severity::Warning, command.place.clone(), &message))
        });
        let mut faults: Vec<Diagnostic> = found.collect();
        faults.sort_by_key(Diagnostic::order);
        faults
    }

    /// Whether `[allow]` names the peer by what is known of it. Where the user database wasn't asked yet and
    /// [`admits_by_database`](Self::admits_by_database) isn't so, anyone else will be refused.
    #[must_use]
    pub fn may_admit(&self, peer: &Peer) -> bool {
        self.allow.iter().any(|table| table.naming(peer).is_some())
    }

    /// Whether a group of the user database can let a peer in whom the kernel's word would not.
    #[must_use]
    pub fn admits_by_database(&self) -> bool {
        self.allow.iter().any(Condition::needs_database_groups)
    }

    fn is_admitted(&self, peer: &Peer) -> bool {
        matches!(self.admits(peer), Admission::Admitted { .. })
    }
}
