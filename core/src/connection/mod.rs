//! The connection slot: state, requests in flight, what is being written and read.

mod answer;
pub(crate) mod arrange;
#[cfg(any(feature = "api-versions", test))]
pub(crate) mod handshake;
pub(crate) mod receive;
pub(crate) mod transmit;

use answer::Decoder;
use heapless::Vec;

use crate::cluster::CLUSTER;
use crate::error_code::ErrorCode;
use crate::storage::list::{Link, List};
use crate::time::Instant;

/// Requests in flight: five Produce requests, or three where each is one batch, and one for control.
pub(crate) const IN_FLIGHT: usize = if CLUSTER { 6 } else { 4 };

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum ConnState {
    /// No broker.
    #[default]
    Idle = 0,
    /// Has a broker, is to be dialed.
    Wanted,
    Dialing,
    /// Open; `ApiVersions` is to be sent, or awaited.
    Handshake,
    Ready,
    /// To be closed by the adapter. Pins what is in flight until the adapter says that it is.
    Closing,
}

/// Are there requests that nobody has to answer?
pub(crate) const UNANSWERED: bool = cfg!(feature = "acks-0");

/// What a request in flight asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Request {
    ApiVersions = 0,
    Metadata,
    InitProducerId,
    Produce,
    /// A Produce with acks = 0 that is written: nobody has to answer it, but Azure Event Hubs does.
    Unacknowledged,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct InFlight {
    pub(crate) request: Request,
    pub(crate) version: i8,
    pub(crate) deadline: Instant,
    /// The batches of a Produce request, through their AUX links.
    pub(crate) batches: List,
    /// When it was made.
    #[cfg(feature = "events")]
    pub(crate) since: Instant,
}

impl InFlight {
    /// Does somebody have to answer it?
    pub(crate) fn is_awaited(&self) -> bool {
        !UNANSWERED || self.request != Request::Unacknowledged
    }
}

/// The frame being written. Its bytes stay where they are until it is complete or the connection is gone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor {
    /// Bytes written, and bytes of the whole frame.
    pub(crate) written: u32,
    pub(crate) len: u32,
    /// Produce: the batch that the next byte belongs to, and how many of its bytes are written. Else none: the frame
    /// lies in the connection's transmit memory.
    pub(crate) batch: Link,
    pub(crate) offset: u32,
}

/// How far the frame being read has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(crate) enum Expect {
    /// Size and correlation id.
    Head = 0,
    /// The next element of `decoder`.
    Element,
    /// The rest of the frame is of no interest.
    Rest,
}

/// The versions to use on a connection; -1 where there is none in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Versions {
    pub(crate) produce: i8,
    pub(crate) metadata: i8,
    pub(crate) init_producer_id: i8,
}

#[derive(Debug)]
#[repr(C)] // small fields first: a Cortex-M reaches them by short instructions
pub(crate) struct ConnSlot {
    pub(crate) state: ConnState,
    pub(crate) expect: Expect,
    pub(crate) versions: Versions,
    /// Handshake: the version of `ApiVersions` to send next, + 1; 0 once sent.
    pub(crate) hello_plus_1: u8,
    /// The newest version that the broker's answer to it offers; its error is below.
    pub(crate) offered_hello: i8,
    /// A metadata request, a producer id request shall go out here.
    pub(crate) ask_metadata: bool,
    pub(crate) ask_id: bool,
    /// The adapter was offered the frame being written: the peer may have got some of it.
    pub(crate) offered: bool,
    /// The answer being read is to a request that is in the ring no more: nobody had to answer it.
    pub(crate) stray: bool,
    /// Another broker waits for a slot: what is in flight is awaited, nothing more is sent.
    pub(crate) yields: bool,
    /// Produce requests sent, up to a turn.
    pub(crate) turn: u8,
    /// Closed because nobody needs it: no backoff, no metadata.
    pub(crate) retired: bool,
    pub(crate) broker: Link,
    /// Counts its incarnations.
    pub(crate) generation: u16,
    /// The error of the answer to `ApiVersions`.
    pub(crate) handshake_error: ErrorCode,
    /// Bytes kept of an unfinished element.
    pub(crate) kept: u16,
    /// While an answer is read: the topic slot, and the batch, that its next elements are about.
    pub(crate) topic: Link,
    pub(crate) subject: Link,
    pub(crate) next_correlation: i32,
    /// Bytes of the frame being read that have not been parsed.
    pub(crate) frame_left: u32,
    /// The broker asked not to be sent anything; 0: it did not.
    pub(crate) muted_until: Instant,
    /// The oldest first. Six at most, so taking that one out by moving the others is cheaper than a ring.
    pub(crate) in_flight: Vec<InFlight, IN_FLIGHT>,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) decoder: Decoder,
    /// While dialing or in the handshake: its deadline. Later: when it was last used.
    pub(crate) since: Instant,
}

