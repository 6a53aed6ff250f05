//! A TCP proxy that does something at an exact byte of a frame of a given kind: it cuts the
//! connection there, waits there, or lets nothing pass from there on. A *sweep* does so at every
//! byte in turn, one frame after the other, or at the bytes where a reader is most easily wrong.

use anyhow::{Context, Result, ensure};
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Which frames: requests of an API, or the answers to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind {
    /// The API's number.
    pub api: i16,
    /// Answers rather than requests.
    pub answers: bool,
}

/// Requests with records.
pub const PRODUCE_REQUESTS: Kind = Kind { api: 0, answers: false };
/// What a broker says of records.
pub const PRODUCE_ANSWERS: Kind = Kind { api: 0, answers: true };
/// Every kind of frame that a producer and a broker exchange: handshake, metadata, producer ids,
/// records.
pub const KINDS: [Kind; 8] = [
    Kind { api: 18, answers: false },
    Kind { api: 18, answers: true },
    Kind { api: 3, answers: false },
    Kind { api: 3, answers: true },
    Kind { api: 22, answers: false },
    Kind { api: 22, answers: true },
    PRODUCE_REQUESTS,
    PRODUCE_ANSWERS,
];

/// What is done at the byte.
#[derive(Clone, Copy, Debug)]
pub enum Incision {
    /// The connection is closed in both directions.
    Cut,
    /// The rest comes so much later.
    Wait(Duration),
    /// Nothing passes in this direction any more, and nobody is told.
    Stall,
}

/// The bytes at which it is done.
#[derive(Clone, Copy, Debug)]
pub enum Bytes {
    /// Before each byte, and behind the last.
    Every,
    /// At one byte of each class: within a length, a header, an element, between elements, at the end.
    Classes,
    /// In a quarter of the frames, anywhere, until it was done so often.
    Anywhere {
        /// Where, and in which frames.
        seed: u64,
        /// How often.
        count: usize,
    },
}

/// A place of each class in a frame of this length: before it, in its length, behind that, in the
/// head, where the body begins, between and within elements, before the last byte.
fn classes(length: usize) -> [usize; 9] {
    let third = length / 3;
    [0, 2, 4, 7, 12, third, 2 * third, length.saturating_sub(4), length.saturating_sub(1)]
}

/// One after the other, the bytes of frames of a kind.
#[derive(Debug)]
struct Sweep {
    what: Incision,
    bytes: Bytes,
    next: usize,
    /// Frames in a row that were too short for the next byte.
    too_short: u32,
}

/// So many of them, and no longer one is expected. (A retry may carry fewer partitions.)
const TOO_SHORT: u32 = 12;

/// What is to be done to a frame.
enum Step {
    /// Something, at this byte.
    At(usize),
    /// Nothing.
    Pass,
    /// Nothing, and never again: the sweep is over.
    Over,
}

impl Sweep {
    fn step(&mut self, length: usize) -> Step {
        let at = match &mut self.bytes {
            Bytes::Every if self.next > length => {
                self.too_short += 1;
                return if self.too_short < TOO_SHORT { Step::Pass } else { Step::Over };
            }
            Bytes::Every => Some(self.next),
            Bytes::Classes => classes(length).get(self.next).map(|at| *at.min(&length)),
            Bytes::Anywhere { count, .. } if self.next == *count => None,
            Bytes::Anywhere { seed, .. } => {
                // Of the multiplicative generator's bits the upper ones are good.
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let random = usize::try_from(*seed >> 33).unwrap_or_default();
                if !random.is_multiple_of(4) {
                    return Step::Pass;
                }
                Some(random / 4 % (length + 1))
            }
        };
        self.next += 1;
        self.too_short = 0;
        at.map_or(Step::Over, Step::At)
    }
}

