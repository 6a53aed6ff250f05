//! A producer that is called as a trace says; what it gives back goes to an [`Output`].

use core::fmt::{self, Write};

use klamm::{
    Compression, Config, ConnId, Demand, Destination, Header, Instant, Producer, Record, Resources,
    Timestamp, TopicId,
};

use crate::trace::{Call, Codec};

/// The producer's memory, on a host as on a microcontroller.
pub type Memory = Resources<1400, 12, 6, 3>;

/// The name of the topic.
pub(crate) const TOPIC: &str = "readings";

/// Where the bytes go that a producer gives back.
pub trait Output {
    /// The next bytes.
    fn put(&mut self, bytes: &[u8]);
}

/// What an output came to: 64 bits of FNV-1a, and the number of bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Digest {
    pub hash: u64,
    pub bytes: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, bytes: 0 }
    }
}

impl Output for Digest {
    fn put(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.bytes += bytes.len() as u64;
    }
}

struct Text<'o, O>(&'o mut O);

impl<O: Output> Write for Text<'_, O> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.put(text.as_bytes());
        Ok(())
    }
}

/// A producer of one topic.
pub struct Session<'m> {
    /// The producer.
    pub producer: Producer<'m>,
    topic: TopicId,
}

impl<'m> Session<'m> {
    /// `None` if the codec is not built in.
    pub fn new(codec: Codec, memory: &'m mut Memory) -> Option<Self> {
        let mut config = Config::new("node1:9092,node2:9092");
        config.client_id = "same";
        config.linger_ms = 3;
        config.batch_size = 1_000;
        config.request_timeout_ms = 2_000;
        config.delivery_timeout_ms = 20_000;
        config.compression_type = match codec {
            Codec::None => Compression::None,
            Codec::Gzip => Compression::Gzip { level: 6 },
        };
        let start = Instant::ZERO;
        let mut producer = Producer::new(&config, memory.storage(), 42, start).ok()?;
        producer.set_clock(Timestamp::from_millis(1_700_000_000_000), start);
        let topic = producer.topic(TOPIC).ok()?;
        Some(Self { producer, topic })
    }

    /// Makes a call.
    pub fn call(&mut self, now: u64, call: &Call<'_>, out: &mut impl Output) {
        let now = Instant::from_micros(now);
        let producer = &mut self.producer;
        match *call {
            Call::Send { partition, key, value, header, timestamp } => {
                let headers = header.map(|header| [Header::new("unit", header)]);
                let mut record = value.map_or(Record::null(), Record::value);
                record = record.with_headers(headers.as_ref().map_or(&[], |headers| headers));
                if let Some(key) = key {
                    record = record.with_key(key);
                }
                if let Some(timestamp) = timestamp {
                    record = record.with_timestamp(Timestamp::from_millis(timestamp));
                }
                let to = match partition {
                    Some(partition) => Destination::partition(self.topic, partition),
                    None => Destination::topic(self.topic),
                };
                tell(out, &producer.send(to, &record, now));
            }
            Call::Flush => tell(out, &producer.flush(now)),
            Call::Close => producer.close(now),
            Call::Dialing(conn) => self.on(conn, |p, conn| p.handle_dialing(conn, now)),
            Call::Connected(conn) => self.on(conn, |p, conn| p.handle_connected(conn, now)),
            Call::Received(conn, bytes) => {
                self.on(conn, |p, conn| tell(out, &p.handle_received(conn, bytes, now)));
            }
            Call::Disconnected(conn) => self.on(conn, |p, conn| p.handle_disconnected(conn, now)),
            Call::Timeout => producer.handle_timeout(now),
            Call::Transmit(conn, room) => self.on(conn, |p, conn| {
                let mut left = room as usize;
                let write = |transmit: &klamm::Transmit<'_>| {
                    for slice in transmit.slices() {
                        let taken = slice.len().min(left);
                        out.put(slice.get(..taken).unwrap_or_default());
                        left -= taken;
                    }
                    Ok::<_, core::convert::Infallible>(room as usize - left)
                };
                let Ok(_) = p.transmit_with(conn, now, write);
            }),
            Call::Report => tell(out, &producer.poll_report()),
        }
        tell(out, &self.producer.next_deadline());
    }

    /// What a connection wants.
    pub fn demand(&self, conn: u8) -> Demand {
        self.conn(conn).map_or(Demand::Nothing, |conn| self.producer.demand(conn))
    }

    /// The connection with this number.
    pub fn conn(&self, conn: u8) -> Option<ConnId> {
        self.producer.connections().nth(conn.into())
    }

    fn on(&mut self, conn: u8, call: impl FnOnce(&mut Producer<'m>, ConnId)) {
        if let Some(conn) = self.conn(conn) {
            call(&mut self.producer, conn);
        }
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("stats", &self.producer.stats()).finish_non_exhaustive()
    }
}

/// As `Debug` writes it: every number of it.
fn tell(out: &mut impl Output, what: &impl fmt::Debug) {
    // `Text` never fails.
    let _ = write!(Text(out), "{what:?};");
}
