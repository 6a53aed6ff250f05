//! A TCP proxy that notes every request: whose, which, when, how long. Nothing else tells what an
//! idle producer asks for.

use anyhow::Result;
use core::net::{Ipv4Addr, SocketAddr};
use klamm_interop::ports;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

/// A request that passed.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// The client's name for the broker.
    pub(crate) client: String,
    /// Which kind: 0 is Produce, 3 is Metadata, 18 is `ApiVersions`.
    pub(crate) key: i16,
    pub(crate) bytes: u64,
    pub(crate) at: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    broker: Mutex<Option<u16>>,
    requests: Mutex<Vec<Request>>,
}

/// A listening proxy; it ends with the process.
#[derive(Debug)]
pub(crate) struct Counting {
    port: u16,
    shared: Arc<Shared>,
}

impl Counting {
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ports::free()?))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A broker that is down refuses: the client sees its connection closed.
                let _ = connect(client, &its);
            }
        });
        Ok(Self { port, shared })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where connections go from now on.
    pub(crate) fn forward_to(&self, port: u16) {
        *lock(&self.shared.broker) = Some(port);
    }

    /// Every request since the last call.
    pub(crate) fn take(&self) -> Vec<Request> {
        core::mem::take(&mut lock(&self.shared.requests))
    }
}

fn connect(client: TcpStream, shared: &Arc<Shared>) -> Result<()> {
    let Some(port) = *lock(&shared.broker) else { return Ok(()) };
    let broker = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (mut answers_from, mut answers_to) = (broker.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        // Whoever ends first ends both.
        let _ = io::copy(&mut answers_from, &mut answers_to);
        let _ = answers_to.shutdown(Shutdown::Both);
    });
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let _ = requests(client, &broker, &shared);
        let _ = broker.shutdown(Shutdown::Both);
    });
    Ok(())
}

/// Frames are four bytes of length, then kind, version, number and the client's name.
fn requests(mut client: TcpStream, mut broker: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut frame = Vec::new();
    loop {
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let size = u32::from_be_bytes(length);
        frame.clear();
        frame.extend_from_slice(&length);
        (&mut client).take(u64::from(size)).read_to_end(&mut frame)?;
        let short = |at: usize| Some(i16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
        let name = short(12).and_then(|length| frame.get(14..14 + usize::try_from(length).ok()?));
        lock(&shared.requests).push(Request {
            client: String::from_utf8_lossy(name.unwrap_or_default()).into_owned(),
            key: short(4).unwrap_or(-1),
            bytes: frame.len() as u64,
            at: Instant::now(),
        });
        broker.write_all(&frame)?;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
