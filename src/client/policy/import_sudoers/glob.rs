//! Words of a command's arguments, with wildcards as fnmatch(3) has them, as elements of `exec` with typed arguments.
//! Translates to less than sudo permits and never to more.

use regex::escape;
use std::str::Chars;

/// What a value may not hold that stands where a wildcard stood.
const NEVER: &str = r"\s/";

/// Classes that POSIX names (regular expressions know them by the same names).
const CLASSES: [&str; 12] = [
    "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
    "xdigit",
];

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(char),
    /// `?`.
    One,
    /// `*`.
    Many,
    /// `[...]`: what stands between the brackets of the same regular expression.
    Class(String),
}

/// A word, as `exec` can have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// No wildcard in it.
    Plain(String),
    /// What stands before the first wildcard, the pattern of what stands from there to the last, and what stands behind.
    Wild { before: String, pattern: String, behind: String },
}

/// Whether some character of it, not escaped, means more than itself.
pub(super) fn is_wild(text: &str) -> bool {
    pieces(text).map_or(true, |pieces| pieces.iter().any(|piece| !matches!(piece, Piece::Literal(_))))
}

/// Translates one word.
///
/// # Errors
/// Why it can't be.
pub(super) fn word(text: &str) -> Result<Word, String> {
    let pieces = pieces(text)?;
    let is_wild = |piece: &Piece| !matches!(piece, Piece::Literal(_));
    let (Some(first), Some(last)) = (pieces.iter().position(is_wild), pieces.iter().rposition(is_wild))
    else {
        return Ok(Word::Plain(literal(&pieces)));
    };
    let (head, behind) = pieces.split_at_checked(last + 1).unwrap_or_default();
    let (before, wild) = head.split_at_checked(first).unwrap_or_default();
    let mut segment = Segment::start();
    for piece in before {
        segment.take(piece)?;
    }
    let pattern = pattern(wild, &mut segment)?;
    for piece in behind {
        segment.take(piece)?;
    }
    segment.end()?;
    Ok(Word::Wild { before: literal(before), pattern, behind: literal(behind) })
}

fn literal(pieces: &[Piece]) -> String {
    let character =
        |piece: &Piece| if let Piece::Literal(character) = piece { Some(*character) } else { None };
    pieces.iter().filter_map(character).collect()
}

/// The pattern of a value; it is never empty, and never begins with a dash.
fn pattern(pieces: &[Piece], segment: &mut Segment) -> Result<String, String> {
    let mut pattern = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        let dot = if segment.could_go_up() { "." } else { "" };
        let dash = if index == 0 { "-" } else { "" };
        let one = format!("[^{NEVER}{dot}{dash}]");
        let text = match piece {
            Piece::Literal(character) => escape(&character.to_string()),
            Piece::One => one,
            Piece::Class(class) => format!("[{class}&&{one}]"),
            Piece::Many if index == 0 => format!("{one}[^{NEVER}]*"),
            Piece::Many if dot.is_empty() => format!("[^{NEVER}]*"),
            Piece::Many => format!("(?:{one}[^{NEVER}]*)?"),
        };
        pattern.push_str(&text);
        segment.take(piece)?;
    }
    Ok(pattern)
}

/// What the text since the last `/` can be so far, as far as it matters to `..`.
#[derive(Clone, Copy, Debug)]
struct Segment {
    empty: bool,
    dot: bool,
    dots: bool,
}

impl Segment {
    const fn start() -> Self {
        Self { empty: true, dot: false, dots: false }
    }

    /// Whether a dot here could make it one of `.` and `..`.
    const fn could_go_up(self) -> bool {
        self.empty || self.dot
    }

    /// Goes on behind a piece. A wildcard matches no dot where that could go up.
    fn take(&mut self, piece: &Piece) -> Result<(), String> {
        *self = match piece {
            Piece::Literal('/') => {
                self.end()?;
                Self::start()
            }
            Piece::Literal('.') => Self { empty: false, dot: self.empty, dots: self.dot },
            Piece::Literal(_) | Piece::One | Piece::Class(_) => {
                Self { empty: false, dot: false, dots: false }
            }
            Piece::Many => *self,
        };
        Ok(())
    }

    fn end(self) -> Result<(), String> {
        if self.dots { Err("together with its wildcard it can name \"..\"".to_owned()) } else { Ok(()) }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let piece = match character {
            '\\' => Piece::Literal(characters.next().unwrap_or('\\')),
            '?' => Piece::One,
            '*' => Piece::Many,
            '[' => class(&mut characters)?.map_or(Piece::Literal('['), Piece::Class),
            other => Piece::Literal(other),
        };
        if piece != Piece::Many || pieces.last() != Some(&Piece::Many) {
            pieces.push(piece);
        }
    }
    Ok(pieces)
}

