//! The types of arguments: which values there are. Refuses what is not declared, and changes no value.

mod grammar;
mod path;

use super::origin::Place;
use super::principal::Member;
use crate::identity::Gid;
use crate::request::{ArgumentName, Value};
use regex::Regex;
use std::fmt;
use std::time::Duration;

pub(super) use grammar::{UNIT_TYPES, duration};
pub use path::Target;
pub(super) use path::{Paths, is_canonical};

/// Octets in a value at most, of whatever type.
pub const VALUE_MAX: usize = 4096;

/// Alternatives named to people at most; of the others the number is told.
const ALTERNATIVES_SHOWN: usize = 16;

/// An end of a range of durations, with its text as written.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) length: Duration,
    pub(super) written: String,
}

/// The users that an argument takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Users {
    /// No id below this one.
    pub(super) min_uid: u32,
    /// In one of these groups, where there is a list.
    pub(super) groups: Option<Vec<Member<Gid>>>,
}

/// How a secret comes to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// As a file in memory.
    Memory,
    /// As its standard input.
    Input,
}

/// What an argument's values are.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// One of these.
    OneOf(Vec<String>),
    /// Text that matches from its first to its last character; with the pattern as written.
    Pattern(Regex, String),
    /// A decimal integer from the first to the last.
    Integer(i64, i64),
    /// Text of that many characters at most; all of one class, if there is one, with the class as written.
    Text(usize, Option<(Regex, String)>),
    /// `true` or `false`.
    Boolean,
    /// A duration from the first to the last, where they are given.
    Duration(Option<Bound>, Option<Bound>),
    /// A name of a host, which need not exist.
    Hostname,
    /// A name of a unit of one of these types, which need not exist.
    Unit(Vec<&'static str>),
    /// A path below a root; what is there, the run proves.
    Path(Paths),
    /// A name of a user, who must exist when it runs.
    User(Users),
    /// A name of a group, which must exist when it runs.
    Group,
    /// Text of one to that many characters, which nobody else may come to know.
    Secret(usize, Pass),
}

impl Kind {
    /// Whether the text is a value of this type. Integers have one spelling each.
    pub(super) fn has(&self, text: &str) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|value| value == text),
            Self::Pattern(regex, _) => regex.is_match(text),
            Self::Integer(first, last) => text
                .parse()
                .is_ok_and(|value: i64| (first..=last).contains(&&value) && value.to_string() == text),
            Self::Text(longest, class) => {
                text.chars().count() <= *longest
                    && class.as_ref().is_none_or(|(class, _)| class.is_match(text))
            }
            Self::Boolean => matches!(text, "true" | "false"),
            Self::Duration(first, last) => {
                let from = |length| first.as_ref().is_none_or(|first| first.length <= length);
                let to = |length| last.as_ref().is_none_or(|last| length <= last.length);
                duration(text).is_some_and(|length| from(length) && to(length))
            }
            Self::Hostname => grammar::is_hostname(text),
            Self::Unit(types) => grammar::is_unit(text, types),
            Self::Path(paths) => paths.split(text).is_some(),
            Self::User(_) | Self::Group => grammar::is_account_name(text),
            Self::Secret(longest, _) => is_one_line(text, *longest),
        }
    }

    /// Whether two of its values mean the same.
    pub(super) fn is_same(&self, one: &str, other: &str) -> bool {
        let spans = matches!(self, Self::Duration(..)).then(|| (duration(one), duration(other)));
        spans.map_or(one == other, |(one, other)| one.is_some() && one == other)
    }

    /// Whether nobody but the program may come to know its values.
    pub(super) const fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(..))
    }

    /// Whether a dash in front is already accounted for by the type itself.
    pub(super) const fn settles_dashes(&self) -> bool {
        match self {
            Self::Pattern(..) | Self::Text(..) | Self::Unit(_) => false,
            Self::OneOf(_)
            | Self::Integer(..)
            | Self::Boolean
            | Self::Duration(..)
            | Self::Hostname
            | Self::Path(_)
            | Self::User(_)
            | Self::Group
            | Self::Secret(..) => true,
        }
    }
}

fn is_one_line(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count()) && !text.contains(char::is_control)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(values) => f.write_str(&one_of(values.iter().map(String::as_str))),
            Self::Pattern(_, written) => write!(f, "text that matches {written}"),
            Self::Integer(first, last) => f.write_str(&integers(*first, *last)),
            Self::Text(longest, class) => {
                let class =
                    class.as_ref().map_or_else(String::new, |(_, written)| format!(", each of {written}"));
                let plural = if *longest == 1 { "" } else { "s" };
                write!(f, "text of at most {longest} character{plural}{class}")
            }
            Self::Boolean => f.write_str("true or false"),
            Self::Duration(first, last) => f.write_str(&durations(first.as_ref(), last.as_ref())),
            Self::Hostname => f.write_str("a host name"),
            Self::Unit(types) => f.write_str(&units(types)),
            Self::Path(paths) => paths.fmt(f),
            Self::User(users) => f.write_str(&users.words()),
            Self::Group => f.write_str("the name of an existing group"),
            Self::Secret(longest, _) => {
                write!(f, "a secret of 1 to {longest} characters, no control among them")
            }
        }
    }
}

