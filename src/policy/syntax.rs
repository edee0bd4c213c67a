//! Puts what the TOML parser finds into the words of whoever has to mend it. What it has no words for, it passes on.

use toml::de::Error;

/// How the parser's messages begin, and what to say instead.
const WORDS: [(&str, &str); 22] = [
    ("carriage return must", "a carriage return by itself; lines end with LF, or with CR and LF"),
    ("extra `=`", "one '=' too many"),
    ("extra comma", "one comma too many"),
    ("invalid basic string", "a string without its closing '\"'"),
    ("invalid boolean", "neither true nor false; both are written in small letters"),
    ("invalid inline table element", "a comma is missing here, or the '}' of the table before it"),
    ("invalid key-value pair", "not TOML: a policy is lines of [section] and of key = value"),
    ("invalid literal string", "a string without its closing \"'\""),
    ("invalid multi-line", "a string without its three closing quotes"),
    ("key with no value", "a key without its value; write key = value"),
    ("missing assignment", "a key without its value; write key = value"),
    ("missing comma between array", "a comma is missing here, or the ']' of the list before it"),
    ("missing comma between key", "a comma is missing here, or the '}' of the table before it"),
    (
        "missing escaped value",
        "no such escape; write \"\\\\\" for a backslash, or single quotes, between which it needs none",
    ),
    (
        "missing opening quote",
        "a quote where none belongs; within a string write \\\", or use the other kind",
    ),
    ("unclosed array table", "a header without its closing \"]]\""),
    ("unclosed array", "a list without its closing ']'"),
    ("unclosed inline table", "a table without its closing '}'"),
    ("unclosed table", "a header without its closing ']'"),
    ("unexpected `=`", "'=' within a list; the ']' of the list is missing before this"),
    (
        "unexpected key or value",
        "the line should end here: one header or one key a line, and '#' before a comment",
    ),
    ("unexpected leading zero", "a number with a 0 in front; leave it out"),
];

/// The error to tell, since the others are often only its consequences: the first in the text, and of several at one place that
/// of a string.
pub(super) fn first(errors: Vec<Error>) -> Option<Error> {
    let strings = ["invalid basic", "invalid literal", "invalid multi", "missing opening quote"];
    let is_of_string = |error: &Error| strings.iter().any(|begins| error.message().starts_with(begins));
    let start = |error: &Error| error.span().map_or(0, |span| span.start);
    errors.into_iter().min_by_key(|error| (start(error), !is_of_string(error)))
}

/// What is wrong and what to write, for an error in this text.
pub(super) fn told(error: &Error, text: &str) -> String {
    let span = error.span().unwrap_or_default();
    let (before, at) = text.split_at_checked(span.start).unwrap_or_default();
    let begins = |words: &str| error.message().starts_with(words);
    match at.chars().next() {
        Some(c) if c.is_control() && !c.is_whitespace() => {
            format!("a control character, U+{:04X}; save the file as plain text in UTF-8", u32::from(c))
        }
        Some('(') if begins("missing opening quote") => "a list is written in brackets: [ and ]".to_owned(),
        Some(c) if begins("missing comma") && before.ends_with('"') && c.is_alphanumeric() => {
            "a quote within a string is written \\\"".to_owned()
        }
        _ if begins("duplicate key") => {
            let key = text.get(span).unwrap_or_default();
            format!("{key:?} is here for the second time; keep one of the two, with all of it")
        }
        _ if begins("invalid unquoted key") => bad_key(at),
        _ if begins("string values must be quoted") => unquoted(at).to_owned(),
        _ => in_words(error.message()),
    }
}

fn in_words(message: &str) -> String {
    let known = WORDS.iter().find(|(begins, _)| message.starts_with(begins));
    known.map_or_else(|| message.to_owned(), |(_, words)| (*words).to_owned())
}

fn bad_key(at: &str) -> String {
    match at.chars().next() {
        Some(':') => "a key and its value are joined by '=', not by ':'".to_owned(),
        Some('/') => "a comment begins with '#'".to_owned(),
        Some(odd) if !odd.is_ascii() => {
            format!("{odd:?} (U+{:04X}) is no letter of a key; retype the key", u32::from(odd))
        }
        _ => "not a key: letters, digits, '-' and '_' alone, or all of it in quotes".to_owned(),
    }
}

fn unquoted(at: &str) -> &'static str {
    match at.chars().next() {
        None | Some('\r' | '\n' | '#') => "a value is missing here",
        Some('\u{2018}'..='\u{201f}') => "typographic quotes; write plain ones: \"",
        Some(_) => "text needs quotes around it: \"...\"",
    }
}
