//! A broker in as few lines as possible: one node, one topic, every batch stored or refused at once.

/// What was asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Api {
    Produce,
    Metadata,
    /// Versions, a producer id.
    Other,
}

/// An answer, frame and all.
pub(crate) struct Answer {
    pub(crate) api: Api,
    /// How many batches the request had.
    pub(crate) batches: usize,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) struct Broker {
    pub(crate) topic: &'static str,
    pub(crate) partitions: i32,
    /// The error code of every batch; 0: it is stored.
    pub(crate) error: i16,
}

impl Broker {
    /// Answers the requests in these bytes, which are whole.
    pub(crate) fn answer(&self, mut bytes: &[u8]) -> Vec<Answer> {
        let mut answers = Vec::new();
        while !bytes.is_empty() {
            let (size, rest) = bytes.split_at(4);
            let size = u32::from_be_bytes(size.try_into().unwrap_or_default()) as usize;
            let (request, rest) = rest.split_at(size);
            answers.push(self.answer_one(Input(request)));
            bytes = rest;
        }
        answers
    }

    fn answer_one(&self, mut request: Input<'_>) -> Answer {
        let (key, _version) = (request.i16(), request.i16());
        let mut out = Output(vec![0; 4]);
        out.bytes(request.take(4));
        let client_id = request.i16();
        request.take(client_id.try_into().unwrap_or_default());
        request.take(1);
        let (api, batches) = match key {
            0 => (Api::Produce, self.produce(request, &mut out)),
            3 => (Api::Metadata, self.metadata(&mut out)),
            18 => (Api::Other, api_versions(&mut out)),
            22 => (Api::Other, producer_id(&mut out)),
            other => panic!("request of API {other}"),
        };
        let size = u32::try_from(out.0.len() - 4).expect("a small answer");
        out.0[..4].copy_from_slice(&size.to_be_bytes());
        Answer { api, batches, bytes: out.0 }
    }

    /// Produce 9.
    fn produce(&self, mut request: Input<'_>, out: &mut Output) -> usize {
        // Transactional id, acks, timeout, one topic.
        request.take(1 + 2 + 4 + 1);
        let name = request.count();
        request.take(name);
        let batches = request.count();
        out.bytes(&[0, 2]);
        out.string(self.topic);
        out.count(batches);
        let partitions: Vec<_> = (0..batches)
            .map(|_| {
                let partition = request.take(4);
                let records = request.count();
                request.take(records + 1);
                partition
            })
            .collect();
        // In another order than asked, as Kafka, which has a hash table.
        for partition in partitions.into_iter().rev() {
            out.bytes(partition);
            out.i16(self.error);
            // Base offset, append time, start of the log, no bad records, no message, no tags.
            for _ in 0..3 {
                out.bytes(&(-1i64).to_be_bytes());
            }
            out.bytes(&[1, 0, 0]);
        }
        // Tags of the topic, throttle time, tags.
        out.bytes(&[0; 6]);
        batches
    }

    /// Metadata 12: this node leads all partitions.
    fn metadata(&self, out: &mut Output) -> usize {
        out.bytes(&[0, 0, 0, 0, 0, 2]);
        out.i32(1);
        out.string("gates");
        out.i32(9092);
        // Rack, tags, cluster id; the controller; one topic without an error.
        out.bytes(&[0, 0, 0]);
        out.i32(1);
        out.bytes(&[2, 0, 0]);
        out.string(self.topic);
        out.bytes(&[7; 16]);
        out.bytes(&[0]);
        out.count(self.partitions.try_into().unwrap_or_default());
        for index in 0..self.partitions {
            out.i16(0);
            out.i32(index);
            // Leader, its epoch, replicas, those in sync, those offline, tags.
            out.i32(1);
            out.i32(0);
            out.bytes(&[2, 0, 0, 0, 1, 2, 0, 0, 0, 1, 1, 0]);
        }
        // Operations and tags of the topic, tags.
        out.bytes(&[0; 6]);
        0
    }
}

/// `ApiVersions` 3, whose header has no tags.
fn api_versions(out: &mut Output) -> usize {
    const RANGES: [(i16, i16); 4] = [(0, 9), (3, 12), (18, 3), (22, 4)];
    out.i16(0);
    out.count(RANGES.len());
    for (key, max) in RANGES {
        out.i16(key);
        out.i16(0);
        out.i16(max);
        out.bytes(&[0]);
    }
    out.bytes(&[0; 5]);
    0
}

/// `InitProducerId` 4.
fn producer_id(out: &mut Output) -> usize {
    out.bytes(&[0; 7]);
    out.bytes(&1i64.to_be_bytes());
    out.bytes(&[0; 3]);
    0
}

/// Reads what klamm wrote, so it is not careful.
struct Input<'r>(&'r [u8]);

impl<'r> Input<'r> {
    fn take(&mut self, bytes: usize) -> &'r [u8] {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap_or_default())
    }

    /// A compact length.
    fn count(&mut self) -> usize {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)[0];
            value |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                return value - 1;
            }
        }
    }
}

struct Output(Vec<u8>);

impl Output {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn i16(&mut self, value: i16) {
        self.bytes(&value.to_be_bytes());
    }

    fn i32(&mut self, value: i32) {
        self.bytes(&value.to_be_bytes());
    }

    fn string(&mut self, text: &str) {
        self.count(text.len());
        self.bytes(text.as_bytes());
    }

    /// A compact length.
    fn count(&mut self, count: usize) {
        let mut value = count + 1;
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap_or_default());
    }
}
