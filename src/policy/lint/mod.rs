//! What could go wrong with a policy that is in order: how far a command reaches, and what has no effect. Refuses no policy.

mod accept;
mod argv;
mod exec;
mod id;
mod input;
mod language;
mod manner;
mod obeyed;
mod patterns;
mod population;
mod programs;
mod reach;
mod rules;
#[cfg(test)]
mod tests;
mod words;

pub use accept::Accepted;
pub use id::Id;

use super::diagnostic::{Diagnostic, one_line, picture};
use super::origin::Place;
use super::{Command, Loaded};
use crate::identity::Peer;
use crate::request::CommandName;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::SystemTime;

/// How much a finding matters; the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Whoever may run the command can become the user that it runs as.
    Danger,
    /// More is permitted than it seems, or something has no effect.
    Warning,
    /// Worth a look.
    Note,
}

impl Level {
    /// Every level, the worst first.
    pub const ALL: [Self; 3] = [Self::Danger, Self::Warning, Self::Note];

    /// One less.
    const fn lowered(self) -> Self {
        match self {
            Self::Danger => Self::Warning,
            Self::Warning | Self::Note => Self::Note,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Danger => "danger",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

impl FromStr for Level {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|level| level.to_string() == text);
        named.ok_or("a level is danger, warning or note")
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Finding {
    id: Id,
    level: Level,
    command: Option<CommandName>,
    message: String,
    place: Place,
    accepted: Option<String>,
}

impl Finding {
    fn new(id: Id, level: Level, place: &Place, message: &str) -> Self {
        let (place, message) = (place.clone(), one_line(message));
        Self { id, level, command: None, message, place, accepted: None }
    }

    fn about(self, command: &Command) -> Self {
        Self { command: Some(command.name.clone()), ..self }
    }

    /// What kind of finding it is.
    #[must_use]
    pub const fn id(&self) -> Id {
        self.id
    }

    /// How much it matters.
    #[must_use]
    pub const fn level(&self) -> Level {
        self.level
    }

    /// The command that it is about, unless it is about the whole policy.
    #[must_use]
    pub const fn command(&self) -> Option<&CommandName> {
        self.command.as_ref()
    }

    /// What could happen and what to do instead, on one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `FILE:LINE:COLUMN`, both from 1.
    #[must_use]
    pub fn at(&self) -> String {
        format!("{}:{}:{}", self.place.file(), self.place.line(), self.place.column())
    }

    /// The line of the policy with the place underlined; `None` where there is no line to show.
    #[must_use]
    pub fn picture(&self) -> Option<String> {
        (!self.place.line_text().0.is_empty()).then(|| picture(&self.place))
    }

    /// The reason for which the policy accepts it, if it does.
    #[must_use]
    pub fn accepted(&self) -> Option<&str> {
        self.accepted.as_deref()
    }
}

/// What is wrong with a file: the kind of finding, how much it matters to a command of root's, and the message.
pub type Fault = (Id, Level, String);

/// What lint has to know of the machine.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Every user whom the user database lists, as after a login. Where it is empty, nothing is said that needs it.
    pub population: &'a [Peer],
    /// The time by which rules are in the past.
    pub now: SystemTime,
    /// What is wrong with a program or a script, so that others can choose what it does.
    pub program: &'a dyn Fn(&Path) -> Vec<Fault>,
    /// Why others than root may write at this path, or below it, if they may.
    pub others: &'a dyn Fn(&Path) -> Option<String>,
    /// Files beside the policy's files that are not read.
    pub unread: &'a [String],
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").field("population", &self.population.len()).finish_non_exhaustive()
    }
}

/// Every finding, accepted ones among them: the worst first, and within a level as a reader of the files meets them.
#[must_use]
pub fn lint(loaded: &Loaded, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = around.unread.iter().map(|name| not_read(name)).collect();
    for command in loaded.policy.commands() {
        found.extend(exec::findings(command, around));
        found.extend(manner::findings(command, around));
        found.extend(command.arguments.iter().flat_map(|spec| patterns::findings(command, spec)));
    }
    found.extend(rules::findings(&loaded.policy, around.population, around.now));
    found.extend(untested(loaded));
    found.extend(
        loaded
            .warnings
            .iter()
            .filter(|&warning| !is_told(warning, &found))
            .map(|warning| warned(loaded, warning))
            .collect::<Vec<_>>(),
    );
    accept::apply(&loaded.policy, &mut found);
    found.sort_by_key(|finding| (finding.level, finding.place.order(), finding.id));
    found
}

fn not_read(name: &str) -> Finding {
    let message = "this file is not read: a policy is policy.toml with the *.toml of policy.d, or the *.toml of a directory, but \
                   for names that begin with a dot; rename it, or move it, so that nobody takes it for a part of the policy";
    Finding::new(Id::FILE_NOT_READ, Level::Note, &Place::of_file(name), message)
}

fn untested(loaded: &Loaded) -> Option<Finding> {
    let first = loaded.policy.commands().min_by_key(|command| command.place.order())?;
    let message = "the policy has no [[test]]; say what must be permitted and what must be denied, so that no later change \
                   undoes it unseen";
    loaded.tests.is_empty().then(|| Finding::new(Id::NO_TESTS, Level::Note, &first.place, message))
}

/// Whether a finding says at the same place, in other words, what the reader warns of.
fn is_told(warning: &Diagnostic, found: &[Finding]) -> bool {
    let twins = [Id::GRANTED_TO_NOBODY, Id::OPTION_VALUE];
    found.iter().any(|one| twins.contains(&one.id) && one.place.order() == warning.place().order())
}

fn warned(loaded: &Loaded, warning: &Diagnostic) -> Finding {
    let finding = Finding::new(Id::READER_WARNING, Level::Warning, warning.place(), warning.message());
    let within = |place: &Place| place.holds(warning.place());
    let is_about = |command: &&Command| {
        let arguments = command.arguments.iter().any(|spec| within(&spec.place));
        arguments || command.element_places.iter().any(within) || within(&command.place)
    };
    match loaded.policy.commands().find(is_about) {
        Some(command) => finding.about(command),
        None => finding,
    }
}
