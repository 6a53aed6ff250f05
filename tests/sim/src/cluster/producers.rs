//! What a replica knows about the producers that wrote to its log.

use super::batch::{Header, add_sequence};
use super::code;
use super::config::UnknownProducer;
use std::collections::{BTreeMap, VecDeque};

/// Kafka's `ProducerStateEntry.NUM_BATCHES_TO_RETAIN`.
const REMEMBERED: usize = 5;

/// Producer state of one replica.
#[derive(Clone, Debug, Default)]
pub(super) struct Producers(BTreeMap<i64, Producer>);

#[derive(Clone, Debug)]
struct Producer {
    epoch: i16,
    /// Oldest first, never empty.
    batches: VecDeque<Known>,
}

/// A batch that was appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    first_sequence: i32,
    last_sequence: i32,
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
    pub(super) max_timestamp: i64,
}

/// What may be done with a batch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    Append,
    Duplicate(Known),
    Refuse(i16),
}

impl Producers {
    /// A leader asks before it appends.
    pub(super) fn check(&self, header: &Header, unknown: UnknownProducer) -> Verdict {
        if header.producer_id < 0 {
            return Verdict::Append;
        }
        let (first, last) = (header.base_sequence, header.last_sequence());
        let Some(producer) = self.0.get(&header.producer_id) else {
            return match unknown {
                UnknownProducer::OutOfOrder if first != 0 => {
                    Verdict::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER)
                }
                UnknownProducer::UnknownProducerId if first != 0 => {
                    Verdict::Refuse(code::UNKNOWN_PRODUCER_ID)
                }
                _ => Verdict::Append,
            };
        };
        if header.producer_epoch < producer.epoch {
            return Verdict::Refuse(code::INVALID_PRODUCER_EPOCH);
        }
        if header.producer_epoch > producer.epoch {
            return Self::expect(first, 0);
        }
        let same = |known: &&Known| known.first_sequence == first && known.last_sequence == last;
        if let Some(known) = producer.batches.iter().find(same) {
            return Verdict::Duplicate(*known);
        }
        let next = producer.batches.back().map_or(0, |known| add_sequence(known.last_sequence, 1));
        Self::expect(first, next)
    }

    fn expect(first: i32, next: i32) -> Verdict {
        if first == next {
            Verdict::Append
        } else {
            Verdict::Refuse(code::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    /// A batch was appended, by the leader or by copying.
    pub(super) fn learn(&mut self, header: &Header, base_offset: i64) {
        if header.producer_id < 0 {
            return;
        }
        let known = Known {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset,
            last_offset: base_offset + i64::from(header.last_offset_delta),
            max_timestamp: header.max_timestamp,
        };
        let producer = self.0.entry(header.producer_id).or_insert_with(|| Producer {
            epoch: header.producer_epoch,
            batches: VecDeque::with_capacity(REMEMBERED),
        });
        if producer.epoch != header.producer_epoch {
            producer.epoch = header.producer_epoch;
            producer.batches.clear();
        }
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(known);
    }

    /// A restart: the snapshot on the disk keeps only the last batch of each producer.
    pub(super) fn keep_last(&mut self) {
        for producer in self.0.values_mut() {
            let older = producer.batches.len().saturating_sub(1);
            producer.batches.drain(..older);
        }
    }

    pub(super) fn forget(&mut self, producer_id: Option<i64>) {
        match producer_id {
            Some(id) => {
                self.0.remove(&id);
            }
            None => self.0.clear(),
        }
    }
}
