//! One difference between two policies, as it is told: who, what, with which values. Computes none of it.

use super::super::kind::Repeat;
use super::crowd::{Principal, Who};
use crate::request::{Builtin, CommandName};
use std::fmt;

/// Values of a list that people are shown at most; of the others the number is told.
const SHOWN: usize = 16;

/// How the right to connect at all is called where a command is named. No command can have this name.
const CONNECT: &str = "(connect)";

/// What is gained or lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// To connect at all, and with it the built-ins that are everyone's.
    Connect,
    /// A built-in that needs a grant.
    Builtin(Builtin),
    /// A command of the policy.
    Command(CommandName),
}

/// What leaving an argument out stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut<Text> {
    /// It is optional.
    Nothing,
    /// It has this default.
    Default(Text),
}

/// The values of one argument: a list, or a type in words; and whether it may be left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Values {
    pub(super) listed: Option<Vec<String>>,
    pub(super) kind: String,
    pub(super) left_out: Option<LeftOut<String>>,
    pub(super) repeat: Option<Repeat>,
}

impl Values {
    /// Every value that may be given, where they can be listed.
    #[must_use]
    pub fn listed(&self) -> Option<&[String]> {
        self.listed.as_deref()
    }

    /// What leaving the argument out stands for, where that is part of the change.
    #[must_use]
    pub const fn left_out(&self) -> Option<&LeftOut<String>> {
        self.left_out.as_ref()
    }

    /// How many values at once, where it takes several: any combination of these.
    #[must_use]
    pub const fn repeat(&self) -> Option<Repeat> {
        self.repeat
    }

    /// The values that may be given, for people: the first of a list, or the type in words.
    #[must_use]
    pub fn given(&self) -> String {
        let Some(listed) = &self.listed else { return self.kind.clone() };
        let shown: Vec<String> = listed.iter().take(SHOWN).map(|value| word(value)).collect();
        let more = listed.len() - shown.len();
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        shown.join(",") + &rest
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.given();
        let blank = if given.is_empty() || self.left_out.is_none() { "" } else { " " };
        write!(f, "{given}")?;
        if let Some(Repeat { min, max }) = self.repeat.filter(|_| !given.is_empty()) {
            write!(f, " ({min} to {max} of these)")?;
        }
        f.write_str(blank)?;
        match &self.left_out {
            Some(LeftOut::Default(default)) => write!(f, "(left out: {default})"),
            Some(LeftOut::Nothing) => f.write_str("(left out)"),
            None => Ok(()),
        }
    }
}

/// Who may do what in one of two policies, and not in the other. `Display` gives it on one line:
/// `group webops  restart  unit=sshd.service`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    pub(super) what: What,
    pub(super) peer: Who,
    pub(super) values: Vec<(String, Values)>,
    pub(super) times: Option<String>,
    pub(super) note: Option<String>,
}

impl Change {
    /// Whom it is about: `user alice`, or `group webops, if also in group staff`.
    #[must_use]
    pub fn peer(&self) -> String {
        self.peer.to_string()
    }

    /// The same, in parts: a peer is of each of these lists at least one.
    pub fn principals(&self) -> impl Iterator<Item = &[Principal]> {
        self.peer.clauses()
    }

    /// The command or the built-in; `(connect)` is to connect at all.
    #[must_use]
    pub fn command(&self) -> &str {
        match &self.what {
            What::Connect => CONNECT,
            What::Builtin(builtin) => builtin.verb(),
            What::Command(name) => name.as_str(),
        }
    }

    /// Whether this is no command of the policy, but something that the server itself does.
    #[must_use]
    pub const fn is_builtin(&self) -> bool {
        matches!(self.what, What::Connect | What::Builtin(_))
    }

    /// The arguments with the values that are gained or lost, in the declared order.
    #[must_use]
    pub fn values(&self) -> &[(String, Values)] {
        &self.values
    }

    /// The same in words: `unit=sshd.service lines=an integer from 1 to 9`.
    #[must_use]
    pub fn spelt_values(&self) -> String {
        let values = self.values.iter().map(|(name, values)| format!("{name}={values}"));
        values.collect::<Vec<_>>().join(" ")
    }

    /// Whether it is about peers in another user namespace than ours.
    #[must_use]
    pub fn is_foreign(&self) -> bool {
        self.peer.is_foreign()
    }

    /// When it is gained or lost, if not at all times: `during Mon..Fri 08:00-18:00`, or `except during` such times.
    #[must_use]
    pub fn times(&self) -> Option<&str> {
        self.times.as_deref()
    }

    /// What else there is to it, in a few words: that the command runs something else, or may take longer.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let built_in = if matches!(self.what, What::Builtin(_)) { " (built-in)" } else { "" };
        let what = format!("{}{built_in}", self.command());
        let note = self.note().map(|note| format!("({note})"));
        let times = self.times.clone().unwrap_or_default();
        let parts = [self.peer(), what, self.spelt_values(), times].into_iter().chain(note);
        let line = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ");
        f.write_str(&line.chars().map(plain).collect::<String>())
    }
}

/// The value, quoted where it would not be seen to be one.
fn word(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:@+%=~".contains(c);
    if !value.is_empty() && value.chars().all(plain) { value.to_owned() } else { format!("{value:?}") }
}

/// The character, escaped where a terminal or a journal would not show it.
fn plain(character: char) -> String {
    if character.is_control() { character.escape_default().to_string() } else { character.to_string() }
}
