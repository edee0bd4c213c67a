//! The table of an argument, and those of its types. Data alone.

use super::super::argument::outside::REPEAT_MAX;
use super::super::kind::VALUE_MAX;
use super::tables::{SPAN, key};
use super::{Key, Needs, Section, Shape, UNIT_WORD};

/// An element of `args`.
pub(in crate::policy) const ARGUMENT: Section = Section {
    of: "an argument",
    keys: &[
        key(
            "name",
            "Its name: a letter, then at most 31 letters, digits, '-', '_' or '.'.",
            Shape::Form("^[A-Za-z][A-Za-z0-9._-]{0,31}$"),
        ),
        key("one-of", "Type: these values and no others.", Shape::Some(&Shape::Text)),
        key("pattern", "Type: text that matches this regular expression from end to end.", Shape::Text),
        key("integer", "Type: a decimal integer, within bounds.", Shape::Table(&INTEGER)),
        key("text", "Type: any text, so long.", Shape::Table(&TEXT)),
        key("boolean", "Type: true or false.", Shape::True),
        key(
            "duration",
            "Type: a span of time, as \"1h 30min\"; passed on as it is written.",
            Shape::Table(&DURATION),
        ),
        key("hostname", "Type: a host name, well spelt.", Shape::True),
        key("unit", "Type: a unit name, well spelt.", Shape::Either(&[Shape::True, Shape::Table(&UNIT)])),
        key(
            "path",
            "Type: a file below one of some directories, as it is when the command runs.",
            Shape::Table(&PATH),
        ),
        key(
            "user",
            "Type: the name of a user who exists when the command runs.",
            Shape::Either(&[Shape::True, Shape::Table(&USER)]),
        ),
        key("group", "Type: the name of a group that exists when the command runs.", Shape::True),
        key("secret", "Type: text that is on no record, and in no argument vector.", Shape::Table(&SECRET)),
        key("default", "The value that stands where none is given.", Shape::Value),
        key(
            "optional",
            "Whether it may be left out, and with it each element of exec that mentions it.",
            Shape::Truth,
        ),
        key(
            "repeat",
            "Whether it may be given several times; each element of exec that mentions it stands there once for each.",
            Shape::Either(&[Shape::Truth, Shape::Table(&REPEAT)]),
        ),
        key(
            "dash",
            "Whether the value may begin with '-': a program may read it as an option.",
            Shape::Truth,
        ),
    ],
    needs: Needs::And("name", &ARGUMENT_TYPES),
};

/// The keys that give an argument its type.
pub(in crate::policy) const ARGUMENT_TYPES: [&str; 12] = [
    "one-of", "pattern", "integer", "text", "boolean", "duration", "hostname", "unit", "path", "user",
    "group", "secret",
];

/// `integer` of an argument.
pub(in crate::policy) const INTEGER: Section = Section {
    of: "integer",
    keys: &[
        key("min", "The smallest; 0, if nothing else is said.", Shape::Integer(i64::MIN, i64::MAX)),
        key("max", "The largest.", Shape::Integer(i64::MIN, i64::MAX)),
    ],
    needs: Needs::Nothing,
};

/// `text` of an argument.
pub(in crate::policy) const TEXT: Section = Section {
    of: "text",
    keys: &[MAX_LENGTH, key("characters", "The class of which each character is: \"[a-z ]\".", Shape::Text)],
    needs: Needs::All(&["max-length"]),
};

#[expect(clippy::as_conversions, clippy::cast_possible_wrap, reason = "a small constant; From is not const")]
const LENGTH_MAX: i64 = VALUE_MAX as i64;

#[expect(clippy::as_conversions, clippy::cast_possible_wrap, reason = "a small constant; From is not const")]
const TIMES_MAX: i64 = REPEAT_MAX as i64;

/// How long a text may be.
const MAX_LENGTH: Key = key("max-length", "How many characters at most.", Shape::Integer(1, LENGTH_MAX));

/// `duration` of an argument.
pub(in crate::policy) const DURATION: Section = Section {
    of: "duration",
    keys: &[key("min", "The shortest.", SPAN), key("max", "The longest.", SPAN)],
    needs: Needs::Nothing,
};

/// `unit` of an argument.
pub(in crate::policy) const UNIT: Section = Section {
    of: "unit",
    keys: &[key("types", "The types of units that it may be.", Shape::Some(&UNIT_WORD))],
    needs: Needs::Nothing,
};

/// `path` of an argument.
pub(in crate::policy) const PATH: Section = Section {
    of: "path",
    keys: &[
        key("under", "The directories below which it is.", Shape::Some(&Shape::Text)),
        key("exists", "Whether it is there when the command runs, or is not.", Shape::Truth),
        key(
            "kind",
            "What it is; a file, if nothing else is said.",
            Shape::Word(&["file", "directory", "any"]),
        ),
        key(
            "pass",
            "How the program gets it: as a path, or as a descriptor that nobody can exchange, by a path below /proc/self/fd.",
            Shape::Word(&["path", "fd"]),
        ),
    ],
    needs: Needs::All(&["under"]),
};

/// `user` of an argument.
pub(in crate::policy) const USER: Section = Section {
    of: "user",
    keys: &[
        key("min-uid", "The smallest id.", Shape::Integer(0, 4_294_967_295)),
        key("groups", "Groups of which the user is in one.", Shape::Some(&Shape::Principal)),
    ],
    needs: Needs::Nothing,
};

/// `secret` of an argument.
pub(in crate::policy) const SECRET: Section = Section {
    of: "secret",
    keys: &[
        MAX_LENGTH,
        key(
            "pass",
            "How the program gets it: in a file in memory, by its path below /proc/self/fd, or as standard input.",
            Shape::Word(&["memfd", "stdin"]),
        ),
    ],
    needs: Needs::All(&["max-length"]),
};

/// `repeat` of an argument.
pub(in crate::policy) const REPEAT: Section = Section {
    of: "repeat",
    keys: &[
        key("min", "How often at least.", Shape::Integer(1, TIMES_MAX)),
        key("max", "How often at most; 64, if nothing else is said.", Shape::Integer(1, TIMES_MAX)),
    ],
    needs: Needs::Nothing,
};
