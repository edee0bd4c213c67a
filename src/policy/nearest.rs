//! Finds the known word that a mistyped one was meant to be. Suggests; corrects nothing.

/// Words longer than this are no slips of the finger, and not worth the comparison.
const LONGEST: usize = 64;

/// `; did you mean "x"?` where a known word is close, or nothing.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |close| format!("; did you mean {close:?}?"))
}

/// The same, or else all known words.
pub(super) fn meant(word: &str, known: &[&str]) -> String {
    let close = did_you_mean(word, known.iter().copied());
    if close.is_empty() { format!("; known: {}", known.join(", ")) } else { close }
}

/// The closest known word, at most a third of the word's letters (and at least one) away.
fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters: Vec<char> = word.chars().take(LONGEST + 1).collect();
    if letters.len() > LONGEST {
        return None;
    }
    let limit = (letters.len() / 3).max(1);
    let near = known.into_iter().filter_map(|known| Some((distance(&letters, known, limit)?, known)));
    near.min_by_key(|(far, _)| *far).map(|(_, known)| known)
}

/// The optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours each
/// count 1. `None` as soon as it is more than the limit: a policy may have thousands of words to compare with.
fn distance(from: &[char], to: &str, limit: usize) -> Option<usize> {
    let mut rows = Rows { letter: None, before: Vec::new(), above: (0..=from.len()).collect() };
    if to.chars().count().abs_diff(from.len()) > limit {
        return None;
    }
    for letter in to.chars() {
        rows.advance(from, letter);
        if rows.above.iter().chain(&rows.before).all(|far| *far > limit) {
            return None;
        }
    }
    rows.above.last().copied().filter(|far| *far <= limit)
}

/// The distances of all beginnings of a word to the beginnings of another one that end with a letter, and with the one
/// before it.
struct Rows {
    letter: Option<char>,
    before: Vec<usize>,
    above: Vec<usize>,
}

impl Rows {
    /// Goes on to the next letter of the other word.
    fn advance(&mut self, from: &[char], letter: char) {
        let mut left = self.above.first().map_or(0, |far| far + 1);
        let mut row = vec![left];
        let mut earlier = None;
        for (column, (own, pair)) in from.iter().zip(self.above.windows(2)).enumerate() {
            let &[diagonal, up] = pair else { continue };
            let replaced = diagonal + usize::from(*own != letter);
            let is_swapped = earlier == Some(letter) && self.letter == Some(*own);
            let corner = column.checked_sub(1).and_then(|corner| self.before.get(corner));
            let swapped = corner.filter(|_| is_swapped).map_or(usize::MAX, |far| far + 1);
            left = replaced.min(up + 1).min(left + 1).min(swapped);
            row.push(left);
            earlier = Some(*own);
        }
        self.letter = Some(letter);
        self.before = std::mem::replace(&mut self.above, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["users", "groups", "when"];
        assert_eq!(nearest("user", known), Some("users"));
        assert_eq!(nearest("gruops", known), Some("groups"));
        assert_eq!(nearest("wehn", known), Some("when"));
        assert_eq!(nearest("whom", known), None);
    }

    #[test]
    fn distances_count_single_slips() {
        for (from, to, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("ab", "", 2),
            ("kitten", "sitting", 3),
            ("öl", "ol", 1),
            ("unti", "unit", 1),
            ("ba", "ab", 1),
        ] {
            let letters: Vec<char> = from.chars().collect();
            assert_eq!(distance(&letters, to, expected), Some(expected), "{from} {to}");
        }
    }

    #[test]
    fn a_distance_ends_at_its_limit() {
        for (from, to, limit) in
            [("kitten", "sitting", 2), ("ab", "cd", 1), ("a", "abc", 1), ("abcd", "dcba", 2)]
        {
            let letters: Vec<char> = from.chars().collect();
            assert_eq!(distance(&letters, to, limit), None, "{from} {to}");
        }
    }

    #[test]
    fn a_whole_page_is_not_a_slip() {
        assert_eq!(nearest(&"x".repeat(100_000), ["users"]), None);
    }
}
