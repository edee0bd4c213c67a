//! Sizes in octets, as systemd writes them: `64K`, `64KiB`. Rounds nothing.

use super::reader::{Item, Reader};
use std::fmt;

/// The form that the schema knows a size by.
pub(super) const FORM: &str = "^[0-9]+([KMGT](iB)?|B)?$";

/// The units, largest first, with their octets (systemd.syntax(7): to the base 1024).
const UNITS: [(char, u64); 4] = [('T', 1 << 40), ('G', 1 << 30), ('M', 1 << 20), ('K', 1 << 10)];

/// So many octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    /// In the largest unit that leaves a whole number: `64KiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, octets): &&(char, u64)| self.0 >= *octets && self.0.is_multiple_of(*octets);
        match UNITS.iter().find(fits) {
            Some((letter, octets)) => write!(f, "{}{letter}iB", self.0 / octets),
            None => write!(f, "{}B", self.0),
        }
    }
}

impl Reader<'_> {
    /// Reads a size: `"64KiB"`, `"64K"`, or a number of octets.
    pub(super) fn size(&mut self, item: &Item<'_>) -> Option<Size> {
        if item.get_ref().as_integer().is_some() {
            let octets = self.integer(item)?;
            return u64::try_from(octets).ok().map(Size).or_else(|| {
                self.error(&item.span(), "a size is no less than zero");
                None
            });
        }
        let word = self.word(item)?;
        let size = size_of(&word.text);
        if size.is_none() {
            let message = format!("{:?} is no size; write \"64KiB\", \"10MiB\" or \"1GiB\"", word.text);
            self.error(&word.span, &message);
        }
        size
    }

    /// Reads a size, or `"infinity"`, which is `None`.
    #[expect(clippy::option_option, reason = "no limit and no size are two things")]
    pub(super) fn size_or_infinity(&mut self, item: &Item<'_>) -> Option<Option<Size>> {
        if item.get_ref().as_str() == Some("infinity") {
            return Some(None);
        }
        self.size(item).map(Some)
    }
}

/// The size that is written so. Units to the base 1000 are none: they would be taken for the others.
pub(super) fn size_of(text: &str) -> Option<Size> {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit = text.strip_prefix(digits)?;
    let letter = unit.strip_suffix("iB").unwrap_or(unit);
    let octets = match unit {
        "" | "B" => 1,
        _ => UNITS.iter().find(|(known, _)| letter.len() == 1 && letter.starts_with(*known))?.1,
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then(|| digits.parse::<u64>().ok()?.checked_mul(octets)).flatten().map(Size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_a_unit_to_the_base_1024() {
        for (text, octets) in
            [("0", 0), ("17", 17), ("17B", 17), ("64K", 65_536), ("64KiB", 65_536), ("2GiB", 2 << 30)]
        {
            assert_eq!(size_of(text), Some(Size(octets)), "{text}");
        }
        for text in ["", "K", "-1", "1.5M", "1KB", "1 K", "1k", "1iB", "1KK", "1P", "99999999999T", "٣"] {
            assert_eq!(size_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_size_is_spelt_in_its_largest_whole_unit_and_read_again() {
        for (octets, text) in [(0, "0B"), (1023, "1023B"), (65_536, "64KiB"), (3 << 20, "3MiB")] {
            assert_eq!(Size(octets).to_string(), text);
            assert_eq!(size_of(text), Some(Size(octets)));
        }
    }
}
