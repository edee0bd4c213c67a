//! Which values each type takes.

use super::*;
use crate::policy::origin::{Document, Source};
use std::sync::Arc;

fn spec(kind: Kind, dash: bool) -> ArgumentSpec {
    let source = Source { name: "p.toml".to_owned(), text: String::new() };
    let place = Place::new(&Arc::new(Document::new(&source, 0)), &(0..0));
    ArgumentSpec {
        name: "x".parse().unwrap(),
        kind,
        dash,
        default: None,
        optional: false,
        repeat: None,
        place,
    }
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
    for kind in [Kind::Text(9, None), Kind::Pattern(Regex::new(r"(?s)\A(?:.*)\z").unwrap(), ".*".to_owned())]
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
