//! What goes to standard output.

use std::io::{self, Write};

use crate::failure::Failure;

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