impl ConnSlot {
    pub(crate) const EMPTY: Self = Self {
        state: ConnState::Idle,
        broker: Link::NONE,
        generation: 0,
        versions: Versions { produce: 0, metadata: 0, init_producer_id: 0 },
        hello_plus_1: 0,
        handshake_error: ErrorCode::NONE,
        offered_hello: 0,
        muted_until: Instant::ZERO,
        ask_metadata: false,
        ask_id: false,
        next_correlation: 0,
        in_flight: Vec::new(),
        cursor: None,
        offered: false,
        expect: Expect::Head,
        decoder: Decoder::START,
        kept: 0,
        frame_left: 0,
        topic: Link::NONE,
        subject: Link::NONE,
        stray: false,
        yields: false,
        turn: 0,
        retired: false,
        since: Instant::ZERO,
    };

    /// May a Produce request go out, as far as the connection is concerned?
    pub(crate) fn takes_produce(&self, max_in_flight: u8) -> bool {
        self.state == ConnState::Ready
            && !self.is_muted()
            && self.cursor.is_none()
            && !(CLUSTER && self.yields)
            && self.produces() < usize::from(max_in_flight).min(IN_FLIGHT - 1)
            && !self.is_full()
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.muted_until > Instant::ZERO
    }

    /// The id of the oldest request in flight, or else of the next one: they are given and taken out in order.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "six at most")]
    pub(crate) fn oldest_correlation(&self) -> i32 {
        self.next_correlation.wrapping_sub(self.in_flight.len() as i32)
    }

    /// Does it send Produce requests, but not now, for as many as may be are in flight?
    pub(crate) fn has_all(&self, max_in_flight: u8) -> bool {
        self.state == ConnState::Ready
            && !self.is_muted()
            && self.cursor.is_none()
            && !self.yields
            && !self.takes_produce(max_in_flight)
    }

    /// Is there a frame to go on with? One of which nothing is written waits while the broker asks for silence.
    pub(crate) fn is_writing(&self) -> bool {
        self.cursor.is_some_and(|cursor| cursor.written > 0 || !self.is_muted())
    }

    /// Is there no room for another request? Those that nobody has to answer make room.
    pub(crate) fn is_full(&self) -> bool {
        self.in_flight.is_full() && self.in_flight.first().is_none_or(InFlight::is_awaited)
    }

    /// Its answer is read, or nobody waits for one.
    pub(crate) fn forget_oldest(&mut self) {
        let mut free: Option<&mut InFlight> = None;
        for later in &mut self.in_flight {
            if let Some(free) = free {
                *free = *later;
            }
            free = Some(later);
        }
        self.in_flight.pop();
    }

    fn produces(&self) -> usize {
        self.in_flight.iter().filter(|sent| sent.request == Request::Produce).count()
    }

    /// Is nothing under way on it, in either direction?
    pub(crate) fn is_quiet(&self) -> bool {
        self.cursor.is_none()
            && !self.ask_metadata
            && !self.ask_id
            && !self.in_flight.iter().any(InFlight::is_awaited)
    }

    /// Forgets everything but its broker and generation.
    pub(crate) fn reset(&mut self) {
        let generation = self.generation;
        // All of it at once is cleared; field by field it would be copied from a constant in flash.
        *self = Self::EMPTY;
        self.generation = generation;
    }
}
