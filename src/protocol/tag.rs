//! The mark by which a client tells its requests apart. Nothing but ASCII letters, digits, `-` and `_`.

use std::fmt;
use std::str::FromStr;

/// Octets in a tag at most, its `@` not counted (`tag` of udsadmin-protocol(7)).
const TAG_MAX: usize = 16;

/// Text that is not a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATag;

impl fmt::Display for NotATag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tag is @ and 1 to 16 letters, digits, '-' or '_'")
    }
}

impl std::error::Error for NotATag {}

/// A tag, kept without its `@`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

impl Tag {
    /// The text after the `@`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag of a word as it stands in a line, `@` first.
    pub(super) fn spelt(word: &[u8]) -> Result<Self, NotATag> {
        let name = word.strip_prefix(b"@").ok_or(NotATag)?;
        std::str::from_utf8(name).map_err(|_| NotATag)?.parse()
    }

    /// `@tag `, or nothing: what stands before each line of a reply.
    pub(super) fn write_prefix(tag: Option<&Self>, out: &mut Vec<u8>) {
        if let Some(tag) = tag {
            out.push(b'@');
            out.extend_from_slice(tag.0.as_bytes());
            out.push(b' ');
        }
    }
}

impl FromStr for Tag {
    type Err = NotATag;

    fn from_str(text: &str) -> Result<Self, NotATag> {
        let sound = text.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
        let fits = (1..=TAG_MAX).contains(&text.len());
        (sound && fits).then(|| Self(text.to_owned())).ok_or(NotATag)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_short_and_plain() {
        for good in ["a", "7", "-", "a-b_C9", &"x".repeat(TAG_MAX)] {
            assert_eq!(Tag::spelt(format!("@{good}").as_bytes()).unwrap().as_str(), good);
        }
        for bad in ["", "a.b", "ä", "a@", &"x".repeat(TAG_MAX + 1)] {
            assert_eq!(bad.parse::<Tag>(), Err(NotATag), "{bad:?}");
        }
        assert_eq!(Tag::spelt(b"a"), Err(NotATag));
    }
}
