//! Bytes to values and back: no state of the producer, no time.
//!
//! Requests are written whole into a slice. Responses are read element by element in constant memory: a broker may
//! list thousands of partitions, and a microcontroller has 512 bytes for them (see [`Step`]).

pub(crate) mod api;
#[cfg(any(feature = "api-versions", test))]
pub(crate) mod api_versions;
pub(crate) mod batch_header;
pub(crate) mod crc;
#[cfg_attr(not(test), expect(dead_code, reason = "coordinators come with transactions"))]
pub(crate) mod find_coordinator;
pub(crate) mod init_producer_id;
pub(crate) mod metadata;
pub(crate) mod pass;
pub(crate) mod prepend;
pub(crate) mod produce;
pub(crate) mod reader;
pub(crate) mod record;
pub(crate) mod varint;
pub(crate) mod writer;

#[cfg(test)]
mod tests;

use pass::Pass;
use reader::Reader;

/// Are there fields for longer texts than those of `Resources`? Only on a heap.
const LONG_TEXTS: bool = cfg!(any(feature = "alloc", test));
/// The longest topic name that is read; brokers accept 249.
pub(crate) const MAX_TOPIC_NAME: u32 = if LONG_TEXTS { 249 } else { TEXT };
/// The longest host name that is read; DNS allows 253.
pub(crate) const MAX_HOST: u32 = if LONG_TEXTS { 255 } else { TEXT };
#[allow(clippy::cast_possible_truncation, reason = "64")]
const TEXT: u32 = crate::storage::resources::TEXT as u32;
/// The most bytes that a decoder wants to see at once, and so the least that a receive buffer must hold: a topic of
/// a Metadata response with its name, its error (2), the name's length (5), id (16), flag (1), number of partitions (5);
/// in the old form a broker with its host, id (4), the host's length (2), port (4), the rack's length (2).
pub(crate) const MAX_ELEMENT: usize =
    if api::FLEXIBLE { MAX_TOPIC_NAME as usize + 29 } else { MAX_HOST as usize + 12 };

/// Why a decoder made no step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Need {
    /// The element goes on after the bytes at hand: call again with these and more. At the end of a frame: `Bad`.
    More,
    /// The bytes break the protocol.
    Bad,
}

/// One step of a decoder: drop `used` bytes of the input, take the event, call again.
///
/// A step uses at least one byte or carries an event, so a loop over steps ends with the bytes. The last event is
/// `End`; a decoder that is asked again after it answers `End` again.
#[derive(Debug)]
pub(crate) struct Step<E> {
    /// Bytes of the input that are done with.
    pub(crate) used: usize,
    /// What they said, unless they were only passed over.
    pub(crate) event: Option<E>,
}

/// A response, element by element. Decoders are small, and none holds bytes.
pub(crate) trait Decode: Copy {
    /// An element.
    type Event<'b>;

    /// What is to be passed over before the next element.
    fn pass(&mut self) -> &mut Pass;

    /// Does the response use compact strings and tagged fields (KIP-482)?
    fn flexible(&self) -> bool;

    /// Reads one element and moves on. Where a list ends, no byte says so: that is a move without reading.
    fn element<'b>(&mut self, r: &mut Reader<'b>) -> Option<Self::Event<'b>>;

    /// Reads on in `input`, the unread bytes at hand of the frame (at first those after the correlation id).
    fn step<'b>(&mut self, input: &'b [u8]) -> Result<Step<Self::Event<'b>>, Need> {
        loop {
            if let Some(used) = self.pass().step(input)? {
                return Ok(Step { used, event: None });
            }
            let before = *self;
            let mut r = Reader::new(input, self.flexible());
            let event = self.element(&mut r);
            match r.finish() {
                Ok(left) if left < input.len() || event.is_some() => {
                    return Ok(Step { used: input.len() - left, event });
                }
                Ok(_) => {}
                Err(need) => {
                    *self = before;
                    return Err(need);
                }
            }
        }
    }
}
