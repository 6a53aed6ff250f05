//! A producer for the length of a scope.

use core::fmt;
use core::ops::Deref;
use core::time::Duration;

use klamm_host::Closed;

use crate::producer::Producer;

/// A [`Producer`] that leaving a scope closes, whoever else has a clone of it: from
/// [`Producer::scoped`].
///
/// ```no_run
/// # use core::time::Duration;
/// # use klamm_std::{Producer, Record};
/// {
///     let producer = Producer::builder("localhost:9092").build()?.scoped(Duration::from_secs(30));
///     producer.post("readings", &Record::value(b"21.5"))?;
/// } // Delivered, or given up after 30 s, which `Builder::on_report` tells.
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct Scoped {
    producer: Producer,
    limit: Duration,
}

impl Scoped {
    pub(crate) fn new(producer: Producer, limit: Duration) -> Self {
        Self { producer, limit }
    }

    /// Leaves the scope now, and hands back what was not delivered.
    pub fn close(self) -> Closed {
        self.producer.close(self.limit)
    }
}

impl Deref for Scoped {
    type Target = Producer;

    fn deref(&self) -> &Producer {
        &self.producer
    }
}

impl Drop for Scoped {
    fn drop(&mut self) {
        self.producer.close(self.limit);
    }
}

impl fmt::Debug for Scoped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped").field("producer", &self.producer).finish_non_exhaustive()
    }
}
