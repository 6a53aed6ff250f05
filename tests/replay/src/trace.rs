//! Calls as bytes.

/// A call of the producer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "named as the producer's methods and their arguments")]
pub enum Call<'t> {
    Send {
        partition: Option<i32>,
        key: Option<&'t [u8]>,
        value: Option<&'t [u8]>,
        header: Option<&'t [u8]>,
        timestamp: Option<i64>,
    },
    Flush,
    Close,
    Dialing(u8),
    Connected(u8),
    Received(u8, &'t [u8]),
    Disconnected(u8),
    Timeout,
    /// The connection, and how many bytes are taken at most.
    Transmit(u8, u32),
    Report,
}

/// The codec of a trace.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Codec {
    None = 0,
    Gzip = 1,
}

impl Call<'_> {
    /// Writes the call and the time at which it was made, in microseconds.
    pub fn write(&self, now: u64, mut put: impl FnMut(&[u8])) {
        put(&now.to_le_bytes());
        match *self {
            Self::Send { partition, key, value, header, timestamp } => {
                put(&[0]);
                put(&partition.unwrap_or(-1).to_le_bytes());
                for bytes in [key, value, header] {
                    put_bytes(bytes, &mut put);
                }
                put(&[u8::from(timestamp.is_some())]);
                put(&timestamp.unwrap_or_default().to_le_bytes());
            }
            Self::Flush => put(&[1]),
            Self::Close => put(&[2]),
            Self::Dialing(conn) => put(&[3, conn]),
            Self::Connected(conn) => put(&[4, conn]),
            Self::Received(conn, bytes) => {
                put(&[5, conn]);
                put_bytes(Some(bytes), &mut put);
            }
            Self::Disconnected(conn) => put(&[6, conn]),
            Self::Timeout => put(&[7]),
            Self::Transmit(conn, room) => {
                put(&[8, conn]);
                put(&room.to_le_bytes());
            }
            Self::Report => put(&[9]),
        }
    }
}

/// Length plus 1, and the bytes; 0 for none.
fn put_bytes(bytes: Option<&[u8]>, put: &mut impl FnMut(&[u8])) {
    let len = bytes.map_or(0, |bytes| bytes.len() + 1);
    put(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    put(bytes.unwrap_or_default());
}

/// Reads calls.
#[derive(Clone, Debug)]
pub struct Trace<'t> {
    /// How its batches are compressed.
    pub codec: Codec,
    rest: &'t [u8],
}

impl<'t> Trace<'t> {
    /// `None` if the codec is not known.
    pub fn new(trace: &'t [u8]) -> Option<Self> {
        let (codec, rest) = trace.split_first()?;
        let codec = match codec {
            0 => Codec::None,
            1 => Codec::Gzip,
            _ => return None,
        };
        Some(Self { codec, rest })
    }

    /// The next call and when it was made; `Some(None)` at the end, `None` if there is no call.
    pub fn next_call(&mut self) -> Option<Option<(u64, Call<'t>)>> {
        if self.rest.is_empty() {
            return Some(None);
        }
        let now = u64::from_le_bytes(self.array()?);
        let call = match self.byte()? {
            0 => Call::Send {
                partition: Some(i32::from_le_bytes(self.array()?)).filter(|p| *p >= 0),
                key: self.bytes()?,
                value: self.bytes()?,
                header: self.bytes()?,
                timestamp: {
                    let there = self.byte()? == 1;
                    Some(i64::from_le_bytes(self.array()?)).filter(|_| there)
                },
            },
            1 => Call::Flush,
            2 => Call::Close,
            3 => Call::Dialing(self.byte()?),
            4 => Call::Connected(self.byte()?),
            5 => Call::Received(self.byte()?, self.bytes()??),
            6 => Call::Disconnected(self.byte()?),
            7 => Call::Timeout,
            8 => Call::Transmit(self.byte()?, u32::from_le_bytes(self.array()?)),
            9 => Call::Report,
            _ => return None,
        };
        Some(Some((now, call)))
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }

    fn bytes(&mut self) -> Option<Option<&'t [u8]>> {
        let Some(len) = u32::from_le_bytes(self.array()?).checked_sub(1) else { return Some(None) };
        let (bytes, rest) = self.rest.split_at_checked(usize::try_from(len).ok()?)?;
        self.rest = rest;
        Some(Some(bytes))
    }
}
