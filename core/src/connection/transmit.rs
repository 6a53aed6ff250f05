//! What goes out on a connection: one frame at a time, from where it lies, in as many writes as it takes.

use core::iter;

use super::{ConnState, Cursor, Expect, IN_FLIGHT, InFlight, Request, UNANSWERED};
use crate::batch::AUX;
use crate::cluster::CLUSTER;
use crate::producer::Producer;
use crate::storage::list::{self, Link, List};
use crate::storage::{Storage, Text, copy};
use crate::wire::api::{ApiKey, GREETS};
#[cfg(any(feature = "api-versions", test))]
use crate::wire::api_versions;
use crate::wire::writer::RequestHeader;
use crate::wire::{init_producer_id, metadata};

/// Bytes to be written, borrowed for the length of a `write` closure.
pub struct Transmit<'t> {
    storage: &'t Storage<'t>,
    conn: usize,
    cursor: Cursor,
}

impl<'t> Transmit<'t> {
    /// Bytes left of the frame being written.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        (self.cursor.len - self.cursor.written) as usize
    }

    /// The bytes as slices, in order, from where the last write ended: one for a control request, else one a batch.
    pub fn slices(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        let (storage, cursor) = (self.storage, self.cursor);
        let mut skip = cursor.offset as usize;
        let control = if cursor.batch.is_some() {
            None
        } else {
            let start = storage.tx(self.conn).start;
            let frame = start + cursor.written as usize..start + cursor.len as usize;
            storage.io.get(frame)
        };
        let mut at = cursor.batch.get();
        control.into_iter().chain(iter::from_fn(move || {
            let b = at?;
            at = if CLUSTER { list::next(&storage.batches, AUX, b) } else { None };
            let part = part(storage, b).get(skip..).unwrap_or_default();
            skip = 0;
            Some(part)
        }))
    }

    /// Copies as much as fits into `out`; returns how much. For transports without vectored writes.
    pub fn copy_to(&self, out: &mut [u8]) -> usize {
        let mut copied = 0;
        for slice in self.slices() {
            let room = out.get_mut(copied..).unwrap_or_default();
            let n = copy(room, slice);
            copied += n;
            if n < slice.len() {
                break;
            }
        }
        copied
    }
}

/// A batch with the heads before it and the tags behind it.
fn part<'s>(storage: &'s Storage<'_>, b: usize) -> &'s [u8] {
    let batch = &storage.batches[b];
    let start = storage.batch_start(batch.chunk);
    let end = start + batch.size as usize + usize::from(batch.tail);
    storage.chunks.get(start - usize::from(batch.head)..end).unwrap_or_default()
}

/// A link that takes less than 32 KiB a second is as good as none.
#[cfg(feature = "grow")]
const MICROS_A_BYTE: u64 = 30;

