//! How far the values of an argument reach: whether they can name other files, options or code. Cautious where it can't tell.

use super::super::argument::may_begin_with_dash;
use super::super::kind::{ArgumentSpec, Kind};
use super::language::Language;
use crate::request::Value;

/// Characters of which a value becomes more than a name to a shell, or to most other languages.
const SPECIAL: [char; 14] = [';', '&', '|', '$', '`', '\'', '"', '(', ')', '<', '>', '\\', '\n', ' '];

/// What an argument's values can be.
#[expect(
    clippy::struct_excessive_bools,
    reason = "answers to questions that have nothing to do with each other"
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// The author has thought of each: a list, or numbers.
    pub(super) closed: bool,
    /// One can be the path of a file anywhere. Commands start in the root directory, so that `etc/shadow` is one, too.
    pub(super) anywhere: bool,
    /// One can hold a slash.
    pub(super) slash: bool,
    /// One can lead out of the directory that is written before it.
    pub(super) climbs: bool,
    /// One can begin with a dash.
    pub(super) dash: bool,
    /// One can hold a character that means something to a shell.
    pub(super) special: bool,
}

impl Reach {
    const CLOSED: Self =
        Self { closed: true, anywhere: false, slash: false, climbs: false, dash: false, special: false };
}

/// What the argument's values can be. A type that is not named here is tried with some values.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a type of argument that is added later is tried, not believed"
)]
pub(super) fn of(spec: &ArgumentSpec) -> Reach {
    match &spec.kind {
        // A secret is in no argument vector: what stands there is the path of a descriptor.
        Kind::OneOf(_) | Kind::Integer(..) | Kind::Boolean | Kind::Duration(..) | Kind::Secret(..) => {
            Reach::CLOSED
        }
        Kind::Pattern(_, written) => by_pattern(spec, written),
        Kind::Text(_, Some((_, class))) => by_pattern(spec, &format!("(?:{class})*")),
        _ => by_trial(spec),
    }
}

fn by_pattern(spec: &ArgumentSpec, pattern: &str) -> Reach {
    let values = Language::of(pattern);
    let climbs = values.may_hold("../") || values.may_hold("/..") || takes(spec, "..");
    let slash = values.may_hold("/");
    Reach {
        closed: false,
        anywhere: slash && (climbs || !values.names_its_directory()),
        slash,
        climbs,
        dash: spec.dash && may_begin_with_dash(pattern),
        special: values.mentions(&SPECIAL),
    }
}

fn by_trial(spec: &ArgumentSpec) -> Reach {
    let any = |values: &[&str]| values.iter().any(|value| takes(spec, value));
    Reach {
        closed: false,
        anywhere: any(&["/etc/shadow", "/etc/cron.d/x", "/", "/x", "x/y"]),
        slash: any(&["x/y", "/etc/shadow", "x/"]),
        climbs: any(&["..", "../x", "../../etc/shadow", "x/../../y"]),
        dash: any(&["-", "-x", "--x", "--x=y", "-.mount", "-1"]),
        special: any(&["$(id)", "a b", "a;b", "'", "\""]),
    }
}

/// Whether the text is a value of the argument.
pub(super) fn takes(spec: &ArgumentSpec, text: &str) -> bool {
    Value::try_from(text).is_ok_and(|value| spec.check(&value).is_ok())
}

/// Whether root, as far as the type tells, can be the account that the value names.
pub(super) fn takes_root(spec: &ArgumentSpec) -> bool {
    let others = matches!(&spec.kind, Kind::User(users) if users.min_uid > 0);
    !others && takes(spec, "root")
}

#[cfg(test)]
mod tests {
    use super::super::tests::spec;
    use super::*;

    #[test]
    fn root_is_among_the_accounts_unless_the_type_says_otherwise() {
        for (declared, expected) in [
            ("user = {}", true),
            ("user = { min-uid = 1000 }", false),
            ("pattern = '[a-z]+'", true),
            ("pattern = 'web-[a-z]+'", false),
        ] {
            assert_eq!(takes_root(&spec(declared)), expected, "{declared}");
        }
    }

    /// `a` anywhere, `c` climbs, `d` dash, `s` special; `=` closed.
    fn shown(declared: &str) -> String {
        let found = of(&spec(declared));
        let letters = [
            (found.closed, '='),
            (found.anywhere, 'a'),
            (found.climbs, 'c'),
            (found.dash, 'd'),
            (found.special, 's'),
        ];
        letters.iter().filter(|(is, _)| *is).map(|(_, letter)| *letter).collect()
    }

    #[test]
    fn values_reach_as_far_as_their_type_lets_them() {
        for (declared, expected) in [
            ("one-of = ['/etc/shadow', '-x']", "="),
            ("integer = {}", "="),
            ("boolean = true", "="),
            ("duration = {}", "="),
            ("hostname = true", ""),
            ("unit = true", ""),
            ("unit = true, dash = true", "d"),
            ("text = { max-length = 9 }", "acs"),
            ("text = { max-length = 20 }", "acs"),
            ("text = { max-length = 20 }, dash = true", "acds"),
            ("text = { max-length = 9, characters = '[a-z]' }", ""),
            ("text = { max-length = 9, characters = '[a-z ]' }", "s"),
            ("text = { max-length = 9, characters = '[a-z/]' }", "a"),
            ("text = { max-length = 9, characters = '[a-z.]' }", "c"),
            ("text = { max-length = 9, characters = '[a-z-]' }", ""),
            ("text = { max-length = 9, characters = '[a-z-]' }, dash = true", "d"),
            ("pattern = '[a-z]+'", ""),
            ("pattern = '[^/]+'", "cs"),
            ("pattern = '/srv/[a-z/]+'", ""),
            ("pattern = '/srv/[a-z./]+'", "ac"),
            ("pattern = '/[a-z/]+'", "a"),
            ("pattern = '[a-z]+/[a-z]+'", "a"),
            ("pattern = '.*'", "acs"),
            ("pattern = '.*', dash = true", "acds"),
        ] {
            assert_eq!(shown(declared), expected, "{declared}");
        }
    }
}
