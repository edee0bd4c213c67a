//! Finds the known word that a mistyped one was meant to be. Suggests; corrects nothing.

/// Words longer than this are no slips of the finger, and not worth the comparison.
const LONGEST: usize = 64;

/// `; did you mean "x"?` where a known word is close, or nothing.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |close| format!("; did you mean {close:?}?"))
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

/// Levenshtein's distance: insertions, deletions and replacements of one character.
fn distance(from: &[char], to: &str) -> usize {
    let mut row: Vec<usize> = (0..=from.len()).collect();
    for (index, wanted) in to.chars().enumerate() {
        row = next_row(&row, (from, wanted), index + 1);
    }
    row.last().copied().unwrap_or(0)
}

/// The next row of the distance table, whose first cell is `first`.
fn next_row(row: &[usize], (from, wanted): (&[char], char), first: usize) -> Vec<usize> {
    let mut next = vec![first];
    for (pair, letter) in row.windows(2).zip(from) {
        let [diagonal, above] = *pair else { continue };
        let left = next.last().copied().unwrap_or(first);
        let replaced = diagonal + usize::from(*letter != wanted);
        next.push(replaced.min(above + 1).min(left + 1));
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let known = ["users", "groups", "when"];
        assert_eq!(nearest("user", known), Some("users"));
        assert_eq!(nearest("gruops", known), Some("groups"));
        assert_eq!(nearest("wehn", ["when"]), None);
        assert_eq!(nearest("whom", known), None);
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (from, to, expected) in [("", "", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("öl", "ol", 1)] {
            let letters: Vec<char> = from.chars().collect();
            assert_eq!(distance(&letters, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn a_whole_page_is_not_a_slip() {
        assert_eq!(nearest(&"x".repeat(100_000), ["users"]), None);
    }
}
