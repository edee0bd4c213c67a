//! The words of a line, for requests and replies alike. Never glues two pieces together, never guesses at an end.

use super::printable::is_printable;
use super::text;
use crate::request::ArgumentName;
use std::fmt;
use zeroize::Zeroize;

const GLUED_QUOTE: &str = "a quote glued to a word; put a space between or quote the whole word";
const GLUED_WORD: &str = "a word glued to a quote; put a space between or quote the whole word";
const BARE_BACKSLASH: &str = "a backslash outside quotes; put the word in quotes";
const OPEN_DOUBLE: &str = "a quote that never ends; add the closing \"";
const OPEN_SINGLE: &str = "a quote that never ends; add the closing '";
const TAB_IN_DOUBLE: &str = "a TAB within quotes; write it as \\t";
const TAB_IN_SINGLE: &str = "a TAB within single quotes; use double quotes and write it as \\t";
const BAD_ESCAPE: &str = "no such escape; after a backslash within double quotes comes another, \", n, r, t, or x and two hexadecimal digits";
const CONTROL: &str =
    "a control character; within double quotes write it as a backslash, x and two hexadecimal digits";
const NOT_UTF8: &str =
    "malformed UTF-8; within double quotes write the octet as a backslash, x and two hexadecimal digits";

/// Why and where a line is not made of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The octet of the line at fault, the first being 1.
    pub column: usize,
    /// What it is, and what to do about it.
    pub message: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for Fault {}

/// One word of a line, decoded. It may be a secret: dropped, it is overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The octet of the line where it begins, the first being 1.
    pub column: usize,
    /// The name before its `=`, where there is one.
    pub key: Option<ArgumentName>,
    /// What it stands for.
    pub octets: Vec<u8>,
    /// Whether it was in quotes.
    pub quoted: bool,
    /// The column of the first escape that stands for NUL.
    pub nul: Option<usize>,
}

impl Drop for Word {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

impl Word {
    /// Its octets, once.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.octets)
    }

    /// Whether it is a bare word without a name.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.key.is_none() && !self.quoted
    }
}

/// Checks that a line is UTF-8 without controls other than TAB.
///
/// # Errors
/// The first octet that breaks this.
pub fn check(line: &[u8]) -> Result<(), Fault> {
    if text::is_printable_ascii(line) {
        return Ok(());
    }
    let malformed = std::str::from_utf8(line).err().map(|error| error.valid_up_to());
    let sound = line.get(..malformed.unwrap_or(line.len())).and_then(|sound| std::str::from_utf8(sound).ok());
    let control =
        sound.unwrap_or_default().char_indices().find(|(_, found)| found.is_control() && *found != '\t');
    let fault = |at: usize, message| Err(Fault { column: at + 1, message });
    match (control, malformed) {
        (Some((at, _)), _) => fault(at, CONTROL),
        (None, Some(at)) => fault(at, NOT_UTF8),
        (None, None) => Ok(()),
    }
}

/// The words of a line that passed [`check`], one by one.
#[derive(Clone, Debug)]
pub struct Words<'a> {
    octets: usize,
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    /// Begins at the start of a line without its LF.
    #[must_use]
    pub const fn new(line: &'a [u8]) -> Self {
        Self { octets: line.len(), rest: line }
    }

    /// Begins `octets` into the line.
    #[must_use]
    pub fn starting_at(line: &'a [u8], octets: usize) -> Self {
        Self { octets: line.len(), rest: line.get(octets..).unwrap_or_default() }
    }

    /// What no word was made of yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next word; `None` at the end of the line.
    ///
    /// # Errors
    /// The place where the line stops making sense. What comes after it is not to be asked for.
    pub fn next_word(&mut self) -> Result<Option<Word>, Fault> {
        self.take_while(is_blank);
        if self.rest.is_empty() {
            return Ok(None);
        }
        let column = self.column();
        let bare = self.take_while(is_bare);
        let (key, head) = split_key(bare).map_or((None, bare), |(key, head)| (Some(key), head));
        let mut word = Word { column, key, octets: head.to_vec(), quoted: false, nul: None };
        match self.rest.first() {
            Some(b'\\') => return Err(self.fault(BARE_BACKSLASH)),
            Some(b'"' | b'\'') if !head.is_empty() => return Err(self.fault(GLUED_QUOTE)),
            Some(b'"') => self.double_quoted(&mut word)?,
            Some(b'\'') => self.single_quoted(&mut word)?,
            _ => {}
        }
        Ok(Some(word))
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), Fault> {
        let open = self.fault(OPEN_DOUBLE);
        self.take();
        // At once: what grows leaves copies of itself behind.
        word.octets.reserve_exact(quoted_length(self.rest));
        loop {
            let plain = self.take_while(|octet| !matches!(octet, b'"' | b'\\' | b'\t'));
            word.octets.extend_from_slice(plain);
            match self.rest.first() {
                None => return Err(open),
                Some(b'"') => return self.close(word),
                Some(b'\\') => self.escape(word)?,
                Some(_) => return Err(self.fault(TAB_IN_DOUBLE)),
            }
        }
    }

    fn single_quoted(&mut self, word: &mut Word) -> Result<(), Fault> {
        let open = self.fault(OPEN_SINGLE);
        self.take();
        let plain = self.take_while(|octet| !matches!(octet, b'\'' | b'\t'));
        word.octets.extend_from_slice(plain);
        match self.rest.first() {
            None => Err(open),
            Some(b'\'') => self.close(word),
            Some(_) => Err(self.fault(TAB_IN_SINGLE)),
        }
    }

    fn close(&mut self, word: &mut Word) -> Result<(), Fault> {
        self.take();
        word.quoted = true;
        match self.rest.first() {
            Some(octet) if !is_blank(*octet) => Err(self.fault(GLUED_WORD)),
            _ => Ok(()),
        }
    }

    fn escape(&mut self, word: &mut Word) -> Result<(), Fault> {
        let (octet, width) = read_escape(self.rest).ok_or_else(|| self.fault(BAD_ESCAPE))?;
        if octet == 0 && word.nul.is_none() {
            word.nul = Some(self.column());
        }
        word.octets.push(octet);
        self.rest = self.rest.get(width..).unwrap_or_default();
        Ok(())
    }

    fn column(&self) -> usize {
        self.octets - self.rest.len() + 1
    }

    fn fault(&self, message: &'static str) -> Fault {
        Fault { column: self.column(), message }
    }

    fn take(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|octet| !wanted(*octet)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }
}

