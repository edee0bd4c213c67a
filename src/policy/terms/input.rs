//! What a command takes from its client as standard input: nothing, unless its table says so. Reads none of it.

use super::super::kind::{ArgumentSpec, Kind, Pass};
use super::super::reader::{Item, Reader};
use super::super::size::Size;
use toml::de::DeTable;

/// The longest input that the protocol has (`input` of udsadmin-protocol(7)).
pub const INPUT_MAX: Size = Size(1 << 20);

/// What a client may give as standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing: a request with an input is refused.
    None,
    /// Octets, so many at most, which are there before the command starts.
    Bytes(Size),
}

impl Input {
    /// As a policy writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bytes(_) => "bytes",
        }
    }

    /// The longest that is taken.
    #[must_use]
    pub const fn limit(self) -> Option<Size> {
        match self {
            Self::None => None,
            Self::Bytes(limit) => Some(limit),
        }
    }
}

impl Reader<'_> {
    /// Reads `stdin` and `input-limit` of a command; `None` where one has an error.
    pub(super) fn input(&mut self, table: &DeTable<'_>) -> Option<Input> {
        let takes = table.get("stdin").map_or(Some(false), |item| self.stdin(item));
        let Some(item) = table.get("input-limit") else {
            return Some(if takes? { Input::Bytes(INPUT_MAX) } else { Input::None });
        };
        let limit = self.input_limit(item);
        if takes == Some(false) {
            self.error(&item.span(), "the command takes no input to limit; stdin = \"bytes\" lets it");
            return None;
        }
        takes?;
        limit.map(Input::Bytes)
    }

    fn input_limit(&mut self, item: &Item<'_>) -> Option<Size> {
        let size = self.size(item)?;
        let fits = (Size(1)..=INPUT_MAX).contains(&size);
        if !fits {
            self.error(&item.span(), &format!("input-limit is from 1B to {INPUT_MAX}"));
        }
        fits.then_some(size)
    }

    /// Whether the command takes an input.
    fn stdin(&mut self, item: &Item<'_>) -> Option<bool> {
        let word = self.word(item)?;
        let message = match &*word.text {
            "none" => return Some(false),
            "bytes" => return Some(true),
            "stream" => {
                "an input that goes on while the command runs needs the protocol's frame mode, which this version does not \
                 have; \"bytes\" is one that is whole before it starts"
            }
            other => &format!("stdin is \"none\" or \"bytes\", not {other:?}"),
        };
        self.error(&word.span, message);
        None
    }

    /// Notes an error where the standard input is a secret's and a client's at once.
    pub(in super::super) fn no_second_input(&mut self, table: &DeTable<'_>, arguments: &[ArgumentSpec]) {
        let is_input = |spec: &&ArgumentSpec| matches!(spec.kind, Kind::Secret(_, Pass::Input));
        let secret = arguments.iter().find(is_input);
        let bytes = table.get("stdin").filter(|item| item.get_ref().as_str() == Some("bytes"));
        if let (Some(secret), Some(item)) = (secret, bytes) {
            let name = secret.name.as_str();
            let message = format!(
                "the standard input is the secret {name:?} already; hand that over by pass = \"memfd\""
            );
            self.error(&item.span(), &message);
        }
    }
}
