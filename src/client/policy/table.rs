//! Rows in columns, for people. Passes nothing on that a terminal obeys.

use super::super::exit::shown;

/// The rows, each column as wide as its widest cell, two blanks between them.
pub(in super::super) fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let rows: Vec<[String; COLUMNS]> =
        rows.iter().map(|row| row.each_ref().map(|cell| shown(cell))).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..COLUMNS).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_nothing_steers_the_terminal() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let rows = [row("a", "it's ö"), row("long", "\u{1b}[31m\u{202e}x\n")];
        assert_eq!(aligned(&rows), "a     it's ö\nlong  \\u{1b}[31m\\u{202e}x\\n\n");
    }
}
