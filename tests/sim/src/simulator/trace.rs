//! What happened, as a hash for "same seed, same run", and as text on demand.

use core::fmt::{Debug, Write};
use core::hash::Hasher;
use std::hash::DefaultHasher;

/// The run so far. Every event goes into the hash; with `print` it is also written to standard
/// error.
#[derive(Debug, Default)]
pub struct Trace {
    hasher: Hashing,
    /// Write each event as a line.
    pub print: bool,
    events: u64,
}

impl Trace {
    /// Something happened at `now`.
    pub fn note(&mut self, now: u64, event: &dyn Debug) {
        self.events += 1;
        // Writing into a hasher cannot fail.
        let _ = write!(self.hasher, "{now} {event:?}");
        if self.print {
            eprintln!("{:>11}.{:03} {event:?}", now / 1_000, now % 1_000);
        }
    }

    /// The hash of all events.
    pub fn hash(&self) -> u64 {
        self.hasher.0.finish()
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }
}

#[derive(Debug, Default)]
struct Hashing(DefaultHasher);

impl Write for Hashing {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
