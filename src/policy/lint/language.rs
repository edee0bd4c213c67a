//! What the values of a pattern can hold. Exact but for look-around, which it passes over.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// Characters in a text that is searched for at most.
const NEEDLE_MAX: usize = 6;

/// States of a search: how much of the text was just read.
const STATES: usize = NEEDLE_MAX + 1;

/// A text, of ASCII characters, that one of a pattern's values may hold.
#[derive(Clone, Copy)]
struct Needle<'n>(&'n str);

/// For each state, the set of states that what was read can lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Relation([u8; STATES]);

impl Relation {
    /// Nothing was read.
    fn identity() -> Self {
        Self(std::array::from_fn(|state| 1 << state))
    }

    /// Nothing can be read: no value.
    const fn impossible() -> Self {
        Self([0; STATES])
    }

    fn then(self, next: Self) -> Self {
        let lead = |from: u8| {
            let reached = next.0.iter().enumerate().filter(|(state, _)| from & (1 << state) != 0);
            reached.fold(0, |all, (_, to)| all | to)
        };
        Self(self.0.map(lead))
    }

    fn or(self, other: Self) -> Self {
        let mut all = self;
        all.0.iter_mut().zip(other.0).for_each(|(one, two)| *one |= two);
        all
    }

    /// So many times, one after another.
    fn times(self, mut count: u32) -> Self {
        let (mut all, mut power) = (Self::identity(), self);
        while count > 0 {
            if count & 1 == 1 {
                all = all.then(power);
            }
            let squared = power.then(power);
            count = if squared == power { (count >> 1).min(1) } else { count >> 1 };
            power = squared;
        }
        all
    }

    fn leads(self, to: usize) -> bool {
        self.0.first().is_some_and(|reached| reached & (1 << to) != 0)
    }
}

impl Needle<'_> {
    /// The state in which all of it was read, which is never left.
    fn goal(self) -> usize {
        self.0.len().min(NEEDLE_MAX)
    }

    /// What reading this character leads to.
    fn character(self, read: char) -> Relation {
        Relation(std::array::from_fn(|state| 1 << self.next(state, read)))
    }

    fn next(self, state: usize, read: char) -> usize {
        if state == self.goal() {
            return state;
        }
        let seen: String = self.0.chars().take(state).chain([read]).collect();
        let ends_with = |length: &usize| self.0.get(..*length).is_some_and(|head| seen.ends_with(head));
        (0..=self.0.len()).rev().find(ends_with).unwrap_or(0)
    }

    fn read(self, pattern: &Hir) -> Relation {
        match pattern.kind() {
            HirKind::Empty | HirKind::Look(_) => Relation::identity(),
            HirKind::Literal(literal) => {
                let characters = literal.0.iter().map(|octet| self.character(char::from(*octet)));
                characters.fold(Relation::identity(), Relation::then)
            }
            HirKind::Class(class) => self.class(class),
            HirKind::Repetition(repeated) => self.repeated(repeated),
            HirKind::Capture(group) => self.read(&group.sub),
            HirKind::Concat(parts) => {
                parts.iter().map(|part| self.read(part)).fold(Relation::identity(), Relation::then)
            }
            HirKind::Alternation(branches) => {
                branches.iter().map(|branch| self.read(branch)).fold(Relation::impossible(), Relation::or)
            }
        }
    }

    fn repeated(self, repeated: &Repetition) -> Relation {
        let once = self.read(&repeated.sub);
        let more = repeated.max.map_or(u32::MAX, |max| max.saturating_sub(repeated.min));
        once.times(repeated.min).then(Relation::identity().or(once).times(more))
    }

    fn class(self, class: &Class) -> Relation {
        let alphabet: Vec<char> = self.0.chars().collect();
        let named = alphabet.iter().filter(|character| has(class, **character));
        let others = holds_others(class, &alphabet).then(|| self.character('\u{fffd}'));
        named
            .map(|character| self.character(*character))
            .chain(others)
            .fold(Relation::impossible(), Relation::or)
    }
}

/// The ranges of a class, as characters' numbers.
pub(super) fn ranges(class: &Class) -> Vec<(u32, u32)> {
    match class {
        Class::Unicode(class) => {
            class.iter().map(|range| (range.start().into(), range.end().into())).collect()
        }
        Class::Bytes(class) => class.iter().map(|range| (range.start().into(), range.end().into())).collect(),
    }
}

fn has(class: &Class, character: char) -> bool {
    ranges(class).iter().any(|(first, last)| (*first..=*last).contains(&character.into()))
}

/// Whether the class has a character that is none of these.
fn holds_others(class: &Class, these: &[char]) -> bool {
    let mut distinct = these.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let known = distinct.iter().filter(|character| has(class, **character)).count();
    let size = ranges(class).iter().map(|(first, last)| u64::from(last - first) + 1).sum::<u64>();
    size > u64::try_from(known).unwrap_or(u64::MAX)
}

/// The values of a pattern.
#[derive(Debug)]
pub(super) struct Language(Hir);

impl Language {
    /// Those of a pattern; of text that is none, the empty value.
    pub(super) fn of(pattern: &str) -> Self {
        Self(regex_syntax::parse(pattern).unwrap_or_else(|_| Hir::empty()))
    }

