//! The producer as JavaScript drives it. All times are microseconds of a monotonic clock.

use alloc::boxed::Box;
use alloc::vec;
use core::convert::Infallible;

#[cfg(feature = "codecs")]
use klamm::Outcome;
use klamm::{
    ConnId, Demand, Destination, FlushTicket, Instant, Producer, Scope, Timestamp, TopicId,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::input::Staged;
#[cfg(feature = "codecs")]
use crate::jobs::Jobs;
use crate::output::{self, Output, halves, word};
#[cfg(feature = "codecs")]
use crate::returned::Returned;
use crate::setup::Setup;
#[cfg(feature = "codecs")]
use crate::snapshot::Saved;
use crate::{crc, options, status};

/// Bytes of a socket's reads, handed in at once at most.
const RECEIVE_BYTES: usize = 64 * 1024;
/// Bytes for all sockets, handed out by a turn at most.
const TRANSMIT_BYTES: usize = 128 * 1024;
/// Room in the area of staged records beyond the largest of them.
const INPUT_SPARE: usize = 256 * 1024;
/// Words of an address: three, and a name of at most 255 bytes.
const CONNECT_WORDS: usize = 4 + 64;

/// `append` found a record that is none.
const MALFORMED: u32 = u32::MAX;

/// A producer, and the areas in which it and JavaScript meet.
#[wasm_bindgen]
pub struct Engine {
    /// On the heap from the start: each move of it would be a kilobyte of code.
    producer: Box<Producer<'static>>,
    /// By their handles. No vector: what makes one grow weighs more than all that is done with it here.
    topics: Box<[Option<TopicId>]>,
    /// Connections whose socket takes nothing at the moment.
    busy: Box<[bool]>,
    /// The time of the last turn.
    now: Instant,
    input: Box<[u8]>,
    /// Bytes of it to the first whole word: JavaScript writes words.
    lead: usize,
    receive: Box<[u8]>,
    transmit: Box<[u8]>,
    output: Output,
    #[cfg(feature = "codecs")]
    jobs: Jobs,
    #[cfg(feature = "codecs")]
    saved: Saved,
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// The start, and everything else: one export, for each weighs what ten lines do.
#[wasm_bindgen]
impl Engine {
    /// A producer as the setup says; without one, the setup's area says why.
    pub fn start(setup: &mut Setup, now: f64) -> Option<Self> {
        crc::prepare();
        let (producer, bounds) = setup.producer(instant(now))?;
        let request = bounds.request as usize;
        let input = vec![0; request + INPUT_SPARE + 3].into_boxed_slice();
        let transmit = if cfg!(feature = "codecs") { request } else { 0 };
        Some(Self {
            busy: vec![false; producer.connections().count()].into_boxed_slice(),
            topics: vec![None; usize::from(bounds.topics)].into_boxed_slice(),
            now: instant(now),
            lead: input.as_ptr().addr().wrapping_neg() & 3,
            input,
            receive: vec![0; RECEIVE_BYTES].into_boxed_slice(),
            transmit: vec![0; transmit.max(TRANSMIT_BYTES)].into_boxed_slice(),
            output: Output::new(),
            producer,
            #[cfg(feature = "codecs")]
            jobs: Jobs::new(),
            #[cfg(feature = "codecs")]
            saved: Saved::default(),
        })
    }

    /// Calls what `js/engine.ts` has by this number, with up to two numbers and the time (20: the time of day of the last
    /// turn, in milliseconds).
    pub fn call(&mut self, what: u32, a: usize, b: u32, now: f64) -> u32 {
        match what {
            0 => return address(&self.input) + word(self.lead),
            1 => return word(self.input.len() - 3),
            2 => return address(&self.receive),
            3 => return word(self.receive.len()),
            4 => return address(&self.transmit),
            5 => return self.output.place(),
            6 => return self.topic(a).cast_unsigned(),
            7 => return self.partitions(a).cast_unsigned(),
            8 => return self.topic_error(a).cast_unsigned(),
            9 => return self.leader(a, b.cast_signed()).cast_unsigned(),
            10 => return word(self.append(a, instant(now))),
            11 => return self.producer.flush(instant(now)).number(),
            12 => return self.producer.is_flushed(FlushTicket::from_number(b)).into(),
            13 => self.producer.purge(Scope::ALL, instant(now)),
            14 => return self.producer.free_bytes(),
            15 => self.stats(),
            16 => self.connected(a, instant(now)),
            17 => self.disconnected(a, instant(now)),
            18 => self.set_busy(a, b != 0),
            19 => return self.received(a, b as usize, instant(now)),
            20 => self.producer.set_clock(timestamp(now), self.now),
            21 => return word(self.turn(instant(now))),
            #[cfg(feature = "codecs")]
            22 => self.compressed(a, b as usize, instant(now)),
            #[cfg(feature = "codecs")]
            23 => return self.saved.take(&self.producer),
            #[cfg(feature = "codecs")]
            24 => return address(self.saved.bytes()),
            #[cfg(feature = "codecs")]
            25 => return word(self.saved.push_numbered(&self.producer, &mut self.output, a)),
            #[cfg(feature = "codecs")]
            26 => return self.saved.release(&mut self.producer),
            #[cfg(feature = "codecs")]
            27 => return self.producer.numbered().any(|batch| batch.held).into(),
            _ => {}
        }
        0
    }
}

/// The application's side, and the areas.
impl Engine {
    /// The handle of the topic whose name is in the area for received bytes; negative for an error of `send`.
    fn topic(&mut self, bytes: usize) -> i32 {
        let name = self.receive.get(..bytes).and_then(|name| str::from_utf8(name).ok());
        match self.producer.topic(name.unwrap_or_default()) {
            Ok(topic) => {
                if let Some(place) = self.topics.get_mut(topic.index()) {
                    *place = Some(topic);
                }
                i32::try_from(topic.index()).unwrap_or(i32::MAX)
            }
            Err(error) => -status::of_send(&error)[0].cast_signed(),
        }
    }

    /// How many partitions the topic has; 0 while that is not known.
    fn partitions(&self, topic: usize) -> i32 {
        self.known(topic).and_then(|topic| self.producer.partition_count(topic)).unwrap_or(0)
    }

    /// The last error that metadata gave for the topic; 0 for none.
    fn topic_error(&self, topic: usize) -> i32 {
        let topic = self.known(topic);
        topic.and_then(|topic| self.producer.topic_error(topic)).map_or(0, |code| code.0.into())
    }

    /// The node id of a partition's leader; -1 if that is not known.
    fn leader(&self, topic: usize, partition: i32) -> i32 {
        let topic = self.known(topic);
        topic.and_then(|topic| self.producer.leader(topic, partition)).unwrap_or(-1)
    }

    fn known(&self, topic: usize) -> Option<TopicId> {
        self.topics.get(topic).copied().flatten()
    }

    /// Hands the staged records over, as far as there is memory for them, and says what became of them: the number of
    /// records and of bytes that are done with, and why it stopped (0: it did not; 1: no memory). Then five words each:
    /// the first of some records, their batch, the first's index in it, how many there are; or the record, `u32::MAX`,
    /// and why it was refused.
    fn append(&mut self, bytes: usize, now: Instant) -> usize {
        self.output.clear();
        let (mut records, mut at) = (0, 0);
        let mut stopped = 0;
        let mut run = Run::default();
        while at < bytes && self.output.has_room(15) {
            let area = self.input.get(self.lead + at..self.lead + bytes).unwrap_or_default();
            let Some(staged) = Staged::read(area) else {
                stopped = MALFORMED;
                break;
            };
            match accept(&mut self.producer, &self.topics, &staged, now) {
                Ok([batch, index]) => {
                    if !run.grow(batch, index) {
                        run.end(&mut self.output);
                        run = Run { first: records, batch, index, count: 1 };
                    }
                }
                Err([1, ..]) => {
                    stopped = 1;
                    break;
                }
                Err([why, a, b]) => {
                    run.end(&mut self.output);
                    run = Run::default();
                    self.output.push(&[records, u32::MAX, why, a, b]);
                }
            }
            records += 1;
            at += staged.size;
        }
        run.end(&mut self.output);
        self.output.finish([records, word(at), stopped, 0])
    }

    /// Writes the counters, two words each, in the order of `js/stats.ts`.
    fn stats(&mut self) {
        let stats = self.producer.stats();
        self.output.clear();
        for counter in [
            stats.accepted,
            stats.delivered,
            stats.not_persisted,
            stats.unknown,
            stats.buffered,
            stats.requests,
            stats.batches,
            stats.retries,
            stats.bumps,
            stats.data_losses,
            stats.connects,
            stats.throttled_ms,
        ] {
            self.output.push(&halves(counter));
        }
    }
}

/// The run loop's side.
impl Engine {
    fn conn(&self, connection: usize) -> Option<ConnId> {
        self.producer.connections().nth(connection)
    }

    /// The connection is open.
    fn connected(&mut self, connection: usize, now: Instant) {
        if let Some(conn) = self.conn(connection) {
            self.producer.handle_connected(conn, now);
        }
    }

    /// The connection is gone, or could not be made.
    fn disconnected(&mut self, connection: usize, now: Instant) {
        self.set_busy(connection, false);
        if let Some(conn) = self.conn(connection) {
            self.producer.handle_disconnected(conn, now);
        }
    }

    /// Does the socket take nothing at the moment?
    fn set_busy(&mut self, connection: usize, busy: bool) {
        if let Some(place) = self.busy.get_mut(connection) {
            *place = busy;
        }
    }

    /// Bytes from the peer. Returns how it broke the protocol (0: it did not), plus 256 if the connection became ready,
    /// plus 512 for each millisecond of silence that the broker asked for.
    fn received(&mut self, connection: usize, bytes: usize, now: Instant) -> u32 {
        let Some(conn) = self.conn(connection) else { return 0 };
        let before = self.producer.stats();
        let read = self.receive.get(..bytes).unwrap_or_default();
        let result = self.producer.handle_received(conn, read, now);
        let after = self.producer.stats();
        let broken = result.map_or_else(|error| status::of_protocol(&error), |()| 0);
        let ready = if after.connects > before.connects { 256 } else { 0 };
        let throttled = after.throttled_ms - before.throttled_ms;
        broken | ready | u32::try_from(throttled).unwrap_or(u32::MAX).min(1 << 22) << 9
    }

    /// Lets time pass, and says what is to be done: whether to call again at once (1), and in how many milliseconds
    /// otherwise (`u32::MAX`: never). Then entries, which `js/engine.ts` reads. Returns where they end.
    fn turn(&mut self, now: Instant) -> usize {
        self.now = now;
        self.output.clear();
        self.producer.handle_timeout(now);
        let mut used = 0;
        let mut again = false;
        #[cfg(feature = "codecs")]
        {
            again |= self.jobs.take(
                &mut self.producer,
                &mut self.output,
                &mut self.transmit,
                &mut used,
                now,
            );
        }
        for connection in 0..self.busy.len() {
            again |= self.serve(connection, &mut used, now);
        }
        while self.output.has_room(Output::REPORT_WORDS + 3) {
            #[cfg(feature = "codecs")]
            if !self.hand_back(&mut used) {
                break;
            }
            let Some(report) = self.producer.poll_report() else { break };
            self.output.push_report(&report);
        }
        again |= self.producer.peek_report().is_some() || self.producer.take_wake();
        let sleep = self.producer.next_deadline().map_or(u32::MAX, |(at, _)| {
            u32::try_from(at.micros_since(now).div_ceil(1_000)).unwrap_or(u32::MAX - 1)
        });
        self.output.finish([again.into(), sleep, 0, 0])
    }

    /// Does what a connection wants. Is there more to do at once?
    fn serve(&mut self, connection: usize, used: &mut usize, now: Instant) -> bool {
        let Some(conn) = self.conn(connection) else { return false };
        if !self.output.has_room(CONNECT_WORDS) {
            return true;
        }
        match self.producer.demand(conn) {
            Demand::Connect => {
                let Some(address) = self.producer.address(conn) else { return false };
                let head = [
                    output::CONNECT,
                    word(connection),
                    address.port.into(),
                    word(address.host.len()),
                ];
                self.output.push(&head);
                self.output.push_bytes(address.host.as_bytes());
                self.producer.handle_dialing(conn, now);
            }
            Demand::Close => {
                self.output.push(&[output::CLOSE, word(connection)]);
                self.set_busy(connection, false);
                self.producer.handle_disconnected(conn, now);
            }
            Demand::Transmit if self.busy.get(connection) == Some(&false) => {
                let room = self.transmit.get_mut(*used..).unwrap_or_default();
                if room.is_empty() {
                    return true;
                }
                let copy = |bytes: &klamm::Transmit<'_>| Ok::<_, Infallible>(bytes.copy_to(room));
                let Ok(taken) = self.producer.transmit_with(conn, now, copy);
                if taken == 0 {
                    return false;
                }
                self.output.push(&[output::TRANSMIT, word(connection), word(*used), word(taken)]);
                *used += taken;
            }
            _ => return false,
        }
        true
    }
}

/// What only the larger module does.
#[cfg(feature = "codecs")]
impl Engine {
    /// Hands back the records of the next report, if it says that they were not delivered. False if there is room for
    /// them only when other bytes are out.
    fn hand_back(&mut self, used: &mut usize) -> bool {
        let Some(report) = self.producer.peek_report() else { return true };
        if matches!(report.outcome, Outcome::Delivered { .. }) {
            return true;
        }
        let Some(records) = self.producer.report_records() else { return true };
        let area = self.transmit.get_mut(*used..).unwrap_or_default();
        match Returned::new(area, report.partition.index).put_all(records) {
            Some(bytes) => {
                self.output.push(&[output::RETURN, word(*used), word(bytes)]);
                *used += bytes;
                true
            }
            // More than there ever is room for: they are told by their number alone.
            None => *used == 0,
        }
    }

    /// So many bytes of the area for bytes to be sent are what the job's records have become; 0: nothing is gained.
    fn compressed(&mut self, job: usize, bytes: usize, now: Instant) {
        let small = if bytes == 0 { None } else { self.transmit.get(..bytes) };
        self.jobs.done(&mut self.producer, job, small, now);
    }
}

/// Records that follow each other in one batch.
#[derive(Default)]
struct Run {
    first: u32,
    batch: u32,
    index: u32,
    count: u32,
}

impl Run {
    /// Takes another record, if it follows.
    const fn grow(&mut self, batch: u32, index: u32) -> bool {
        let follows = self.count > 0 && self.batch == batch && self.index + self.count == index;
        if follows {
            self.count += 1;
        }
        follows
    }

    fn end(&self, output: &mut Output) {
        if self.count > 0 {
            output.push(&[self.first, self.batch, self.index, self.count, 0]);
        }
    }
}

/// The record's batch and its place in it, or why it was refused.
fn accept(
    producer: &mut Producer<'static>,
    topics: &[Option<TopicId>],
    staged: &Staged<'_>,
    now: Instant,
) -> Result<[u32; 2], [u32; 3]> {
    const MALFORMED: [u32; 3] = [11, 0, 0];
    let topic = topics.get(staged.topic).copied().flatten().ok_or(MALFORMED)?;
    let to = match staged.partition {
        Some(partition) => Destination::partition(topic, partition),
        None => Destination::topic(topic),
    };
    let to = with_codec(to, staged.codec).ok_or([10, 0, 0])?;
    let sent = staged.with_headers(|record| producer.send(to, record, now)).ok_or(MALFORMED)?;
    let id = sent.map_err(|error| status::of_send(&error))?;
    Ok([word(id.batch.index()), id.index.into()])
}

/// The destination with the codec that the record asks for; `None` for one that is not there.
fn with_codec(to: Destination, asked: u32) -> Option<Destination> {
    let Some(number) = asked.checked_sub(1) else { return Some(to) };
    let codec = options::codec(number)?;
    #[cfg(feature = "codecs")]
    let to = to.with_compression(codec);
    let _ = codec;
    Some(to)
}

/// A moment of JavaScript's clock.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
const fn instant(micros: f64) -> Instant {
    Instant::from_micros(micros as u64)
}

/// A `Date.now()`.
#[allow(clippy::cast_possible_truncation, reason = "saturates")]
const fn timestamp(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis as i64)
}

/// Where an area is in this module's memory.
fn address(area: &[u8]) -> u32 {
    word(area.as_ptr().addr())
}
