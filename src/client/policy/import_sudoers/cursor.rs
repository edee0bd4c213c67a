//! A place in a sudoers text that moves forward: blanks, words, quotes, escapes. Knows no construct that these make up.

use super::syntax::At;
use crate::policy::Source;
use std::ops::Range;
use std::rc::Rc;

/// What is wrong, and at which octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) message: String,
}

/// What was read, or why nothing was.
pub(super) type Parsed<T> = Result<T, Wrong>;

/// What ends a word, unless a backslash stands before it.
pub(super) const ENDS_WORD: &str = "#>!=:,()\"\\ \t\r\n";

/// What ends a value of `Defaults`.
const ENDS_VALUE: &str = "#=,\"\\ \t\r\n";

/// A place in a text.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'t> {
    source: &'t Rc<Source>,
    at: usize,
    /// Lines before `at`, and up to where they were counted.
    counted: (usize, usize),
}

impl<'t> Cursor<'t> {
    pub(super) const fn new(source: &'t Rc<Source>) -> Self {
        Self { source, at: 0, counted: (0, 0) }
    }

    pub(super) fn rest(&self) -> &'t str {
        self.source.text.get(self.at..).unwrap_or_default()
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Whether the text goes on so; moves behind it.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let taken = self.rest().starts_with(text);
        if taken {
            self.at += text.len();
        }
        taken
    }

    /// Takes characters as long as they are such.
    pub(super) fn take_while(&mut self, such: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|character| !such(character)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Moves over blanks, and over the ends of lines that a backslash continues.
    pub(super) fn blanks(&mut self) {
        loop {
            self.take_while(|character| matches!(character, ' ' | '\t'));
            if !self.take("\\\n") && !self.take("\\\r\n") {
                return;
            }
        }
    }

    /// Whether the logical line ends here, perhaps with a comment. `#` and a number is an id instead.
    pub(super) fn ends(&self) -> bool {
        let rest = self.rest();
        let is_id = |text: &str| {
            text.strip_prefix('-').unwrap_or(text).starts_with(|first: char| first.is_ascii_digit())
        };
        rest.is_empty()
            || rest.starts_with('\n')
            || rest.starts_with("\r\n")
            || rest.strip_prefix('#').is_some_and(|behind| !is_id(behind))
    }

    /// Moves to the start of the next line. A comment ends with its line, backslash or not.
    pub(super) fn end_line(&mut self) -> Parsed<()> {
        self.blanks();
        if !self.ends() {
            return Err(self.wrong("this is more than the line can hold"));
        }
        self.take_while(|character| character != '\n');
        self.next();
        Ok(())
    }

    /// Moves to where the next logical line begins, whatever is left of this one.
    pub(super) fn skip_line(&mut self) {
        loop {
            let line = self.take_while(|character| character != '\n');
            self.next();
            if self.rest().is_empty() || !line.trim_end_matches('\r').ends_with('\\') {
                return;
            }
        }
    }

    /// What is wrong with the character here.
    pub(super) fn wrong(&self, message: &str) -> Wrong {
        let length = self.peek().filter(|here| *here != '\n').map_or(0, char::len_utf8);
        Wrong { span: self.at..self.at + length, message: message.to_owned() }
    }

    /// The place that begins there and ends here.
    pub(super) fn since(&mut self, start: usize) -> At {
        let (lines, upto) = if self.counted.1 <= start { self.counted } else { (0, 0) };
        let between = self.source.text.get(upto..start).unwrap_or_default();
        self.counted = (lines + between.matches('\n').count(), start);
        At { source: Rc::clone(self.source), line: self.counted.0 + 1, span: start..self.at.max(start) }
    }

    /// The text from there to here, on one line.
    pub(super) fn text_since(&self, start: usize) -> String {
        let text = self.source.text.get(start..self.at).unwrap_or_default();
        let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
        joined.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Takes a word, or text in double quotes; `None` where neither begins here.
    pub(super) fn word(&mut self) -> Parsed<Option<String>> {
        self.text_up_to(ENDS_WORD)
    }

    /// Takes a value of `Defaults`, like a word.
    pub(super) fn value(&mut self) -> Parsed<Option<String>> {
        self.text_up_to(ENDS_VALUE)
    }

    fn text_up_to(&mut self, ends: &str) -> Parsed<Option<String>> {
        if self.peek() == Some('"') {
            return self.quoted().map(Some);
        }
        let mut word = String::new();
        loop {
            word.push_str(self.take_while(|character| !ends.contains(character)));
            if !self.escape(&mut word)? {
                break;
            }
        }
        Ok(Some(word).filter(|word| !word.is_empty()))
    }

    /// Takes a backslash and what it escapes. One before the end of a line belongs to no word.
    fn escape(&mut self, word: &mut String) -> Parsed<bool> {
        let rest = self.rest();
        if !rest.starts_with('\\') || rest.starts_with("\\\n") || rest.starts_with("\\\r\n") {
            return Ok(false);
        }
        self.next();
        let hexadecimal = self.rest().strip_prefix('x').and_then(|digits| digits.get(..2));
        let code = hexadecimal.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(octet) = code.filter(u8::is_ascii) {
            self.at += "x20".len();
            word.push(char::from(octet));
            return Ok(true);
        }
        let escaped = self.next().ok_or_else(|| self.wrong("nothing follows the backslash"))?;
        word.push(escaped);
        Ok(true)
    }

    fn quoted(&mut self) -> Parsed<String> {
        let opening = self.at;
        self.next();
        let mut held = String::new();
        loop {
            held.push_str(self.take_while(|character| !"\"\\\n".contains(character)));
            if self.take("\"") {
                return Ok(held);
            }
            if self.take("\\\"") {
                held.push('"');
            } else if self.take("\\\n") {
                self.blanks();
            } else if self.take("\\") {
                held.push('\\');
            } else {
                let span = opening..opening + 1;
                return Err(Wrong { span, message: "this quote has no end".to_owned() });
            }
        }
    }
}
