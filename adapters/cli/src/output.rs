//! What goes to standard output: text and tables.

use core::fmt::{self, Write as _};
use std::io::{self, Write as _};

use comfy_table::{ColumnConstraint, Table, TableComponent};

use crate::failure::Failure;

/// A thin horizontal line.
const RULE: char = '\u{2500}';

/// A table with a rule below the header, and white space for the rest.
pub(crate) fn table<const N: usize>(header: &[&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_style(TableComponent::HeaderLines, RULE);
    table.set_style(TableComponent::MiddleHeaderIntersections, RULE);
    table.set_header(header);
    table
}

/// A table's lines, without white space behind them.
///
/// On a terminal that is too narrow, columns are left out until it fits: those of these indices, in
/// this order. (JSON has everything.)
pub(crate) fn lines(table: &mut Table, dispensable: &[usize]) -> Vec<String> {
    let size = terminal_size::terminal_size_of(io::stdout());
    let width = size.map_or(usize::MAX, |(width, _)| usize::from(width.0));
    fit(table, dispensable, width)
}

fn fit(table: &mut Table, dispensable: &[usize], width: usize) -> Vec<String> {
    let mut dispensable = dispensable.iter();
    loop {
        let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        if lines.iter().all(|line| line.chars().count() <= width) {
            return lines;
        }
        let Some(column) = dispensable.next().and_then(|place| table.column_mut(*place)) else {
            return lines;
        };
        column.set_constraint(ColumnConstraint::Hidden);
    }
}

/// A table of texts that leaves out the columns in which nothing is.
pub(crate) struct Rows<const N: usize> {
    header: [&'static str; N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Rows<N> {
    pub(crate) fn new(header: &[&'static str; N]) -> Self {
        Self { header: *header, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: [String; N]) {
        self.rows.push(row);
    }

    /// On a narrow terminal without the columns of these indices, the first one first.
    pub(crate) fn text(&self, dispensable: &[usize]) -> String {
        let mut table = table(&self.header);
        table.add_rows(&self.rows);
        for (place, column) in table.column_iter_mut().enumerate() {
            if self.rows.iter().all(|row| row[place].is_empty()) {
                column.set_constraint(ColumnConstraint::Hidden);
            }
        }
        lines(&mut table, dispensable).join("\n")
    }
}

/// Prints the text, and a newline behind it. Nothing is printed for an empty text.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Ok(());
    }
    // A closed pipe is the reader's decision, not a failure of ours.
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Run(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Lines of a name and a figure or text each.
#[derive(Default)]
pub(crate) struct Lines(String);

impl Lines {
    pub(crate) fn put(&mut self, name: &str, text: impl fmt::Display) {
        // Writing to a `String` does not fail.
        let _ = writeln!(self.0, "{name:<14}{text}");
    }

    /// A line of its own.
    pub(crate) fn say(&mut self, text: impl fmt::Display) {
        let _ = writeln!(self.0, "{text}");
    }

    pub(crate) fn text(&self) -> String {
        self.0.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_fewer_columns() {
        let header = ["name", "offset", "note"];
        let shown = |width: usize| {
            let mut table = table(&header);
            table.add_row(["readings", "1,000", "none at all"]);
            let lines = fit(&mut table, &[2, 1], width);
            assert_eq!(lines.len(), 3, "header, rule, row: {lines:?}");
            header.map(|name| lines[0].contains(name))
        };
        assert_eq!(shown(usize::MAX), [true, true, true]);
        assert_eq!(shown(33), [true, true, true]);
        assert_eq!(shown(30), [true, true, false]);
        assert_eq!(shown(15), [true, false, false]);
        assert_eq!(shown(1), [true, false, false], "what is left is shown in any case");
    }

    #[test]
    fn columns_of_nothing_are_left_out() {
        let mut rows = Rows::new(&["id", "error", "rack"]);
        rows.add(["1".into(), String::new(), "a".into()]);
        rows.add(["2".into(), String::new(), String::new()]);
        let text = rows.text(&[]);
        assert!(text.contains("id") && text.contains("rack") && !text.contains("error"), "{text}");
    }
}
