//! Rows in columns, for people. Passes nothing on that a terminal obeys.

use super::super::exit::shown;

/// Characters of a cell at most. What is longer is cut, and ends with a mark.
const CELL_MAX: usize = 200;

/// The same of the last cell of a row, which takes no room from another.
const LAST_MAX: usize = 1000;

/// The rows, each column as wide as its widest cell, two blanks between them.
pub(in super::super) fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let rows: Vec<[String; COLUMNS]> = rows.iter().map(cut_row).collect();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..COLUMNS).map(|column| width(column).unwrap_or(0)).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn cut_row<const COLUMNS: usize>(row: &[String; COLUMNS]) -> [String; COLUMNS] {
    let mut left = COLUMNS;
    row.each_ref().map(|cell| {
        left = left.saturating_sub(1);
        cut(&shown(cell), if left == 0 { LAST_MAX } else { CELL_MAX })
    })
}

/// The beginning of the cell, where it is longer than people read.
fn cut(cell: &str, most: usize) -> String {
    match cell.char_indices().nth(most) {
        None => cell.to_owned(),
        Some(_) => cell.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The cell with blanks behind it. Widths of format strings end at 65535.
fn padded(cell: &str, width: usize) -> String {
    cell.to_owned() + &" ".repeat(width.saturating_sub(cell.chars().count()))
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

    #[test]
    fn a_cell_of_any_length_is_told_by_its_beginning() {
        let rows = ["x".repeat(200), "é".repeat(70_000)].map(|cell| [cell, "end".to_owned()]);
        let beginning = "é".repeat(199);
        assert_eq!(aligned(&rows), format!("{}  end\n{beginning}…  end\n", "x".repeat(200)));
        let last = ["x".repeat(1000), "é".repeat(70_000)].map(|cell| [cell]);
        assert_eq!(aligned(&last), format!("{}\n{}…\n", "x".repeat(1000), "é".repeat(999)));
    }
}
