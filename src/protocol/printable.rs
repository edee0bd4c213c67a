//! Which characters a terminal may be shown. Refuses whatever could move its cursor, turn its text or stay unseen.

/// Unfit for display beyond ASCII: general categories Cc, Cf, Zl, Zp and Co (Unicode 15.1, `DerivedGeneralCategory.txt`) and
/// the noncharacters U+FDD0 to U+FDEF. Sorted; first and last of each range.
const UNFIT: [(char, char); 25] = [
    ('\u{80}', '\u{9f}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180e}', '\u{180e}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{2064}'),
    ('\u{2066}', '\u{206f}'),
    ('\u{e000}', '\u{f8ff}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0001}', '\u{e0001}'),
    ('\u{e0020}', '\u{e007f}'),
    ('\u{f0000}', '\u{10ffff}'),
];

/// Whether the character may be shown as it is.
pub(super) fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return matches!(character, ' '..='~');
    }
    let unfit = UNFIT.partition_point(|(_, last)| *last < character);
    let in_range = UNFIT.get(unfit).is_some_and(|(first, _)| *first <= character);
    !in_range && !is_last_two_of_plane(character)
}

/// U+nFFFE and U+nFFFF: noncharacters of every plane (The Unicode Standard, section 23.7).
fn is_last_two_of_plane(character: char) -> bool {
    u32::from(character) & 0xfffe == 0xfffe
}

/// The width in octets of the printable character that the octets begin with, 0 where they begin with none.
pub(super) fn width(octets: &[u8]) -> usize {
    let Some(&lead) = octets.first() else { return 0 };
    if lead.is_ascii() {
        return usize::from(matches!(lead, b' '..=b'~'));
    }
    let width = sequence_width(lead);
    let character = octets.get(..width).and_then(|sequence| std::str::from_utf8(sequence).ok());
    if character.and_then(|text| text.chars().next()).is_some_and(is_printable) { width } else { 0 }
}

/// Whether a UTF-8 sequence of several octets may begin with these two: one test, so that it seldom surprises a processor.
pub(super) fn may_begin(lead: u8, next: u8) -> bool {
    u8::from(lead >= 0xc2) & u8::from(next & 0xc0 == 0x80) == 1
}

/// The octets of a UTF-8 sequence with this first octet, 0 for an octet that begins none of several octets (RFC 3629).
pub(super) fn sequence_width(lead: u8) -> usize {
    match lead {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_ranges_do_not_touch() {
        assert!(UNFIT.iter().all(|(first, last)| first <= last));
        assert!(UNFIT.windows(2).all(|pair| pair[0].1 < pair[1].0));
    }

    #[test]
    fn letters_of_all_scripts_are_printable() {
        for character in "aZ~ äßéλЖ中文日本語한국어✓🎉".chars() {
            assert!(is_printable(character), "{character:?}");
        }
    }

    #[test]
    fn what_steers_a_terminal_or_hides_is_not_printable() {
        let controls = (0..=0x1f).chain(0x7f..=0x9f).filter_map(char::from_u32);
        let hidden = [
            '\u{ad}',
            '\u{200b}',
            '\u{200d}',
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{2028}',
            '\u{2029}',
            '\u{feff}',
            '\u{e000}',
            '\u{fdd0}',
            '\u{fffe}',
            '\u{1ffff}',
            '\u{e0041}',
            '\u{10fffd}',
        ];
        for character in controls.chain(hidden) {
            assert!(!is_printable(character), "{character:?}");
        }
    }

    #[test]
    fn the_neighbours_of_every_range_are_printable() {
        let before = |first: char| char::from_u32(u32::from(first).wrapping_sub(1));
        let after = |last: char| char::from_u32(u32::from(last) + 1);
        for (first, last) in UNFIT.into_iter().skip(1) {
            for neighbour in [before(first), after(last)].into_iter().flatten() {
                assert!(is_printable(neighbour) || is_last_two_of_plane(neighbour), "{neighbour:?}");
            }
        }
    }

    #[test]
    fn a_broken_sequence_has_no_width() {
        for (octets, expected) in [
            (&b"a"[..], 1),
            ("ä".as_bytes(), 2),
            ("中".as_bytes(), 3),
            ("🎉".as_bytes(), 4),
            (b"", 0),
            (b"\x7f", 0),
            (b"\xc3", 0),
            (b"\xc3(", 0),
            (b"\xa4", 0),
            (b"\xed\xa0\x80", 0),
            (b"\xc0\xaf", 0),
            (b"\xff", 0),
        ] {
            assert_eq!(width(octets), expected, "{octets:?}");
        }
    }
}
