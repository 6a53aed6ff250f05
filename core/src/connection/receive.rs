//! What comes in on a connection: element by element, in place; only an unfinished element is kept.
//!
//! Bytes from a peer are never trusted: no length of theirs is reserved, every step uses up bytes, and what does not
//! parse closes the connection.

use super::answer::{Decoder, Event};
use super::{ConnState, Expect, InFlight, UNANSWERED};
use crate::cluster::CLUSTER;
use crate::config::Acks;
use crate::error::ProtocolError;
use crate::producer::Producer;
use crate::storage::list::Link;
use crate::storage::{copy, shift};
use crate::wire::api::GREETS;
use crate::wire::{Decode, Need};

/// Size and correlation id.
const HEAD: usize = 8;
/// No answer is larger: 128 MiB holds the metadata of a million partitions.
const FRAME_MAX: u32 = 1 << 27;

/// No quota asks for more at a time; a number from a peer must not put deadlines off for weeks.
const THROTTLE_MAX_MS: u32 = 60_000;

impl Producer<'_> {
    /// Parses all of `bytes`; on an error the connection is to be closed.
    pub(crate) fn receive(&mut self, c: usize, bytes: &[u8]) -> Result<(), ProtocolError> {
        #[cfg(feature = "events")]
        self.tally(c, |traffic| traffic.bytes_received += bytes.len() as u64);
        let mut io = core::mem::take(&mut self.storage.io);
        let range = self.storage.rx(c);
        let rx = io.get_mut(range).unwrap_or_default();
        let result = self.parse(c, rx, bytes);
        self.storage.io = io;
        result
    }

    /// Parses `bytes` in place. What an element needs is gathered in `rx` while it is unfinished.
    #[allow(clippy::cast_possible_truncation, reason = "kept bytes fit the receive memory")]
    fn parse(&mut self, c: usize, rx: &mut [u8], mut bytes: &[u8]) -> Result<(), ProtocolError> {
        loop {
            let kept = usize::from(self.storage.connections[c].kept);
            if kept == 0 {
                let used = self.parse_some(c, bytes)?;
                bytes = bytes.get(used..).unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(());
                }
            } else if bytes.is_empty() {
                return Ok(());
            }
            let room = rx.get_mut(kept..).unwrap_or_default();
            let more = copy(room, bytes);
            if more == 0 {
                // An element larger than the memory for one: no broker sends that.
                return Err(ProtocolError::Malformed);
            }
            let gathered = kept + more;
            let used = self.parse_some(c, rx.get(..gathered).unwrap_or_default())?;
            if used > kept {
                // The unfinished element is done: go on in place behind what was used.
                self.storage.connections[c].kept = 0;
                bytes = bytes.get(used - kept..).unwrap_or_default();
            } else {
                shift(rx, used..gathered, 0);
                self.storage.connections[c].kept = (gathered - used) as u16;
                bytes = bytes.get(more..).unwrap_or_default();
            }
        }
    }

    /// Parses as many whole elements as there are; returns the bytes used.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "`input` is cut to what is left of the frame"
    )]
    fn parse_some(&mut self, c: usize, bytes: &[u8]) -> Result<usize, ProtocolError> {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            if self.storage.connections[c].state == ConnState::Closing {
                // An element said so: what follows is of no interest, in this call as in the next.
                return Ok(bytes.len());
            }
            if self.storage.connections[c].expect == Expect::Head {
                let Some(head) = rest.first_chunk::<HEAD>() else { return Ok(used) };
                self.begin_frame(c, head)?;
                used += HEAD;
                continue;
            }
            let left = self.storage.connections[c].frame_left;
            let input = rest.get(..left as usize).unwrap_or(rest);
            match self.step(c, input)? {
                Some(step) => {
                    used += step;
                    // Where the step was the frame's end, this is the next frame's business.
                    let conn = &mut self.storage.connections[c];
                    conn.frame_left = conn.frame_left.saturating_sub(step as u32);
                }
                None if input.len() == left as usize => return Err(ProtocolError::Malformed),
                None => return Ok(used),
            }
        }
    }

    /// The head of an answer: it must belong to the oldest request (brokers answer in order).
    fn begin_frame(&mut self, c: usize, head: &[u8; HEAD]) -> Result<(), ProtocolError> {
        let [s0, s1, s2, s3, c0, c1, c2, c3] = *head;
        let size = u32::from_be_bytes([s0, s1, s2, s3]);
        let correlation = i32::from_be_bytes([c0, c1, c2, c3]);
        if !(4..=FRAME_MAX).contains(&size) {
            // A TLS alert begins with 15 03.
            return Err(ProtocolError::FrameSize { tls: s0 == 0x15 && s1 == 3 });
        }
        let conn = &mut self.storage.connections[c];
        conn.stray = UNANSWERED
            && !matches!(self.config.acks, Acks::All | Acks::Leader)
            && correlation.wrapping_sub(conn.oldest_correlation()) < 0;
        if conn.stray {
            // Event Hubs answers acks = 0; this one's request has made room for others meanwhile.
            conn.expect = Expect::Rest;
            conn.frame_left = size - 4;
            return Ok(());
        }
        while let Some(oldest) = conn.in_flight.first() {
            if conn.oldest_correlation() == correlation {
                break;
            }
            if oldest.is_awaited() {
                return Err(ProtocolError::Correlation);
            }
            conn.forget_oldest();
        }
        let Some(&InFlight { request, version, .. }) = conn.in_flight.first() else {
            return Err(ProtocolError::Correlation);
        };
        if conn.in_flight.len() == 1 && conn.cursor.is_some() {
            // An answer to a request that is not even written.
            return Err(ProtocolError::Correlation);
        }
        conn.expect = Expect::Rest;
        if let Some(decoder) = Decoder::of(request, i16::from(version)) {
            conn.expect = Expect::Element;
            conn.decoder = decoder;
        }
        conn.frame_left = size - 4;
        conn.topic = Link::NONE;
        conn.subject = Link::NONE;
        Ok(())
    }

    /// One step of the answer being read: the bytes used, or `None` when it needs more.
    fn step(&mut self, c: usize, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let conn = &mut self.storage.connections[c];
        if conn.expect == Expect::Rest {
            return Ok(self.pass_rest(c, input.len()));
        }
        let step = match conn.decoder.step(input) {
            Ok(step) => step,
            Err(Need::More) => return Ok(None),
            Err(Need::Bad) => return Err(ProtocolError::Malformed),
        };
        if let Some(event) = step.event {
            if event.is_end() {
                conn.expect = Expect::Rest;
                #[cfg(feature = "events")]
                self.note_answered(c);
            }
            self.take_event(c, event)?;
        }
        Ok(Some(step.used))
    }

    fn take_event(&mut self, c: usize, event: Event<'_>) -> Result<(), ProtocolError> {
        match event {
            Event::Metadata(event) => self.on_metadata(c, event),
            Event::InitProducerId(event) => self.on_producer_id(c, event),
            Event::Produce(event) => self.on_produce(c, event),
            #[cfg(any(feature = "api-versions", test))]
            Event::ApiVersions(event) => self.on_api_versions(c, event),
        }
    }

    /// Of the frame's rest `len` bytes are at hand: passes over them, or ends the frame.
    fn pass_rest(&mut self, c: usize, len: usize) -> Option<usize> {
        let now = self.now;
        let conn = &mut self.storage.connections[c];
        if len < conn.frame_left as usize {
            return (len > 0).then_some(len);
        }
        // The frame is complete only here: its request leaves the ring, its batches were let go by the last event.
        conn.expect = Expect::Head;
        if !UNANSWERED || !core::mem::take(&mut conn.stray) {
            conn.forget_oldest();
        }
        if conn.state == ConnState::Ready {
            // Before that it is the handshake's deadline: a second ApiVersions may follow.
            conn.since = now;
        }
        if !GREETS && let Some(broker) = conn.broker.get() {
            // What answers is a broker, and no open port.
            self.storage.brokers[broker].failures = 0;
        }
        // Room for another request; and somebody may be waiting for the whole slot.
        self.arrange_due |= CLUSTER && self.slot_wanted;
        self.wake = true;
        Some(len)
    }

    /// The broker asks for silence (KIP-219). It reads nothing meanwhile, so what is in flight gets that time on top.
    pub(crate) fn throttle(&mut self, c: usize, millis: i32) {
        let now = self.now;
        let Some(millis) = u32::try_from(millis).ok().filter(|millis| *millis > 0) else { return };
        let millis = millis.min(THROTTLE_MAX_MS);
        self.counters.throttled_ms.up(millis);
        #[cfg(feature = "events")]
        self.note_throttled(c, millis);
        let until = now.plus_millis(millis);
        let conn = &mut self.storage.connections[c];
        conn.muted_until = conn.muted_until.max(until);
        for sent in &mut conn.in_flight {
            sent.deadline = sent.deadline.plus_millis(millis);
        }
    }

    /// The connection is to be closed by the adapter; until it says so, what is in flight stays pinned.
    pub(crate) fn close_connection(&mut self, c: usize) {
        let conn = &mut self.storage.connections[c];
        if !matches!(conn.state, ConnState::Idle | ConnState::Closing) {
            conn.state = ConnState::Closing;
            self.wake = true;
        }
    }
}
