//! Everything that a run of the model can be in: replicas, connections, the client. Equal states go
//! on equally, so the search visits each once.

use std::collections::{BTreeMap, VecDeque};

/// Records `first .. first + count`, numbered over the run; the ones from before it are negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first record.
    pub first: i32,
    /// How many.
    pub count: i32,
}

impl Span {
    /// The records' numbers.
    pub fn records(self) -> impl Iterator<Item = i32> {
        self.first..self.first + self.count
    }
}

/// What is on the wire of a batch: its identity and its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sent {
    /// The producer epoch.
    pub epoch: i32,
    /// The first sequence.
    pub sequence: i32,
    /// The records.
    pub records: Span,
}

/// A batch in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// The leader's term in which it was appended.
    pub term: u32,
    /// What was appended.
    pub sent: Sent,
}

/// A replica's log, and how many of its last batches the replica remembers for duplicates.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Replica {
    /// Batches, oldest first.
    pub log: Vec<Entry>,
    /// 5 at most, 1 after a restart, 0 without producer state.
    pub known: usize,
}

/// An answer on its way; `code` is `None` while the leader waits for replication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Answer {
    /// The error code, 0 for success.
    pub code: Option<i16>,
    /// The stored batch that the answer is about, if it was appended.
    pub entry: Option<Entry>,
}

/// A connection to a replica. A dead one may still hold requests that the broker reads later
/// ("zombies").
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Conn {
    /// The replica at its end.
    pub to: usize,
    /// Can answers still arrive?
    pub alive: bool,
    /// Sent and not yet processed.
    pub requests: VecDeque<Sent>,
    /// Processed and not yet read by the client.
    pub answers: VecDeque<Answer>,
}

/// What the client knows of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    /// Its records.
    pub records: Span,
    /// First sequence of the last transmission.
    pub sequence: i32,
    /// Epoch of the last transmission.
    pub epoch: i32,
    /// May an earlier transmission have been appended?
    pub unsure: bool,
    /// The answer of this round.
    pub result: Option<i16>,
    /// Was it ever transmitted?
    pub sent: bool,
    /// Got a final error although an earlier transmission is unsure.
    pub rejected: bool,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fate {
    /// In the log.
    Delivered,
    /// Not in the log.
    NotPersisted,
    /// Nobody can tell.
    Unknown,
}

/// The brokers' side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Brokers {
    /// The replicas.
    pub replicas: Vec<Replica>,
    /// Which of them leads.
    pub leader: usize,
    /// Counts elections.
    pub term: u32,
    /// Batches of the leader's log that are committed.
    pub high_watermark: usize,
    /// Which replicas are in sync.
    pub in_sync: Vec<bool>,
    /// All connections; the client's is `live`.
    pub conns: Vec<Conn>,
    /// The client's connection.
    pub live: Option<usize>,
    /// The most records a batch may have.
    pub max_records: i32,
    /// Is an unknown producer refused unless its first sequence is 0?
    pub reject_unknown: bool,
}

/// The client's side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client {
    /// Batches without an outcome, oldest first.
    pub queue: Vec<Batch>,
    /// The current epoch.
    pub epoch: i32,
    /// The next sequence.
    pub next: i32,
    /// The last sequence acknowledged.
    pub last_acked: i32,
    /// The last offset acknowledged.
    pub last_offset: i32,
    /// The next batch to send in this round.
    pub cursor: usize,
    /// Sent and not answered.
    pub in_flight: VecDeque<Sent>,
    /// Nothing more is sent in this round.
    pub draining: bool,
    /// Something failed in this round.
    pub failed: bool,
    /// Success or 45 was answered on this connection under this epoch.
    pub known: bool,
    /// Rounds of nothing but 45, running.
    pub silent_rounds: u32,
    /// An unsure batch was reported unknown in this epoch.
    pub hole: bool,
    /// The head's deadline has passed.
    pub expire: bool,
    /// The last transmitted batch is being tried first.
    pub probing_last: bool,
}

/// All of it, and what was reported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The brokers and the network.
    pub brokers: Brokers,
    /// The client.
    pub client: Client,
    /// Reports so far.
    pub fates: BTreeMap<i32, Fate>,
    /// Was there a reason to report unknown?
    pub may_be_unknown: bool,
    /// Was there a reason to report not persisted?
    pub may_fail: bool,
    /// Records that unclean elections and deletions removed.
    pub lost: Vec<i32>,
}

impl State {
    /// A partition with `old` records from before, and a client with these batches.
    pub fn new(batches: &[u16], replicas: usize, old: u16, reject_unknown: bool) -> Self {
        let old_count = old;
        let old = i32::from(old);
        let start = (0..old).map(|i| {
            let records = Span { first: i - old, count: 1 };
            Entry { term: 0, sent: Sent { epoch: 0, sequence: i, records } }
        });
        let replica = Replica {
            log: start.collect(),
            known: usize::from(old > 0) * usize::from(old_count.min(5)),
        };
        let mut queue: Vec<Batch> = Vec::new();
        for &count in batches {
            let first = queue.last().map_or(0, |b| b.records.first + b.records.count);
            queue.push(Batch {
                records: Span { first, count: i32::from(count) },
                sequence: -1,
                epoch: 0,
                unsure: false,
                result: None,
                sent: false,
                rejected: false,
            });
        }
        let brokers = Brokers {
            high_watermark: replica.log.len(),
            replicas: vec![replica; replicas],
            leader: 0,
            term: 0,
            in_sync: vec![true; replicas],
            conns: Vec::new(),
            live: None,
            max_records: 9,
            reject_unknown,
        };
        let client = Client {
            queue,
            epoch: 0,
            next: old,
            last_acked: old - 1,
            last_offset: old - 1,
            cursor: 0,
            in_flight: VecDeque::new(),
            draining: false,
            failed: false,
            known: false,
            silent_rounds: 0,
            hole: false,
            expire: false,
            probing_last: false,
        };
        Self {
            brokers,
            client,
            fates: BTreeMap::new(),
            may_be_unknown: false,
            may_fail: false,
            lost: Vec::new(),
        }
    }

    /// The numbers of all records in the leader's log, in order.
    pub fn log_records(&self) -> Vec<i32> {
        self.brokers.leader_log().iter().flat_map(|e| e.sent.records.records()).collect()
    }
}
