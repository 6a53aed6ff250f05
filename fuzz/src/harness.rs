//! A producer, what its connections wrote and were asked, and the laws that hold after every call.

use std::collections::{HashMap, VecDeque};

use klamm::{
    BatchId, Config, ConnId, Demand, Destination, Instant, Limits, Outcome, Producer,
    ProtocolError, Record, RecordId, Report, Scope, SendError, Stats, Storage, Timestamp, TopicId,
};

use crate::answer::{Request, Versions};

/// Connection slots of the producer.
pub const CONNECTIONS: u8 = 2;

/// Little of everything, and what the target wants otherwise.
pub fn limits(bound: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::new();
    limits.buffer_memory = 16 * 1024;
    limits.batch_size = 1024;
    limits.max_request_size = 4096;
    limits.topics = 2;
    limits.partitions = 4;
    limits.brokers = 4;
    limits.connections = CONNECTIONS;
    bound(&mut limits);
    limits
}

/// The options that go with these limits, and what the target wants otherwise.
pub fn config(configure: impl FnOnce(&mut Config<'_>)) -> Config<'static> {
    let mut config = Config::new("b:9092");
    config.batch_size = 1024;
    config.max_request_size = 4096;
    configure(&mut config);
    config
}

/// A batch of the largest size takes three chunks: it grows into them, or it is split in them.
pub fn small_chunks(limits: &mut Limits) {
    limits.batch_size = 128;
}

/// A producer of the topic `t`, and its half-heard peer.
pub struct Harness {
    /// The producer under test.
    pub producer: Producer<'static>,
    /// The topic `t`.
    pub topic: TopicId,
    /// The time that the producer is told.
    pub now: Instant,
    /// What the broker advertises.
    pub versions: Versions,
    /// It was restored from anything: how many records a compressed batch has, nobody has looked at.
    pub forged: bool,
    /// Requests that were written and not answered, by connection.
    pub asked: Vec<VecDeque<Request>>,
    written: Vec<Vec<u8>>,
    /// Records in the reports that were taken: delivered, not persisted, unknown, dropped.
    reported: [u64; 4],
    /// Of every batch that was accepted and not wholly reported: which records have been reported.
    open: HashMap<BatchId, Vec<bool>>,
}

impl Harness {
    /// A producer with little memory. It is given records only by the caller.
    pub fn new(versions: Versions, configure: impl FnOnce(&mut Config<'_>)) -> Self {
        Self::within(versions, |_| {}, configure)
    }

    /// As `new`, with other bounds.
    pub fn within(
        versions: Versions,
        bound: impl FnOnce(&mut Limits),
        configure: impl FnOnce(&mut Config<'_>),
    ) -> Self {
        let limits = limits(bound);
        let config = config(configure);
        let mut producer = Producer::new(&config, Storage::boxed(&limits), 7, Instant::ZERO)
            .expect("the configuration is valid");
        let topic = producer.topic("t").expect("a topic slot is free");
        Self::around(producer, topic, versions, Instant::ZERO)
    }

    /// A producer that was restored, if it has any records: all of them are counted as accepted, and each is to get one
    /// outcome.
    pub fn restored(producer: Producer<'static>, versions: Versions, now: Instant) -> Option<Self> {
        let stats = producer.stats();
        let records = producer.numbered().map(|batch| u64::from(batch.records)).sum::<u64>();
        assert_eq!((stats.accepted, stats.buffered), (records, records), "restored: {stats:?}");
        let topic = producer.numbered().next()?.partition.topic;
        let mut harness = Self::around(producer, topic, versions, now);
        for batch in harness.producer.numbered() {
            let other = harness.open.insert(batch.batch, vec![false; batch.records.into()]);
            assert!(other.is_none(), "two batches have one id");
        }
        harness.producer.handle_timeout(now);
        Some(harness)
    }

    fn around(
        producer: Producer<'static>,
        topic: TopicId,
        versions: Versions,
        now: Instant,
    ) -> Self {
        Self {
            producer,
            topic,
            now,
            versions,
            forged: false,
            asked: vec![VecDeque::new(); CONNECTIONS.into()],
            written: vec![Vec::new(); CONNECTIONS.into()],
            reported: [0; 4],
            open: HashMap::new(),
        }
    }

    /// Tells the producer what time it is: without that, records without a timestamp wait.
    pub fn set_clock(&mut self) {
        self.producer.set_clock(Timestamp::from_millis(1_800_000_000_000), self.now);
    }

    /// Sends a record to partition 0.
    pub fn send(&mut self, value: &[u8]) -> Result<RecordId, SendError> {
        let to = Destination::partition(self.topic, 0);
        let id = self.producer.send(to, &Record::value(value), self.now)?;
        self.accepted(id);
        Ok(id)
    }

    /// Notes an accepted record: its place in the batch is the next one.
    pub fn accepted(&mut self, id: RecordId) {
        let records = self.open.entry(id.batch).or_default();
        assert_eq!(records.len(), usize::from(id.index), "a record's place in its batch");
        records.push(false);
    }

    /// The first record of every batch that has not been reported yet.
    pub fn unreported(&self) -> Vec<RecordId> {
        let first = |(batch, records): (&BatchId, &Vec<bool>)| {
            let index = records.iter().position(|reported| !reported)?;
            Some(RecordId { batch: *batch, index: u16::try_from(index).ok()? })
        };
        self.open.iter().filter_map(first).collect()
    }

    /// A producer that starts from a snapshot of this one has the batches that this one has numbered, and each of
    /// their records gets one outcome. `storage` is as this one's.
    pub fn snapshot(&self, config: &Config<'_>, storage: Storage<'static>) {
        let mut page = vec![0; self.producer.snapshot_len()];
        assert_eq!(self.producer.snapshot(&mut page), Some(page.len()), "snapshot_len");
        if let Some(short) = page.len().checked_sub(1) {
            assert_eq!(self.producer.snapshot(&mut vec![0; short]), None, "a byte too few");
        }
        let restored = Producer::restore(config, storage, 7, &page, self.now);
        let restored = restored.expect("the snapshot of a moment ago");
        let numbered: u64 = self.producer.numbered().map(|b| u64::from(b.records)).sum();
        let restored = Self::restored(restored, self.versions, self.now);
        assert_eq!(restored.as_ref().map_or(0, |harness| harness.check().accepted), numbered);
        if let Some(harness) = restored {
            harness.finish();
        }
    }

    /// Takes a report, if there is one, and checks that its records had none.
    pub fn take_report(&mut self) -> Option<Report> {
        let peeked = self.producer.peek_report();
        if let Some(records) = self.producer.report_records() {
            let report = peeked.expect("records without a report");
            let count = records.count();
            let all = count == usize::from(report.records);
            assert!(all || self.forged, "{count} records for {report:?}");
        }
        let report = self.producer.poll_report();
        assert_eq!(peeked, report, "peek_report shows what poll_report takes");
        let report = report?;
        let kind = match report.outcome {
            Outcome::Delivered { .. } => 0,
            Outcome::NotPersisted(_) => 1,
            Outcome::Unknown(_) => 2,
            _ => 3,
        };
        self.reported[kind] += u64::from(report.records);
        let records =
            self.open.get_mut(&report.batch).expect("a report of a batch with open records");
        let first = usize::from(report.first);
        for reported in &mut records[first..first + usize::from(report.records)] {
            assert!(!*reported, "a record was reported twice: {report:?}");
            *reported = true;
        }
        if records.iter().all(|reported| *reported) {
            self.open.remove(&report.batch);
        }
        Some(report)
    }

    /// Does what every connection wants, answering nothing. Returns whether anything was done.
    pub fn drive(&mut self) -> bool {
        let mut busy = false;
        for conn in self.producer.connections() {
            match self.producer.demand(conn) {
                Demand::Connect => {
                    assert!(self.producer.address(conn).is_some(), "Connect without an address");
                    self.producer.handle_dialing(conn, self.now);
                    self.producer.handle_connected(conn, self.now);
                    busy = true;
                }
                Demand::Transmit => busy |= self.transmit(conn, usize::MAX) > 0,
                Demand::Close => {
                    self.disconnect(conn);
                    busy = true;
                }
                _ => {}
            }
        }
        busy
    }

    /// Lets the producer write at most `most` bytes, and reads the requests that are complete.
    pub fn transmit(&mut self, conn: ConnId, most: usize) -> usize {
        let written = &mut self.written[conn.index()];
        let result = self.producer.transmit_with(conn, self.now, |transmit| {
            let before = written.len();
            transmit.slices().for_each(|slice| written.extend(slice));
            assert_eq!(written.len() - before, transmit.len(), "len is the sum of the slices");
            let taken = transmit.len().min(most);
            written.truncate(before + taken);
            Ok::<usize, ()>(taken)
        });
        while let Some(size) = written.first_chunk::<4>() {
            let end = 4 + usize::try_from(u32::from_be_bytes(*size)).unwrap();
            if written.len() < end {
                break;
            }
            let frame: Vec<u8> = written.drain(..end).collect();
            self.asked[conn.index()].push_back(Request::read(&frame));
        }
        result.expect("this transport does not fail")
    }

    /// Hands in bytes, cut after the given lengths.
    pub fn receive(
        &mut self,
        conn: ConnId,
        mut bytes: &[u8],
        splits: &[u8],
    ) -> Result<(), ProtocolError> {
        for split in splits {
            let (part, rest) = bytes.split_at(usize::from(*split).min(bytes.len()));
            self.producer.handle_received(conn, part, self.now)?;
            bytes = rest;
        }
        self.producer.handle_received(conn, bytes, self.now)
    }

    /// Answers the oldest request of a connection, if there is one.
    pub fn answer(&mut self, conn: ConnId, error: i16, offset: i64) {
        if let Some(request) = self.asked[conn.index()].pop_front() {
            self.answer_to(conn, &request, error, offset);
        }
    }

    /// Answers a request that was taken from those that were asked.
    pub fn answer_to(&mut self, conn: ConnId, request: &Request, error: i16, offset: i64) {
        let frame = request.frame(&request.body(self.versions, error, offset));
        // An error closes the connection; `drive` sees that.
        let _ = self.producer.handle_received(conn, &frame, self.now);
    }

    /// Answers the oldest request of a connection, if there is one, with other bytes than a broker
    /// would.
    pub fn answer_wrongly(
        &mut self,
        conn: ConnId,
        splits: &[u8],
        body: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) {
        if let Some(request) = self.asked[conn.index()].pop_front() {
            let frame = request.frame(&body(request.body(self.versions, 0, 0)));
            if self.receive(conn, &frame, splits).is_err() {
                let demand = self.producer.demand(conn);
                assert!(matches!(demand, Demand::Close | Demand::Nothing), "{demand:?}");
            }
        }
    }

    /// The connection is gone.
    pub fn disconnect(&mut self, conn: ConnId) {
        self.producer.handle_disconnected(conn, self.now);
        self.asked[conn.index()].clear();
        self.written[conn.index()].clear();
    }

    /// Answers everything until the producer asks for `key`, and leaves that unanswered. `None`: it never does.
    pub fn drive_to(&mut self, key: i16) -> Option<(ConnId, Request)> {
        for _ in 0..64 {
            let mut busy = self.drive();
            for conn in self.producer.connections() {
                let Some(request) = self.asked[conn.index()].front() else { continue };
                if request.key == key {
                    let request = self.asked[conn.index()].pop_front()?;
                    return Some((conn, request));
                }
                self.answer(conn, 0, 0);
                busy = true;
            }
            if !busy {
                let (deadline, _) = self.producer.next_deadline()?;
                self.now = self.now.max(deadline);
                self.producer.handle_timeout(self.now);
            }
        }
        None
    }

    /// The laws.
    pub fn check(&self) -> Stats {
        let stats = self.producer.stats();
        let outcomes = stats.delivered + stats.not_persisted + stats.unknown + stats.dropped;
        assert_eq!(stats.accepted, outcomes + stats.buffered, "the outcome law: {stats:?}");
        stats
    }

    /// Gives everything up; afterwards every record that was accepted has been reported once.
    pub fn finish(mut self) {
        self.producer.purge(Scope::ALL, self.now);
        for conn in self.producer.connections() {
            self.disconnect(conn);
        }
        while self.take_report().is_some() {
            self.check();
        }
        let stats = self.check();
        assert_eq!(stats.buffered, 0, "records without an outcome after purge");
        let counted = [stats.delivered, stats.not_persisted, stats.unknown, stats.dropped];
        assert_eq!(counted, self.reported, "the counters and the reports");
        assert!(self.open.is_empty(), "records without a report after purge: {:?}", self.open);
    }
}
