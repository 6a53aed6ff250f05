//! `FindCoordinator` (10): the broker that coordinates a group or a transactional id (KIP-699). Versions 2 to 6.

use super::api::{ApiKey, is_flexible};
use super::pass::Pass;
use super::reader::{Reader, Text};
use super::writer::{RequestHeader, Writer};
use super::{Decode, MAX_HOST};
use crate::error_code::ErrorCode;

/// What a key names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum KeyType {
    Group = 0,
    Transaction = 1,
}

/// Writes the whole frame; `None`: it does not fit.
pub(crate) fn write(
    header: &RequestHeader<'_>,
    key_type: KeyType,
    key: &str,
    out: &mut [u8],
) -> Option<usize> {
    let mut w = Writer::request(out, header);
    if header.version >= 4 {
        w.put_u8(key_type as u8);
        w.put_count(1, true);
        w.put_string(Some(key.as_bytes()), true);
    } else {
        w.put_string(Some(key.as_bytes()), header.flexible());
        w.put_u8(key_type as u8);
    }
    w.put_tags(header.flexible());
    w.finish_request()
}

/// Elements of the response, in this order; `Coordinator` comes once for a request with one key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Event<'b> {
    Throttle(i32),
    /// `host` is `None` when it is null or longer than [`MAX_HOST`].
    Coordinator {
        error: ErrorCode,
        node: i32,
        host: Option<&'b [u8]>,
        port: i32,
    },
    End,
}

/// Where the decoder is: named for what comes next.
#[derive(Clone, Copy, Debug)]
enum At {
    Header,
    Throttle,
    /// The key from version 4 on, error and its message before.
    Before,
    Node,
    /// After a host too long to be read.
    Rest,
    End,
}

/// The decoder of a response.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoder {
    version: i16,
    at: At,
    /// The error, where it comes before the node.
    error: i16,
    pass: Pass,
    /// Coordinators left.
    left: u32,
    /// The node whose host was too long.
    node: i32,
}

impl Decoder {
    /// A decoder of the answer to a request of this version.
    pub(crate) const fn new(version: i16) -> Self {
        Self { version, at: At::Header, error: 0, pass: Pass::NOTHING, left: 0, node: 0 }
    }

    fn rest<'b>(
        &mut self,
        r: &mut Reader<'b>,
        node: i32,
        host: Option<&'b [u8]>,
    ) -> Option<Event<'b>> {
        let port = r.i32();
        let (error, message) = if self.version >= 4 {
            let error = r.i16();
            let message = r.unwanted();
            (error, message)
        } else {
            (self.error, 0)
        };
        self.pass = Pass::over(message, self.version >= 4);
        self.left -= 1;
        self.at = At::Before;
        Some(Event::Coordinator { error: ErrorCode(error), node, host, port })
    }
}

impl Decode for Decoder {
    type Event<'b> = Event<'b>;

    fn pass(&mut self) -> &mut Pass {
        &mut self.pass
    }

    fn flexible(&self) -> bool {
        is_flexible(ApiKey::FindCoordinator, self.version)
    }

    fn element<'b>(&mut self, r: &mut Reader<'b>) -> Option<Event<'b>> {
        let flexible = self.flexible();
        match self.at {
            At::Header => {
                self.pass = Pass::over(0, flexible);
                self.at = At::Throttle;
                None
            }
            At::Throttle => {
                let millis = r.i32();
                let left = if self.version >= 4 { r.count() } else { 1 };
                self.left = left;
                self.at = At::Before;
                Some(Event::Throttle(millis))
            }
            At::Before if self.left > 0 => {
                let error = if self.version >= 4 { 0 } else { r.i16() };
                let len = r.unwanted();
                self.pass = Pass::over(len, false);
                self.error = error;
                self.at = At::Node;
                None
            }
            At::Before => {
                self.pass = Pass::over(0, flexible);
                self.at = At::End;
                None
            }
            At::Node => {
                let node = r.i32();
                let host = r.text(MAX_HOST);
                match host {
                    Text::Whole(host) => self.rest(r, node, host),
                    Text::Long(len) => {
                        self.pass = Pass::over(len, false);
                        self.node = node;
                        self.at = At::Rest;
                        None
                    }
                }
            }
            At::Rest => self.rest(r, self.node, None),
            At::End => Some(Event::End),
        }
    }
}
