//! The types of arguments: which values there are. Refuses what is not declared, and changes no value.

mod grammar;

use super::origin::Place;
use crate::request::{ArgumentName, Value};
use regex::Regex;
use std::fmt;
use std::time::Duration;

pub(super) use grammar::{UNIT_TYPES, duration};

/// Octets in a value at most, of whatever type.
pub(super) const VALUE_MAX: usize = 4096;

/// Alternatives named to people at most; of the others the number is told.
const ALTERNATIVES_SHOWN: usize = 16;

/// An end of a range of durations, with its text as written.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) length: Duration,
    pub(super) written: String,
}

/// What an argument's values are.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// One of these.
    OneOf(Vec<String>),
    /// Text that matches from its first to its last character; with the pattern as written.
    Pattern(Regex, String),
    /// A decimal integer from the first to the last.
    Integer(i64, i64),
    /// Text of that many characters at most; all of one class, if there is one, with the class as written.
    Text(usize, Option<(Regex, String)>),
    /// `true` or `false`.
    Boolean,
    /// A duration from the first to the last, where they are given.
    Duration(Option<Limit>, Option<Limit>),
    /// A name of a host, which need not exist.
    Hostname,
    /// A name of a unit of one of these types, which need not exist.
    Unit(Vec<&'static str>),
}

impl Kind {
    /// Whether the text is a value of this type. Integers have one spelling each.
    pub(super) fn has(&self, text: &str) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|value| value == text),
            Self::Pattern(regex, _) => regex.is_match(text),
            Self::Integer(first, last) => text
                .parse()
                .is_ok_and(|value: i64| (first..=last).contains(&&value) && value.to_string() == text),
            Self::Text(longest, class) => {
                text.chars().count() <= *longest
                    && class.as_ref().is_none_or(|(class, _)| class.is_match(text))
            }
            Self::Boolean => matches!(text, "true" | "false"),
            Self::Duration(first, last) => {
                let from = |length| first.as_ref().is_none_or(|first| first.length <= length);
                let to = |length| last.as_ref().is_none_or(|last| length <= last.length);
                duration(text).is_some_and(|length| from(length) && to(length))
            }
            Self::Hostname => grammar::is_hostname(text),
            Self::Unit(types) => grammar::is_unit(text, types),
        }
    }

    /// Whether a dash in front is already accounted for by the type itself.
    pub(super) const fn settles_dashes(&self) -> bool {
        match self {
            Self::OneOf(_) | Self::Integer(..) | Self::Boolean | Self::Duration(..) | Self::Hostname => true,
            Self::Pattern(..) | Self::Text(..) | Self::Unit(_) => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(values) => f.write_str(&one_of(values.iter().map(String::as_str))),
            Self::Pattern(_, written) => write!(f, "text that matches {written}"),
            Self::Integer(i64::MIN, i64::MAX) => f.write_str("an integer"),
            Self::Integer(i64::MIN, last) => write!(f, "an integer of at most {last}"),
            Self::Integer(first, i64::MAX) => write!(f, "an integer of at least {first}"),
            Self::Integer(first, last) => write!(f, "an integer from {first} to {last}"),
            Self::Text(longest, class) => {
                let class =
                    class.as_ref().map_or_else(String::new, |(_, written)| format!(", each of {written}"));
                let plural = if *longest == 1 { "" } else { "s" };
                write!(f, "text of at most {longest} character{plural}{class}")
            }
            Self::Boolean => f.write_str("true or false"),
            Self::Duration(first, last) => f.write_str(&durations(first.as_ref(), last.as_ref())),
            Self::Hostname => f.write_str("a host name"),
            Self::Unit(types) => f.write_str(&units(types)),
        }
    }
}

fn durations(first: Option<&Limit>, last: Option<&Limit>) -> String {
    match (first.map(|first| &first.written), last.map(|last| &last.written)) {
        (None, None) => "a duration".to_owned(),
        (None, Some(last)) => format!("a duration of at most {last}"),
        (Some(first), None) => format!("a duration of at least {first}"),
        (Some(first), Some(last)) => format!("a duration from {first} to {last}"),
    }
}

fn units(types: &[&str]) -> String {
    let all = types.len() == UNIT_TYPES.len();
    if all { "a unit name".to_owned() } else { format!("a unit name of type {}", either(types)) }
}

/// `A, B or C`, of a list that is short.
pub(super) fn either(words: &[&str]) -> String {
    match words {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        words => words.concat(),
    }
}

/// `one of A, B, C`, cut where the list is long.
pub(super) fn one_of<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<&str> = values.collect();
    let shown: Vec<&str> = values.iter().copied().take(ALTERNATIVES_SHOWN).collect();
    let more = values.len() - shown.len();
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("one of {}{rest}", shown.join(", "))
}

/// An argument that a command declares.
#[derive(Clone, Debug)]
pub struct ArgumentSpec {
    pub(super) name: ArgumentName,
    pub(super) kind: Kind,
    pub(super) dash: bool,
    pub(super) default: Option<Value>,
    pub(super) optional: bool,
    pub(super) place: Place,
}

