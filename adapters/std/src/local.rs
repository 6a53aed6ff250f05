//! A producer for one thread, which polls it.

use core::fmt;
use core::time::Duration;
use std::io;
use std::time::Instant;

use klamm::{
    Config, Destination, Limits, Producer as Core, Record, RecordId, Report, SendError as Refusal,
    TopicId,
};
use klamm_host::{BuildError, ConnectionError, Local};

use crate::wires::Wires;

/// A producer that its one thread polls: no lock, no driver thread, no wake-ups between threads. For
/// loops that send and can say when there is time to move bytes.
///
/// Nothing happens outside of its methods: call [`poll`](Self::poll) often enough, at least once
/// while a batch lingers. Nothing waits in [`send`](Self::send): when the memory is full, poll. Reports
/// that are not taken keep their memory.
///
/// ```no_run
/// use core::time::Duration;
/// use klamm_std::{Config, Destination, Limits, LocalProducer, Record, Refusal};
///
/// let mut config = Config::new("localhost:9092");
/// config.linger_ms = 5;
/// let mut producer = LocalProducer::new(&config, &Limits::default())?;
/// let topic = producer.topic("readings")?;
/// let mut sent = 0;
/// while sent < 1_000_000 {
///     match producer.send(Destination::topic(topic), &Record::value(b"21.5")) {
///         Ok(_) => sent += 1,
///         Err(Refusal::Full | Refusal::TopicPending) => producer.poll(Duration::from_millis(1))?,
///         Err(error) => return Err(error.into()),
///     }
///     while let Some(report) = producer.poll_report() {
///         println!("{:?}: {:?}", report.partition, report.outcome);
///     }
/// }
/// producer.flush(Duration::from_secs(30))?;
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
pub struct LocalProducer {
    local: Local,
    wires: Wires,
}

impl LocalProducer {
    /// Allocates the memory; it connects when it is polled and there is something to ask for.
    /// `config.crc32c` and `config.compress_outside` are chosen here, and so are the sizes in `limits`
    /// that `config` has too.
    ///
    /// # Errors
    /// An option is out of range, options conflict, or the system refuses a poller.
    pub fn new(config: &Config<'_>, limits: &Limits) -> Result<Self, BuildError> {
        let local = Local::new(config, limits)?;
        let connections = local.core().connections().count();
        Ok(Self { local, wires: Wires::new(connections).map_err(BuildError::System)? })
    }

    /// The id of a topic, which it is registered under now.
    ///
    /// # Errors
    /// The name is not legal, or there is no room for another topic.
    pub fn topic(&mut self, name: &str) -> Result<TopicId, Refusal> {
        self.local.core_mut().0.topic(name)
    }

    /// Accepts a record, or says why not now; it never waits.
    ///
    /// # Errors
    /// Any [`Refusal`]; nothing has changed then.
    pub fn send(&mut self, to: Destination, record: &Record<'_>) -> Result<RecordId, Refusal> {
        let (core, now) = self.local.core_mut();
        core.send(to, record, now)
    }

    /// Moves bytes, and sleeps until something happens, for `limit` at most; not at all while there is
    /// something to do or a report to take.
    ///
    /// # Errors
    /// The poller fails.
    pub fn poll(&mut self, limit: Duration) -> io::Result<()> {
        let reports = self.local.core().peek_report().is_some();
        self.step(if reports { Duration::ZERO } else { limit })
    }

    /// The next report: one for each batch, or for each part of one that was split.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.local.core_mut().0.poll_report()
    }

    /// Sends what is there without lingering, and polls until all of it has its outcome; the reports
    /// are still to be taken. False if that takes longer than `limit`.
    ///
    /// # Errors
    /// The poller fails.
    pub fn flush(&mut self, limit: Duration) -> io::Result<bool> {
        let (core, now) = self.local.core_mut();
        let ticket = core.flush(now);
        let start = Instant::now();
        while !self.local.core().is_flushed(ticket) {
            let left = limit.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            self.step(left)?;
        }
        Ok(true)
    }

    /// The state machine itself, to be asked: its counters, its partitions, why a record waits.
    #[must_use]
    pub fn core(&self) -> &Core<'static> {
        self.local.core()
    }

    /// What went wrong with a connection last.
    #[must_use]
    pub fn last_connection_error(&self) -> Option<&ConnectionError> {
        self.local.last_connection_error()
    }

    fn step(&mut self, limit: Duration) -> io::Result<()> {
        let mut turn = self.local.turn(self.wires.sockets());
        let again = self.wires.act(&mut turn);
        let sleep = turn.sleep.map_or(limit, |sleep| sleep.min(limit));
        self.wires.wait(Some(if again { Duration::ZERO } else { sleep }))?;
        self.wires.read(|slot, bytes| self.local.received(slot, bytes));
        Ok(())
    }
}

impl Drop for LocalProducer {
    fn drop(&mut self) {
        // What was written still arrives.
        self.wires.shut_down();
    }
}

impl fmt::Debug for LocalProducer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalProducer").field("local", &self.local).finish_non_exhaustive()
    }
}
