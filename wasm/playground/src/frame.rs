//! What the page draws: one picture of everything, as JSON.

use serde::Serialize;

use crate::board::State;
use crate::news::Line;

/// A picture.
#[derive(Debug, Serialize)]
pub(crate) struct Frame {
    /// Milliseconds of the run.
    pub(crate) now: f64,
    pub(crate) counts: Counts,
    pub(crate) gauges: Gauges,
    pub(crate) nodes: Vec<Node>,
    pub(crate) lanes: Vec<Lane>,
    /// What is new since the last picture.
    pub(crate) news: Vec<Line>,
    /// A promise that was broken: a bug of klamm's, or of the simulator.
    pub(crate) broken: Option<String>,
    /// What the audit found; the run has ended.
    pub(crate) audit: Option<String>,
    /// No more records are sent by themselves.
    pub(crate) full: bool,
}

/// In records. `stored`, `lost` and `twice` are read from the logs.
#[derive(Debug, Serialize)]
pub(crate) struct Counts {
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
    pub(crate) failed: u64,
    pub(crate) unknown: u64,
    pub(crate) buffered: u64,
    pub(crate) stored: u64,
    pub(crate) lost: u64,
    pub(crate) twice: u64,
    pub(crate) refused: u64,
}

/// The rest.
#[derive(Debug, Serialize)]
pub(crate) struct Gauges {
    /// Batches sent again.
    pub(crate) retries: u64,
    /// Batches that a broker had already, and did not store again.
    pub(crate) duplicates: u64,
    /// Bytes of batches under way.
    pub(crate) in_flight: u64,
    /// Bytes of memory that records fill, and how many there are.
    pub(crate) used: u64,
    pub(crate) memory: u32,
    /// Bytes of a full batch.
    pub(crate) batch: u32,
    /// Answers to Produce so far, and the sum of the milliseconds they took.
    pub(crate) answers: u64,
    pub(crate) answer_time: u64,
    pub(crate) producer_id: Option<i64>,
    pub(crate) connections: u32,
}

/// A broker.
#[derive(Debug, Serialize)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) up: bool,
    pub(crate) cut: bool,
    pub(crate) connected: bool,
}

/// A partition.
#[derive(Debug, Serialize)]
pub(crate) struct Lane {
    pub(crate) partition: i32,
    pub(crate) leader: Option<i32>,
    pub(crate) in_sync: Vec<i32>,
    /// The offset behind the last record.
    pub(crate) end: i64,
    /// Batches without an outcome, oldest first.
    pub(crate) batches: Vec<Batch>,
    pub(crate) log: Vec<Logged>,
}

/// A batch without an outcome.
#[derive(Debug, Serialize)]
pub(crate) struct Batch {
    pub(crate) id: String,
    pub(crate) state: State,
    pub(crate) records: u32,
    /// How full it is, from 0 to 1.
    pub(crate) fill: f64,
    pub(crate) epoch: Option<i16>,
    pub(crate) sequence: Option<i32>,
    pub(crate) tries: u16,
    pub(crate) node: Option<i32>,
}

/// A batch in the log.
#[derive(Debug, Serialize)]
pub(crate) struct Logged {
    /// The batch it was on its way.
    pub(crate) id: String,
    pub(crate) offset: i64,
    pub(crate) records: u32,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
    /// Does the producer know?
    pub(crate) acknowledged: bool,
}
