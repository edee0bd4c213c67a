//! Elements of `exec` with their placeholders. One element stays one element, whatever the values hold.

use crate::request::{ArgumentName, Value};
use std::fmt;

/// A piece of an element.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
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

impl fmt::Display for Template {
    /// As a policy writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Placeholder(name) => write!(f, "{{{name}}}"),
        })
    }
}

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

    /// The names of its placeholders.
    pub(super) fn placeholders(&self) -> impl Iterator<Item = &ArgumentName> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name),
            Piece::Literal(_) => None,
        })
    }

    /// Whether each of its placeholders has a value.
    pub(super) fn is_filled_by(&self, values: &[(ArgumentName, Value)]) -> bool {
        self.placeholders().all(|name| values.iter().any(|(bound, _)| bound == name))
    }

    /// The element with its placeholders replaced.
    pub(super) fn fill(&self, values: &[(ArgumentName, Value)]) -> Vec<u8> {
        self.0.iter().flat_map(|piece| piece.octets(values)).copied().collect()
    }
}

impl Piece {
    fn octets<'a>(&'a self, values: &'a [(ArgumentName, Value)]) -> &'a [u8] {
        match self {
            Self::Literal(text) => text.as_bytes(),
            Self::Placeholder(name) => values
                .iter()
                .find(|(bound, _)| bound == name)
                .map(|(_, value)| value.as_bytes())
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Vec<u8> {
        let values = [("a", "x y"), ("b", "{a}")]
            .map(|(name, value)| (name.parse::<ArgumentName>().unwrap(), Value::try_from(value).unwrap()));
        Template::parse(template).unwrap().fill(&values)
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