/// SP or TAB: what stands between words.
pub(super) const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

fn is_bare(octet: u8) -> bool {
    !matches!(octet, b' ' | b'\t' | b'"' | b'\'' | b'\\')
}

/// `name=rest` apart, where the part before the first `=` is a name.
fn split_key(bare: &[u8]) -> Option<(ArgumentName, &[u8])> {
    let (key, rest) = bare.split_at_checked(memchr::memchr(b'=', bare)?)?;
    Some((std::str::from_utf8(key).ok()?.parse().ok()?, rest.strip_prefix(b"=")?))
}

/// The octets up to the quote that closes, escapes as they are spelt.
fn quoted_length(rest: &[u8]) -> usize {
    let mut escaped = false;
    let closes = |octet: &u8| {
        let is_quote = *octet == b'"' && !escaped;
        escaped = *octet == b'\\' && !escaped;
        is_quote
    };
    rest.iter().position(closes).unwrap_or(rest.len())
}

/// The octet of the escape at the start, and the octets that spell it.
fn read_escape(escape: &[u8]) -> Option<(u8, usize)> {
    match escape {
        [_, octet @ (b'\\' | b'"'), ..] => Some((*octet, 2)),
        [_, b'n', ..] => Some((b'\n', 2)),
        [_, b'r', ..] => Some((b'\r', 2)),
        [_, b't', ..] => Some((b'\t', 2)),
        [_, b'x', high, low, ..] => Some((text::hex_pair(*high, *low)?, 4)),
        _ => None,
    }
}

/// Writes a word from which [`Words`] reads the same octets back, without a key, wherever in a line it stands but first. It is
/// bare where that is clear to a reader, in double quotes otherwise, and never holds a raw control.
pub fn write_word(octets: &[u8], out: &mut Vec<u8>) {
    if stands_bare(octets) {
        out.extend_from_slice(octets);
    } else {
        out.push(b'"');
        write_quoted(octets, out);
        out.push(b'"');
    }
}

fn stands_bare(octets: &[u8]) -> bool {
    let clear = |character: char| {
        is_printable(character) && !character.is_whitespace() && !matches!(character, '"' | '\'' | '\\')
    };
    let mistaken = octets.is_empty() || octets.starts_with(b"<") || split_key(octets).is_some();
    !mistaken && std::str::from_utf8(octets).is_ok_and(|text| text.chars().all(clear))
}

fn write_quoted(octets: &[u8], out: &mut Vec<u8>) {
    let mut rest = octets;
    while let Some((&octet, after)) = rest.split_first() {
        let short = match octet {
            b'\\' | b'"' => Some(octet),
            b'\n' => Some(b'n'),
            b'\r' => Some(b'r'),
            b'\t' => Some(b't'),
            _ => None,
        };
        rest = if let Some(letter) = short {
            out.extend_from_slice(&[b'\\', letter]);
            after
        } else if let Some(after) = text::write_printable(rest, out) {
            after
        } else {
            out.extend_from_slice(&text::escape(octet));
            after
        };
    }
}

#[cfg(test)]
mod tests;
