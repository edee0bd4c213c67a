//! The elements of an `exec` as a program reads them: options, operands, and the values in them. Judges nothing.

use super::super::command::Command;
use super::super::kind::ArgumentSpec;
use super::super::origin::Place;
use super::super::template::{Piece, Template};
use super::programs::Program;
use super::reach::{self, Reach};

/// Names of standard input.
const STDIN: [&str; 3] = ["-", "/dev/stdin", "/dev/fd/0"];

/// One element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    command: &'a Command,
    template: &'a Template,
    pub(super) place: &'a Place,
}

/// A value in an element, and what stands right before and behind it.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    pub(super) spec: &'a ArgumentSpec,
    pub(super) reach: Reach,
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    /// Whether the value begins its element.
    pub(super) first: bool,
}

impl<'a> Slot<'a> {
    /// The argument's name.
    pub(super) fn name(&self) -> &'a str {
        self.spec.name.as_str()
    }

    /// Whether the value is a word of its own, or the whole value of an option.
    pub(super) fn leads(&self) -> bool {
        let short = self.before.starts_with('-') && self.before.chars().count() <= 2;
        self.first || short || self.before.ends_with(['=', ':', ',', '@'])
    }

    /// Whether the value can name a file anywhere.
    pub(super) fn is_any_file(&self) -> bool {
        self.leads() && self.reach.anywhere
    }

    /// Whether the value can leave the directory that stands before it.
    pub(super) fn climbs(&self) -> bool {
        let whole = self.after.is_empty() || self.after.starts_with('/');
        let in_directory = self.before.ends_with('/') && !self.before.contains("://");
        in_directory && self.reach.climbs && (self.reach.slash || whole)
    }
}

/// The elements of a command.
pub(super) fn elements(command: &Command) -> Vec<Element<'_>> {
    let placed = command.exec.iter().zip(&command.element_places);
    placed.map(|(template, place)| Element { command, template, place }).collect()
}

impl<'a> Element<'a> {
    /// Its text, where no value is in it.
    pub(super) fn literal(&self) -> Option<&'a str> {
        match self.template.pieces() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// The text before its first value.
    fn head(&self) -> &'a str {
        match self.template.pieces().first() {
            Some(Piece::Literal(text)) => text,
            Some(Piece::Placeholder(_)) | None => "",
        }
    }

    /// The values in it.
    pub(super) fn slots(&self) -> Vec<Slot<'a>> {
        let pieces = self.template.pieces();
        let slot = |(at, piece): (usize, &'a Piece)| {
            let Piece::Placeholder(name) = piece else { return None };
            let spec = self.command.arguments.iter().find(|spec| spec.name == *name)?;
            let before = at.checked_sub(1).and_then(|at| pieces.get(at)).map_or("", text);
            let after = pieces.get(at + 1).map_or("", text);
            Some(Slot { spec, reach: reach::of(spec), before, after, first: at == 0 })
        };
        pieces.iter().enumerate().filter_map(slot).collect()
    }

    /// The values in it that nobody has listed.
    pub(super) fn open(&self) -> Vec<Slot<'a>> {
        self.slots().into_iter().filter(|slot| !slot.reach.closed).collect()
    }

    /// Whether it is an option, as far as its author wrote it.
    pub(super) fn is_option(&self) -> bool {
        self.head().starts_with('-') && self.literal() != Some("-")
    }

    /// Whether it is this option, or one of a bundle with it.
    pub(super) fn says(&self, option: &str, program: &Program) -> bool {
        let head = self.head();
        if STDIN.contains(&option) {
            return self.literal() == Some(option);
        }
        let mut letters = option.strip_prefix('-').unwrap_or_default().chars();
        let (Some(letter), None, true) = (letters.next(), letters.next(), option != "--") else {
            return head.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
        };
        let bundles = program.bundled || program.script || program.quotes;
        let bundle = head.strip_prefix('-').filter(|rest| !rest.starts_with('-')).unwrap_or_default();
        bundle.starts_with(letter) || bundles && in_bundle(bundle, letter)
    }

    /// Whether it names standard input.
    pub(super) fn is_stdin(&self) -> bool {
        self.literal().is_some_and(|text| STDIN.iter().any(|name| text.rsplit('=').next() == Some(name)))
    }
}

fn text(piece: &Piece) -> &str {
    match piece {
        Piece::Literal(text) => text,
        Piece::Placeholder(_) => "",
    }
}

/// Whether the letter is among the letters in front.
pub(super) fn in_bundle(bundle: &str, letter: char) -> bool {
    bundle.chars().take_while(char::is_ascii_alphabetic).any(|other| other == letter)
}

/// The elements that are no options, and whatever is behind `--`.
pub(super) fn operands<'e, 'a>(
    elements: &'e [Element<'a>],
) -> impl Iterator<Item = (usize, &'e Element<'a>)> {
    let end = end_of_options(elements);
    let is_operand =
        move |(at, element): &(usize, &Element<'a>)| *at > end || *at < end && !element.is_option();
    elements.iter().enumerate().filter(is_operand)
}

/// Where `--` is, or past the last one.
pub(super) fn end_of_options(elements: &[Element<'_>]) -> usize {
    elements.iter().position(|element| element.literal() == Some("--")).unwrap_or(elements.len())
}
