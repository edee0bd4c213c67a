//! A command of the policy as it stands after loading: checked, and not to be changed.

use super::condition::{Condition, Matched, hours};
use super::demand::Texts;
use super::kind::{ArgumentSpec, Kind, Pass};
use super::lint::Accepted;
use super::origin::{Origin, Place};
use super::template::Template;
use super::terms::Terms;
use crate::identity::{Gid, Peer, Uid};
use crate::request::{ArgumentName, CommandName, Value};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The user as whom a program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The name, as the policy gives it.
    pub name: String,
    /// Its id when the policy was loaded.
    pub uid: Uid,
    /// The primary group, where it is not the user's own.
    pub group: Option<NamedGroup>,
    /// The supplementary groups, where they are not the user's own.
    pub groups: Option<Vec<NamedGroup>>,
}

impl fmt::Display for RunAs {
    /// The user, and what groups it has instead of its own: `backup:adm+disk`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(group) = &self.group {
            write!(f, ":{}", group.name)?;
        }
        let groups = self.groups.as_deref();
        groups.unwrap_or_default().iter().try_for_each(|group| write!(f, "+{}", group.name))
    }
}

/// A group that a program runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedGroup {
    /// The name, or the number, as the policy gives it.
    pub name: String,
    /// Its id when the policy was loaded.
    pub gid: Gid,
    /// Whether the policy gives the number.
    pub is_number: bool,
}

impl RunAs {
    /// The superuser, who runs what says nothing else.
    #[must_use]
    pub fn root() -> Self {
        Self::user("root", Uid::ROOT)
    }

    /// A user with the groups that the user database gives it.
    #[must_use]
    pub fn user(name: &str, uid: Uid) -> Self {
        Self { name: name.to_owned(), uid, group: None, groups: None }
    }
}

/// An operation that the policy knows.
#[derive(Clone, Debug)]
pub struct Command {
    pub(super) name: CommandName,
    pub(super) summary: String,
    pub(super) program: PathBuf,
    pub(super) exec: Vec<Template>,
    pub(super) arguments: Vec<ArgumentSpec>,
    pub(super) run_as: RunAs,
    pub(super) terms: Arc<Terms>,
    pub(super) rules: Vec<Rule>,
    pub(super) place: Place,
    pub(super) program_place: Place,
    /// Where each element of `exec` stands.
    pub(super) element_places: Vec<Place>,
    pub(super) accepted: Vec<Accepted>,
}

impl Command {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &CommandName {
        &self.name
    }

    /// What it does, in one line; empty where the policy doesn't say.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Its arguments, in the order in which positional ones fill them.
    #[must_use]
    pub fn arguments(&self) -> &[ArgumentSpec] {
        &self.arguments
    }

    /// How it is written: `restart UNIT [LINES]`.
    #[must_use]
    pub fn usage(&self) -> String {
        let arguments = self.arguments.iter().map(|spec| {
            let several = if spec.repeat.is_some() { "..." } else { "" };
            let name = spec.name.as_str().to_uppercase() + several;
            if spec.is_required() { format!(" {name}") } else { format!(" [{name}]") }
        });
        std::iter::once(self.name.to_string()).chain(arguments).collect()
    }

    /// The file and line that define it.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.place.origin()
    }

    /// The absolute path of its program.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// As whom it runs.
    #[must_use]
    pub const fn run_as(&self) -> &RunAs {
        &self.run_as
    }

    /// On what terms it runs.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// When its rules for the peer hold, if only at some times.
    #[must_use]
    pub fn hours(&self, peer: &Peer) -> Option<String> {
        hours(self.rules_for(peer).map(|(rule, _)| &rule.condition))
    }

    /// The rules that are for the peer, in order, whatever times they name.
    pub(super) fn rules_for<'a>(&'a self, peer: &Peer) -> impl Iterator<Item = (&'a Rule, Matched<'a>)> {
        self.rules.iter().filter_map(|rule| Some((rule, rule.condition.matching(peer)?)))
    }

    /// The argument vector: the program's path, then the filled elements, without those that no value fills.
    pub(super) fn argv(&self, texts: &[Texts]) -> Vec<Vec<u8>> {
        self.exec.iter().flat_map(|element| element.fill(texts)).collect()
    }

    /// The variables that the policy sets, then those that have the texts of arguments, each one's first: there are no more.
    pub(super) fn variables(&self, texts: &[Texts]) -> Vec<(String, Vec<u8>)> {
        let environment = &self.terms.manner.environment;
        let set = environment.set.iter().map(|(name, value)| (name.clone(), value.as_bytes().to_vec()));
        let given = environment.from_arg.iter().filter_map(|(name, argument)| {
            let (_, values) = texts.iter().find(|(bound, _)| bound == argument)?;
            Some((name.clone(), values.first()?.clone()))
        });
        set.chain(given).collect()
    }

    /// Whether what its program reads from its standard input is of a client's choice: as an input, or as a secret.
    pub(super) fn hears_client(&self) -> bool {
        let is_input = |spec: &ArgumentSpec| matches!(spec.kind, Kind::Secret(_, Pass::Input));
        self.terms.input.limit().is_some() || self.arguments.iter().any(is_input)
    }
}

/// Who may run a command, and with which values.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) condition: Condition,
    pub(super) when: Vec<(ArgumentName, Vec<Value>)>,
    pub(super) origin: Origin,
    pub(super) place: Place,
}

impl Rule {
    /// The values to which the rule narrows the argument, if it does.
    pub(super) fn narrowed(&self, argument: &ArgumentName) -> Option<&[Value]> {
        self.when.iter().find(|(name, _)| name == argument).map(|(_, values)| &**values)
    }

    /// Whether the rule permits this value of the argument. Where it narrows the argument, one must be given.
    pub(super) fn permits(&self, argument: &ArgumentSpec, value: Option<&Value>) -> bool {
        let given = value.and_then(Value::as_text);
        let is_it = |text: &str| given.is_some_and(|given| argument.kind.is_same(text, given));
        let among = |values: &[Value]| values.iter().filter_map(Value::as_text).any(is_it);
        self.narrowed(&argument.name).is_none_or(among)
    }
}
