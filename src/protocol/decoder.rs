//! A client's octets into its requests. Holds no more than one line and one input, and runs ahead of neither.

pub use super::ask::{Ask, Hello, Mode, VERSION};
pub use super::input::INPUT_MAX;
pub use super::line::SyntaxError;

use super::input::{Input, extend_bounded, split_off_start};
use super::line::{self, Announced, Line};
use super::tag::Tag;
use zeroize::Zeroizing;

/// Octets in a line at most, its LF counted.
pub const LINE_MAX: usize = 8192;

/// Octets kept of the last token of a line that is too long: more than any announcement of an input has.
const TAIL_MAX: usize = 64;

const TORN_LINE: &str = "a line without its LF; nothing was done";
const TORN_INPUT: &str = "an input that ends before its announced end; nothing was done";

/// A request as it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The client's mark on it.
    pub tag: Option<Tag>,
    /// What is asked for.
    pub ask: Ask,
    /// The octets for the command's standard input; only ever with [`Ask::Run`].
    pub input: Option<Vec<u8>>,
}

/// What a client's octets come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A request.
    Request(Incoming),
    /// A line or an input that is none (`400`).
    Malformed(SyntaxError),
    /// A line or an input past its limit (`413`).
    TooLong {
        /// Whether the line could have announced an input: what follows is then not safe to read as requests.
        desynchronised: bool,
        /// The request's tag, where that much of the line was sound.
        tag: Option<Tag>,
    },
    /// The session opened like one of HTTP. Nothing after it is looked at.
    Http,
}

impl Item {
    /// Whether what follows it could be an input, and is not safe to read as requests.
    #[must_use]
    pub const fn is_desynchronised(&self) -> bool {
        match self {
            Self::Malformed(SyntaxError { desynchronised, .. }) | Self::TooLong { desynchronised, .. } => {
                *desynchronised
            }
            Self::Request(_) | Self::Http => false,
        }
    }
}

/// Cuts a client's octets into requests, however they are chopped on their way.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    line: Zeroizing<Vec<u8>>,
    spoken_to: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Line,
    Overlong(Overlong),
    Input(Box<Fed>),
    Deaf,
}

/// A line past its limit, of which only this is still needed.
#[derive(Debug)]
struct Overlong {
    tag: Option<Tag>,
    is_comment: bool,
    token: Zeroizing<Vec<u8>>,
    token_ended: bool,
}

/// A request whose input is on its way.
#[derive(Debug)]
struct Fed {
    tag: Option<Tag>,
    ask: Ask,
    column: usize,
    input: Input,
}

impl Decoder {
    /// At the start of a session.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the octets up to the end of the next item off the start of `octets`, and all of them where the item needs more
    /// (`None`). A blank line or a comment is no item.
    pub fn next(&mut self, octets: &mut &[u8]) -> Option<Item> {
        while !octets.is_empty() {
            let item = match &self.state {
                State::Line => self.take_line(octets),
                State::Overlong(_) => self.take_overlong(octets),
                State::Input(_) => self.take_input(octets),
                State::Deaf => {
                    *octets = &[];
                    None
                }
            };
            if item.is_some() {
                return item;
            }
        }
        None
    }

    /// Tells that the client will write no more: what is unfinished becomes an error, and is never executed.
    pub fn finish(&mut self) -> Option<Item> {
        let line = std::mem::take(&mut self.line);
        match std::mem::replace(&mut self.state, State::Deaf) {
            State::Line if line::is_ignored(&line) => None,
            State::Line => Some(torn(TORN_LINE, line.len() + 1, line::tag(&line).ok().flatten())),
            State::Overlong(overlong) => Some(Item::TooLong { desynchronised: false, tag: overlong.tag }),
            State::Input(fed) if fed.input.is_too_long() => {
                Some(Item::TooLong { desynchronised: false, tag: fed.tag })
            }
            State::Input(fed) => Some(torn(TORN_INPUT, fed.column, fed.tag)),
            State::Deaf => None,
        }
    }

    /// Octets held for what is unfinished: 0 between requests.
    #[must_use]
    pub fn held(&self) -> usize {
        let state = match &self.state {
            State::Line | State::Deaf => 0,
            State::Overlong(overlong) => overlong.token.len(),
            State::Input(fed) => fed.input.held(),
        };
        self.line.len() + state
    }

