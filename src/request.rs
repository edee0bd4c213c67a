//! What may be asked: names, values, requests. Knows neither how they are spelt on a wire nor who may ask.

mod job;
mod wish;

pub use job::{JobId, Misspelt, Token, Wanted};
pub use wish::{TRIAL, Wish};

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use zeroize::Zeroize;

/// Octets in a name at most (`name` of udsadmin-protocol(7)).
pub const NAME_MAX: usize = 32;

/// Text that is not a name: a letter, then at most 31 letters, digits, `-`, `_` or `.`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAName;

impl fmt::Display for NotAName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name is a letter, then at most 31 letters, digits, '-', '_' or '.'")
    }
}

impl std::error::Error for NotAName {}

/// A value that holds a NUL octet: it could not be one element of an argument vector (execve(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldsNul;

impl fmt::Display for HoldsNul {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value can't hold a NUL octet")
    }
}

impl std::error::Error for HoldsNul {}

fn checked_name(mut text: String) -> Result<String, NotAName> {
    let mut octets = text.bytes();
    let starts_well = octets.next().is_some_and(|first| first.is_ascii_alphabetic());
    let goes_on_well =
        octets.all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'));
    if starts_well && goes_on_well && text.len() <= NAME_MAX {
        return Ok(text);
    }
    text.zeroize();
    Err(NotAName)
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl Drop for $name {
            /// A secret in the wrong place of a request may read as a name.
            fn drop(&mut self) {
                self.0.zeroize();
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl $name {
            /// The text of the name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotAName;

            fn try_from(text: String) -> Result<Self, NotAName> {
                checked_name(text).map(Self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NotAName;

            fn from_str(text: &str) -> Result<Self, NotAName> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(mut name: $name) -> Self {
                std::mem::take(&mut name.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type! {
    /// The name of a command of the policy.
    CommandName
}
name_type! {
    /// The name of an argument of a command.
    ArgumentName
}

/// The value of one argument: octets without NUL, so that it is always exactly one element of an argument vector. It may be a
/// secret: dropped, it is overwritten.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Value(Vec<u8>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(Octets)
    }
}

/// Reads a value where it lies: nothing between makes a copy of its own.
struct Octets;

impl Visitor<'_> for Octets {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("octets without NUL")
    }

    fn visit_bytes<E: de::Error>(self, octets: &[u8]) -> Result<Value, E> {
        Value::try_from(octets.to_vec()).map_err(E::custom)
    }
}

impl Value {
    /// The octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, where the octets are UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl TryFrom<Vec<u8>> for Value {
    type Error = HoldsNul;

    fn try_from(octets: Vec<u8>) -> Result<Self, HoldsNul> {
        let value = Self(octets);
        if value.0.contains(&0) { Err(HoldsNul) } else { Ok(value) }
    }
}

impl TryFrom<&str> for Value {
    type Error = HoldsNul;

    fn try_from(text: &str) -> Result<Self, HoldsNul> {
        Self::try_from(text.as_bytes().to_vec())
    }
}

impl From<Value> for Vec<u8> {
    fn from(mut value: Value) -> Self {
        std::mem::take(&mut value.0)
    }
}

/// One argument as the peer gave it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Argument {
    /// By its place in the order that the command declares.
    Positional(Value),
    /// By its name.
    Named(ArgumentName, Value),
}

/// A request to run a command of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// Which command.
    pub command: CommandName,
    /// Its arguments, in the order given.
    pub arguments: Vec<Argument>,
}

/// A verb of the protocol itself, so no name for a command of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Builtin {
    /// Ends the running command.
    Cancel,
    /// Lists what the peer may run.
    Commands,
    /// Keeps a reload that would undo itself.
    Confirm,
    /// Ends the server's sessions in good order.
    Drain,
    /// Greets, and agrees on a version.
    Hello,
    /// Explains.
    Help,
    /// Tells of one job.
    Job,
    /// Lists jobs.
    Jobs,
    /// Ends another session.
    Kick,
    /// Answers.
    Ping,
    /// Ends the session.
    Quit,
    /// Reads the policy again.
    Reload,
    /// Runs a command of the policy.
    Run,
    /// Lists sessions.
    Sessions,
    /// Tells how the server is.
    Status,
    /// Tells who the kernel says the peer is.
    Whoami,
    /// Explains a decision without running anything.
    Why,
}

impl Builtin {
    /// Every built-in with its verb, in the order of `help`.
    pub const ALL: [(Self, &'static str); 17] = [
        (Self::Help, "help"),
        (Self::Commands, "commands"),
        (Self::Whoami, "whoami"),
        (Self::Why, "why"),
        (Self::Run, "run"),
        (Self::Jobs, "jobs"),
        (Self::Job, "job"),
        (Self::Cancel, "cancel"),
        (Self::Ping, "ping"),
        (Self::Hello, "hello"),
        (Self::Quit, "quit"),
        (Self::Status, "status"),
        (Self::Sessions, "sessions"),
        (Self::Kick, "kick"),
        (Self::Reload, "reload"),
        (Self::Confirm, "confirm"),
        (Self::Drain, "drain"),
    ];

    /// The built-in of that verb.
    #[must_use]
    pub fn from_verb(verb: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == verb).map(|(builtin, _)| *builtin)
    }

    /// Its verb.
    #[must_use]
    pub fn verb(self) -> &'static str {
        Self::ALL.iter().find(|(builtin, _)| *builtin == self).map_or("", |(_, name)| *name)
    }

    /// Whether a grant under `[builtins]` of the policy gives a peer more of it than everyone has: the runs of others.
    #[must_use]
    pub const fn reaches_others(self) -> bool {
        matches!(self, Self::Cancel | Self::Job | Self::Jobs)
    }

    /// Whether the policy may grant it.
    #[must_use]
    pub const fn is_grantable(self) -> bool {
        self.needs_grant() || self.reaches_others()
    }

    /// Whether a peer needs a grant under `[builtins]` of the policy for it.
    #[must_use]
    pub const fn needs_grant(self) -> bool {
        matches!(
            self,
            Self::Status | Self::Sessions | Self::Kick | Self::Reload | Self::Confirm | Self::Drain
        )
    }
}

