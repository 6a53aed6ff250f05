//! The progress bar, on a terminal only.

use core::time::Duration;
use std::time::Instant;

use indicatif::{BinaryBytes, HumanCount, ProgressBar, ProgressStyle};
use klamm_std::ConnectionError;

use super::summary::per_second;
use super::tally::Row;

pub(crate) struct Progress {
    bar: ProgressBar,
    start: Instant,
    known_length: bool,
}

impl Progress {
    /// `input_bytes` is the length of all files together, where that is known.
    pub(crate) fn new(visible: bool, input_bytes: Option<u64>) -> Self {
        let (bar, template) = match (visible, input_bytes) {
            (false, _) => (ProgressBar::hidden(), "{msg}"),
            (true, Some(bytes)) => {
                (ProgressBar::new(bytes), "{bar:32.cyan/black.bright} {percent:>3}%  {msg}")
            }
            (true, None) => (ProgressBar::new_spinner(), "{spinner:.cyan} {msg}"),
        };
        // The templates are constants, tried by the tests: a bar without them is as good.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("\u{2501}\u{2578}\u{2500}"));
        }
        Self { bar, start: Instant::now(), known_length: input_bytes.is_some() }
    }

    pub(crate) fn show(&self, read_bytes: u64, total: &Row, error: Option<&ConnectionError>) {
        if self.bar.is_hidden() {
            return;
        }
        let took = self.start.elapsed();
        let message = match error {
            Some(error) => format!("{error}; trying again"),
            None => format!(
                "{} records, {} records/s, {}/s",
                HumanCount(total.records),
                HumanCount(per_second(total.records as f64, took)),
                BinaryBytes(per_second(total.plain_bytes as f64, took)),
            ),
        };
        self.bar.set_message(message);
        if self.known_length {
            self.bar.set_position(read_bytes);
        }
        self.bar.tick();
    }

    pub(crate) fn took(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
