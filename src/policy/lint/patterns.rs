//! Patterns and texts that take more than they seem to. Reads a pattern as it is written, and runs none.

use super::super::command::Command;
use super::super::kind::{ArgumentSpec, Kind};
use super::language::{Language, ranges};
use super::{Finding, Id, Level};
use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    Ast, ClassPerl, ClassPerlKind, ClassSetItem, ClassSetRange, Concat, Flag, Flags, FlagsItemKind, Visitor,
    visit,
};
use regex_syntax::hir::HirKind;
use std::collections::BTreeSet;

/// A class of more characters than this holds most of Unicode's 1,112,064; the largest that is meant, of all letters and digits
/// of all scripts, has not a third of these.
const BROAD: u64 = 500_000;

/// Ranges from one punctuation mark to another that mean every printable character of ASCII.
const PRINTABLE: [(char, char); 2] = [(' ', '~'), ('!', '~')];

/// Control characters that values are tried with.
const CONTROLS: [char; 4] = ['\n', '\t', '\u{1b}', '\u{1}'];

/// What each finding says of the argument whose name stands before it.
const TOLD: [(Id, Level, &str); 8] = [
    (
        Id::FREE_TEXT,
        Level::Note,
        "takes any characters, control characters and those of a shell too; name those that you mean: characters = \"[a-z ]\"",
    ),
    (
        Id::BROAD_PATTERN,
        Level::Warning,
        "matches nearly every character somewhere ('.', \\S or a class that begins with '^' does); name the characters that \
         you mean, like [a-z0-9-]",
    ),
    (
        Id::UNESCAPED_DOT,
        Level::Warning,
        "has a '.' between letters, which matches any character there; write \\. for a dot",
    ),
    (
        Id::LOOSE_ALTERNATIVE,
        Level::Note,
        "has alternatives of very different length, and each is matched whole; where they share a beginning, put the \
         alternatives in parentheses: web-(1|2)",
    ),
    (
        Id::ODD_RANGE,
        Level::Warning,
        "has a range over characters that don't belong together, as A-z holds [, \\, ], ^, _ and ` too; write A-Za-z, and a dash \
         last",
    ),
    (
        Id::ANY_CASE,
        Level::Note,
        "matches without regard to case, and so letters of other scripts: (?i)k is the sign for kelvin, too; write [Kk]",
    ),
    (
        Id::EVERY_SCRIPT,
        Level::Note,
        "matches digits and letters of every script by \\d or \\w; write [0-9] and [A-Za-z0-9_] where you mean those",
    ),
    (
        Id::CONTROL_CHARACTERS,
        Level::Note,
        "matches control characters, line ends for one; a space is ' ', and \\s is more than that",
    ),
];

/// What an argument's type lets through.
pub(super) fn findings(command: &Command, spec: &ArgumentSpec) -> Vec<Finding> {
    let what: BTreeSet<Id> = if let Kind::Pattern(_, written) | Kind::Text(_, Some((_, written))) = &spec.kind
    {
        of_pattern(written)
    } else {
        matches!(spec.kind, Kind::Text(_, None)).then_some(Id::FREE_TEXT).into_iter().collect()
    };
    let name = spec.name.as_str();
    let finding = |(id, level, message): (Id, Level, &str)| {
        Finding::new(id, level, &spec.place, &format!("argument {name:?} {message}")).about(command)
    };
    TOLD.into_iter().filter(|(id, ..)| what.contains(id)).map(finding).collect()
}

/// What is to be said of a pattern.
fn of_pattern(written: &str) -> BTreeSet<Id> {
    let Ok(read) = Parser::new().parse(written) else { return BTreeSet::new() };
    let Ok(mut seen) = visit(&read, Seen { written, found: BTreeSet::new(), is_ascii: false });
    if is_loose(&read) {
        seen.insert(Id::LOOSE_ALTERNATIVE);
    }
    let is_said = seen.contains(&Id::BROAD_PATTERN) || seen.contains(&Id::UNESCAPED_DOT);
    if !is_said && Language::of(written).mentions(&CONTROLS) {
        seen.insert(Id::CONTROL_CHARACTERS);
    }
    seen
}

/// What was seen on the way through a pattern.
struct Seen<'w> {
    written: &'w str,
    found: BTreeSet<Id>,
    is_ascii: bool,
}

