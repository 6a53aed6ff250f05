//! What the outbox keeps for after a crash: the core's snapshot, and which records are in it.

use alloc::vec::Vec;

use klamm::{Numbered, Producer};

use crate::output::{Output, word};

/// Words about a batch that has numbers.
const WORDS: usize = 6;

/// The last snapshot, and the batches that may be sent once it is safe.
#[derive(Default)]
pub(crate) struct Saved {
    bytes: Vec<u8>,
    held: Vec<Numbered>,
}

impl Saved {
    /// Takes a snapshot, and says how many bytes it has. This may make the memory grow.
    pub(crate) fn take(&mut self, producer: &Producer<'_>) -> u32 {
        let len = producer.snapshot_len();
        if self.bytes.len() < len {
            // To a power of two, so that it grows seldom.
            self.bytes.resize(len.next_power_of_two(), 0);
        }
        self.held.clear();
        self.held.extend(producer.numbered().filter(|batch| batch.held));
        producer.snapshot(&mut self.bytes).map_or(0, word)
    }

    /// Where the last snapshot is, from its beginning.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Writes the batches that a snapshot holds now, without the first `skip`, in the order in which reports settle
    /// them within a partition: slot, first record, records, topic, partition, held. Returns where the words end.
    pub(crate) fn push_numbered(
        &self,
        producer: &Producer<'_>,
        output: &mut Output,
        skip: usize,
    ) -> usize {
        output.clear();
        let mut all = producer.numbered().skip(skip);
        let mut pushed = 0;
        while output.has_room(WORDS)
            && let Some(Numbered { partition, records, origin, first, held, .. }) = all.next()
        {
            pushed += 1;
            output.push(&[
                word(origin.index()),
                first.into(),
                records.into(),
                word(partition.topic.index()),
                partition.index.cast_unsigned(),
                held.into(),
            ]);
        }
        output.finish([pushed, 0, 0, 0])
    }

    /// The last snapshot is safe: what it has may be sent, unless it was numbered anew meanwhile. Returns how many batches
    /// that are.
    pub(crate) fn release(&mut self, producer: &mut Producer<'_>) -> u32 {
        let mut released = 0;
        let mut held = core::mem::take(&mut self.held);
        let mut at = 0;
        // Both are in order of age.
        let as_saved = |now: &Numbered| {
            let found = held.get(at..).and_then(|rest| rest.iter().position(|saved| saved == now));
            at += found.map_or(0, |place| place + 1);
            found.is_some()
        };
        let now: Vec<_> = producer.numbered().filter(|batch| batch.held).filter(as_saved).collect();
        for batch in now {
            released += u32::from(producer.release_batch(batch.batch));
        }
        held.clear();
        self.held = held;
        released
    }
}