/// A listening proxy; connections end with the process or with either of their ends.
#[derive(Debug)]
pub struct Scalpel {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    broker: Mutex<Option<SocketAddr>>,
    sweeps: Mutex<HashMap<Kind, Sweep>>,
    incisions: AtomicU64,
    connections: AtomicU64,
}

impl Scalpel {
    /// Listens on a port of its own, and refuses connections until it knows a broker.
    ///
    /// # Errors
    /// If no port is free.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::ports::free()?))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A broker that is down refuses: the client sees its connection closed.
                let _ = connect(client, &for_thread);
            }
        });
        Ok(Self { port, shared })
    }

    /// The port that clients connect to, and that the broker advertises.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port` for clients.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where connections go from now on.
    pub fn forward_to(&self, port: u16) {
        *lock(&self.shared.broker) = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }

    /// Begins a sweep over each of these kinds of frames; what is left of earlier ones is forgotten.
    pub fn sweep(&self, kinds: &[Kind], what: Incision, bytes: Bytes) {
        let sweep = |kind: &Kind| (*kind, Sweep { what, bytes, next: 0, too_short: 0 });
        *lock(&self.shared.sweeps) = kinds.iter().map(sweep).collect();
    }

    /// The kinds of frames whose sweep has not come to its end.
    pub fn sweeping(&self) -> Vec<Kind> {
        lock(&self.shared.sweeps).keys().copied().collect()
    }

    /// Incisions so far.
    pub fn incisions(&self) -> u64 {
        self.shared.incisions.load(Ordering::Relaxed)
    }

    /// Connections so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

fn connect(client: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    let broker = lock(&shared.broker).context("no broker yet")?;
    let broker = TcpStream::connect(broker)?;
    shared.connections.fetch_add(1, Ordering::Relaxed);
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (asked, dead) = (Arc::default(), Arc::default());
    let pump = |from: &TcpStream, to: &TcpStream, answers| -> Result<Pump> {
        Ok(Pump {
            from: from.try_clone()?,
            to: to.try_clone()?,
            shared: Arc::clone(shared),
            asked: Arc::clone(&asked),
            dead: Arc::clone(&dead),
            answers,
        })
    };
    let (requests, answers) = (pump(&client, &broker, false)?, pump(&broker, &client, true)?);
    thread::spawn(|| requests.run());
    thread::spawn(|| answers.run());
    Ok(())
}

/// One direction of one connection.
struct Pump {
    from: TcpStream,
    to: TcpStream,
    shared: Arc<Shared>,
    /// APIs of the requests whose answers are still to come: a broker answers in order.
    asked: Arc<Mutex<VecDeque<i16>>>,
    /// The other direction has ended.
    dead: Arc<AtomicBool>,
    answers: bool,
}

impl Pump {
    fn run(mut self) {
        // However it ends, both ends are closed.
        let _ = self.forward();
        self.dead.store(true, Ordering::Relaxed);
        let _ = self.from.shutdown(Shutdown::Both);
        let _ = self.to.shutdown(Shutdown::Both);
    }

    fn forward(&mut self) -> Result<()> {
        loop {
            let frame = self.frame()?;
            let api = if self.answers {
                lock(&self.asked).pop_front().context("an answer that nobody asked for")?
            } else {
                let api = i16::from_be_bytes([frame[4], frame[5]]);
                lock(&self.asked).push_back(api);
                api
            };
            let Some((at, what)) = self.incision(Kind { api, answers: self.answers }, frame.len())
            else {
                self.to.write_all(&frame)?;
                continue;
            };
            self.shared.incisions.fetch_add(1, Ordering::Relaxed);
            let (before, after) = frame.split_at(at);
            self.to.write_all(before)?;
            match what {
                Incision::Cut => return Ok(()),
                Incision::Wait(time) => {
                    thread::sleep(time);
                    self.to.write_all(after)?;
                }
                Incision::Stall => {
                    while !self.dead.load(Ordering::Relaxed) {
                        thread::sleep(Duration::from_millis(5));
                    }
                    return Ok(());
                }
            }
        }
    }

