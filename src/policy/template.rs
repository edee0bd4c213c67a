//! Elements of `exec` with their placeholders. One value stays within one element, whatever it holds.

use super::demand::Texts;
use crate::request::ArgumentName;
use std::fmt;

/// A piece of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Literal(String),
    Placeholder(ArgumentName),
}

/// Text that is no element: its braces don't pair, or hold no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadTemplate {
    Unclosed,
    Lone,
    NotAName(String),
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclosed => f.write_str("'{' without its '}'; a literal brace is written \"{{\""),
            Self::Lone => f.write_str("'}' without its '{'; a literal brace is written \"}}\""),
            Self::NotAName(held) => {
                write!(f, "{{{held}}} is no placeholder; a literal brace is written \"{{{{\"")
            }
        }
    }
}

/// One element of an argument vector, to be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

impl Template {
    /// Reads `{name}`, `{{`, `}}` and literal text.
    pub(super) fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut template = Self(Vec::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(at);
            template.literal(before);
            rest = template.brace(from_brace)?;
        }
        template.literal(rest);
        Ok(template)
    }

    /// Takes what a brace begins, and returns what follows.
    fn brace<'t>(&mut self, text: &'t str) -> Result<&'t str, BadTemplate> {
        if let Some(rest) = text.strip_prefix("{{") {
            self.literal("{");
            return Ok(rest);
        }
        if let Some(rest) = text.strip_prefix("}}") {
            self.literal("}");
            return Ok(rest);
        }
        let inner = text.strip_prefix('{').ok_or(BadTemplate::Lone)?;
        let (held, rest) = inner.split_once('}').ok_or(BadTemplate::Unclosed)?;
        let name = held.parse().map_err(|_| BadTemplate::NotAName(held.to_owned()))?;
        self.0.push(Piece::Placeholder(name));
        Ok(rest)
    }

    fn literal(&mut self, text: &str) {
        if let Some(Piece::Literal(last)) = self.0.last_mut() {
            last.push_str(text);
        } else if !text.is_empty() {
            self.0.push(Piece::Literal(text.to_owned()));
        }
    }

    /// Its pieces, in order. No two literals are neighbours.
    pub(super) fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// The names of its placeholders.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &ArgumentName> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name),
            Piece::Literal(_) => None,
        })
    }

    /// The text that it begins with, up to a first placeholder.
    pub(super) fn prefix(&self) -> &str {
        match self.0.first() {
            Some(Piece::Literal(text)) => text,
            Some(Piece::Placeholder(_)) | None => "",
        }
    }

    /// Its text, where it has no placeholder.
    pub(super) fn text(&self) -> Option<&str> {
        self.placeholders().next().is_none().then(|| self.prefix())
    }

    /// Whether nothing comes behind its last placeholder.
    pub(super) fn ends_with_placeholder(&self) -> bool {
        matches!(self.0.last(), Some(Piece::Placeholder(_)))
    }

    /// The placeholder that it is, and nothing else.
    pub(super) fn alone(&self) -> Option<&ArgumentName> {
        match self.0.as_slice() {
            [Piece::Placeholder(name)] => Some(name),
            [..] => None,
        }
    }

    /// The element with its placeholders replaced: once for each value of the one that has several, and not at all where
    /// one has none.
    pub(super) fn fill(&self, texts: &[Texts]) -> Vec<Vec<u8>> {
        let counts = self.placeholders().map(|name| of(texts, name).len());
        let (least, most) = counts.fold((1, 1), |(least, most), count| (count.min(least), count.max(most)));
        let times = if least == 0 { 0 } else { most };
        let nth = |n| self.0.iter().flat_map(|piece| piece.octets(texts, n)).copied().collect();
        (0..times).map(nth).collect()
    }
}

/// The texts of the argument.
fn of<'a>(texts: &'a [Texts], name: &ArgumentName) -> &'a [Vec<u8>] {
    texts.iter().find(|(bound, _)| bound == name).map_or(&[], |(_, texts)| texts)
}

impl Piece {
    /// The octets of the n-th filling. What has one value has it in each.
    fn octets<'a>(&'a self, texts: &'a [Texts], n: usize) -> &'a [u8] {
        match self {
            Self::Literal(text) => text.as_bytes(),
            Self::Placeholder(name) => {
                let texts = of(texts, name);
                texts.get(n).or(texts.first()).map_or(&[], Vec::as_slice)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(template: &str) -> Vec<String> {
        let texts = [("a", vec!["x y"]), ("b", vec!["{a}"]), ("c", vec!["1", "2"]), ("d", vec![])].map(
            |(name, values)| {
                (name.parse().unwrap(), values.iter().map(|value| value.as_bytes().to_vec()).collect())
            },
        );
        let filled = Template::parse(template).unwrap().fill(&texts);
        filled.into_iter().map(|element| String::from_utf8(element).unwrap()).collect()
    }

    fn filled(template: &str) -> Vec<u8> {
        let [one] = all(template).try_into().unwrap();
        String::into_bytes(one)
    }

    #[test]
    fn an_element_is_there_once_for_each_value() {
        assert_eq!(all("{c}"), ["1", "2"]);
        assert_eq!(all("--file={c}"), ["--file=1", "--file=2"]);
        assert_eq!(all("{d}"), Vec::<String>::new());
        assert_eq!(all("{a}{d}"), Vec::<String>::new());
    }

    #[test]
    fn placeholders_are_replaced_whole_and_embedded() {
        assert_eq!(filled("{a}"), b"x y");
        assert_eq!(filled("--unit={a}.{a}"), b"--unit=x y.x y");
        assert_eq!(filled("öl"), "öl".as_bytes());
        assert_eq!(filled(""), b"");
    }

    #[test]
    fn a_value_is_never_read_as_a_template() {
        assert_eq!(filled("{b}"), b"{a}");
    }

    #[test]
    fn doubled_braces_are_literal() {
        assert_eq!(filled("{{a}}"), b"{a}");
        assert_eq!(filled("{{{a}}}"), b"{x y}");
        assert_eq!(filled("}}{{"), b"}{");
    }

    #[test]
    fn braces_must_pair_around_a_name() {
        for (text, expected) in [
            ("{a", BadTemplate::Unclosed),
            ("a}", BadTemplate::Lone),
            ("{a}}", BadTemplate::Lone),
            ("{}", BadTemplate::NotAName(String::new())),
            ("{a b}", BadTemplate::NotAName("a b".to_owned())),
            ("{a{b}}", BadTemplate::NotAName("a{b".to_owned())),
        ] {
            assert_eq!(Template::parse(text), Err(expected), "{text}");
        }
    }
}
