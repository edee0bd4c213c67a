//! A server's lines, for the client's side. Refuses a line that is none of the protocol's rather than guess.

use super::reply::Final;
use super::stream::Kind;
use super::tag::Tag;
use super::text::{self, BadEscape};
use super::word::{self, Fault, Word, Words};
use crate::request::CommandName;
use std::borrow::Cow;
use std::fmt;

/// One line of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyLine {
    /// The mark of the request that it answers.
    pub tag: Option<Tag>,
    /// What it says.
    pub part: Part,
}

/// What a line of a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Output of the job.
    Stream {
        /// Of which stream.
        kind: Kind,
        /// Whether no LF followed the octets.
        partial: bool,
        /// The octets as the job wrote them, without their LF.
        octets: Vec<u8>,
    },
    /// Facts by name, in order.
    Row(Vec<(String, Vec<u8>)>),
    /// Something that can be ignored.
    Info(Vec<u8>),
    /// The end of the answer.
    Final(Final),
}

/// A line that no server of this protocol writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not made of words, or holds a raw control.
    Words(Fault),
    /// Its text has an escape that there is not.
    Escape,
    /// It begins like no part of a reply.
    Part,
    /// A word of a row or of a final line is no field.
    Field(usize),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(fault) => fault.fmt(f),
            Self::Escape => BadEscape.fmt(f),
            Self::Part => f.write_str("not a line of a reply"),
            Self::Field(column) => write!(f, "column {column}: not a field"),
        }
    }
}

impl std::error::Error for Unreadable {}

impl From<Fault> for Unreadable {
    fn from(fault: Fault) -> Self {
        Self::Words(fault)
    }
}

impl From<BadEscape> for Unreadable {
    fn from(_: BadEscape) -> Self {
        Self::Escape
    }
}

/// Reads a line of a reply, given without its LF.
///
/// # Errors
/// What about the line is not of this protocol.
pub fn parse_reply_line(line: &[u8]) -> Result<ReplyLine, Unreadable> {
    word::check(line)?;
    let (tag, rest) = split_tag(line)?;
    let part = match rest {
        [b'|', end, text @ ..] => stream(Kind::Stdout, *end, text)?,
        [b'!', end, text @ ..] => stream(Kind::Stderr, *end, text)?,
        [b'#', b' ', text @ ..] => Part::Info(text::read_text(text)?),
        [b'*', b' ', ..] => Part::Row(row(line, rest)?),
        [b'0'..=b'9', ..] => Part::Final(final_reply(line, rest)?),
        _ => return Err(Unreadable::Part),
    };
    Ok(ReplyLine { tag, part })
}

fn split_tag(line: &[u8]) -> Result<(Option<Tag>, &[u8]), Unreadable> {
    if !line.starts_with(b"@") {
        return Ok((None, line));
    }
    let at = memchr::memchr(b' ', line).ok_or(Unreadable::Part)?;
    let (tag, rest) = line.split_at_checked(at).ok_or(Unreadable::Part)?;
    let tag = Tag::spelt(tag).map_err(|_| Unreadable::Part)?;
    Ok((Some(tag), rest.strip_prefix(b" ").unwrap_or(rest)))
}

fn stream(kind: Kind, end: u8, text: &[u8]) -> Result<Part, Unreadable> {
    let partial = match end {
        b' ' => false,
        b'~' => true,
        _ => return Err(Unreadable::Part),
    };
    Ok(Part::Stream { kind, partial, octets: text::read_text(text)? })
}

/// The words of a line from where its `rest` begins.
fn words<'a>(line: &'a [u8], rest: &[u8]) -> Words<'a> {
    Words::starting_at(line, line.len() - rest.len())
}

fn field(mut word: Word) -> Result<(String, Vec<u8>), Unreadable> {
    let name = word.key.take().ok_or(Unreadable::Field(word.column))?;
    Ok((name.into(), word.take()))
}

