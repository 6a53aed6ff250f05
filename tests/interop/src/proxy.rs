//! A TCP proxy in front of one broker, for faults that a network has and a killed process has not.
//! It reads the frames' heads as they pass, to tell a test which answers were lost.

use anyhow::{Context, Result};
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

const PRODUCE: i16 = 0;

/// What the proxy does to all connections, those there are and those to come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Every piece of data waits this long.
    pub delay: Duration,
    /// Requests no longer reach the broker, nor does anything notice.
    pub stall_requests: bool,
    /// Answers no longer reach the client, but are kept for it.
    pub stall_answers: bool,
    /// Requests reach the broker, and its answers are thrown away. A connection that lost an answer
    /// is closed as soon as this ends: its stream makes no sense any more.
    pub swallow_answers: bool,
    /// Each connection is closed once this many bytes of requests have passed over it.
    pub cut_after: Option<u64>,
}

/// A listening proxy; connections end with the process or with either of their ends.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    broker: Mutex<Option<SocketAddr>>,
    faults: Mutex<Faults>,
    changed: Condvar,
    swallowed: AtomicU64,
    produced: AtomicU64,
    unanswered: AtomicU64,
    connections: AtomicU64,
    cuts: AtomicU64,
}

impl Proxy {
    /// Listens on a port of its own. It refuses connections until it knows a broker: the broker
    /// must be told the proxy's port first.
    ///
    /// # Errors
    /// If no port is free.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, crate::ports::free()?))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            broker: Mutex::new(None),
            faults: Mutex::new(Faults::default()),
            changed: Condvar::new(),
            swallowed: AtomicU64::new(0),
            produced: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            cuts: AtomicU64::new(0),
        });
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

    /// Changes what is done to all connections.
    pub fn set(&self, faults: Faults) {
        *lock(&self.shared.faults) = faults;
        self.shared.changed.notify_all();
    }

    /// Answers to Produce requests thrown away so far.
    pub fn swallowed_produce_answers(&self) -> u64 {
        self.shared.swallowed.load(Ordering::Relaxed)
    }

    /// Produce requests that began to pass so far.
    pub fn produce_requests(&self) -> u64 {
        self.shared.produced.load(Ordering::Relaxed)
    }

    /// Produce requests on living connections whose answers the broker has not given yet.
    pub fn unanswered_produce_requests(&self) -> u64 {
        self.shared.unanswered.load(Ordering::Relaxed)
    }

    /// Connections that reached the broker so far.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Connections cut by [`Faults::cut_after`] so far.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::Relaxed)
    }
}

fn connect(client: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    let broker = lock(&shared.broker).context("no broker yet")?;
    let broker = TcpStream::connect(broker)?;
    shared.connections.fetch_add(1, Ordering::Relaxed);
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let asked = Arc::new(Mutex::new(VecDeque::new()));
    let requests = Pump {
        from: client.try_clone()?,
        to: broker.try_clone()?,
        shared: Arc::clone(shared),
        asked: Arc::clone(&asked),
        heads: Heads::new(6),
        is_requests: true,
    };
    let answers = Pump {
        from: broker,
        to: client,
        shared: Arc::clone(shared),
        asked,
        heads: Heads::new(4),
        is_requests: false,
    };
    thread::spawn(|| requests.run());
    thread::spawn(|| answers.run());
    Ok(())
}

/// One direction of one connection.
struct Pump {
    from: TcpStream,
    to: TcpStream,
    shared: Arc<Shared>,
    /// API keys of the requests whose answers are still to come: a broker answers in order.
    asked: Arc<Mutex<VecDeque<i16>>>,
    heads: Heads,
    is_requests: bool,
}

impl Pump {
    fn run(mut self) {
        // Whichever end closes or fails, both are closed: so does a broken connection.
        let _ = self.forward();
        let _ = self.from.shutdown(Shutdown::Both);
        let _ = self.to.shutdown(Shutdown::Both);
        for key in lock(&self.asked).drain(..) {
            self.shared.unanswered.fetch_sub(u64::from(key == PRODUCE), Ordering::Relaxed);
        }
    }

