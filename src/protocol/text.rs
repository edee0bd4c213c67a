//! Free text of replies: any octets, shown so that no control reaches a terminal, and told back exactly.

use super::printable;
use std::fmt;
use std::sync::LazyLock;

/// An escape that no `udsadmind` writes: a backslash before something other than `\` or `x` and two hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadEscape;

impl fmt::Display for BadEscape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a backslash that begins no escape")
    }
}

/// Whether all octets stand for themselves in text.
pub(super) fn is_plain(octets: &[u8]) -> bool {
    is_all(octets, |octet| matches!(octet, b'\t' | b' '..=b'[' | b']'..=b'~'))
}

/// Whether all octets are printable ASCII or TAB.
pub(super) fn is_printable_ascii(octets: &[u8]) -> bool {
    is_all(octets, |octet| matches!(octet, b'\t' | b' '..=b'~'))
}

/// Without an early exit, so that it compiles to wide instructions.
fn is_all(octets: &[u8], fits: impl Fn(u8) -> bool) -> bool {
    octets.iter().fold(0, |seen, octet| seen | u8::from(!fits(*octet))) == 0
}

/// Writes octets as text: printable UTF-8 and TAB as they are, `\` doubled, every other octet as `\xHH`.
pub(super) fn write_text(octets: &[u8], out: &mut Vec<u8>) {
    if is_plain(octets) {
        out.extend_from_slice(octets);
    } else {
        write_mixed(octets, out);
    }
}

/// Writes four octets for each one and counts those that spell it: no branch for most octets, so that binary output is cheap.
fn write_mixed(octets: &[u8], out: &mut Vec<u8>) {
    let spellings = &*SPELLINGS;
    let mut end = out.len();
    out.resize(end + 4 * octets.len(), 0);
    let mut rest = octets;
    while let Some((octet, after)) = rest.split_first() {
        let next = after.first().copied().unwrap_or_default();
        let character = if printable::may_begin(*octet, next) { character(rest) } else { None };
        let alone = || spellings.get(usize::from(*octet)).map(|spelling| (*spelling, after));
        let Some((Spelling { octets, count }, after)) = character.or_else(alone) else { break };
        if let Some(room) = out.get_mut(end..end + 4) {
            room.copy_from_slice(&octets);
        }
        end += count;
        rest = after;
    }
    out.truncate(end);
}

/// Four octets, of which the first `count` are meant.
#[derive(Clone, Copy)]
struct Spelling {
    octets: [u8; 4],
    count: usize,
}

/// How each octet alone is spelt.
static SPELLINGS: LazyLock<[Spelling; 256]> =
    LazyLock::new(|| std::array::from_fn(|octet| spelling(u8::try_from(octet).unwrap_or_default())));

fn spelling(octet: u8) -> Spelling {
    match octet {
        b'\\' => Spelling { octets: [octet; 4], count: 2 },
        b'\t' | b' '..=b'~' => Spelling { octets: [octet; 4], count: 1 },
        _ => Spelling { octets: escape(octet), count: 4 },
    }
}

/// The printable character beyond ASCII at the start, and what is after it.
fn character(octets: &[u8]) -> Option<(Spelling, &[u8])> {
    let (character, after) = octets.split_at_checked(printable::width(octets))?;
    let mut spelling = Spelling { octets: [0; 4], count: character.len() };
    spelling.octets.get_mut(..character.len())?.copy_from_slice(character);
    (!character.is_empty()).then_some((spelling, after))
}

/// Writes the printable character at the start, and tells what is after it; `None` where there is none.
pub(super) fn write_printable<'a>(octets: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (character, after) = octets.split_at_checked(printable::width(octets))?;
    out.extend_from_slice(character);
    (!character.is_empty()).then_some(after)
}

/// `\xHH`.
pub(super) fn escape(octet: u8) -> [u8; 4] {
    let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
    [b'\\', b'x', digit(octet >> 4), digit(octet & 0xf)]
}

/// The octets that a text stands for.
pub(super) fn read_text(text: &[u8]) -> Result<Vec<u8>, BadEscape> {
    let start = memchr::memchr(b'\\', text).unwrap_or(text.len());
    let (plain, mut rest) = text.split_at_checked(start).unwrap_or((text, &[]));
    let mut octets = Vec::with_capacity(text.len());
    octets.extend_from_slice(plain);
    while let Some((&octet, after)) = rest.split_first() {
        rest = if octet == b'\\' {
            read_escape(rest, &mut octets)?
        } else {
            octets.push(octet);
            after
        };
    }
    Ok(octets)
}

fn read_escape<'a>(escape: &'a [u8], octets: &mut Vec<u8>) -> Result<&'a [u8], BadEscape> {
    match escape {
        [_, b'\\', after @ ..] => {
            octets.push(b'\\');
            Ok(after)
        }
        [_, b'x', high, low, after @ ..] => {
            octets.push(hex_pair(*high, *low).ok_or(BadEscape)?);
            Ok(after)
        }
        _ => Err(BadEscape),
    }
}

/// The octet of two hexadecimal digits of either case.
pub(super) fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(octets: &[u8]) -> String {
        let mut out = Vec::new();
        write_text(octets, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn printable_text_passes_as_it_is() {
        for text in ["", "a b\tc", "conflicting name \"x\"", "Grüße, 世界 🎉"] {
            assert_eq!(written(text.as_bytes()), text);
        }
    }

    #[test]
    fn what_is_not_printable_is_escaped() {
        assert_eq!(written(b"\x1b[31m\r\n\0\x7f"), r"\x1b[31m\x0d\x0a\x00\x7f");
        assert_eq!(written(b"C:\\dir"), r"C:\\dir");
        assert_eq!(written("a\u{202e}b\u{9b}".as_bytes()), r"a\xe2\x80\xaeb\xc2\x9b");
        assert_eq!(written(b"caf\xe9 \xc3"), r"caf\xe9 \xc3");
    }

    #[test]
    fn every_octet_is_told_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(read_text(written(&all).as_bytes()), Ok(all));
        assert_eq!(read_text(br"\x1B\xff"), Ok(vec![0x1b, 0xff]));
    }

    #[test]
    fn a_foreign_escape_is_refused() {
        for text in [r"\", r"\n", r"\x", r"\x1", r"\x1g", r"\xg1", r"a\ b"] {
            assert_eq!(read_text(text.as_bytes()), Err(BadEscape), "{text}");
        }
    }
}
