//! The picture of a run.

use klamm_sim::simulator::Fate;

use crate::audit::Stored;
use crate::board::{Chip, Name};
use crate::frame::{Batch, Counts, Frame, Gauges, Lane, Logged, Node};
use crate::game::Game;
use crate::setup::{BATCH_SIZE, MEMORY, NODES, PARTITIONS, TOPIC};

impl Game {
    /// Everything there is to draw, as JSON. What is new is told once.
    pub fn frame(&mut self) -> String {
        let frame = self.picture();
        serde_json::to_string(&frame).unwrap_or_default()
    }

    pub(crate) fn picture(&mut self) -> Frame {
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a short run")]
        let now = self.simulation.now() as f64 / 1_000.0;
        let counts = self.counts();
        Frame {
            now,
            counts,
            gauges: self.gauges(),
            nodes: (1..=NODES).map(|node| self.node(node)).collect(),
            lanes: (0..PARTITIONS).map(|partition| self.lane(partition)).collect(),
            news: core::mem::take(&mut self.news),
            broken: self.broken.clone(),
            audit: self.verdict.clone(),
            full: self.is_full(),
        }
    }

    /// Not by the producer's counters: its last check fills the memory with records of its own.
    fn counts(&self) -> Counts {
        let ledger = &self.simulation.ledger;
        let count = |of: fn(&Fate) -> bool| {
            let fates = ledger.entries().iter().filter_map(|entry| entry.fate.as_ref());
            fates.filter(|fate| of(fate)).count() as u64
        };
        let verdict = self.audit.verdict(ledger);
        Counts {
            accepted: ledger.next(),
            delivered: count(|fate| matches!(fate, Fate::Delivered(_))),
            failed: count(|fate| matches!(fate, Fate::NotPersisted(_) | Fate::Dropped)),
            unknown: count(|fate| matches!(fate, Fate::Unknown(_))),
            buffered: ledger.unreported() as u64,
            stored: verdict.stored,
            lost: verdict.lost,
            twice: verdict.twice,
            refused: self.refused,
        }
    }

    fn gauges(&mut self) -> Gauges {
        let duplicates = self.simulation.cluster.stats().duplicates;
        let metrics = self.simulation.producer().metrics();
        let flying = |(_, chip): &(&Name, &Chip)| chip.state == crate::board::State::Flying;
        let in_flight = self.board.chips().filter(flying).map(|(_, chip)| u64::from(chip.bytes));
        let latency = metrics.traffic.produce_latency;
        Gauges {
            retries: metrics.traffic.retries,
            duplicates,
            in_flight: in_flight.sum(),
            used: metrics.queue_bytes,
            memory: MEMORY,
            batch: BATCH_SIZE,
            answers: latency.count,
            answer_time: latency.sum_us / 1_000,
            producer_id: metrics.producer_id,
            connections: metrics.connections,
        }
    }

    fn node(&self, id: i32) -> Node {
        Node {
            id,
            up: self.simulation.cluster.is_up(id),
            cut: self.cut.contains(&id),
            connected: self.simulation.network.slot_of(id).is_some(),
        }
    }

    fn lane(&self, partition: i32) -> Lane {
        let cluster = &self.simulation.cluster;
        let (end, log) = self.audit.log(partition);
        let here = |(_, chip): &(&Name, &Chip)| chip.partition == partition;
        Lane {
            partition,
            leader: cluster.leader(TOPIC, partition).filter(|node| cluster.is_up(*node)),
            in_sync: cluster.isr(TOPIC, partition),
            end,
            batches: self.board.chips().filter(here).map(batch).collect(),
            log: log.iter().map(|stored| self.logged(stored)).collect(),
        }
    }

    fn logged(&self, stored: &Stored) -> Logged {
        let entry = self.simulation.ledger.entry(stored.first);
        let fate = entry.and_then(|entry| entry.fate);
        Logged {
            id: self.board.place(stored.first).map(id).unwrap_or_default(),
            offset: stored.offset,
            records: stored.records,
            epoch: stored.epoch,
            sequence: stored.sequence,
            acknowledged: matches!(fate, Some(Fate::Delivered(_))),
        }
    }
}

fn batch((name, chip): (&Name, &Chip)) -> Batch {
    Batch {
        id: id(*name),
        state: chip.state,
        records: chip.records,
        fill: (f64::from(chip.bytes) / f64::from(BATCH_SIZE)).min(1.0),
        epoch: chip.stamp.map(|(epoch, _)| epoch),
        sequence: chip.stamp.map(|(_, sequence)| sequence),
        tries: chip.tries,
        node: chip.node,
    }
}

fn id((number, first): Name) -> String {
    if first == 0 { number.to_string() } else { format!("{number}.{first}") }
}