    fn take_line(&mut self, octets: &mut &[u8]) -> Option<Item> {
        let room = octets.get(..LINE_MAX - self.line.len()).unwrap_or(octets);
        let end = memchr::memchr(b'\n', room).map(|at| at + 1);
        let piece = split_off_start(octets, end.unwrap_or(room.len()));
        if end.is_some() && self.line.is_empty() {
            return self.read(piece);
        }
        extend_bounded(&mut self.line, piece, LINE_MAX);
        let line = std::mem::take(&mut self.line);
        if end.is_some() {
            return self.read(&line);
        }
        self.read_start(line)
    }

    /// Looks at a line that has no end yet.
    fn read_start(&mut self, line: Zeroizing<Vec<u8>>) -> Option<Item> {
        if self.is_http(&line) {
            return Some(self.hang_up());
        }
        if line.len() < LINE_MAX {
            self.line = line;
        } else {
            self.state = State::Overlong(Overlong::new(&line));
        }
        None
    }

    /// Reads a line with its LF.
    fn read(&mut self, line: &[u8]) -> Option<Item> {
        if self.is_http(line) {
            return Some(self.hang_up());
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let read = line::read(line.strip_suffix(b"\r").unwrap_or(line));
        self.spoken_to |= !matches!(read, Ok(None));
        match read {
            Ok(line) => self.begin(line?),
            Err(error) => Some(Item::Malformed(error)),
        }
    }

    fn begin(&mut self, line: Line) -> Option<Item> {
        let Line { tag, ask, input } = line;
        let Some(Announced { column, end }) = input else {
            return Some(Item::Request(Incoming { tag, ask, input: None }));
        };
        let fed = Fed { tag, ask, column, input: Input::new(end) };
        if fed.input.is_empty() {
            return Some(fed.into_item());
        }
        self.state = State::Input(Box::new(fed));
        None
    }

    fn take_overlong(&mut self, octets: &mut &[u8]) -> Option<Item> {
        let State::Overlong(overlong) = &mut self.state else { return None };
        let end = memchr::memchr(b'\n', octets).map(|at| at + 1);
        overlong.push(split_off_start(octets, end.unwrap_or(octets.len())));
        end?;
        let item = overlong.to_item();
        self.spoken_to = true;
        self.state = State::Line;
        Some(item)
    }

    fn take_input(&mut self, octets: &mut &[u8]) -> Option<Item> {
        let State::Input(fed) = &mut self.state else { return None };
        if !fed.input.take(octets) {
            return None;
        }
        match std::mem::take(&mut self.state) {
            State::Input(fed) => Some(fed.into_item()),
            State::Line | State::Overlong(_) | State::Deaf => None,
        }
    }

    fn is_http(&self, line: &[u8]) -> bool {
        !self.spoken_to && line::is_http(line)
    }

    fn hang_up(&mut self) -> Item {
        self.state = State::Deaf;
        Item::Http
    }
}

impl Overlong {
    /// Of a line's first octets.
    fn new(start: &[u8]) -> Self {
        let tag = line::tag(start).ok().flatten();
        let mut overlong = Self {
            tag,
            is_comment: line::is_comment(start),
            token: Zeroizing::default(),
            token_ended: false,
        };
        // For good: what grows leaves copies of itself behind.
        overlong.token.reserve_exact(2 * TAIL_MAX);
        overlong.push(start);
        overlong
    }

    /// Keeps the end of the line's last token.
    fn push(&mut self, piece: &[u8]) {
        let trimmed = line::trim_end(piece);
        let token = line::last_token(piece);
        if !token.is_empty() {
            if self.token_ended || token.len() < trimmed.len() {
                self.token.clear();
            }
            self.token.extend_from_slice(last_octets(token));
            let surplus = self.token.len().saturating_sub(TAIL_MAX);
            self.token.drain(..surplus);
            self.token_ended = false;
        }
        self.token_ended |= trimmed.len() < piece.len();
    }

    fn to_item(&self) -> Item {
        let desynchronised = !self.is_comment && line::may_announce(&self.token);
        Item::TooLong { desynchronised, tag: self.tag.clone() }
    }
}

fn last_octets(token: &[u8]) -> &[u8] {
    token.get(token.len().saturating_sub(TAIL_MAX)..).unwrap_or_default()
}

impl Fed {
    fn into_item(self) -> Item {
        let Self { tag, ask, input, .. } = self;
        let Some(octets) = input.into_octets() else {
            return Item::TooLong { desynchronised: false, tag };
        };
        let input = matches!(ask, Ask::Run(..)).then_some(octets);
        Item::Request(Incoming { tag, ask, input })
    }
}

fn torn(message: &'static str, column: usize, tag: Option<Tag>) -> Item {
    Item::Malformed(SyntaxError { column, message, desynchronised: false, tag })
}

#[cfg(test)]
mod tests;
