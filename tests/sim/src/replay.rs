//! Runs a recording again: the same producer, the same inputs, and so the same outputs, bit for bit.

use klamm::recorder::{Input, Recording, RecordingError, Start};
use klamm::{Config, Header, Outcome, Producer, Record, Report, Stats, Uncompressed};

/// What came out of the producer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// The bytes written on each connection slot, over all its connections.
    pub written: Vec<Vec<u8>>,
    /// The reports that were taken.
    pub reports: Vec<Report>,
    /// The counters at the end.
    pub stats: Stats,
    /// How many inputs there were.
    pub inputs: u64,
}

impl Replay {
    /// Records delivered, by the reports.
    pub fn delivered(&self) -> u64 {
        let delivered = |r: &&Report| matches!(r.outcome, Outcome::Delivered { .. });
        self.reports.iter().filter(delivered).map(|r| u64::from(r.records)).sum()
    }
}

/// A replay that can be stopped between two inputs, to look at the producer.
pub struct Player<'b> {
    recording: Recording<'b>,
    /// The producer, as it is after the inputs so far.
    pub producer: Producer<'static>,
    /// What came out so far.
    pub replay: Replay,
}

impl core::fmt::Debug for Player<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Player").field("replay", &self.replay).finish_non_exhaustive()
    }
}

/// Replays a recording to its end. `tune` sets what no recording holds: the options that are functions, a partitioner of
/// one's own for example.
///
/// # Errors
/// When it is not a recording of this version of klamm, or the producer refuses its options.
pub fn replay(recording: &[u8], tune: impl FnOnce(&mut Config<'_>)) -> Result<Replay, String> {
    let mut player = Player::new(recording, tune)?;
    while player.step().map_err(|e| e.to_string())? {}
    Ok(player.replay)
}

impl<'b> Player<'b> {
    /// A replay before its first input.
    ///
    /// # Errors
    /// As [`replay`].
    pub fn new(bytes: &'b [u8], tune: impl FnOnce(&mut Config<'_>)) -> Result<Self, String> {
        let mut recording = Recording::new(bytes).map_err(|e| e.to_string())?;
        let mut config = recording.start.config;
        tune(&mut config);
        let Start { seed, now, .. } = recording.start;
        let storage = recording.start.storage();
        let mut ahead = recording.clone();
        let producer = match ahead.next_input() {
            Ok(Some(Input::Restore(snapshot, now))) => {
                recording = ahead;
                Producer::restore(&config, storage, seed, snapshot, now)
                    .map_err(|e| e.to_string())?
            }
            _ => Producer::new(&config, storage, seed, now).map_err(|e| e.to_string())?,
        };
        let written = producer.connections().map(|_| Vec::new()).collect();
        Ok(Self { recording, producer, replay: Replay { written, ..Replay::default() } })
    }

    /// Does the next call; false at the end.
    ///
    /// # Errors
    /// When the recording is damaged.
    pub fn step(&mut self) -> Result<bool, RecordingError> {
        let Some(input) = self.recording.next_input()? else { return Ok(false) };
        self.call(input);
        self.replay.inputs += 1;
        self.replay.stats = self.producer.stats();
        Ok(true)
    }

    /// Errors are outputs: those that the recorded calls returned, too.
    fn call(&mut self, input: Input<'_>) {
        let producer = &mut self.producer;
        match input {
            Input::Topic(name) => _ = producer.topic(name),
            Input::Send { to, record, headers, now } => {
                let headers: Vec<Header<'_>> = headers.collect();
                let _ = producer.send(to, &record.with_headers(&headers), now);
            }
            Input::SendWith { to, head, headers, value_max, now, written } => {
                let headers: Vec<Header<'_>> = headers.collect();
                let head: Record<'_> = head.with_headers(&headers);
                let _ = producer.send_with(to, &head, value_max, now, |room| {
                    let (bytes, said) = written.unwrap_or_default();
                    room[..bytes.len()].copy_from_slice(bytes);
                    said
                });
            }
            Input::Flush(now) => _ = producer.flush(now),
            Input::Close(now) => producer.close(now),
            Input::Purge(scope, now) => producer.purge(scope, now),
            Input::Pause(paused, now) => producer.pause(paused, now),
            Input::SendBatch(to, batch, now) => {
                let mut memory = vec![0; batch.size()];
                let _ = producer.send_batch(to, &batch.builder(&mut memory), now);
            }
            Input::SetClock(wall, at) => producer.set_clock(wall, at),
            Input::Dialing(conn, now) => producer.handle_dialing(conn, now),
            Input::Connected(conn, now) => producer.handle_connected(conn, now),
            Input::Received(conn, bytes, now) => _ = producer.handle_received(conn, bytes, now),
            Input::Disconnected(conn, now) => producer.handle_disconnected(conn, now),
            Input::Timeout(now) => producer.handle_timeout(now),
            Input::Transmit(conn, now, taken) => {
                let written = self.replay.written.get_mut(conn.index());
                let _ = producer.transmit_with(conn, now, |transmit| {
                    let taken = taken.ok_or(())?;
                    let mut bytes = vec![0; taken.min(transmit.len())];
                    transmit.copy_to(&mut bytes);
                    written.into_iter().for_each(|all| all.extend(&bytes));
                    Ok::<usize, ()>(taken)
                });
            }
            Input::TakeReport => self.replay.reports.extend(producer.poll_report()),
            Input::ExpectPartitions(topic, count) => _ = producer.expect_partitions(topic, count),
            Input::TakeUncompressed(now) => _ = producer.take_uncompressed(now),
            Input::Compressed { batch, codec, bytes, now } => {
                producer.handle_compressed(Uncompressed::new(batch, codec), bytes, now);
            }
            Input::ReleaseBatch(batch) => _ = producer.release_batch(batch),
            // Only the first input can be `Restore`; no others are known.
            _ => {}
        }
    }
}