impl ArgumentSpec {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &ArgumentName {
        &self.name
    }

    /// What it may be, for people: `one of nginx.service, php-fpm.service`.
    #[must_use]
    pub fn kind(&self) -> String {
        self.kind.to_string()
    }

    /// The value that stands where the peer gives none.
    #[must_use]
    pub const fn default(&self) -> Option<&Value> {
        self.default.as_ref()
    }

    /// Whether the peer has to give it: there is no default, and nothing of the command can do without.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.default.is_none() && !self.optional
    }

    /// Whether the value may be passed on; otherwise what is allowed, for people.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        let Some(text) = value.as_text() else { return Err("must be UTF-8 text".to_owned()) };
        if text.len() > VALUE_MAX {
            return Err(format!("must have at most {VALUE_MAX} octets"));
        }
        if text.starts_with('-') && !self.dash && !self.kind.settles_dashes() {
            return Err("must not begin with '-'".to_owned());
        }
        if self.kind.has(text) { Ok(()) } else { Err(format!("must be {}", self.kind)) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::origin::{Document, Source};
    use super::*;
    use std::sync::Arc;

    fn spec(kind: Kind, dash: bool) -> ArgumentSpec {
        let source = Source { name: "p.toml".to_owned(), text: String::new() };
        let place = Place::new(&Arc::new(Document::new(&source, 0)), &(0..0));
        ArgumentSpec { name: "x".parse().unwrap(), kind, dash, default: None, optional: false, place }
    }

    fn verdict(spec: &ArgumentSpec, text: &str) -> Result<(), String> {
        spec.check(&Value::try_from(text).unwrap())
    }

    fn must(text: &str) -> Result<(), String> {
        Err(format!("must {text}"))
    }

    #[test]
    fn an_integer_has_one_spelling() {
        let port = spec(Kind::Integer(-5, 65_535), false);
        for good in ["0", "1", "65535", "-5"] {
            assert_eq!(verdict(&port, good), Ok(()), "{good}");
        }
        for bad in ["", "+1", "01", "-0", " 1", "1 ", "1\n", "0x1", "1_0", "1e3", "65536", "-6", "１"] {
            assert_eq!(verdict(&port, bad), must("be an integer from -5 to 65535"), "{bad:?}");
        }
    }

    #[test]
    fn an_integer_without_bounds_ends_where_64_bits_do() {
        let any = spec(Kind::Integer(i64::MIN, i64::MAX), false);
        for (text, expected) in [
            ("-9223372036854775808", Ok(())),
            ("9223372036854775807", Ok(())),
            ("9223372036854775808", must("be an integer")),
        ] {
            assert_eq!(verdict(&any, text), expected);
        }
    }

    #[test]
    fn text_is_counted_in_characters() {
        let note = spec(Kind::Text(3, None), false);
        assert_eq!(verdict(&note, "äöü"), Ok(()));
        assert_eq!(verdict(&note, ""), Ok(()));
        assert_eq!(verdict(&note, "abcd"), must("be text of at most 3 characters"));
    }

    #[test]
    fn a_dash_in_front_needs_a_declaration() {
        assert_eq!(verdict(&spec(Kind::Text(9, None), false), "-rf"), must("not begin with '-'"));
        assert_eq!(verdict(&spec(Kind::Text(9, None), true), "-rf"), Ok(()));
        assert_eq!(verdict(&spec(Kind::OneOf(vec!["-v".to_owned()]), false), "-v"), Ok(()));
        assert_eq!(verdict(&spec(Kind::OneOf(vec!["v".to_owned()]), true), "-v"), must("be one of v"));
    }

    #[test]
    fn octets_that_are_not_utf_8_are_no_value_of_any_type() {
        let value = Value::try_from(vec![0xff]).unwrap();
        for kind in
            [Kind::Text(9, None), Kind::Pattern(Regex::new(r"(?s)\A(?:.*)\z").unwrap(), ".*".to_owned())]
        {
            assert_eq!(spec(kind, true).check(&value), must("be UTF-8 text"));
        }
    }

    #[test]
    fn a_value_is_at_most_4096_octets() {
        let pattern = Kind::Pattern(Regex::new(r"\A(?:ö*)\z").unwrap(), "ö*".to_owned());
        assert_eq!(verdict(&spec(pattern.clone(), false), &"ö".repeat(VALUE_MAX / 2)), Ok(()));
        let longer = "ö".repeat(VALUE_MAX / 2 + 1);
        assert_eq!(verdict(&spec(pattern, false), &longer), must("have at most 4096 octets"));
    }

    #[test]
    fn a_long_list_of_alternatives_is_cut_for_people() {
        let numbers: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
        let shown = Kind::OneOf(numbers).to_string();
        assert_eq!(shown, "one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 and 4 more");
    }
}
