//! Compiles patterns so that they match whole values only, and sees which of them match more than they seem to.
//! Refuses a pattern that takes much memory.

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Octets of memory that a compiled pattern may take, and its matching cache again.
const PATTERN_MEMORY_MAX: usize = 1 << 20;

/// Compiles the pattern so that it matches whole values only. It must also stand alone: `a)|(?:b` would
/// step out of the anchors.
pub(super) fn anchored(pattern: &str) -> Result<Regex, String> {
    stands_alone(pattern)?;
    compiled(&format!(r"\A(?:{pattern})\z"))
}

/// Compiles a class of characters so that it matches values of these characters only.
pub(super) fn of_characters(class: &str) -> Result<Regex, String> {
    stands_alone(class)?;
    if !regex_syntax::parse(class).is_ok_and(|class| is_class(class.kind())) {
        return Err("characters is one class of characters, like \"[a-z ]\"".to_owned());
    }
    compiled(&format!(r"\A(?:{class})*\z"))
}

/// Reading is much quicker than compiling, which then says in the end what is wrong.
fn stands_alone(pattern: &str) -> Result<(), String> {
    if regex_syntax::parse(pattern).is_ok() { Ok(()) } else { compiled(pattern).map(drop) }
}

/// A class of a single character is read as that character.
fn is_class(read: &HirKind) -> bool {
    if let HirKind::Class(class) = read {
        return !class.is_empty();
    }
    let character = |octets: &[u8]| std::str::from_utf8(octets).is_ok_and(|text| text.chars().count() == 1);
    matches!(read, HirKind::Literal(literal) if character(&literal.0))
}

fn compiled(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_MEMORY_MAX)
        .dfa_size_limit(PATTERN_MEMORY_MAX)
        .build()
        .map_err(|error| pattern_error(&error))
}

fn pattern_error(error: &regex::Error) -> String {
    if let regex::Error::CompiledTooBig(limit) = error {
        return format!("the pattern takes more than {limit} octets when compiled");
    }
    match last_line(&error.to_string()) {
        "repetition operator missing expression" => {
            "bad pattern: nothing stands before the repetition; in a regular expression, .* is any text"
                .to_owned()
        }
        other => format!("bad pattern: {other}"),
    }
}

/// The regex crate draws its own picture and says what is wrong last.
fn last_line(text: &str) -> &str {
    let line = text.lines().next_back().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line)
}

/// Whether the pattern matches a whole value that begins with a dash. Never misses one; where nothing but an anchor
/// or a word boundary behind the first character keeps the pattern from matching (`-^`), it says yes too.
pub(in crate::policy) fn may_begin_with_dash(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|pattern| takes_dash(&pattern))
}

/// Whether it can match, from the start of a value, a dash and what follows.
fn takes_dash(pattern: &Hir) -> bool {
    let taken = match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.starts_with(b"-"),
        HirKind::Class(class) => has_dash(class),
        HirKind::Repetition(repeated) => repeated.max != Some(0) && takes_dash(&repeated.sub),
        HirKind::Capture(group) => takes_dash(&group.sub),
        HirKind::Concat(parts) => {
            parts.iter().find(|part| takes_dash(part) || !takes_nothing(part)).is_some_and(takes_dash)
        }
        HirKind::Alternation(branches) => branches.iter().any(takes_dash),
    };
    taken && matches_something(pattern)
}

/// Whether it can match anything, as far as classes of characters can keep it from that.
fn matches_something(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) => true,
        HirKind::Class(class) => !class.is_empty(),
        HirKind::Repetition(repeated) => repeated.min == 0 || matches_something(&repeated.sub),
        HirKind::Capture(group) => matches_something(&group.sub),
        HirKind::Concat(parts) => parts.iter().all(matches_something),
        HirKind::Alternation(branches) => branches.iter().any(matches_something),
    }
}

/// Whether it can match nothing at the start of a value that begins with a dash.
fn takes_nothing(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Empty => true,
        HirKind::Literal(_) | HirKind::Class(_) => false,
        HirKind::Look(look) => holds_before_dash(*look),
        HirKind::Repetition(repeated) => repeated.min == 0 || takes_nothing(&repeated.sub),
        HirKind::Capture(group) => takes_nothing(&group.sub),
        HirKind::Concat(parts) => parts.iter().all(takes_nothing),
        HirKind::Alternation(branches) => branches.iter().any(takes_nothing),
    }
}

fn has_dash(class: &Class) -> bool {
    match class {
        Class::Unicode(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&'-')),
        Class::Bytes(class) => class.iter().any(|range| (range.start()..=range.end()).contains(&b'-')),
    }
}

