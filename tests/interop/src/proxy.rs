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
}

fn connect(client: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    let broker = lock(&shared.broker).context("no broker yet")?;
    let broker = TcpStream::connect(broker)?;
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
                shared.produced.fetch_add(u64::from(key == PRODUCE), Ordering::Relaxed);
            } else if asked.pop_front() == Some(PRODUCE) && swallow {
                shared.swallowed.fetch_add(1, Ordering::Relaxed);
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
