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
    let limit = (letters.len() / 3).max(1);
    let far = |candidate: &&str| distance(&letters, candidate);
    if letters.len() > LONGEST {
        return None;
    }
    known.into_iter().min_by_key(far).filter(|best| far(best) <= limit)
}

/// The optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours each
/// count 1.
fn distance(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut table = Table { from, to: &to, rows: vec![(0..=from.len()).collect()] };
    for _ in &to {
        table.add_row();
    }
    table.cell(0, from.len())
}

/// The distances of all beginnings of two words; a row for each letter of `to`.
struct Table<'a> {
    from: &'a [char],
    to: &'a [char],
    rows: Vec<Vec<usize>>,
}

impl Table<'_> {
    fn add_row(&mut self) {
        self.rows.push(vec![self.rows.len()]);
        for column in 1..=self.from.len() {
            let best = self.best(column);
            self.rows.last_mut().into_iter().for_each(|row| row.push(best));
        }
    }

    /// The cell of the last row but so many.
    fn cell(&self, rows_up: usize, column: usize) -> usize {
        let row = self.rows.iter().rev().nth(rows_up);
        row.and_then(|row| row.get(column)).copied().unwrap_or(usize::MAX / 2)
    }

    /// What the cell of that column in the last row has to be.
    fn best(&self, column: usize) -> usize {
        let line = self.rows.len() - 1;
        let (left, above) =
            (self.from.get(..column).unwrap_or_default(), self.to.get(..line).unwrap_or_default());
        let replaced = self.cell(1, column - 1) + usize::from(left.last() != above.last());
        let best = replaced.min(self.cell(1, column) + 1).min(self.cell(0, column - 1) + 1);
        match (left, above) {
            ([.., a, b], [.., c, d]) if a == d && b == c => best.min(self.cell(2, column - 2) + 1),
            _ => best,
        }
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
            assert_eq!(distance(&letters, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn a_whole_page_is_not_a_slip() {
        assert_eq!(nearest(&"x".repeat(100_000), ["users"]), None);
    }
}
