//! The thread that reads lines and hands them to the producer.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use klamm_std::{Header, SendError, Topic};

use super::input::{BlockError, Blocks, lines};
use super::shape::Shape;
use crate::connect::check_partition;
use crate::failure::Failure;

pub(crate) struct Reader {
    pub(crate) topic: Topic,
    pub(crate) partition: Option<i32>,
    pub(crate) shape: Shape,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) max_line: usize,
    pub(crate) counters: Arc<Counters>,
}

/// What the watching thread sees of the reader, and tells it.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) stop: Arc<AtomicBool>,
}

/// Why reading ended before the end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The producer did not accept a record.
    Refused { file: PathBuf, line: u64, error: SendError },
    /// Nothing was read: what the partitions are could not be found out.
    NoTopic(SendError),
    /// Nothing was read: the topic has no such partition.
    NoPartition(String),
    /// A line is longer than any request may be.
    TooLong { file: PathBuf, line: u64, max: usize },
    /// A file could not be read.
    Unreadable(String),
}

impl Reader {
    pub(crate) fn run(self) -> Result<(), Stop> {
        if let Some(partition) = self.partition {
            let count = self.topic.partitions().map_err(Stop::NoTopic)?;
            check_partition(self.topic.name(), partition, count).map_err(Stop::NoPartition)?;
        }
        let headers = self.shape.headers();
        if self.files.is_empty() {
            return self.read(Path::new("-"), io::stdin().lock(), &headers);
        }
        for path in &self.files {
            if is_stdin(path) {
                self.read(path, io::stdin().lock(), &headers)?;
                continue;
            }
            let file = File::open(path).map_err(|error| unreadable(path, &error))?;
            self.read(path, file, &headers)?;
        }
        Ok(())
    }

    fn read(&self, path: &Path, input: impl Read, headers: &[Header<'_>]) -> Result<(), Stop> {
        let mut blocks = Blocks::new(input, self.max_line);
        let mut line = 1;
        loop {
            let block = match blocks.next() {
                Ok(Some(block)) => block,
                Ok(None) => return Ok(()),
                Err(BlockError::Io(error)) => return Err(unreadable(path, &error)),
                Err(BlockError::LineTooLong) => {
                    return Err(Stop::TooLong { file: path.into(), line, max: self.max_line });
                }
            };
            if self.counters.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            let records = lines(block).map(|line| self.shape.record(line, headers));
            let result = self.topic.post_all(self.partition, records);
            let (Ok(accepted) | Err((accepted, _))) = result;
            line += accepted;
            self.counters.records.fetch_add(accepted, Ordering::Relaxed);
            self.counters.bytes.fetch_add(block.len() as u64, Ordering::Relaxed);
            if let Err((_, error)) = result {
                return Err(Stop::Refused { file: path.into(), line, error });
            }
        }
    }
}

/// Is this how the command line names standard input?
pub(crate) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(crate) fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::Run(cannot_read_text(path, error))
}

fn unreadable(path: &Path, error: &io::Error) -> Stop {
    Stop::Unreadable(cannot_read_text(path, error))
}

fn cannot_read_text(path: &Path, error: &io::Error) -> String {
    let error = error.to_string();
    // Without the number that the system has for it.
    let text = error.split(" (os error").next().unwrap_or_default();
    format!("cannot read {}: {text}", name(path))
}

fn name(path: &Path) -> String {
    match is_stdin(path) {
        true => "standard input".into(),
        false => path.display().to_string(),
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { file, line, error } => {
                write!(f, "{}:{line}: not sent: {error}", name(file))
            }
            Self::NoTopic(error) => write!(f, "nothing sent: {error}"),
            Self::NoPartition(text) => f.write_str(text),
            Self::TooLong { file, line, max } => write!(
                f,
                "{}:{line}: not sent: line longer than max.request.size={max}",
                name(file)
            ),
            Self::Unreadable(text) => f.write_str(text),
        }
    }
}
