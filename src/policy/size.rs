//! Amounts of memory, as a policy writes them: `64KiB`. Guesses at no unit.

use super::reader::{Item, Reader};
use std::fmt;

/// What an amount looks like, as a regular expression.
pub(super) const FORM: &str = "^[0-9]+(B|KiB|MiB|GiB)$";

/// The units with their octets, the largest first (IEC 80000-13).
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// An amount of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

impl Size {
    /// So many octets.
    #[must_use]
    pub const fn of_octets(octets: u64) -> Self {
        Self(octets)
    }

    /// In octets.
    #[must_use]
    pub const fn octets(self) -> u64 {
        self.0
    }

    fn read(text: &str) -> Option<Self> {
        let (digits, unit) = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
        let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
        let octets = digits.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(*unit)?;
        Some(Self(octets))
    }
}

impl fmt::Display for Size {
    /// In the largest unit of which it is a multiple.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = UNITS.iter().find(|(_, unit)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        let (name, unit) = fitting.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl Reader<'_> {
    /// Reads an amount from 1 octet to `most`; `key` is what it is told as.
    pub(super) fn size(&mut self, item: &Item<'_>, key: &str, most: Size) -> Option<Size> {
        if let Some(number) = item.get_ref().as_integer() {
            let message = format!("{key} has a unit: \"{0}KiB\", or \"{0}MiB\"", number.as_str());
            self.error(&item.span(), &message);
            return None;
        }
        let word = self.word(item)?;
        let message = match Size::read(&word.text) {
            Some(size) if (1..=most.octets()).contains(&size.octets()) => return Some(size),
            Some(_) => format!("{key} is from 1B to {most}"),
            None => format!("{:?} is no size; write \"64KiB\", with B, KiB, MiB or GiB", word.text),
        };
        self.error(&word.span, &message);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit() {
        for (text, octets) in [("1B", 1), ("64KiB", 65_536), ("1MiB", 1 << 20), ("2GiB", 2 << 30), ("0B", 0)]
        {
            assert_eq!(Size::read(text), Some(Size(octets)), "{text}");
            assert_eq!(Size(octets).to_string(), text);
        }
        for bad in ["", "1", "KiB", "1 KiB", "1kB", "1K", "-1KiB", "+1B", "1.5MiB", "99999999999GiB"] {
            assert_eq!(Size::read(bad), None, "{bad}");
        }
        assert_eq!(Size(1025).to_string(), "1025B");
        assert_eq!(Size(3 << 19).to_string(), "1536KiB");
    }
}