    fn forward(&mut self) -> Result<()> {
        let mut buffer = vec![0; 64 * 1024];
        let mut passed = 0;
        let mut lost = false;
        loop {
            let length = self.from.read(&mut buffer)?;
            let mut bytes = buffer.get(..length).context("a read beyond the buffer")?;
            if bytes.is_empty() {
                return Ok(());
            }
            let faults = self.wait_out_stall();
            thread::sleep(faults.delay);
            let swallow = faults.swallow_answers && !self.is_requests;
            if lost && !swallow {
                return Ok(());
            }
            if let Some(cut) = faults.cut_after.filter(|_| self.is_requests) {
                let left = usize::try_from(cut.saturating_sub(passed))?;
                bytes = bytes.get(..left).unwrap_or(bytes);
            }
            passed += u64::try_from(bytes.len())?;
            self.count(bytes, swallow);
            if swallow {
                lost = true;
            } else {
                self.to.write_all(bytes)?;
            }
            if faults.cut_after.is_some_and(|cut| self.is_requests && passed >= cut) {
                self.shared.cuts.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
        }
    }

    fn wait_out_stall(&self) -> Faults {
        let mut faults = lock(&self.shared.faults);
        while if self.is_requests { faults.stall_requests } else { faults.stall_answers } {
            faults = self.shared.changed.wait(faults).unwrap_or_else(PoisonError::into_inner);
        }
        *faults
    }

    fn count(&mut self, bytes: &[u8], swallow: bool) {
        let Self { heads, asked, shared, is_requests, .. } = self;
        let mut asked = lock(asked);
        heads.read(bytes, |head| {
            if *is_requests {
                let key = i16::from_be_bytes([head[4], head[5]]);
                asked.push_back(key);
                let one = u64::from(key == PRODUCE);
                shared.produced.fetch_add(one, Ordering::Relaxed);
                shared.unanswered.fetch_add(one, Ordering::Relaxed);
            } else if asked.pop_front() == Some(PRODUCE) {
                shared.unanswered.fetch_sub(1, Ordering::Relaxed);
                shared.swallowed.fetch_add(u64::from(swallow), Ordering::Relaxed);
            }
        });
    }
}

/// Finds the first bytes of every frame (size, API key) in a stream cut anywhere.
struct Heads {
    length: usize,
    head: Vec<u8>,
    body_left: usize,
}

impl Heads {
    fn new(length: usize) -> Self {
        Self { length, head: Vec::new(), body_left: 0 }
    }

    fn read(&mut self, bytes: &[u8], mut found: impl FnMut(&[u8])) {
        let mut bytes = bytes.iter();
        loop {
            let skip = self.body_left.min(bytes.len());
            self.body_left -= skip;
            if let Some(last) = skip.checked_sub(1) {
                bytes.nth(last);
            }
            let Some(&byte) = bytes.next() else { return };
            self.head.push(byte);
            if self.head.len() == self.length {
                found(&self.head);
                let size = [self.head[0], self.head[1], self.head[2], self.head[3]];
                let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
                self.body_left = (size + 4).saturating_sub(self.length);
                self.head.clear();
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

    /// A frame with this API key and `size` bytes after it.
    fn frame(key: i16, size: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, 0, size + 2];
        frame.extend(key.to_be_bytes());
        frame.resize(frame.len() + usize::from(size), 7);
        frame
    }

    /// A client's connection through a proxy, and the broker's end of it.
    fn connected() -> (Proxy, TcpStream, TcpStream) {
        let broker = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start().unwrap();
        proxy.forward_to(broker.local_addr().unwrap().port());
        let client = TcpStream::connect(proxy.address()).unwrap();
        (proxy, client, broker.accept().unwrap().0)
    }

    fn expect(stream: &mut TcpStream, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        stream.read_exact(&mut read).unwrap();
        assert_eq!(read, bytes);
    }

    #[test]
    fn heads_are_found_wherever_the_stream_is_cut() {
        let stream = [frame(0, 9), frame(18, 0), frame(3, 200)].concat();
        for piece in 1..stream.len() {
            let (mut heads, mut keys) = (Heads::new(6), vec![]);
            stream.chunks(piece).for_each(|bytes| heads.read(bytes, |head| keys.push(head[5])));
            assert_eq!(keys, [0, 18, 3], "pieces of {piece}");
        }
    }

    #[test]
    fn swallowed_answers_are_counted_and_end_the_connection() {
        let (proxy, mut client, mut broker) = connected();
        let requests = [frame(3, 5), frame(PRODUCE, 50), frame(PRODUCE, 60)].concat();
        client.write_all(&requests).unwrap();
        expect(&mut broker, &requests);
        assert_eq!((proxy.produce_requests(), proxy.unanswered_produce_requests()), (2, 2));
        broker.write_all(&frame(1, 1)).unwrap();
        expect(&mut client, &frame(1, 1));
        proxy.set(Faults { swallow_answers: true, ..Faults::default() });
        broker.write_all(&frame(2, 2)).unwrap();
        crate::wait_until("the swallowing", || Ok(proxy.swallowed_produce_answers() == 1)).unwrap();
        client.write_all(&frame(PRODUCE, 1)).unwrap();
        expect(&mut broker, &frame(PRODUCE, 1));
        proxy.set(Faults::default());
        broker.write_all(&frame(3, 3)).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0, "an answer behind a lost one");
        let none = || Ok(proxy.unanswered_produce_requests() == 0);
        crate::wait_until("the dead connection to be forgotten", none).unwrap();
    }

    #[test]
    fn a_cut_lets_so_many_bytes_pass_and_closes_both_ends() {
        let (proxy, mut client, mut broker) = connected();
        proxy.set(Faults { cut_after: Some(10), ..Faults::default() });
        client.write_all(&[1; 25]).unwrap();
        expect(&mut broker, &[1; 10]);
        assert_eq!(broker.read(&mut [0]).unwrap_or(0), 0);
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
        assert_eq!(proxy.cuts(), 1);
    }

    #[test]
    fn stalled_answers_come_when_the_stall_ends() {
        let (proxy, mut client, mut broker) = connected();
        proxy.set(Faults { stall_answers: true, ..Faults::default() });
        broker.write_all(b"later").unwrap();
        client.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        client.read(&mut [0]).unwrap_err();
        client.set_read_timeout(None).unwrap();
        proxy.set(Faults::default());
        expect(&mut client, b"later");
    }
}
