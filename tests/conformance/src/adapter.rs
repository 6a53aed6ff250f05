//! What an adapter looks like to the suite.

use core::time::Duration;

use klamm::{Config, Limits, PartitionId, Reason, Record, Stats};

/// How a producer is to be made.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The bootstrap servers.
    pub servers: String,
    /// The core's options, without texts.
    pub config: Config<'static>,
    /// The bounds.
    pub limits: Limits,
    /// How long `send` waits.
    pub max_block: Duration,
}

impl Setup {
    /// The defaults, with these servers.
    #[must_use]
    pub fn new(servers: impl ToString) -> Self {
        Self {
            servers: servers.to_string(),
            config: Config::new(""),
            limits: Limits::new(),
            max_block: Duration::from_secs(60),
        }
    }

    /// So little memory that it is full soon: 15 batches of 16 KiB, and 64 KiB for a record.
    #[must_use]
    pub fn with_little_memory(mut self) -> Self {
        self.limits.buffer_memory = 256 * 1024;
        self.config.batch_size = 16_384;
        self.config.max_request_size = 65_536;
        self
    }
}

/// A producer of an adapter; clones share it, and dropping the last one closes it.
pub trait Adapter: Clone + Send + Sync + 'static {
    /// The handle of an accepted record.
    type Delivery: Send;

    /// Makes a producer.
    fn start(setup: &Setup) -> Self;

    /// Accepts a record, waiting for up to `max_block`.
    ///
    /// # Errors
    /// It was not accepted.
    fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &Record<'_>,
    ) -> Result<Self::Delivery, Refused>;

    /// Accepts a record at once.
    ///
    /// # Errors
    /// It was not accepted.
    fn try_send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &Record<'_>,
    ) -> Result<Self::Delivery, Refused>;

    /// Waits for a record's fate.
    fn fate(&self, delivery: Self::Delivery) -> Fate;

    /// Asks for a topic's partitions, waiting for up to `max_block`.
    ///
    /// # Errors
    /// They are not known.
    fn partitions(&self, topic: &str) -> Result<i32, Refused>;

    /// Waits until everything accepted has its fate. Is it so?
    fn flush(&self) -> bool;

    /// Closes it, giving up after `limit`, and waits for the end.
    fn close(&self, limit: Duration) -> Vec<Returned>;

    /// The counters.
    fn stats(&self) -> Stats;

    /// How many senders wait.
    fn waiting(&self) -> usize;

    /// What went wrong with a connection since one became ready.
    fn last_connection_error(&self) -> Option<String>;
}

/// Why a record was not accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// At once.
    Now(klamm::SendError),
    /// After `max_block`.
    Late(klamm::SendError),
    /// There is no driver.
    Dead,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It is here, at this offset if that is known.
    Delivered(PartitionId, Option<i64>),
    /// It is not in the log.
    NotPersisted(Reason),
    /// It may be.
    Unknown(Reason),
    /// Something else.
    Other,
}

impl Fate {
    /// The offset of a delivered record.
    ///
    /// # Panics
    /// It was not delivered, or its offset is not known.
    #[must_use]
    pub fn offset(&self) -> i64 {
        let Self::Delivered(_, Some(offset)) = self else { panic!("not delivered: {self:?}") };
        *offset
    }
}

/// A record that `close` handed back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Returned {
    /// Its topic and partition.
    pub to: (String, i32),
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// What became of it.
    pub fate: Fate,
}
