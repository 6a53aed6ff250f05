//! The progress bar, on a terminal only.

use core::time::Duration;
use std::io::{self, IsTerminal};
use std::time::Instant;

use indicatif::{BinaryBytes, HumanCount, ProgressBar, ProgressStyle};
use klamm_std::ConnectionError;

use crate::tally::Row;

pub(crate) struct Progress {
    bar: ProgressBar,
    start: Instant,
    length: Option<u64>,
}

impl Progress {
    /// `length` is how much there is to do, where that is known. A script, which asks for JSON,
    /// sees no bar.
    pub(crate) fn new(json: bool, length: Option<u64>) -> Self {
        let visible = io::stderr().is_terminal() && !json;
        let (bar, template) = match (visible, length) {
            (false, _) => (ProgressBar::hidden(), "{msg}"),
            (true, Some(length)) => {
                (ProgressBar::new(length), "{bar:24.cyan/black.bright} {percent:>3}%  {wide_msg}")
            }
            (true, None) => (ProgressBar::new_spinner(), "{spinner:.cyan} {wide_msg}"),
        };
        // The templates are constants, tried by the tests: a bar without them is as good.
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("\u{2501}\u{2578}\u{2500}"));
        }
        Self { bar, start: Instant::now(), length }
    }

    pub(crate) fn show(&self, done: u64, total: &Row, error: Option<&ConnectionError>) {
        if self.bar.is_hidden() {
            return;
        }
        let took = self.start.elapsed();
        let message = match error {
            Some(error) => format!("{error}; trying again"),
            None => format!(
                "{} records, {}/s, {}/s",
                HumanCount(total.records),
                HumanCount(per_second(total.records as f64, took)),
                BinaryBytes(per_second(total.plain_bytes as f64, took)),
            ),
        };
        self.bar.set_message(message);
        if self.length.is_some() {
            self.bar.set_position(done);
        }
        self.bar.tick();
    }

    /// From the beginning until now.
    pub(crate) fn took(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Whole things a second.
pub(crate) fn per_second(count: f64, took: Duration) -> u64 {
    let rate = count / took.as_secs_f64().max(1e-6);
    // A rate of records or bytes is far from the bounds of a `u64`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = rate as u64;
    whole
}
