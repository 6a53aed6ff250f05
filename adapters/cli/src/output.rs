//! What goes to standard output: text and tables.

use std::io::{self, Write};

use comfy_table::{Table, TableComponent};

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
pub(crate) fn lines(table: &Table) -> Vec<String> {
    table.lines().map(|line| line.trim_end().to_owned()).collect()
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

    pub(crate) fn text(&self) -> String {
        let mut table = table(&self.header);
        table.add_rows(&self.rows);
        for (place, column) in table.column_iter_mut().enumerate() {
            if self.rows.iter().all(|row| row[place].is_empty()) {
                column.set_constraint(comfy_table::ColumnConstraint::Hidden);
            }
        }
        lines(&table).join("\n")
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
