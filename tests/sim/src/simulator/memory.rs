//! Does all memory come back (I9)?
//!
//! Seen from outside: when everything has its outcome and every report was read, the producer takes
//! as many batches as a new one with the same limits, and again when these were purged, and gives
//! out every batch slot that it ever gave out.

use std::collections::BTreeSet;

use klamm::{BatchBuilder, Destination, Producer, Scope, SendError, Storage};

use super::Simulation;
use super::ledger::{Checked, Place};
use super::record::Sample;

impl Simulation {
    /// Fills the memory of the producer, which holds nothing, and empties it by `purge`.
    pub(super) fn check_memory(&mut self) -> Checked {
        // With hands off the test has the reports, and queues with a bound of their own, or that
        // drop what is old, are never full.
        let skip = self.setup.hands_off || !self.plain;
        let last = self.ledger.entries().last().filter(|_| !skip);
        let Some(entry) = last else { return Ok(()) };
        let place = self.known_place(entry.topic.clone(), entry.partition);
        let first = self.ledger.next();
        if self.send(&place.0, Some(place.1), self.small())? == Err(SendError::Closed) {
            // The test closed it, and it takes nothing more.
            return Ok(());
        }
        self.purge_all()?;
        let expected = self.room_of_a_new_one(&place)?;
        for _ in 0..2 {
            let mut room = 0;
            while self.fill_a_batch(&place)?.is_some() {
                room += 1;
            }
            if room != expected {
                let stats = self.producer.stats();
                return Err(format!("room for {room} batches, at first {expected}: {stats:?}"));
            }
            self.purge_all()?;
        }
        // Slots have turns: those that are free are given out one after the other.
        let mut seen = BTreeSet::new();
        while self.fill_a_batch(&place)?.is_some_and(|slot| seen.insert(slot)) {
            self.purge_all()?;
        }
        self.purge_all()?;
        self.ledger.forget_from(first);
        match self.ledger.slots().difference(&seen).next() {
            Some(slot) => Err(format!("batch slot {slot} did not come back")),
            None => Ok(()),
        }
    }

    /// The partition, or the first one if the producer has not heard of it: the last answer about a
    /// topic that was created again may have left it out.
    fn known_place(&self, topic: String, partition: Option<i32>) -> Place {
        let handle = self.names.iter().find(|(_, name)| **name == topic);
        let count = handle.and_then(|(handle, _)| self.producer.partition_count(*handle));
        let known = |partition: &i32| count.is_none_or(|count| *partition < count);
        let partition = partition.filter(known).unwrap_or(0);
        (topic, partition)
    }

    /// The slot of the batch; `None` if there is no room for it.
    fn fill_a_batch(&mut self, (topic, partition): &Place) -> Result<Option<usize>, String> {
        let sample = self.small();
        match self.send_batch_of(topic, Some(*partition), vec![sample], true)? {
            Ok((batch, _)) => Ok(Some(batch.index())),
            Err(SendError::Full) => Ok(None),
            Err(error) => Err(format!("no room for a batch: {error}")),
        }
    }

    /// Nothing of it was sent, so all of it is reported at once.
    fn purge_all(&mut self) -> Checked {
        let now = self.instant();
        self.producer.purge(Scope::ALL, now);
        self.read_reports()?;
        match self.ledger.unreported() {
            0 => Ok(()),
            left => Err(format!("{left} records not purged: {:?}", self.producer.stats())),
        }
    }

    fn room_of_a_new_one(&self, (topic, partition): &Place) -> Result<usize, String> {
        let mut config: klamm::Config<'_> = self.setup.config;
        config.bootstrap_servers = &self.setup.bootstrap;
        let (storage, now) = (Storage::boxed(&self.setup.limits), self.instant());
        let mut fresh = Producer::new(&config, storage, 1, now).map_err(|e| e.to_string())?;
        let topic = fresh.topic(topic).map_err(|e| e.to_string())?;
        let to = Destination::partition(topic, *partition);
        let mut memory = [0; 128];
        let mut batch = BatchBuilder::new(&mut memory);
        let _ = self.small().with(|record| batch.append(record));
        batch.close();
        let mut room = 0;
        while fresh.send_batch(to, &batch, now).is_ok() {
            room += 1;
        }
        Ok(room)
    }

    /// A record that is the only one in its batch, and fits into a chunk, so that it does not matter which ones are free.
    fn small(&self) -> Sample {
        Sample::plain(self.ledger.next(), 8)
    }
}
