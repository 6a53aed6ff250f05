//! Something that is no broker, on a port where one should be; and after a while is one.

use anyhow::Result;
use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What connections are answered with, in turn. A request begins with 4 bytes of length, 4 of API
/// and version and 4 of correlation id, which an answer repeats after its length.
const ANSWERS: [Answer; 10] = [
    |_| b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec(),
    |_| vec![0xFF; 4_096],
    |_| vec![0; 4_096],
    // The largest frame there could be, and then zeros.
    |_| [&[0x7F, 0xFF, 0xFF, 0xFF][..], &[0; 4_000]].concat(),
    // The right head, and nothing after it.
    |id| [&[0, 0, 0, 4][..], id].concat(),
    // The right head, and an array of two billion.
    |id| [&[0, 0, 4, 0][..], id, &[0, 0, 0x7F, 0xFF, 0xFF, 0xFF], &[1; 1_014]].concat(),
    // The right head, and an unsigned varint that does not end.
    |id| [&[0, 0, 4, 0][..], id, &[0, 0], &[0xFF; 1_018]].concat(),
    // An answer to something else.
    |id| [&[0, 0, 0, 10][..], &[!id[0], id[1], id[2], id[3]], &[0; 6]].concat(),
    // An error that no Kafka knows.
    |id| [&[0, 0, 0, 10][..], id, &[0x7F, 0x7F, 0, 0, 0, 0]].concat(),
    |_| Vec::new(),
];

type Answer = fn(&[u8; 4]) -> Vec<u8>;

/// Listens on a port of its own.
#[derive(Debug)]
pub struct Garbage {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Garbage {
    /// How many connections get garbage before the broker behind it gets one.
    pub const CONNECTIONS: usize = ANSWERS.len();

    /// Starts; `broker` is the loopback port of the broker that gets the connections after
    /// [`Self::CONNECTIONS`].
    ///
    /// # Errors
    /// If no port is free.
    pub fn start(broker: u16) -> Result<Self> {
        let port = crate::ports::free()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = count.fetch_add(1, Ordering::Relaxed);
                // A client that hangs up is what this is for.
                std::thread::spawn(move || match ANSWERS.get(number) {
                    Some(answer) => answer_once(client, *answer),
                    None => pass(client, broker),
                });
            }
        });
        Ok(Self { port, connections })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections up to now.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn answer_once(mut client: TcpStream, answer: Answer) -> Result<()> {
    let mut request = [0; 512];
    let length = client.read(&mut request)?;
    let id = request[..length].get(8..12).and_then(|id| id.try_into().ok()).unwrap_or([0; 4]);
    client.write_all(&answer(&id))?;
    // A client that believes it would wait for more; half a minute is longer than it may.
    client.set_read_timeout(Some(Duration::from_secs(30)))?;
    while client.read(&mut request)? > 0 {}
    Ok(())
}

fn pass(client: TcpStream, broker: u16) -> Result<()> {
    let broker = TcpStream::connect((Ipv4Addr::LOCALHOST, broker))?;
    let (mut up, mut to) = (client.try_clone()?, broker.try_clone()?);
    std::thread::spawn(move || std::io::copy(&mut up, &mut to));
    std::io::copy(&mut &broker, &mut &client)?;
    Ok(())
}
