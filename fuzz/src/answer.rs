//! Valid answers of a one-node cluster with the topic `t` of one partition, at any version that klamm speaks.

/// The number of an API on the wire.
pub const PRODUCE: i16 = 0;
/// See [`PRODUCE`].
pub const METADATA: i16 = 3;
/// See [`PRODUCE`].
pub const API_VERSIONS: i16 = 18;
/// See [`PRODUCE`].
pub const INIT_PRODUCER_ID: i16 = 22;

/// The topic's id, where versions have one.
const TOPIC_ID: [u8; 16] = *b"klamm-topic-id-t";

/// The one version of each API that the broker advertises.
#[derive(arbitrary::Arbitrary, Clone, Copy, Debug)]
pub struct Versions {
    /// Does the broker know `ApiVersions` 3, or only 0?
    pub recent: bool,
    metadata: u8,
    init_producer_id: u8,
    produce: u8,
}

impl Versions {
    /// The newest of each.
    pub const NEWEST: Self = Self { recent: true, metadata: 8, init_producer_id: 4, produce: 10 };

    /// The version of this API.
    pub fn of(self, key: i16) -> i16 {
        match key {
            PRODUCE => 3 + i16::from(self.produce % 11),
            // No broker has 8 as its only version; klamm passes it over.
            METADATA => [4, 5, 6, 7, 9, 10, 11, 12, 13][usize::from(self.metadata % 9)],
            INIT_PRODUCER_ID => 1 + i16::from(self.init_producer_id % 5),
            _ if self.recent => 3,
            _ => 0,
        }
    }
}

/// The head of a request, read from the bytes that the producer wrote.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The API.
    pub key: i16,
    /// Its version.
    pub version: i16,
    correlation: i32,
}

impl Request {
    /// A request that nobody wrote, to make its answer.
    pub fn new(key: i16, version: i16) -> Self {
        Self { key, version, correlation: 0 }
    }

    /// Reads a request's head from `frame`, which starts with its size.
    pub fn read(frame: &[u8]) -> Self {
        Self {
            key: i16::from_be_bytes(frame[4..6].try_into().unwrap()),
            version: i16::from_be_bytes(frame[6..8].try_into().unwrap()),
            correlation: i32::from_be_bytes(frame[8..12].try_into().unwrap()),
        }
    }

    fn flexible(&self) -> bool {
        let from = match self.key {
            PRODUCE | METADATA => 9,
            INIT_PRODUCER_ID => 2,
            _ => 3,
        };
        self.version >= from
    }

    /// The frame of an answer with this body: size, correlation id, tags.
    pub fn frame(&self, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; 4];
        frame.extend(self.correlation.to_be_bytes());
        if self.flexible() && self.key != API_VERSIONS {
            frame.push(0);
        }
        frame.extend(body);
        let size = u32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&size.to_be_bytes());
        frame
    }

    /// The body of a valid answer. `error` is that of a partition in Produce, of all in other answers.
    pub fn body(&self, versions: Versions, error: i16, offset: i64) -> Vec<u8> {
        let mut out = Body { bytes: Vec::new(), flexible: self.flexible() };
        match self.key {
            PRODUCE => produce(&mut out, self.version, error, offset),
            METADATA => metadata(&mut out, self.version, error),
            INIT_PRODUCER_ID => init_producer_id(&mut out, error),
            _ => api_versions(&mut out, self.version, versions, error),
        }
        out.bytes
    }
}

fn api_versions(out: &mut Body, version: i16, versions: Versions, error: i16) {
    let known = versions.of(API_VERSIONS);
    if version > known {
        // In the form of version 0, whatever was asked (KIP-511).
        out.i16(35);
        out.bytes.extend(1_i32.to_be_bytes());
        out.i16(API_VERSIONS);
        out.i16(0);
        out.i16(known);
        return;
    }
    out.i16(error);
    out.count(4);
    for key in [PRODUCE, METADATA, API_VERSIONS, INIT_PRODUCER_ID] {
        out.i16(key);
        out.i16(if key == API_VERSIONS { 0 } else { versions.of(key) });
        out.i16(versions.of(key));
        out.tags();
    }
    if version >= 1 {
        out.i32(0);
    }
    out.tags();
}

fn metadata(out: &mut Body, version: i16, error: i16) {
    out.i32(0);
    out.count(1);
    out.i32(1);
    out.text(Some("b"));
    out.i32(9092);
    out.text(None);
    out.tags();
    out.text(Some("cluster"));
    out.i32(1);
    out.count(1);
    out.i16(error);
    out.text(Some("t"));
    if version >= 10 {
        out.bytes.extend(TOPIC_ID);
    }
    out.bytes.push(0);
    out.count(1);
    out.i16(0);
    out.i32(0);
    out.i32(1);
    if version >= 7 {
        out.i32(5);
    }
    for nodes in if version >= 5 { &[1, 1, 0][..] } else { &[1, 1] } {
        out.count(*nodes);
        if *nodes > 0 {
            out.i32(1);
        }
    }
    out.tags();
    if version >= 8 {
        out.i32(i32::MIN);
    }
    out.tags();
    if (8..=10).contains(&version) {
        out.i32(i32::MIN);
    }
    if version >= 13 {
        out.i16(0);
    }
    out.tags();
}

fn init_producer_id(out: &mut Body, error: i16) {
    out.i32(0);
    out.i16(error);
    out.i64(4711);
    out.i16(0);
    out.tags();
}

fn produce(out: &mut Body, version: i16, error: i16, offset: i64) {
    out.count(1);
    if version >= 13 {
        out.bytes.extend(TOPIC_ID);
    } else {
        out.text(Some("t"));
    }
    out.count(1);
    out.i32(0);
    out.i16(error);
    out.i64(offset);
    out.i64(-1);
    if version >= 5 {
        out.i64(0);
    }
    if version >= 8 {
        out.count(0);
        out.text(None);
    }
    out.tags();
    out.tags();
    out.i32(0);
    out.tags();
}

/// Bytes in Kafka's forms of numbers, strings and arrays.
struct Body {
    bytes: Vec<u8>,
    flexible: bool,
}

impl Body {
    fn i16(&mut self, number: i16) {
        self.bytes.extend(number.to_be_bytes());
    }

    fn i32(&mut self, number: i32) {
        self.bytes.extend(number.to_be_bytes());
    }

    fn i64(&mut self, number: i64) {
        self.bytes.extend(number.to_be_bytes());
    }

    /// The length of an array; none here needs a second byte in the compact form.
    fn count(&mut self, count: u8) {
        if self.flexible { self.bytes.push(count + 1) } else { self.i32(count.into()) }
    }

    fn text(&mut self, text: Option<&str>) {
        let length = text.map(|text| u8::try_from(text.len()).unwrap());
        match (self.flexible, length) {
            (true, length) => self.bytes.push(length.map_or(0, |length| length + 1)),
            (false, length) => self.i16(length.map_or(-1, i16::from)),
        }
        self.bytes.extend(text.unwrap_or_default().bytes());
    }

    fn tags(&mut self) {
        if self.flexible {
            self.bytes.push(0);
        }
    }
}