fn row(line: &[u8], rest: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Unreadable> {
    let mut words = words(line, rest);
    words.next_word()?;
    let mut fields = Vec::new();
    while let Some(word) = words.next_word()? {
        fields.push(field(word)?);
    }
    if fields.is_empty() { Err(Unreadable::Part) } else { Ok(fields) }
}

fn final_reply(line: &[u8], rest: &[u8]) -> Result<Final, Unreadable> {
    let mut words = words(line, rest);
    let code = words.next_word()?.as_ref().and_then(code).ok_or(Unreadable::Part)?;
    let name = words.next_word()?.as_ref().and_then(name).ok_or(Unreadable::Part)?;
    let mut reply = Final { code, name: Cow::Owned(name), fields: Vec::new(), text: Vec::new() };
    while let Some(word) = words.next_word()? {
        if word.is_bare() && word.octets == b":" {
            let text = words.rest();
            reply.text = text::read_text(text.strip_prefix(b" ").unwrap_or(text))?;
            return Ok(reply);
        }
        let (name, value) = field(word)?;
        reply.fields.push((Cow::Owned(name), value));
    }
    Ok(reply)
}

fn code(word: &Word) -> Option<u16> {
    let digits = std::str::from_utf8(&word.octets).ok()?;
    let is_code = word.is_bare() && digits.len() == 3 && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| is_code)
}

fn name(word: &Word) -> Option<String> {
    let name = std::str::from_utf8(&word.octets).ok().filter(|_| word.is_bare())?;
    name.parse::<CommandName>().ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(line: &str) -> Part {
        parse_reply_line(line.as_bytes()).unwrap().part
    }

    #[test]
    fn output_is_told_back_with_its_stream_and_end() {
        let stream = |kind, partial, octets: &[u8]| Part::Stream { kind, partial, octets: octets.to_vec() };
        assert_eq!(part("| done"), stream(Kind::Stdout, false, b"done"));
        assert_eq!(part("| "), stream(Kind::Stdout, false, b""));
        assert_eq!(part(r"!~a\\b\x00\xff"), stream(Kind::Stderr, true, b"a\\b\0\xff"));
    }

    #[test]
    fn rows_and_infos_are_read() {
        let fields = [("user", "alice"), ("groups", "a b"), ("rule", "x=y")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
        assert_eq!(part(r#"* user=alice groups="a b" rule=x=y"#), Part::Row(fields.to_vec()));
        assert_eq!(part("# running ms=400"), Part::Info(b"running ms=400".to_vec()));
    }

    #[test]
    fn finals_are_read_with_fields_and_text() {
        let line = r#"@a 422 bad-argument name=unit ms=0 : must be "a : b" or\x0aless"#;
        let read = parse_reply_line(line.as_bytes()).unwrap();
        assert_eq!(read.tag, "a".parse().ok());
        let text = "must be \"a : b\" or\nless";
        let expected = Final::bad_argument("unit").field("ms", "0").text(text);
        assert_eq!(read.part, Part::Final(expected));
        assert_eq!(part("200 ok"), Part::Final(Final::ok()));
    }

    #[test]
    fn a_line_of_no_server_is_refused() {
        for line in [
            "",
            "hello",
            "|",
            "|x",
            "!",
            "#x",
            "*",
            "* ",
            "* alice",
            "@",
            "@a",
            "@a.b 200 ok",
            "20 ok",
            "2000 ok",
            "200",
            "200 ok alice",
            "200 \"ok\"",
            "200 a=b",
            "200 o+k",
            "200 ok a=\"",
            "| a\\",
            "| a\\n",
            "# \\q",
            "200 ok : \\q",
        ] {
            assert!(parse_reply_line(line.as_bytes()).is_err(), "{line:?}");
        }
        for line in [&b"| \x1b[0m"[..], b"# \xff", b"200 ok\r"] {
            assert!(matches!(parse_reply_line(line), Err(Unreadable::Words(_))), "{line:?}");
        }
    }
}