/// Reads what stands between brackets; without a closing one, the opening one is a plain character.
fn class(characters: &mut Chars<'_>) -> Result<Option<String>, String> {
    let mut ahead = characters.clone();
    let mut class = String::new();
    let negated = ahead.as_str().starts_with(['!', '^']);
    if negated {
        ahead.next();
        class.push('^');
    }
    let mut first = true;
    loop {
        match ahead.next() {
            None => return Ok(None),
            Some(']') if !first => break,
            Some('[') if ahead.as_str().starts_with([':', '.', '=']) => class.push_str(&named(&mut ahead)?),
            Some(character) => class.push_str(&range(character, &mut ahead)?),
        }
        first = false;
    }
    *characters = ahead;
    Ok(Some(if negated { format!("[{class}]") } else { class }))
}

/// Reads `:digit:]`.
fn named(characters: &mut Chars<'_>) -> Result<String, String> {
    let held = characters.as_str().strip_prefix(':').and_then(|rest| rest.split_once(":]"));
    let known = held.and_then(|(name, _)| CLASSES.into_iter().find(|known| *known == name));
    let Some(name) = known else {
        return Err("it has a class of characters that is not known here".to_owned());
    };
    *characters = characters.as_str().get(name.len() + "::]".len()..).unwrap_or_default().chars();
    Ok(format!("[:{name}:]"))
}

/// Reads a character, and the range that it may begin.
fn range(character: char, characters: &mut Chars<'_>) -> Result<String, String> {
    let from = unescaped(character, characters);
    let mut ahead = characters.clone();
    let goes_on = ahead.next() == Some('-') && !ahead.as_str().starts_with(']') && !ahead.as_str().is_empty();
    if !goes_on {
        return Ok(escape(&from.to_string()));
    }
    let to = ahead.next().map(|to| unescaped(to, &mut ahead));
    *characters = ahead;
    match to {
        Some(to) if from <= to && to != '[' => {
            Ok(format!("{}-{}", escape(&from.to_string()), escape(&to.to_string())))
        }
        _ => Err("it has a range of characters without sense".to_owned()),
    }
}

fn unescaped(character: char, characters: &mut Chars<'_>) -> char {
    if character == '\\' { characters.next().unwrap_or('\\') } else { character }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    fn wild(text: &str) -> (String, Regex, String) {
        match word(text) {
            Ok(Word::Wild { before, pattern, behind }) => {
                (before, Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap(), behind)
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_word_without_a_wildcard_is_itself() {
        for (text, expected) in
            [("a", "a"), (r"\*", "*"), (r"a\b", "ab"), ("[", "["), ("a[b", "a[b"), (r"\\", r"\"), ("", "")]
        {
            assert_eq!(word(text), Ok(Word::Plain(expected.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_wildcard_takes_no_blank_no_slash_no_dash_in_front_and_is_not_nothing() {
        let (before, pattern, behind) = wild("--file=/dev/*.img");
        assert_eq!((&*before, &*behind), ("--file=/dev/", ".img"));
        for (value, expected) in [
            ("a", true),
            ("a.b", true),
            ("", false),
            ("a b", false),
            ("a/b", false),
            ("-a", false),
            (".", false),
        ] {
            assert_eq!(pattern.is_match(value), expected, "{value:?}");
        }
    }

    #[test]
    fn classes_and_ranges_are_those_of_fnmatch() {
        for (text, good, bad) in [
            ("[a-c]", "b", "d"),
            ("[!a-c]", "d", "b"),
            ("[^a-c]", "d", "b"),
            ("[]x]", "]", "y"),
            (r"[\]x]", "]", "\\"),
            ("[[:digit:]x]?", "7z", "yz"),
            ("[![:digit:]]", "x", "7"),
            ("[&~x]", "&", "y"),
            ("[a-]b", "a", "b"),
            ("[/a]", "a", "/"),
        ] {
            let (_, pattern, _) = wild(text);
            assert_eq!((pattern.is_match(good), pattern.is_match(bad)), (true, false), "{text}");
        }
        for bad in ["[c-a]", "[[:no:]]", "[[.a.]]", "[a-[:digit:]]"] {
            assert!(word(bad).is_err(), "{bad}");
        }
    }

    /// Every text of up to four of these characters.
    fn values() -> Vec<String> {
        let mut values = vec![String::new()];
        for _ in 0..4 {
            let longer = values.iter().flat_map(|value| [".", "a", "/"].map(|next| value.clone() + next));
            values = longer.chain([String::new()]).collect();
        }
        values
    }

    #[test]
    fn no_value_makes_a_word_go_up() {
        let values = values();
        for text in [
            "*", "/a/*", "/a/.*", "*.*", "/*.", "/?.", "/.?", "/??", "[!a].", "/a/*/b", "a*", "*a", ".*a",
            "*?*", "/[.]*",
        ] {
            let Ok(Word::Wild { before, pattern, behind }) = word(text) else { continue };
            let pattern = Regex::new(&format!(r"\A(?:{pattern})\z")).unwrap();
            for value in values.iter().filter(|value| pattern.is_match(value)) {
                let whole = format!("{before}{value}{behind}");
                assert!(whole.split('/').all(|segment| segment != ".."), "{text} {whole}");
            }
        }
    }

    #[test]
    fn a_word_that_can_go_up_whatever_its_wildcard_is_refused() {
        for text in ["/../*", "*/..", ".*.", "*../a"] {
            assert!(word(text).is_err(), "{text}");
        }
    }
}
