//! The application: sends, flushes, purges, stops reading reports for a while, sends from within a
//! report.

use klamm::{
    AppendError, BatchBuilder, BatchId, Compression, Destination, Overflow, RecordId, Scope,
    SendError,
};

use super::Simulation;
use super::ledger::{Checked, Entry};
use super::record::Sample;

/// What the application has done so far.
#[derive(Debug, Default)]
pub(super) struct UserState {
    /// Records it has tried to send, accepted or not.
    pub(super) sent: u64,
    /// When it acts next.
    pub(super) next: Option<u64>,
    /// It reads no report before that.
    pub(super) deaf_until: u64,
    purged: bool,
    /// When it resumes.
    pub(super) paused_until: Option<u64>,
    /// It sends when it reads a report.
    pub(super) echoes: bool,
}

impl Simulation {
    /// The application acts.
    pub(super) fn act(&mut self) -> Checked {
        let user = self.setup.user;
        let now = self.instant();
        for _ in 0..=self.dice.below(user.burst) {
            if self.user.sent < user.records {
                self.user.sent += 1;
                self.send_any()?;
            }
        }
        if user.restless {
            match self.dice.below(20) {
                0 => {
                    self.trace.note(self.now, &"flush");
                    self.ticket = Some(self.producer.flush(now));
                }
                1 => self.user.deaf_until = self.now + self.dice.range(0, 3_000_000),
                2 => self.user.echoes = !self.user.echoes,
                _ => {}
            }
        }
        if user.purges && !self.user.purged && self.user.sent > user.records / 2 {
            self.user.purged = true;
            self.trace.note(self.now, &"purge");
            self.producer.purge(Scope::ALL, now);
        }
        if user.meddles {
            self.meddle()?;
        }
        let pause = 1 + self.dice.range(0, user.every * 2);
        self.user.next = (self.user.sent < user.records).then_some(self.now + pause);
        Ok(())
    }

