//! `ApiVersions` (18): which versions the broker speaks (KIP-35, KIP-511). Versions 0 to 3.

use super::Decode;
use super::api::{ApiKey, is_flexible};
use super::pass::Pass;
use super::reader::Reader;
use super::writer::{RequestHeader, Writer};
use crate::error_code::ErrorCode;

/// What the broker logs and counts as the client's name (KIP-511).
const SOFTWARE: &str = "klamm";

/// Writes the whole frame; `None`: it does not fit.
pub(crate) fn write(header: &RequestHeader<'_>, out: &mut [u8]) -> Option<usize> {
    let mut w = Writer::request(out, header);
    if header.flexible() {
        w.put_string(Some(SOFTWARE.as_bytes()), true);
        w.put_string(Some(env!("CARGO_PKG_VERSION").as_bytes()), true);
        w.put_tags(true);
    }
    w.finish_request()
}

/// Elements of the response, in this order; `Range` repeats.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event {
    Error(ErrorCode),
    Range { key: i16, min: i16, max: i16 },
    Throttle(i32),
    End,
}

/// Where the decoder is: named for what comes next.
#[derive(Clone, Copy, Debug)]
enum At {
    Error,
    Count,
    Range,
    Throttle,
    End,
}

/// The decoder of a response. Finalized features are passed over.
#[derive(Clone, Copy, Debug)]
#[repr(C)] // `pass` first in each, so that one instruction finds any
pub(crate) struct Decoder {
    pass: Pass,
    version: i16,
    at: At,
    left: u32,
}

impl Decoder {
    /// A decoder of the answer to a request of this version.
    pub(crate) const fn new(version: i16) -> Self {
        Self { version, at: At::Error, pass: Pass::NOTHING, left: 0 }
    }

    const fn version(&self) -> i16 {
        ApiKey::ApiVersions.spoken(self.version)
    }
}

impl Decode for Decoder {
    type Event<'b> = Event;

    fn pass(&mut self) -> &mut Pass {
        &mut self.pass
    }

    fn flexible(&self) -> bool {
        is_flexible(ApiKey::ApiVersions, self.version())
    }

    fn element<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event> {
        let flexible = self.flexible();
        match self.at {
            At::Error => {
                let code = r.i16();
                let code = ErrorCode(code);
                if code == ErrorCode::UNSUPPORTED_VERSION {
                    // A broker that does not know the version answers in the form of version 0.
                    self.version = 0;
                }
                self.at = At::Count;
                Some(Event::Error(code))
            }
            At::Count => {
                self.left = r.count();
                self.at = At::Range;
                None
            }
            At::Range if self.left > 0 => {
                let key = r.i16();
                let min = r.i16();
                let max = r.i16();
                self.left -= 1;
                self.pass = Pass::over(0, flexible);
                Some(Event::Range { key, min, max })
            }
            At::Range if self.version() > 0 => {
                self.at = At::Throttle;
                None
            }
            At::Range | At::End => {
                self.at = At::End;
                Some(Event::End)
            }
            At::Throttle => {
                let millis = r.i32();
                self.pass = Pass::over(0, flexible);
                self.at = At::End;
                Some(Event::Throttle(millis))
            }
        }
    }
}