/// Methods of HTTP (RFC 9110 section 9.3, RFC 5789; PRI is the preface of RFC 9113): a session that opens with one is a
/// stray web request, so no command can be named like one.
pub const HTTP_METHODS: [&str; 10] =
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PRI", "PUT", "TRACE"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_grammar_says() {
        for good in ["a", "restart", "db.backup_2-x", &"a".repeat(NAME_MAX)] {
            assert_eq!(good.parse::<CommandName>().unwrap().as_str(), good);
        }
        for bad in ["", "1a", "-a", "a b", "ä", "a/b", &"a".repeat(NAME_MAX + 1)] {
            assert_eq!(bad.parse::<CommandName>(), Err(NotAName), "{bad:?}");
        }
    }

    #[test]
    fn a_value_is_one_argument() {
        assert_eq!(Value::try_from(b"a\0b".to_vec()), Err(HoldsNul));
        assert_eq!(Value::try_from("a b").unwrap().as_text(), Some("a b"));
        assert_eq!(Value::try_from(vec![0xff]).unwrap().as_text(), None);
    }

    #[test]
    fn a_deserialised_name_is_a_checked_name() {
        let bytes = postcard::to_stdvec("not a name").unwrap();
        assert!(postcard::from_bytes::<CommandName>(&bytes).is_err());
    }

    #[test]
    fn every_builtin_finds_its_verb() {
        for (builtin, verb) in Builtin::ALL {
            assert_eq!((Builtin::from_verb(verb), builtin.verb()), (Some(builtin), verb));
        }
    }
}