    fn frame(&mut self) -> Result<Vec<u8>> {
        let mut frame = vec![0; 4];
        self.from.read_exact(&mut frame)?;
        let size = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]);
        ensure!((4..100_000_000).contains(&size), "a frame of {size} bytes");
        frame.resize(4 + usize::try_from(size)?, 0);
        self.from.read_exact(&mut frame[4..])?;
        Ok(frame)
    }

    fn incision(&self, kind: Kind, length: usize) -> Option<(usize, Incision)> {
        let mut sweeps = lock(&self.shared.sweeps);
        let sweep = sweeps.get_mut(&kind)?;
        match sweep.step(length) {
            Step::At(at) => Some((at, sweep.what)),
            Step::Pass => None,
            Step::Over => {
                sweeps.remove(&kind);
                None
            }
        }
    }
}

/// A panicking pump leaves nothing half-done behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: [u8; 10] = [0, 0, 0, 6, 0, 3, 0, 9, 1, 2];
    const METADATA: Kind = Kind { api: 3, answers: false };

    /// A client's connection through a scalpel, and the broker's end of it.
    fn connected(scalpel: &Scalpel, broker: &TcpListener) -> (TcpStream, TcpStream) {
        scalpel.forward_to(broker.local_addr().unwrap().port());
        let client = TcpStream::connect(scalpel.address()).unwrap();
        (client, broker.accept().unwrap().0)
    }

    fn all(stream: &mut TcpStream) -> Vec<u8> {
        let mut read = Vec::new();
        stream.read_to_end(&mut read).unwrap();
        read
    }

    #[test]
    fn a_sweep_cuts_before_each_byte_and_behind_the_last() {
        let (scalpel, broker) =
            (Scalpel::start().unwrap(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        scalpel.sweep(&[METADATA], Incision::Cut, Bytes::Every);
        for at in 0..=REQUEST.len() {
            let (mut client, mut broker) = connected(&scalpel, &broker);
            client.write_all(&REQUEST).unwrap();
            assert_eq!(all(&mut broker), &REQUEST[..at]);
            assert!(all(&mut client).is_empty());
        }
        assert_eq!((scalpel.sweeping(), scalpel.incisions()), (vec![METADATA], 11));
        let (mut client, mut broker) = connected(&scalpel, &broker);
        let mut read = REQUEST.map(|_| 0);
        for _ in 0..TOO_SHORT {
            client.write_all(&REQUEST).unwrap();
            broker.read_exact(&mut read).unwrap();
        }
        assert_eq!((read, scalpel.sweeping(), scalpel.incisions()), (REQUEST, vec![], 11));
    }

    #[test]
    fn an_answer_waits_or_stalls_and_requests_pass() {
        let (scalpel, broker) =
            (Scalpel::start().unwrap(), TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let (mut client, mut broker) = connected(&scalpel, &broker);
        let answers = Kind { answers: true, ..METADATA };
        let (wait, answer) = (Duration::from_millis(1), [0, 0, 0, 4, 1, 2, 3, 4]);
        let mut read = answer.map(|_| 0);
        for what in [Incision::Wait(wait), Incision::Stall] {
            scalpel.sweep(&[answers], what, Bytes::Classes);
            client.write_all(&REQUEST).unwrap();
            let mut request = REQUEST.map(|_| 0);
            broker.read_exact(&mut request).unwrap();
            broker.write_all(&answer).unwrap();
            // What is to come is waited for; what is not, for a moment.
            let limit = matches!(what, Incision::Stall).then_some(Duration::from_millis(200));
            client.set_read_timeout(limit).unwrap();
            assert_eq!(client.read_exact(&mut read).is_ok(), limit.is_none(), "{what:?}");
        }
        assert_eq!(read, answer);
        drop(client);
        assert!(all(&mut broker).is_empty(), "a stalled connection ends with its client");
    }
}
