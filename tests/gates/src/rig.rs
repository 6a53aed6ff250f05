//! A producer, its broker, and the bytes between them; and how often each phase was gone through.

use std::collections::BTreeMap;

use klamm::{
    Config, ConnId, Demand, Destination, Instant, Limits, Outcome, Producer, Record, Storage,
    Timestamp, TopicId,
};

use crate::broker::{Answer, Api, Broker};
use crate::phases;

/// Request heads, in front of each batch.
const HEADROOM: u32 = 1_000;
const DELIVERY_TIMEOUT_MS: u32 = 10_000;

/// What an operation is for the counting: a record, a batch, a partition of the metadata, a call.
type Operations = BTreeMap<&'static str, u64>;

pub(crate) struct Rig {
    pub(crate) producer: Producer<'static>,
    pub(crate) topic: TopicId,
    pub(crate) partitions: i32,
    pub(crate) now: Instant,
    pub(crate) operations: Operations,
    pub(crate) value: Vec<u8>,
    conn: ConnId,
    broker: Broker,
    room: Vec<u8>,
}

impl Rig {
    /// Connected, with the topic's partitions known, every one of them written to once.
    pub(crate) fn new(partitions: i32, batch_size: u32) -> Self {
        let mut config = Config::new("gates:9092");
        config.linger_ms = 5;
        config.batch_size = batch_size;
        // A request has more batches, too, the more partitions there are.
        let batches = (partitions.unsigned_abs() / 10).clamp(10, 1_000);
        config.max_request_size = batches * batch_size + HEADROOM;
        config.delivery_timeout_ms = DELIVERY_TIMEOUT_MS;
        config.request_timeout_ms = DELIVERY_TIMEOUT_MS - 100;
        config.compress_outside = true;
        config.crc32c = crc32c::crc32c;
        let slots = u16::try_from(partitions).expect("few partitions");
        let mut limits = Limits::new();
        limits.batch_size = config.batch_size;
        limits.max_request_size = config.max_request_size;
        // One batch of each partition, and some more.
        limits.buffer_memory = (u32::from(slots) + 200) * (batch_size + HEADROOM);
        limits.partitions = slots;
        limits.events = 1_024;
        let mut producer =
            Producer::new(&config, Storage::boxed(&limits), 1, Instant::ZERO).expect("legal");
        producer.set_clock(Timestamp::from_millis(1_767_225_600_000), Instant::ZERO);
        let topic = producer.topic("gates").expect("room");
        let conn = producer.connections().next().expect("a connection");
        let mut rig = Self {
            producer,
            topic,
            partitions,
            now: Instant::ZERO,
            operations: Operations::new(),
            value: vec![b'v'; 100],
            conn,
            broker: Broker { topic: "gates", partitions, error: 0 },
            room: vec![0; config.max_request_size as usize * 2],
        };
        rig.settle();
        for index in 0..partitions {
            let to = Destination::partition(topic, index);
            rig.producer.send(to, &Record::value(b"first"), rig.now).expect("room");
        }
        rig.settle();
        rig
    }

    pub(crate) fn count(&mut self, phase: &'static str, operations: usize) {
        *self.operations.entry(phase).or_default() += operations as u64;
    }

    pub(crate) fn pass(&mut self, millis: u32) {
        self.now = self.now.plus_millis(millis);
    }

    /// Delivers all there is, uncounted.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1_000_000 {
            self.pass(1);
            self.producer.handle_timeout(self.now);
            let mut moved = false;
            if self.producer.demand(self.conn) == Demand::Connect {
                self.producer.handle_dialing(self.conn, self.now);
                self.producer.handle_connected(self.conn, self.now);
            }
            while self.producer.demand(self.conn) == Demand::Transmit {
                let room = &mut self.room;
                let taken = phases::transmit(&mut self.producer, self.conn, room, self.now);
                for answer in self.broker.answer(&self.room[..taken]) {
                    let got = self.producer.handle_received(self.conn, &answer.bytes, self.now);
                    got.expect("a good answer");
                }
                moved = true;
            }
            while let Some(report) = self.producer.poll_report() {
                assert!(matches!(report.outcome, Outcome::Delivered { .. }), "{report:?}");
            }
            self.forget_events();
            let known = self.producer.partition_count(self.topic) == Some(self.partitions);
            if !moved && known && self.producer.stats().buffered == 0 {
                return;
            }
        }
        panic!("it never settles: {:?}", self.producer.stats());
    }

    /// Sends and answers all that is due. With an error, batches go back instead.
    pub(crate) fn deliver(&mut self, name: &'static str, error: i16) {
        self.broker.error = error;
        loop {
            let mut answers: Vec<Answer> = Vec::new();
            while self.producer.demand(self.conn) == Demand::Transmit {
                let (producer, room) = (&mut self.producer, &mut self.room[..]);
                let taken = match name {
                    "drain" => phases::drain(producer, self.conn, room, self.now),
                    _ => phases::resend(producer, self.conn, room, self.now),
                };
                answers.extend(self.broker.answer(&self.room[..taken]));
            }
            if answers.is_empty() {
                break;
            }
            for answer in answers {
                self.count(name, answer.batches);
                self.take_in(&answer, error);
            }
            while let Some(report) = phases::report(&mut self.producer) {
                assert!(matches!(report.outcome, Outcome::Delivered { .. }), "{report:?}");
                self.count("report", 1);
            }
            self.forget_events();
        }
        self.broker.error = 0;
    }

    fn take_in(&mut self, answer: &Answer, error: i16) {
        let (producer, bytes) = (&mut self.producer, &answer.bytes[..]);
        match answer.api {
            Api::Produce if error == 0 => {
                phases::respond(producer, self.conn, bytes, self.now);
                self.count("respond", answer.batches);
            }
            Api::Produce => {
                phases::refuse(producer, self.conn, bytes, self.now);
                self.count("refuse", answer.batches);
            }
            Api::Metadata => {
                phases::metadata(producer, self.conn, bytes, self.now);
                let partitions = usize::try_from(self.partitions).unwrap_or_default();
                self.count("metadata", partitions);
            }
            Api::Other => {
                producer.handle_received(self.conn, bytes, self.now).expect("a good answer");
            }
        }
    }

    /// A turn with nothing to do, so many times.
    pub(crate) fn turns(&mut self, times: usize) {
        for _ in 0..times {
            self.now = self.now.plus_micros(1);
            let (demand, deadline, ..) = phases::turn(&mut self.producer, self.conn, self.now);
            assert!(demand == Demand::Receive && deadline.is_some(), "{demand:?}, {deadline:?}");
        }
        self.count("turn", times);
    }

    /// Nothing is sent until all that waits is given up.
    pub(crate) fn give_up(&mut self) {
        let waiting = self.producer.stats().buffered;
        for _ in 0..DELIVERY_TIMEOUT_MS / 1_000 - 1 {
            self.pass(1_000);
            self.producer.handle_timeout(self.now);
        }
        assert_eq!(self.producer.stats().buffered, waiting, "nothing has expired yet");
        self.pass(2_000);
        phases::expire(&mut self.producer, self.now);
        let mut batches = 0;
        while let Some(report) = self.producer.poll_report() {
            assert!(matches!(report.outcome, Outcome::NotPersisted(_)), "{report:?}");
            batches += 1;
        }
        assert_eq!(self.producer.stats().buffered, 0, "everything has expired");
        self.count("expire", batches);
        self.settle();
    }

    fn forget_events(&mut self) {
        while self.producer.poll_event().is_some() {}
    }
}