    /// The application does what few do.
    fn meddle(&mut self) -> Checked {
        let now = self.instant();
        match self.dice.below(30) {
            0 => {
                self.trace.note(self.now, &"pause");
                self.producer.pause(true, now);
                self.user.paused_until = Some(self.now + self.dice.range(0, 3_000_000));
            }
            1 => {
                let (topic, partition) = self.any_partition();
                let Ok(topic) = self.producer.topic(&topic) else { return Ok(()) };
                let scope = match self.dice.below(3) {
                    0 => Scope::ALL,
                    1 => Scope::topic(topic),
                    _ => Scope::partition(topic, partition),
                };
                let scope = if self.dice.chance(500) { scope.queued_only() } else { scope };
                self.trace.note(self.now, &scope);
                self.producer.purge(scope, now);
            }
            2..=5 => {
                let (topic, partition) = self.any_partition();
                let partition = self.dice.chance(600).then_some(partition);
                let records = 1 + self.dice.below(5);
                let close = self.dice.chance(500);
                if let Err(error) = self.send_batch(&topic, partition, records, close)? {
                    return self.check_refusal(error);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Fills a batch with up to so many records, and sends it; how many it took is returned.
    ///
    /// # Errors
    /// When the producer breaks a promise; that it refuses is the inner error.
    pub fn send_batch(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        records: usize,
        close: bool,
    ) -> Result<Result<u16, SendError>, String> {
        let numbers = (self.ledger.next()..).take(records);
        let largest = self.setup.user.largest;
        let samples = numbers.map(|number| Sample::any(number, largest, &mut self.dice)).collect();
        let answer = self.send_batch_of(topic, partition, samples, close)?;
        Ok(answer.map(|(_, taken)| taken))
    }

    /// The same with these records; tells the batch, too.
    pub(super) fn send_batch_of(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        offered: Vec<Sample>,
        close: bool,
    ) -> Result<Result<(BatchId, u16), SendError>, String> {
        let handle = match self.producer.topic(topic) {
            Ok(handle) => handle,
            Err(error) => return Ok(Err(error)),
        };
        self.names.entry(handle).or_insert_with(|| topic.to_owned());
        let bytes = self.setup.user.builder.unwrap_or(self.setup.config.batch_size);
        let mut memory = vec![0; bytes.clamp(128, 1 << 20) as usize];
        let mut batch = BatchBuilder::new(&mut memory);
        let mut samples = Vec::new();
        for mut sample in offered {
            let mut taken = sample.with(|record| batch.append(record));
            if taken == Err(AppendError::Timestamp) {
                sample.timestamp = None;
                taken = sample.with(|record| batch.append(record));
            }
            if taken.is_err() {
                break;
            }
            samples.push(sample);
        }
        if close {
            batch.close();
        }
        let to = match partition {
            Some(partition) => Destination::partition(handle, partition),
            None => Destination::topic(handle),
        };
        let now = self.instant();
        let answer = self.producer.send_batch(to, &batch, now);
        self.trace.note(self.now, &(topic, partition, &answer, batch.records()));
        if let Ok(batch) = answer {
            for (index, sample) in (0..).zip(samples) {
                let topic = topic.to_owned();
                let entry = Entry { sample, topic, partition, opened: self.now, fate: None };
                self.ledger.accepted(RecordId { batch, index }, entry)?;
            }
        }
        self.ledger.check_stats(&self.producer.stats())?;
        Ok(answer.map(|id| (id, batch.records())))
    }

    /// A pause ends.
    pub(super) fn resume(&mut self) {
        if self.user.paused_until.take().is_some() {
            let now = self.instant();
            self.trace.note(self.now, &"resume");
            self.producer.pause(false, now);
        }
    }

    /// Sends any record to any partition; whether it is accepted is the producer's choice.
    pub(super) fn send_any(&mut self) -> Checked {
        let (topic, partition) = self.any_partition();
        let partition = self.dice.chance(600).then_some(partition);
        let number = self.ledger.next();
        let sample = Sample::any(number, self.setup.user.largest, &mut self.dice);
        match self.send(&topic, partition, sample)? {
            Ok(_) => Ok(()),
            Err(error) => self.check_refusal(error),
        }
    }

    /// Sends a record, and writes it down if it is accepted.
    ///
    /// # Errors
    /// When the producer breaks a promise; that it refuses is the inner error.
    pub fn send(
        &mut self,
        topic: &str,
        partition: Option<i32>,
        sample: Sample,
    ) -> Result<Result<RecordId, SendError>, String> {
        let handle = match self.producer.topic(topic) {
            Ok(handle) => handle,
            Err(error) => return Ok(Err(error)),
        };
        self.names.entry(handle).or_insert_with(|| topic.to_owned());
        let to = match partition {
            Some(partition) => Destination::partition(handle, partition),
            None => Destination::topic(handle),
        };
        let to = match self.codec.or_else(|| self.codec_of()) {
            Some(codec) => to.with_compression(codec),
            None => to,
        };
        let now = self.instant();
        let producer = &mut self.producer;
        let answer = sample.with(|record| producer.send(to, record, now));
        self.trace.note(self.now, &(topic, partition, &answer));
        if let Ok(id) = answer {
            let entry =
                Entry { sample, topic: topic.to_owned(), partition, opened: self.now, fate: None };
            self.ledger.accepted(id, entry)?;
        }
        self.ledger.check_stats(&self.producer.stats())?;
        Ok(answer)
    }

    /// What the record asks for: by its number, so that it changes every few records.
    fn codec_of(&self) -> Option<Compression> {
        let turn = usize::try_from(self.ledger.next() / 3).unwrap_or_default();
        let codecs = self.setup.codecs;
        (turn % 2 == 1 && !codecs.is_empty()).then(|| codecs[turn / 2 % codecs.len()])
    }

    /// Is there a reason to refuse a record?
    fn check_refusal(&self, error: SendError) -> Checked {
        let stats = self.producer.stats();
        let unread = self.producer.peek_report().is_some();
        let policies = &self.setup.config.policies;
        let fair = match error {
            SendError::Full => stats.buffered > 0 || unread,
            SendError::QueueFull { .. } => {
                stats.buffered > 0 && policies.overflow != Overflow::DropNewest
            }
            SendError::Dropped => policies.overflow == Overflow::DropNewest,
            SendError::EmptyBatch => true,
            SendError::TooLarge { size, max } => size > max,
            SendError::TopicPending | SendError::Topic(_) => true,
            SendError::NoSuchPartition => true,
            SendError::Closed => self.closed,
            _ => false,
        };
        if fair { Ok(()) } else { Err(format!("refused without a cause: {error:?}, {stats:?}")) }
    }
}
