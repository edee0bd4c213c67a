//! One line of a client into the request that it spells. Refuses a line as a whole: half of one is never a request.

use super::ask::{Ask, Given};
use super::input::{END_WORD_MAX, End};
use super::tag::Tag;
use super::word::{self, Fault, Word, Words, is_blank};
use crate::request::{Argument, Builtin, CommandName, HTTP_METHODS, Request, Value};
use std::fmt;

/// Digits of an input's length at most (`input` of udsadmin-protocol(7)).
const LENGTH_DIGITS: usize = 10;

const JSON: &str = "JSON requests are not served by this version; write NAME and its arguments on a line";
const BAD_TAG: &str = "not a tag; write @ and 1 to 16 letters, digits, - or _";
const NO_VERB: &str = "a tag without a request; write the request after it";
const BAD_VERB: &str =
    "not a name; begin with a bare name: a letter, then at most 31 letters, digits, - _ or .";
const NUL: &str = "a NUL octet; no argument can hold one";
const LONG_LENGTH: &str = "an input length of more than 10 digits; quote the word to pass it as an argument";
const BAD_END_WORD: &str =
    "an end word that is not 1 to 32 letters, digits or _; quote the word to pass it as an argument";

/// A line that is no request (`400 syntax`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The octet of the line at fault, the first being 1.
    pub column: usize,
    /// What it is, and what to do about it.
    pub message: &'static str,
    /// Whether the line could have announced an input: what follows is then not safe to read as requests.
    pub desynchronised: bool,
    /// The request's tag, where that much of the line was sound.
    pub tag: Option<Tag>,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.message)
    }
}

impl std::error::Error for SyntaxError {}

/// A sound line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) tag: Option<Tag>,
    pub(super) ask: Ask,
    pub(super) input: Option<Announced>,
}

/// That an input follows the line.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) column: usize,
    pub(super) end: End,
}

/// Reads a line without its line end; `None` for a blank one and for a comment.
pub(super) fn read(line: &[u8]) -> Result<Option<Line>, SyntaxError> {
    if is_ignored(line) {
        return Ok(None);
    }
    let tag = tag(line);
    let attempt = tag.clone().and_then(|tag| request(line, tag));
    attempt.map(Some).map_err(|fault| SyntaxError {
        column: fault.column,
        message: fault.message,
        desynchronised: may_announce(last_token(line)),
        tag: tag.ok().flatten(),
    })
}