    /// Whether a value can hold the text, which is short and ASCII.
    pub(super) fn may_hold(&self, text: &str) -> bool {
        let needle = Needle(text);
        needle.read(&self.0).leads(needle.goal())
    }

    /// Whether one of the ASCII characters stands anywhere in the pattern, be it where no value comes by.
    pub(super) fn mentions(&self, characters: &[char]) -> bool {
        mentions(&self.0, characters)
    }

    /// Whether every value that holds a slash begins with what the pattern names before it: a directory, as `/srv/` in
    /// `/srv/.*` or `web-` in `web-[a-z]+/.*`, or the scheme of a URL.
    pub(super) fn names_its_directory(&self) -> bool {
        is_rooted(&self.0)
    }

    /// The text with which each value begins, as far as the pattern writes it out in front.
    pub(super) fn beginning(&self) -> String {
        beginning(&self.0)
    }
}

fn beginning(pattern: &Hir) -> String {
    match pattern.kind() {
        HirKind::Literal(literal) => String::from_utf8_lossy(&literal.0).into_owned(),
        HirKind::Capture(group) => beginning(&group.sub),
        HirKind::Concat(parts) => {
            let first = parts.iter().find(|part| !matches!(part.kind(), HirKind::Look(_)));
            first.map(beginning).unwrap_or_default()
        }
        HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Class(_)
        | HirKind::Repetition(_)
        | HirKind::Alternation(_) => String::new(),
    }
}

fn mentions(pattern: &Hir, characters: &[char]) -> bool {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.iter().any(|octet| characters.contains(&char::from(*octet))),
        HirKind::Class(class) => characters.iter().any(|character| has(class, *character)),
        HirKind::Repetition(repeated) => mentions(&repeated.sub, characters),
        HirKind::Capture(group) => mentions(&group.sub, characters),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(|part| mentions(part, characters))
        }
    }
}

fn is_rooted(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Literal(literal) => literal.0.get(1..).is_some_and(|rest| rest.contains(&b'/')),
        HirKind::Capture(group) => is_rooted(&group.sub),
        HirKind::Repetition(repeated) => repeated.min > 0 && is_rooted(&repeated.sub),
        HirKind::Concat(parts) => {
            let mut parts = parts.iter().filter(|part| !matches!(part.kind(), HirKind::Look(_)));
            parts.next().is_some_and(|first| is_rooted(first) || is_name(first) && !is_slash(first))
        }
        HirKind::Alternation(branches) => branches.iter().all(is_rooted),
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => false,
    }
}

/// Whether it is text that the author wrote out.
fn is_name(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Literal(_) => true,
        HirKind::Capture(group) => is_name(&group.sub),
        HirKind::Alternation(branches) => branches.iter().all(is_name),
        HirKind::Concat(parts) => parts.iter().all(is_name),
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) | HirKind::Repetition(_) => false,
    }
}

/// Whether it names nothing but the root directory.
fn is_slash(pattern: &Hir) -> bool {
    matches!(pattern.kind(), HirKind::Literal(literal) if &*literal.0 == b"/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_value_can_hold_is_seen() {
        for (pattern, text, expected) in [
            ("[a-z]+", "/", false),
            ("[a-z/]+", "/", true),
            ("a/b", "/", true),
            (r"[a-z]+\.[a-z]+\.conf", "..", false),
            (r"[a-z.]+", "..", true),
            (r"[a-z.]", "..", false),
            (r"[a-z.]{2}", "..", true),
            (r"(?:\.a?){1,2}", "..", true),
            (r"(?:\.a){1,9}", "..", false),
            (r"\.a*\.", "..", true),
            (r"\.a+\.", "..", false),
            ("[a-z./]+", "/../", true),
            ("(?:[a-z.]+/)*[a-z]+", "/../", true),
            ("(?:[a-z]+/)*[a-z]+", "/../", false),
            (r"a|b|\.\.", "..", true),
            ("..", "..", true),
            ("x{1000}/", "x/", true),
            ("x{1000}/", "//", false),
            (r"\.[a&&b]*\.", "..", true),
            (r"[a&&b]\.\.", "..", false),
            ("ö/", "/", true),
            ("[^/]+", "/", false),
            ("(?:ab)*", "aba", true),
            ("(?:ab){2}", "abab", true),
            ("(?:ab){1}", "abab", false),
            ("", "a", false),
            ("(?i)K", "k", true),
        ] {
            assert_eq!(Language::of(pattern).may_hold(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_directory_in_front_is_seen() {
        for (pattern, expected) in [
            ("/srv/[a-z/]+", true),
            ("(?:/srv/a|/srv/b)/.*", true),
            ("/[a-z]+/x", false),
            ("/srv[a-z/]+", true),
            ("web-[a-z]+/[a-z/]+", true),
            ("(?:a|b)[a-z/]+", false),
            ("(?:aa|bb)[a-z/]+", true),
            ("https?://[a-z/]+", true),
            ("[a-z]+/[a-z]+", false),
            ("/", false),
            (".*", false),
            ("^/srv/.*$", true),
            ("(/srv/)+x", true),
            ("(/srv/)*x", false),
        ] {
            assert_eq!(Language::of(pattern).names_its_directory(), expected, "{pattern}");
        }
    }
}