/// Whether the look-around holds at the start of a value that begins with a dash, which is no letter of a word.
const fn holds_before_dash(look: Look) -> bool {
    let at_start = matches!(look, Look::Start | Look::StartLF | Look::StartCRLF);
    let between_words = matches!(look, Look::WordAsciiNegate | Look::WordUnicodeNegate);
    let half_ascii = matches!(look, Look::WordStartHalfAscii | Look::WordEndHalfAscii);
    let half_unicode = matches!(look, Look::WordStartHalfUnicode | Look::WordEndHalfUnicode);
    at_start || between_words || half_ascii || half_unicode
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_values_only() {
        let regex = anchored("a|b").unwrap();
        for (text, expected) in [("a", true), ("b", true), ("ab", false), ("xa", false), ("a\n", false)] {
            assert_eq!(regex.is_match(text), expected, "{text:?}");
        }
        assert!(!anchored("(?m)^a$").unwrap().is_match("a\nb"));
    }

    #[test]
    fn a_pattern_can_not_step_out_of_its_anchors() {
        for pattern in ["a)|(?:b", "(?x) a # b", "a\\"] {
            assert!(anchored(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_takes_much_memory_is_refused() {
        let message = anchored(r"\pL{1000}{1000}").unwrap_err();
        assert!(message.starts_with("the pattern takes more than"), "{message}");
    }

    #[test]
    fn a_class_of_characters_is_one_class() {
        for (class, value, other) in
            [("[a-z ]", "a b", "a1"), (r"\d", "١2", "x"), (r"[^/\n]", "a", "/"), ("[ö]", "öö", "o")]
        {
            let regex = of_characters(class).unwrap();
            assert_eq!([value, "", other].map(|text| regex.is_match(text)), [true, true, false], "{class}");
        }
        for bad in [
            "",
            "ab",
            "[a]+",
            "[a][b]",
            "(a)",
            "^",
            "[a&&b]",
            "a-z",
            "[a]|[b]*",
            "a)|(?:b",
            "[a",
            "(?x)[a] # b",
        ] {
            assert!(of_characters(bad).is_err(), "{bad}");
        }
    }

    /// Patterns with whether some value that they match begins with a dash.
    const PATTERNS: [(&str, bool); 43] = [
        ("-", true),
        ("--a", true),
        ("[a-z]+", false),
        ("[a-z-]+", true),
        ("[^a]", true),
        (r"\w+", false),
        (r"\S+", true),
        (".*", true),
        (".{0}a", false),
        ("a*b*-?", true),
        ("a+-?", false),
        ("a|b|(c|-d)", true),
        ("a|b|(c|d-)", false),
        ("(a?)(b?)(-)", true),
        ("(a?)(b)(-)", false),
        ("(?:a?-?){2}b", true),
        ("(?:ab?){0,3}-", true),
        ("(?:ab?){1,3}-", false),
        ("-[a&&b]", false),
        ("(?:-|a)[a&&b]", false),
        ("a*[a&&b]*-", true),
        ("-[a&&b]*", true),
        ("[a&&b]?(?:[a&&b]|-)", true),
        ("-{0}a", false),
        ("^-$", true),
        ("(?m)^-$", true),
        ("(?mR)^-$", true),
        ("$-", false),
        ("(?m)$-", false),
        ("(?mR)$-", false),
        (r"\z-|\A-", true),
        (r"\b-", false),
        (r"(?-u:\b)-", false),
        (r"\B-", true),
        (r"(?-u:\B)-", true),
        (r"\b{start}-|\b{end}-", false),
        (r"(?-u:\b{start}-|\b{end}-)", false),
        (r"\b{start-half}-", true),
        (r"\b{end-half}-", true),
        (r"(?-u:\b{start-half}\b{end-half})-", true),
        ("(?i)[k-m]+", false),
        (r"\x2d", true),
        (r"[+-/]", true),
    ];

    /// Every text of at most three of these characters, behind a dash.
    fn values_with_a_dash() -> Vec<String> {
        let mut values = vec!["-".to_owned()];
        for _ in 0..3 {
            let longer =
                values.iter().flat_map(|value| ["a", "b", "d", "-", " "].map(|next| value.clone() + next));
            values = longer.chain(["-".to_owned()]).collect();
        }
        values
    }

    #[test]
    fn a_pattern_that_takes_a_dash_in_front_is_seen() {
        let values = values_with_a_dash();
        for (pattern, expected) in PATTERNS {
            let regex = anchored(pattern).unwrap();
            assert_eq!(values.iter().any(|value| regex.is_match(value)), expected, "matching {pattern}");
            assert_eq!(may_begin_with_dash(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn an_anchor_behind_the_first_character_is_not_looked_at() {
        assert!(may_begin_with_dash("-^"));
    }
}
