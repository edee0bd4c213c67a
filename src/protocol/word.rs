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
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Vec<Word>, Fault> {
        check(line.as_bytes())?;
        let mut words = Words::new(line.as_bytes());
        let mut all = Vec::new();
        while let Some(word) = words.next_word()? {
            all.push(word);
        }
        Ok(all)
    }

    fn octets(line: &str) -> Vec<Vec<u8>> {
        read(line).unwrap().iter_mut().map(Word::take).collect()
    }

    fn fault(line: &str) -> (usize, &'static str) {
        let fault = read(line).unwrap_err();
        (fault.column, fault.message)
    }

    fn written(octets: &[u8]) -> String {
        let mut out = Vec::new();
        write_word(octets, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn blanks_part_words() {
        assert_eq!(octets(" a \t b\tüc  "), [&b"a"[..], b"b", "üc".as_bytes()]);
        assert_eq!(octets("  \t"), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn quotes_hold_blanks_and_the_other_quote() {
        assert_eq!(octets(r#""a 'b'" 'c "d" \n' "" ''"#), [&b"a 'b'"[..], br#"c "d" \n"#, b"", b""]);
    }

    #[test]
    fn double_quotes_know_their_escapes() {
        assert_eq!(octets(r#""\\\"\n\r\t\x1b\xFF""#), [b"\\\"\n\r\t\x1b\xff"]);
        assert_eq!(fault(r#"a "b\e""#), (5, BAD_ESCAPE));
        assert_eq!(fault(r#"a "\x1""#), (4, BAD_ESCAPE));
        assert_eq!(fault(r#"a "\"#), (4, BAD_ESCAPE));
    }

    #[test]
    fn a_name_before_an_equals_sign_is_a_key() {
        let words = read(r#"unit=a=b unit="a b" unit='c' unit= "unit=a" =x 1a=x --a=x"#).unwrap();
        let keyed: Vec<_> = words.iter().map(|word| word.key.as_ref().map(ArgumentName::as_str)).collect();
        let unit = Some("unit");
        assert_eq!(keyed, [unit, unit, unit, unit, None, None, None, None]);
        let values: Vec<_> = words.iter().map(|word| std::str::from_utf8(&word.octets).unwrap()).collect();
        assert_eq!(values, ["a=b", "a b", "c", "", "unit=a", "=x", "1a=x", "--a=x"]);
    }

    #[test]
    fn pieces_are_never_glued() {
        assert_eq!(fault(r#"x a"b""#), (4, GLUED_QUOTE));
        assert_eq!(fault(r#"x "a"b"#), (6, GLUED_WORD));
        assert_eq!(fault(r#"x "a"'b'"#), (6, GLUED_WORD));
        assert_eq!(fault(r"x unit=a'b'"), (9, GLUED_QUOTE));
        assert_eq!(fault(r#"x "unit"=a"#), (9, GLUED_WORD));
        assert_eq!(fault(r#"x --a="b""#), (7, GLUED_QUOTE));
    }

    #[test]
    fn an_open_quote_is_told_where_it_opens() {
        assert_eq!(fault(r#"say "hello"#), (5, OPEN_DOUBLE));
        assert_eq!(fault("say it=' a"), (8, OPEN_SINGLE));
    }

    #[test]
    fn a_backslash_needs_quotes() {
        assert_eq!(fault(r"say a\ b"), (6, BARE_BACKSLASH));
        assert_eq!(fault(r"say it=\n"), (8, BARE_BACKSLASH));
    }

    #[test]
    fn controls_and_broken_utf8_are_told_with_their_column() {
        for (line, column, message) in [
            (&b"a b\0"[..], 4, CONTROL),
            (b"a\rb", 2, CONTROL),
            (b"a \x1b[0m", 3, CONTROL),
            (b"a \x7f", 3, CONTROL),
            ("é \u{85}".as_bytes(), 4, CONTROL),
            (b"a \xff", 3, NOT_UTF8),
            (b"a \xc3", 3, NOT_UTF8),
            (b"\x01 \xff", 1, CONTROL),
            (b"\xff \x01", 1, NOT_UTF8),
        ] {
            assert_eq!(check(line), Err(Fault { column, message }), "{line:?}");
        }
        assert_eq!(fault("a \"b\tc\""), (5, TAB_IN_DOUBLE));
        assert_eq!(fault("a 'b\tc'"), (5, TAB_IN_SINGLE));
    }

    #[test]
    fn the_first_nul_is_told() {
        let words = read(r#"a "b\x00\x00" "c""#).unwrap();
        assert_eq!(words.iter().map(|word| word.nul).collect::<Vec<_>>(), [None, Some(5), None]);
    }

    #[test]
    fn clear_words_are_written_bare() {
        for bare in ["a", "php-fpm.service", "a,b;c", "=x", "--a=b", "[x]", "müller", "a<5"] {
            assert_eq!(written(bare.as_bytes()), bare);
        }
    }

    #[test]
    fn what_could_be_mistaken_is_quoted() {
        for (octets, expected) in [
            (&b""[..], r#""""#),
            (b"a b", r#""a b""#),
            (b"it's", r#""it's""#),
            (br#"a"\"#, r#""a\"\\""#),
            (b"a=b", r#""a=b""#),
            (b"<5", r#""<5""#),
            (b"<<END", r#""<<END""#),
            (b"\x1b[0m\n\r\t\0", r#""\x1b[0m\n\r\t\x00""#),
            (b"caf\xe9", r#""caf\xe9""#),
            ("a\u{a0}b".as_bytes(), "\"a\u{a0}b\""),
            ("a\u{202e}b".as_bytes(), r#""a\xe2\x80\xaeb""#),
        ] {
            assert_eq!(written(octets), expected);
        }
    }
}
