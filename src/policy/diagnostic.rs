//! What is wrong with a policy, and where. Tells; decides nothing by itself and prints nothing.

use super::origin::{Document, Place, Source};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The policy is refused whole.
    Error,
    /// The policy loads; something in it has no effect, or more effect than it seems.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One finding. `Display` gives it on one line: `FILE:LINE:COLUMN: error: MESSAGE`.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    place: Place,
}

impl Diagnostic {
    /// A finding at a place. Control characters of the message are escaped: it stays one line.
    pub(super) fn new(severity: Severity, place: Place, message: &str) -> Self {
        Self { severity, message: one_line(message), place }
    }

    /// An error in any text, at these octets of it.
    #[must_use]
    pub fn error_in(source: &Source, span: &Range<usize>, message: &str) -> Self {
        let document = Arc::new(Document::new(source, 0));
        Self::new(Severity::Error, Place::new(&document, span), message)
    }

    /// How bad it is.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// The file's name, as its [`Source`] gave it.
    #[must_use]
    pub fn file(&self) -> &str {
        self.place.file()
    }

    /// The line, from 1.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.place.line()
    }

    /// The column in characters, from 1.
    #[must_use]
    pub fn column(&self) -> u32 {
        self.place.column()
    }

    /// What is wrong: one line, lower case, no full stop.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line of the policy with the place underlined, over several lines and without colours.
    #[must_use]
    pub fn picture(&self) -> String {
        picture(&self.place)
    }

    /// Where it is.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// Orders findings as a reader of the files meets them.
    pub(super) fn order(&self) -> (usize, usize) {
        self.place.order()
    }
}

/// The line of the place, underlined. No title is drawn, so the level changes nothing.
pub(super) fn picture(place: &Place) -> String {
    let (text, span) = place.line_text();
    let number = usize::try_from(place.line()).unwrap_or(usize::MAX);
    let annotation = AnnotationKind::Primary.span(span);
    let snippet = Snippet::source(text).line_start(number).annotation(annotation);
    let group = Group::with_level(Level::WARNING).element(snippet);
    let drawn = Renderer::plain().decor_style(DecorStyle::Ascii).render(&[group]);
    // The renderer lets those of U+0080 to U+009F pass, and some terminals obey them.
    drawn.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

/// The text on one line: control characters are escaped.
pub(super) fn one_line(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, message, .. } = self;
        write!(f, "{}:{}:{}: {severity}: {message}", self.file(), self.line(), self.column())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_holds_nothing_that_a_terminal_obeys() {
        let text: String = (0..0xa0).filter(|octet| *octet != b'\n').map(char::from).collect();
        let picture = finding(&text, 0..1, "odd").picture();
        assert!(!picture.contains(|c: char| c.is_control() && c != '\n'), "{picture:?}");
    }

    fn finding(text: &str, span: Range<usize>, message: &str) -> Diagnostic {
        let source = Source { name: "p.toml".to_owned(), text: text.to_owned() };
        Diagnostic::error_in(&source, &span, message)
    }

    #[test]
    fn a_finding_is_one_line_even_when_its_message_is_not() {
        let shown = finding("a = 1\n", 0..1, "unknown \"x\ny\"\u{1b}[2J").to_string();
        assert_eq!(shown, r#"p.toml:1:1: error: unknown "x\ny"\u{1b}[2J"#);
    }

    #[test]
    fn the_picture_underlines_the_place() {
        let picture = finding("a = 1\nusers = [\"x\"]\n", 15..18, "no").picture();
        assert_eq!(picture, "  |\n2 | users = [\"x\"]\n  |          ^^^");
    }
}
