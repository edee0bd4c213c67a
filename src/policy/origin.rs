//! Where something stands in a policy's text. Knows names of files and places in them, and opens none.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One file of a policy, already read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path, as people are shown it.
    pub name: String,
    /// What the file holds.
    pub text: String,
}

impl Source {
    /// The text without the mark that some editors put in front of UTF-8: columns are counted from what one sees.
    pub(super) fn text(&self) -> &str {
        self.text.strip_prefix('\u{feff}').unwrap_or(&self.text)
    }
}

/// The line that decided. The default, which needs no line to deny, has none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(Option<(Arc<str>, u32)>);

impl Origin {
    /// The origin of what no rule permits.
    pub const DEFAULT_DENY: Self = Self(None);

    /// The file and the line (counted from 1), unless this is the default.
    #[must_use]
    pub fn place(&self) -> Option<(&str, u32)> {
        self.0.as_ref().map(|(file, line)| (&**file, *line))
    }

    /// The same as `Display`, with the last part of the file's name alone.
    #[must_use]
    pub fn short(&self) -> String {
        let Some((file, line)) = self.place() else { return self.to_string() };
        let base = file.rsplit('/').next().unwrap_or(file);
        format!("{base}:{line}")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Some((file, line)) => write!(f, "{file}:{line}"),
            None => f.write_str("default-deny"),
        }
    }
}

/// A source with its lines counted.
pub(super) struct Document {
    name: Arc<str>,
    text: String,
    line_starts: Vec<usize>,
    rank: usize,
}

impl Document {
    /// Takes the source that is the `rank`th of its policy.
    pub(super) fn new(source: &Source, rank: usize) -> Self {
        let text = source.text();
        let after_each_newline = text.match_indices('\n').map(|(offset, _)| offset + 1);
        Self {
            name: Arc::from(source.name.as_str()),
            text: text.to_owned(),
            line_starts: std::iter::once(0).chain(after_each_newline).collect(),
            rank,
        }
    }

    fn line_index(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset).saturating_sub(1)
    }
}

/// A range of octets of a document.
#[derive(Clone)]
pub(super) struct Place {
    document: Arc<Document>,
    span: Range<usize>,
}

impl Place {
    /// The range, moved inwards to where characters begin.
    pub(super) fn new(document: &Arc<Document>, span: &Range<usize>) -> Self {
        let start = boundary(&document.text, span.start);
        let end = boundary(&document.text, span.end).max(start);
        Self { document: Arc::clone(document), span: start..end }
    }

    /// The file's name.
    pub(super) fn file(&self) -> &Arc<str> {
        &self.document.name
    }

    /// The line, from 1.
    pub(super) fn line(&self) -> u32 {
        number(self.document.line_index(self.span.start))
    }

    /// The column in characters, from 1.
    pub(super) fn column(&self) -> u32 {
        let before = self.document.text.get(self.line_start()..self.span.start).unwrap_or_default();
        number(before.chars().count())
    }

    /// The whole line, without its end, and the part of it that is meant.
    pub(super) fn line_text(&self) -> (&str, Range<usize>) {
        let start = self.line_start();
        let rest = self.document.text.get(start..).unwrap_or_default();
        let line = rest.lines().next().unwrap_or_default();
        let within = |offset: usize| offset.saturating_sub(start).min(line.len());
        (line, within(self.span.start)..within(self.span.end))
    }

    /// Orders places as a reader of the files meets them.
    pub(super) fn order(&self) -> (usize, usize) {
        (self.document.rank, self.span.start)
    }

    /// The start of a file of which nothing is known but its name.
    pub(super) fn of_file(name: &str) -> Self {
        let source = Source { name: name.to_owned(), text: String::new() };
        Self::new(&Arc::new(Document::new(&source, usize::MAX)), &(0..0))
    }

    /// Whether the other place lies within this one.
    pub(super) fn holds(&self, other: &Self) -> bool {
        let within = self.span.start <= other.span.start && other.span.end <= self.span.end;
        Arc::ptr_eq(&self.document, &other.document) && within
    }

    /// The file and line alone.
    pub(super) fn origin(&self) -> Origin {
        Origin(Some((Arc::clone(self.file()), self.line())))
    }

    fn line_start(&self) -> usize {
        let index = self.document.line_index(self.span.start);
        self.document.line_starts.get(index).copied().unwrap_or(0)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file(), self.line(), self.column())
    }
}

/// A place's number for people: they count from 1.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1)
}

/// The last boundary of a character at or before the offset.
fn boundary(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, span: Range<usize>) -> Place {
        let source = Source { name: "/etc/udsadmin/web.toml".to_owned(), text: text.to_owned() };
        Place::new(&Arc::new(Document::new(&source, 0)), &span)
    }

    #[test]
    fn lines_and_columns_are_counted_from_1_in_characters() {
        let at = place("a\nöö b\n", 7..8);
        assert_eq!((at.line(), at.column()), (2, 4));
        assert_eq!(at.line_text(), ("öö b", 5..6));
    }

    #[test]
    fn a_place_inside_a_character_or_past_the_end_moves_to_a_boundary() {
        assert_eq!(place("ö", 1..1).column(), 1);
        let at = place("ab\n", 9..12);
        assert_eq!((at.line(), at.column(), at.line_text()), (2, 1, ("", 0..0)));
    }

    #[test]
    fn an_origin_reads_as_file_and_line() {
        let origin = place("a\nb\n", 2..3).origin();
        assert_eq!(origin.to_string(), "/etc/udsadmin/web.toml:2");
        assert_eq!(origin.short(), "web.toml:2");
        assert_eq!(Origin::DEFAULT_DENY.to_string(), "default-deny");
        assert_eq!(Origin::DEFAULT_DENY.short(), "default-deny");
    }
}
