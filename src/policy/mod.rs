//! The policy: from TOML text to verdicts. Pure: no clock, no files, no sockets, no names but those handed in.
//!
//! Everything is denied that no rule permits, and a deny always wins. The text is refused whole for one error in it.

mod argument;
mod bind;
mod case;
mod command;
mod decision;
mod definition;
mod diagnostic;
mod diff;
mod evaluate;
mod kind;
pub mod language;
mod load;
mod nearest;
mod origin;
mod principal;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;
mod reader;
mod rule;
mod step;
mod template;
#[cfg(test)]
mod tests;

pub use case::Case;
pub use command::{Command, RunAs};
pub use decision::{Admission, Decision, Denial, Grant, Reason, Refusal};
pub use diagnostic::{Diagnostic, Severity};
pub use diff::{Change, Diff, LeftOut, Principal, Values, diff};
pub use evaluate::{decide, why};
pub use kind::ArgumentSpec;
pub use origin::{Origin, Source};
pub use principal::{LookupFailed, Names};
pub use step::{Explanation, Step};

use crate::identity::Peer;
use crate::request::{Builtin, CommandName};
use principal::Principals;
use std::collections::BTreeMap;
use std::path::Path;

/// Who may do what. The default permits nothing.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    allow: Principals,
    deny: Principals,
    builtins: Vec<(Builtin, Principals)>,
    commands: BTreeMap<CommandName, Command>,
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

    /// Whether a deny names a group: the peer's groups of the user database must then be known, or it is
    /// refused.
    #[must_use]
    pub fn needs_database_groups(&self) -> bool {
        self.deny.first_group().is_some()
    }

    /// Whether the peer may connect at all.
    pub fn admits(&self, peer: &Peer) -> Admission {
        evaluate::admission(self, peer)
    }

    /// Whether the peer may connect and use the built-in. Those that need no grant are everyone's.
    #[must_use]
    pub fn grants_builtin(&self, peer: &Peer, builtin: Builtin) -> bool {
        let granted =
            || self.builtins.iter().any(|(named, who)| *named == builtin && who.matching(peer).is_some());
        self.is_admitted(peer) && (!builtin.needs_grant() || granted())
    }

    /// The commands of which some allow rule names the peer, by name. None for a peer that may not connect.
    pub fn visible_commands<'a>(&'a self, peer: &Peer) -> impl Iterator<Item = &'a Command> {
        let admitted = self.is_admitted(peer);
        self.commands.values().filter(move |command| admitted && command.rules_for(peer).next().is_some())
    }

    /// The command, if it is visible to the peer.
    #[must_use]
    pub fn command<'a>(&'a self, peer: &Peer, name: &CommandName) -> Option<&'a Command> {
        let command = self.commands.get(name).filter(|command| command.rules_for(peer).next().is_some());
        command.filter(|_| self.is_admitted(peer))
    }

    /// The first rule of the command that is for the peer, who may run it with some values at least.
    #[must_use]
    pub fn first_rule<'a>(&'a self, peer: &Peer, name: &CommandName) -> Option<&'a Origin> {
        self.command(peer, name)?.rules_for(peer).next().map(|(rule, _)| &rule.origin)
    }

    /// Every command, by name.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.commands.values()
    }

    /// What `fault` finds wrong with the programs of the commands, at the places that name them.
    #[must_use]
    pub fn program_faults(&self, fault: impl Fn(&Path) -> Option<(Severity, String)>) -> Vec<Diagnostic> {
        let found = |command: &Command| {
            let (severity, message) = fault(&command.program)?;
            Some(Diagnostic::new(severity, command.program_place.clone(), &message))
        };
        let mut faults: Vec<Diagnostic> = self.commands.values().filter_map(found).collect();
        faults.sort_by_key(Diagnostic::order);
        faults
    }

    /// Whether `[allow]` names the peer by what the kernel says of it, which is quickly asked: anyone else will be refused.
    #[must_use]
    pub fn may_admit(&self, peer: &Peer) -> bool {
        self.allow.matching(peer).is_some()
    }

    fn is_admitted(&self, peer: &Peer) -> bool {
        matches!(self.admits(peer), Admission::Admitted { .. })
    }
}