/// The request for a command that a line spells; of a line without tag and input, and without its line end.
///
/// # Errors
/// What it is instead, in one line.
pub fn read_request(line: &str) -> Result<Request, String> {
    match read(line.as_bytes()) {
        Ok(Some(Line { tag: None, ask: Ask::Run(request, _), input: None })) => Ok(request),
        Ok(_) => Err("not the name of a command with its arguments".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether a line, or the beginning of one, is blank or a comment.
pub(super) fn is_ignored(line: &[u8]) -> bool {
    line.iter().all(|octet| is_blank(*octet)) || is_comment(line)
}

/// Whether the beginning of a line is that of an HTTP request: a method and a space.
pub(super) fn is_http(line: &[u8]) -> bool {
    let start = line.get(indent(line)..).unwrap_or_default();
    HTTP_METHODS
        .iter()
        .any(|method| start.strip_prefix(method.as_bytes()).is_some_and(|after| after.first() == Some(&b' ')))
}

/// The tag that a line, or the beginning of one, starts with.
pub(super) fn tag(line: &[u8]) -> Result<Option<Tag>, Fault> {
    let token = first_token(line);
    if token.first() != Some(&b'@') {
        return Ok(None);
    }
    Tag::spelt(token).map(Some).map_err(|_| Fault { column: indent(line) + 1, message: BAD_TAG })
}

/// Whether a line, or the beginning of one, is a comment.
pub(super) fn is_comment(line: &[u8]) -> bool {
    first_token(line).starts_with(b"#")
}

/// A line without the blanks and the line end after its last token.
pub(super) fn trim_end(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|octet| !ends_token(*octet)).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

/// The last run of octets without a blank, quotes or not.
pub(super) fn last_token(line: &[u8]) -> &[u8] {
    trim_end(line).rsplit(|octet| ends_token(*octet)).next().unwrap_or_default()
}

fn ends_token(octet: u8) -> bool {
    is_blank(octet) || matches!(octet, b'\r' | b'\n')
}

/// Whether the last token of a line could be meant to announce an input.
pub(super) fn may_announce(token: &[u8]) -> bool {
    let before_digits = token.iter().rposition(|octet| !octet.is_ascii_digit());
    let counts = before_digits.is_some_and(|at| at + 1 < token.len() && token.get(at) == Some(&b'<'));
    counts || memchr::memmem::find(token, b"<<").is_some()
}

fn indent(line: &[u8]) -> usize {
    line.iter().position(|octet| !is_blank(*octet)).unwrap_or(line.len())
}

fn first_token(line: &[u8]) -> &[u8] {
    let start = line.get(indent(line)..).unwrap_or_default();
    start.split(|octet| is_blank(*octet)).next().unwrap_or_default()
}

fn request(line: &[u8], tag: Option<Tag>) -> Result<Line, Fault> {
    let indent = indent(line);
    if line.get(indent) == Some(&b'{') {
        return Err(Fault { column: indent + 1, message: JSON });
    }
    word::check(line)?;
    let mut words = Words::starting_at(line, tag.as_ref().map_or(0, |tag| indent + 1 + tag.as_str().len()));
    let verb = words.next_word()?.ok_or(Fault { column: line.len() + 1, message: NO_VERB })?;
    let verb = name(&verb)?;
    let mut rest = all(words)?;
    let input = announced(&mut rest)?;
    let given = rest.into_iter().map(given).collect::<Result<Vec<_>, _>>()?;
    Ok(Line { tag, ask: Ask::of(verb, given, input.is_some()), input })
}

fn name(word: &Word) -> Result<CommandName, Fault> {
    let text = std::str::from_utf8(&word.octets).ok().filter(|_| word.is_bare());
    let name = text.and_then(|text| text.parse().ok());
    name.ok_or(Fault { column: word.column, message: BAD_VERB })
}

fn all(mut words: Words<'_>) -> Result<Vec<Word>, Fault> {
    let mut all = Vec::new();
    while let Some(word) = words.next_word()? {
        all.push(word);
    }
    Ok(all)
}

/// Takes the announcement of an input off the end.
fn announced(words: &mut Vec<Word>) -> Result<Option<Announced>, Fault> {
    let Some(word) = words.last().filter(|word| word.is_bare()) else { return Ok(None) };
    let column = word.column;
    let end = end_of_input(&word.octets).map_err(|message| Fault { column, message })?;
    if end.is_some() {
        words.pop();
    }
    Ok(end.map(|end| Announced { column, end }))
}

fn end_of_input(word: &[u8]) -> Result<Option<End>, &'static str> {
    if let Some(end_word) = word.strip_prefix(b"<<") {
        let sound = end_word.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'_');
        let fits = (1..=END_WORD_MAX).contains(&end_word.len());
        return if sound && fits { Ok(Some(End::at(end_word))) } else { Err(BAD_END_WORD) };
    }
    let Some(digits) = word.strip_prefix(b"<") else { return Ok(None) };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    let length = std::str::from_utf8(digits).ok().filter(|digits| digits.len() <= LENGTH_DIGITS);
    length.and_then(|digits| digits.parse().ok()).map(End::After).map(Some).ok_or(LONG_LENGTH)
}

fn given(mut word: Word) -> Result<Given, Fault> {
    let column = word.nul.unwrap_or(word.column);
    let value = Value::try_from(word.take()).map_err(|_| Fault { column, message: NUL })?;
    let argument = match word.key.take() {
        Some(name) => Argument::Named(name, value),
        None => Argument::Positional(value),
    };
    Ok(Given { argument, quoted: word.quoted })
}

/// The line, without its LF, that spells this request: one line of text, whatever the values hold.
#[must_use]
pub fn spell(request: &Request) -> String {
    let mut line = Vec::new();
    write_request(request, &mut line);
    String::from_utf8_lossy(&line).into_owned()
}

/// Writes the line, without its LF, that spells this request. Its name stands behind `run` where it would mean something
/// else alone. The line can be longer than a server accepts: it is for the caller to look at its length.
pub fn write_request(request: &Request, out: &mut Vec<u8>) {
    let name = request.command.as_str();
    if Builtin::from_verb(name).is_some() || HTTP_METHODS.contains(&name) {
        out.extend_from_slice(b"run ");
    }
    out.extend_from_slice(name.as_bytes());
    for argument in &request.arguments {
        out.push(b' ');
        let (key, value) = match argument {
            Argument::Positional(value) => (None, value),
            Argument::Named(name, value) => (Some(name), value),
        };
        if let Some(key) = key {
            out.extend_from_slice(key.as_str().as_bytes());
            out.push(b'=');
        }
        word::write_word(value.as_bytes(), out);
    }
}
