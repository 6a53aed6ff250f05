//! `InitProducerId` (22): a producer id and epoch (KIP-98, KIP-360). Versions 1 to 5.

use super::Decode;
use super::api::{ApiKey, is_flexible};
use super::pass::Pass;
use super::reader::Reader;
use super::writer::{RequestHeader, Writer};
use crate::error_code::ErrorCode;

/// What to ask for. Versions below 3 cannot say producer id and epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'t> {
    /// `None` for a producer that is only idempotent.
    pub(crate) transactional_id: Option<&'t str>,
    /// `i32::MAX` without a transactional id.
    pub(crate) timeout_ms: i32,
    /// -1 unless an epoch is to be bumped.
    pub(crate) producer_id: i64,
    /// -1 together with `producer_id`, never alone.
    pub(crate) epoch: i16,
}

impl Request<'_> {
    /// A fresh producer id.
    pub(crate) const FRESH: Self =
        Self { transactional_id: None, timeout_ms: i32::MAX, producer_id: -1, epoch: -1 };
}

/// Writes the whole frame; `None`: it does not fit.
pub(crate) fn write(
    header: &RequestHeader<'_>,
    request: &Request<'_>,
    out: &mut [u8],
) -> Option<usize> {
    let mut w = Writer::request(out, header);
    w.put_string(request.transactional_id.map(str::as_bytes), header.flexible());
    w.put_i32(request.timeout_ms);
    if header.version >= 3 {
        w.put_i64(request.producer_id);
        w.put_i16(request.epoch);
    }
    w.put_tags(header.flexible());
    w.finish_request()
}

/// The whole response, then `End`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    Done { throttle: i32, error: ErrorCode, producer_id: i64, epoch: i16 },
    End,
}

/// Where the decoder is: named for what comes next.
#[derive(Clone, Copy, Debug)]
enum At {
    Header,
    Body,
    End,
}

/// The decoder of a response.
#[derive(Clone, Copy, Debug)]
#[repr(C)] // `pass` first in each, so that one instruction finds any
pub(crate) struct Decoder {
    pass: Pass,
    version: i16,
    at: At,
}

impl Decoder {
    /// A decoder of the answer to a request of this version.
    pub(crate) const fn new(version: i16) -> Self {
        Self { version, at: At::Header, pass: Pass::NOTHING }
    }

    const fn version(&self) -> i16 {
        ApiKey::InitProducerId.spoken(self.version)
    }
}

impl Decode for Decoder {
    type Event<'b> = Event;

    fn pass(&mut self) -> &mut Pass {
        &mut self.pass
    }

    fn flexible(&self) -> bool {
        is_flexible(ApiKey::InitProducerId, self.version())
    }

    fn element<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event> {
        let tags = Pass::over(0, is_flexible(ApiKey::InitProducerId, self.version()));
        match self.at {
            At::Header => {
                self.pass = tags;
                self.at = At::Body;
                None
            }
            At::Body => {
                let throttle = r.i32();
                let error = r.i16();
                let producer_id = r.i64();
                let epoch = r.i16();
                self.pass = tags;
                self.at = At::End;
                let error = ErrorCode(error);
                Some(Event::Done { throttle, error, producer_id, epoch })
            }
            At::End => Some(Event::End),
        }
    }
}