impl Visitor for Seen<'_> {
    type Output = BTreeSet<Id>;
    type Err = std::convert::Infallible;

    fn finish(mut self) -> Result<BTreeSet<Id>, Self::Err> {
        if self.is_ascii {
            self.found.remove(&Id::EVERY_SCRIPT);
        }
        Ok(self.found)
    }

    fn visit_pre(&mut self, part: &Ast) -> Result<(), Self::Err> {
        match part {
            Ast::Concat(parts) => self.dots(parts),
            Ast::Flags(set) => self.flags(&set.flags),
            Ast::Group(group) => group.flags().into_iter().for_each(|flags| self.flags(flags)),
            Ast::ClassPerl(class) => {
                self.broad(part);
                self.perl(class);
            }
            Ast::Dot(_) | Ast::ClassUnicode(_) | Ast::ClassBracketed(_) => self.broad(part),
            Ast::Empty(_)
            | Ast::Literal(_)
            | Ast::Assertion(_)
            | Ast::Repetition(_)
            | Ast::Alternation(_) => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        if let ClassSetItem::Range(range) = item {
            self.found.extend(is_odd(range).then_some(Id::ODD_RANGE));
        } else if let ClassSetItem::Perl(class) = item {
            self.perl(class);
        }
        Ok(())
    }
}

impl Seen<'_> {
    fn perl(&mut self, class: &ClassPerl) {
        let meant = matches!(class.kind, ClassPerlKind::Digit | ClassPerlKind::Word) && !class.negated;
        self.found.extend(meant.then_some(Id::EVERY_SCRIPT));
    }

    fn flags(&mut self, flags: &Flags) {
        let is_on = |flag| flags.flag_state(flag) == Some(true);
        self.found.extend(is_on(Flag::CaseInsensitive).then_some(Id::ANY_CASE));
        let kinds = flags.items.iter().map(|item| &item.kind);
        let unicode = kinds.filter(|kind| matches!(kind, FlagsItemKind::Flag(Flag::Unicode))).count();
        self.is_ascii |= unicode > 0 && !is_on(Flag::Unicode);
    }

    /// Notes a class of nearly every character, unless it is a dot that was seen to stand between letters.
    fn broad(&mut self, part: &Ast) {
        let span = part.span();
        let text = self.written.get(span.start.offset..span.end.offset).unwrap_or_default();
        let read = regex_syntax::parse(text);
        let Ok(HirKind::Class(class)) = read.map(regex_syntax::hir::Hir::into_kind) else { return };
        let size: u64 = ranges(&class).iter().map(|(first, last)| u64::from(last - first) + 1).sum();
        let between = matches!(part, Ast::Dot(_)) && is_between_letters(self.written, span.start.offset);
        self.found.extend((size > BROAD && !between).then_some(Id::BROAD_PATTERN));
    }

    fn dots(&mut self, parts: &Concat) {
        let dots = parts.asts.iter().filter(|part| matches!(part, Ast::Dot(_)));
        let between = |part: &&Ast| is_between_letters(self.written, part.span().start.offset);
        if dots.filter(between).count() > 0 {
            self.found.insert(Id::UNESCAPED_DOT);
        }
    }
}

/// Whether the dot at that offset stands between two letters or digits, and once.
fn is_between_letters(written: &str, dot: usize) -> bool {
    let before = written.get(..dot).and_then(|text| text.chars().next_back());
    let after = written.get(dot..).and_then(|text| text.chars().nth(1));
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    is_letter(before) && is_letter(after)
}

/// Whether a range goes from one kind of character to another, which leaves nobody sure of what is between.
fn is_odd(range: &ClassSetRange) -> bool {
    let (first, last) = (range.start.c, range.end.c);
    let both = |is: fn(&char) -> bool| is(&first) && is(&last);
    let same = both(char::is_ascii_digit) || both(char::is_ascii_lowercase) || both(char::is_ascii_uppercase);
    let visible = |c: char| c.is_ascii() && !c.is_ascii_control();
    first != last && !same && visible(first) && visible(last) && !PRINTABLE.contains(&(first, last))
}

/// Whether a single character stands as a whole alternative beside a longer one.
fn is_loose(pattern: &Ast) -> bool {
    if let Ast::Group(group) = pattern {
        return is_loose(&group.ast);
    }
    let Ast::Alternation(alternation) = pattern else { return false };
    let [first, others @ .., last] = alternation.asts.as_slice() else { return false };
    let behind = is_long(first) && others.iter().chain([last]).any(is_single);
    behind || is_single(first) && is_long(last)
}

fn is_single(pattern: &Ast) -> bool {
    matches!(
        pattern,
        Ast::Literal(_) | Ast::Dot(_) | Ast::ClassPerl(_) | Ast::ClassUnicode(_) | Ast::ClassBracketed(_)
    )
}

fn is_long(pattern: &Ast) -> bool {
    matches!(pattern, Ast::Concat(parts) if parts.asts.len() > 2)
}
