//! The names of runs: the id that each has, and the token that a client may give one. Draws none.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Hexadecimal digits of an id.
const DIGITS: usize = 12;

/// Octets of a token at most: room for a UUID, or a digest in hexadecimal digits.
const TOKEN_MAX: usize = 64;

/// The id of one run: 12 hexadecimal digits, drawn at random, so that no two runs of a machine share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

impl JobId {
    /// The id of these octets.
    #[must_use]
    pub fn of(octets: [u8; DIGITS / 2]) -> Self {
        let number = octets.iter().fold(0_u64, |sum, octet| (sum << 8) | u64::from(*octet));
        Self(format!("{number:0DIGITS$x}"))
    }

    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The token by which a client names a run of its own making, so that asking again does not run again: 1 to 64 letters, digits,
/// `-`, `_`, `.` or `:`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(String);

impl Token {
    /// The text of the token.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Text that is not of the form that it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misspelt(&'static str);

impl fmt::Display for Misspelt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Misspelt {}

impl TryFrom<String> for JobId {
    type Error = Misspelt;

    fn try_from(text: String) -> Result<Self, Misspelt> {
        let is_one =
            text.len() == DIGITS && text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
        is_one.then_some(Self(text)).ok_or(Misspelt("must be the id of a job: 12 hexadecimal digits"))
    }
}

impl TryFrom<String> for Token {
    type Error = Misspelt;

    fn try_from(text: String) -> Result<Self, Misspelt> {
        let is_plain =
            |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.' | b':');
        let is_one = (1..=TOKEN_MAX).contains(&text.len()) && text.bytes().all(is_plain);
        is_one.then_some(Self(text)).ok_or(Misspelt("must be 1 to 64 letters, digits, '-', '_', '.' or ':'"))
    }
}

macro_rules! spelt {
    ($($name:ident),*) => {
        $(
            impl FromStr for $name {
                type Err = Misspelt;

                fn from_str(text: &str) -> Result<Self, Misspelt> {
                    Self::try_from(text.to_owned())
                }
            }

            impl From<$name> for String {
                fn from(name: $name) -> Self {
                    name.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str(&self.0)
                }
            }
        )*
    };
}

spelt!(JobId, Token);

/// How a run is wanted, beside what is to run. No policy is asked about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Not to be waited for.
    pub detach: bool,
    /// The client's name for it.
    pub token: Option<Token>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_twelve_digits_and_nothing_else() {
        let id = JobId::of([0x7f, 0x3a, 0, 1, 0xab, 0xcd]);
        assert_eq!(id.as_str(), "7f3a0001abcd");
        assert_eq!(id.as_str().parse(), Ok(id));
        for text in ["", "7f3a0001abc", "7f3a0001abcde", "7F3A0001ABCD", "../../../etc", "7f3a0001abc\n"] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_is_plain_and_not_too_long() {
        for text in ["a", "2026-11-21T20:35:15.1_x", &"a".repeat(64)] {
            assert_eq!(text.parse::<Token>().unwrap().as_str(), text);
        }
        for text in ["", "a b", "a/b", "ä", "a\n", &"a".repeat(65)] {
            assert!(text.parse::<Token>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_deserialised_is_checked() {
        let octets = postcard::to_stdvec("no id").unwrap();
        assert!(
            postcard::from_bytes::<JobId>(&octets).is_err()
                && postcard::from_bytes::<Token>(&octets).is_err()
        );
    }
}