impl Users {
    fn words(&self) -> String {
        let least = (self.min_uid > 0).then(|| format!(" with a uid of at least {}", self.min_uid));
        let within = self.groups.as_ref().map(|groups| {
            let names: Vec<&str> = groups.iter().map(|group| &*group.name).collect();
            format!(" in group {}", either(&names))
        });
        ["the name of an existing user", &least.unwrap_or_default(), &within.unwrap_or_default()].concat()
    }
}

fn integers(first: i64, last: i64) -> String {
    match (first, last) {
        (i64::MIN, i64::MAX) => "an integer".to_owned(),
        (i64::MIN, last) => format!("an integer of at most {last}"),
        (first, i64::MAX) => format!("an integer of at least {first}"),
        (first, last) => format!("an integer from {first} to {last}"),
    }
}

fn durations(first: Option<&Bound>, last: Option<&Bound>) -> String {
    match (first.map(|first| &first.written), last.map(|last| &last.written)) {
        (None, None) => "a duration".to_owned(),
        (None, Some(last)) => format!("a duration of at most {last}"),
        (Some(first), None) => format!("a duration of at least {first}"),
        (Some(first), Some(last)) => format!("a duration from {first} to {last}"),
    }
}

fn units(types: &[&str]) -> String {
    let all = types.len() == UNIT_TYPES.len();
    if all { "a unit name".to_owned() } else { format!("a unit name of type {}", either(types)) }
}

/// `A, B or C`, of a list that is short.
pub(super) fn either(words: &[&str]) -> String {
    match words {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        words => words.concat(),
    }
}

/// `one of A, B, C`, cut where the list is long.
pub(super) fn one_of<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<&str> = values.collect();
    let shown: Vec<&str> = values.iter().copied().take(ALTERNATIVES_SHOWN).collect();
    let more = values.len() - shown.len();
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("one of {}{rest}", shown.join(", "))
}

/// An argument that a command declares.
#[derive(Clone, Debug)]
pub struct ArgumentSpec {
    pub(super) name: ArgumentName,
    pub(super) kind: Kind,
    pub(super) dash: bool,
    pub(super) default: Option<Value>,
    pub(super) optional: bool,
    pub(super) repeat: Option<Repeat>,
    pub(super) place: Place,
}

/// How many values an argument takes that takes several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repeat {
    /// The fewest; never 0.
    pub min: usize,
    /// The most.
    pub max: usize,
}

impl ArgumentSpec {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &ArgumentName {
        &self.name
    }

    /// What it may be, for people: `one of nginx.service, php-fpm.service`.
    #[must_use]
    pub fn kind(&self) -> String {
        self.kind.to_string()
    }

    /// The value that stands where the peer gives none.
    #[must_use]
    pub const fn default(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// How many values it takes, where it takes several.
    #[must_use]
    pub const fn repeat(&self) -> Option<Repeat> {
        self.repeat
    }

    /// Whether its values are nobody's to know but the program's.
    #[must_use]
    pub const fn is_secret(&self) -> bool {
        self.kind.is_secret()
    }

    /// Whether the peer has to give it: there is no default, and nothing of the command can do without.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.default.is_none() && !self.optional
    }

    /// Whether its values name a file or an account, which a run must find there.
    pub(super) const fn names_something_outside(&self) -> bool {
        matches!(self.kind, Kind::Path(_) | Kind::User(_) | Kind::Group)
    }

    /// The directories that its paths may be in.
    pub(super) fn roots(&self) -> impl Iterator<Item = &str> {
        let roots = if let Kind::Path(paths) = &self.kind { paths.roots.as_slice() } else { &[] };
        roots.iter().map(String::as_str)
    }

    /// Whether the value may be passed on; otherwise what is allowed, for people.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        let Some(text) = value.as_text() else { return Err("must be UTF-8 text".to_owned()) };
        if text.len() > VALUE_MAX {
            return Err(format!("must have at most {VALUE_MAX} octets"));
        }
        if text.starts_with('-') && !self.dash && !self.kind.settles_dashes() {
            return Err("must not begin with '-'".to_owned());
        }
        if self.kind.has(text) { Ok(()) } else { Err(format!("must be {}", self.kind)) }
    }
}

#[cfg(test)]
mod tests;