impl Producer<'_> {
    /// Is there a frame to write, or can one be made? At most one is, so the work is bounded.
    #[cfg_attr(target_os = "none", inline(never))] // once, not in each `transmit_with`
    pub(crate) fn prepare(&mut self, c: usize) -> bool {
        let conn = &self.storage.connections[c];
        if conn.cursor.is_some() {
            return conn.state != ConnState::Closing && conn.is_writing();
        }
        match conn.state {
            ConnState::Handshake if GREETS && conn.hello_plus_1 > 0 => {
                let version = i16::from(conn.hello_plus_1) - 1;
                self.storage.connections[c].hello_plus_1 = 0;
                self.send_control(c, Request::ApiVersions, version)
            }
            ConnState::Ready if !conn.is_muted() && !conn.is_full() => {
                let (id, metadata) = (conn.ask_id, conn.ask_metadata);
                let versions = conn.versions;
                if id {
                    self.storage.connections[c].ask_id = false;
                    self.send_control(
                        c,
                        Request::InitProducerId,
                        i16::from(versions.init_producer_id),
                    )
                } else if metadata {
                    self.storage.connections[c].ask_metadata = false;
                    self.send_control(c, Request::Metadata, i16::from(versions.metadata))
                } else {
                    let max = self.config.max_in_flight_requests_per_connection;
                    self.storage.connections[c].takes_produce(max) && self.build_produce(c)
                }
            }
            _ => false,
        }
    }

    /// Writes a control request into the connection's transmit memory.
    #[allow(clippy::cast_possible_truncation, reason = "no larger than the transmit memory")]
    fn send_control(&mut self, c: usize, request: Request, version: i16) -> bool {
        let correlation = self.storage.connections[c].next_correlation;
        let mut io = core::mem::take(&mut self.storage.io);
        let client_id = self.storage.text_bytes(Text::ClientId, self.client_id_len);
        let header = |api: ApiKey| {
            let version = api.spoken(version);
            RequestHeader { api, version, correlation, client_id }
        };
        let out = io.get_mut(self.storage.tx(c)).unwrap_or_default();
        let len = match request {
            #[cfg(not(any(feature = "api-versions", test)))]
            Request::ApiVersions => None,
            #[cfg(any(feature = "api-versions", test))]
            Request::ApiVersions => {
                api_versions::write(&header(ApiKey::ApiVersions), out).map(|len| (len, 0))
            }
            Request::InitProducerId => {
                let fresh = init_producer_id::Request::FRESH;
                init_producer_id::write(&header(ApiKey::InitProducerId), &fresh, out)
                    .map(|len| (len, 0))
            }
            Request::Metadata => self.write_metadata(&header(ApiKey::Metadata), out),
            Request::Produce | Request::Unacknowledged => None,
        };
        self.storage.io = io;
        let Some((len, topics)) = len else {
            // Only with texts that fill the transmit memory. To ask nobody, and wait for an answer, would be worse.
            self.close_connection(c);
            return false;
        };
        for topic in self.storage.topics.iter_mut().filter(|topic| topic.wanted).take(topics) {
            topic.wanted = false;
        }
        self.begin_request(c, request, version, List::EMPTY);
        self.put_cursor(c, len as u32, Link::NONE);
        true
    }

    /// Queues the request for its answer; returns its correlation id.
    #[allow(clippy::cast_possible_truncation, reason = "versions are below 128")]
    pub(crate) fn begin_request(
        &mut self,
        c: usize,
        request: Request,
        version: i16,
        batches: List,
    ) -> i32 {
        let now = self.now;
        let deadline = now.plus_millis(self.config.request_timeout_ms);
        let conn = &mut self.storage.connections[c];
        let correlation = conn.next_correlation;
        conn.next_correlation = correlation.wrapping_add(1);
        conn.since = now;
        let entry = InFlight {
            request,
            version: version as i8,
            deadline,
            batches,
            #[cfg(feature = "events")]
            since: now,
        };
        if UNANSWERED && conn.in_flight.len() == IN_FLIGHT {
            // `is_full` said no: the oldest is one that nobody has to answer.
            conn.forget_oldest();
            conn.stray |= conn.expect != Expect::Head;
        }
        let queued = conn.in_flight.push(entry);
        debug_assert!(queued.is_ok(), "room was made");
        #[cfg(feature = "events")]
        self.tally(c, |traffic| traffic.requests += 1);
        correlation
    }

    pub(crate) fn put_cursor(&mut self, c: usize, len: u32, batch: Link) {
        let cursor = Cursor { written: 0, len, batch, offset: 0 };
        let conn = &mut self.storage.connections[c];
        conn.cursor = Some(cursor);
        conn.offered = false;
    }

    /// Offers what is left of the frame to `write`, and commits what it took.
    pub(crate) fn offer<E>(
        &mut self,
        c: usize,
        write: impl FnOnce(&Transmit<'_>) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let conn = &mut self.storage.connections[c];
        let Some(cursor) = conn.cursor else { return Ok(0) };
        // From here on the peer may have got some of it, whatever `write` says.
        conn.offered = true;
        let transmit = Transmit { conn: c, cursor, storage: &self.storage };
        let left = transmit.len();
        let written = write(&transmit)?.min(left);
        self.commit(c, written);
        Ok(written)
    }

    #[allow(clippy::cast_possible_truncation, reason = "`written` is at most what was left")]
    #[cfg_attr(target_os = "none", inline(never))]
    fn commit(&mut self, c: usize, written: usize) {
        let now = self.now;
        #[cfg(feature = "events")]
        self.tally(c, |traffic| traffic.bytes_sent += written as u64);
        let conn = &mut self.storage.connections[c];
        let Some(mut cursor) = conn.cursor else { return };
        #[cfg(feature = "grow")]
        if let Some(sent) = conn.in_flight.last_mut() {
            // A link that takes its time for a large request is not a broker that does not answer: such time does not
            // count, but neither does a peer hold the request for ever that takes a byte now and then.
            let worth = written as u64 * MICROS_A_BYTE;
            sent.deadline = sent.deadline.plus_micros(now.micros_since(conn.since).min(worth));
        }
        conn.since = now;
        cursor.written += written as u32;
        if cursor.written == cursor.len {
            conn.cursor = None;
            #[cfg(feature = "acks-0")]
            if self.config.acks == crate::Acks::None && cursor.batch.is_some() {
                self.end_unacknowledged(c);
            }
            return;
        }
        cursor.offset += written as u32;
        while let Some(b) = cursor.batch.get().filter(|_| CLUSTER) {
            let len = part(&self.storage, b).len() as u32;
            if cursor.offset < len {
                break;
            }
            cursor.offset -= len;
            cursor.batch = list::following(&self.storage.batches, AUX, b);
        }
        self.storage.connections[c].cursor = Some(cursor);
    }

    #[cfg(feature = "acks-0")]
    fn end_unacknowledged(&mut self, c: usize) {
        let conn = &mut self.storage.connections[c];
        if let Some(written) = conn.in_flight.last_mut() {
            written.request = Request::Unacknowledged;
            let batches = core::mem::take(&mut written.batches);
            self.finish_unacknowledged(batches);
            // No answer comes that would say so: another broker may wait for this slot.
            self.arrange_due |= self.slot_wanted;
        }
    }

    /// Metadata for as many of the wanted topics as fit; returns the length, and how many that are.
    fn write_metadata(&self, header: &RequestHeader<'_>, out: &mut [u8]) -> Option<(usize, usize)> {
        let wanted = || self.storage.topics.iter().enumerate().filter(|(_, topic)| topic.wanted);
        let mut count = if CLUSTER { wanted().count() } else { 1 };
        loop {
            let asked = wanted().take(count).map(|(t, topic)| {
                metadata::Ask::Name(self.storage.text_bytes(Text::Name(t), topic.name_len))
            });
            let auto_create = self.config.allow_auto_create_topics;
            if let Some(len) = metadata::write(header, asked, auto_create, out) {
                return Some((len, count));
            }
            // Halving keeps it linear; what is left is asked for when the answer has come.
            count = Some(count / 2).filter(|count| *count > 0)?;
        }
    }
}
