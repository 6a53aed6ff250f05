//! The calls of the core whose instructions are counted, one function each: `xtask` finds them by
//! their names, in this module. They are never inlined, and what they call counts as theirs. Each
//! begins with its name, for the compiler makes one function of two that do the same.

use core::convert::Infallible;
use core::hint::black_box;

use klamm::{
    ConnId, Demand, Destination, FlushTicket, Instant, Producer, Record, Report, Timer, TopicId,
};

/// A record for a partition that the caller names.
#[inline(never)]
pub(crate) fn append(p: &mut Producer<'_>, to: TopicId, index: i32, value: &[u8], now: Instant) {
    black_box("append");
    p.send(Destination::partition(to, index), &Record::value(value), now).expect("room");
}

/// A record that goes to the sticky partition.
#[inline(never)]
pub(crate) fn append_keyless(p: &mut Producer<'_>, to: TopicId, value: &[u8], now: Instant) {
    black_box("append_keyless");
    p.send(Destination::topic(to), &Record::value(value), now).expect("room");
}

/// A record whose key says where it goes.
#[inline(never)]
pub(crate) fn append_keyed(
    p: &mut Producer<'_>,
    to: TopicId,
    key: &[u8],
    value: &[u8],
    now: Instant,
) {
    black_box("append_keyed");
    p.send(Destination::topic(to), &Record::value(value).with_key(key), now).expect("room");
}

/// Batches have lingered: all of them become due.
#[inline(never)]
pub(crate) fn linger(p: &mut Producer<'_>, now: Instant) {
    black_box("linger");
    p.handle_timeout(now);
}

/// A flush: all batches become due.
#[inline(never)]
pub(crate) fn flush(p: &mut Producer<'_>, now: Instant) -> FlushTicket {
    black_box("flush");
    p.flush(now)
}

/// One request: numbers, checksums, heads, and the copy for the socket.
#[inline(never)]
pub(crate) fn drain(p: &mut Producer<'_>, conn: ConnId, room: &mut [u8], now: Instant) -> usize {
    black_box("drain");
    transmit(p, conn, room, now)
}

/// The same with batches that were sent before.
#[inline(never)]
pub(crate) fn resend(p: &mut Producer<'_>, conn: ConnId, room: &mut [u8], now: Instant) -> usize {
    black_box("resend");
    transmit(p, conn, room, now)
}

#[inline(always)]
pub(crate) fn transmit(p: &mut Producer<'_>, conn: ConnId, room: &mut [u8], now: Instant) -> usize {
    let copy = |bytes: &klamm::Transmit<'_>| Ok::<_, Infallible>(bytes.copy_to(room));
    let Ok(taken) = p.transmit_with(conn, now, copy);
    taken
}

/// The answer to a request: all of its batches are stored.
#[inline(never)]
pub(crate) fn respond(p: &mut Producer<'_>, conn: ConnId, bytes: &[u8], now: Instant) {
    black_box("respond");
    p.handle_received(conn, bytes, now).expect("a good answer");
}

/// The answer to a request: all of its batches are to be sent again.
#[inline(never)]
pub(crate) fn refuse(p: &mut Producer<'_>, conn: ConnId, bytes: &[u8], now: Instant) {
    black_box("refuse");
    p.handle_received(conn, bytes, now).expect("a good answer");
}

/// Metadata that says what was known.
#[inline(never)]
pub(crate) fn metadata(p: &mut Producer<'_>, conn: ConnId, bytes: &[u8], now: Instant) {
    black_box("metadata");
    p.handle_received(conn, bytes, now).expect("a good answer");
}

/// Backoffs are over.
#[inline(never)]
pub(crate) fn backoff(p: &mut Producer<'_>, now: Instant) {
    black_box("backoff");
    p.handle_timeout(now);
}

/// Delivery timeouts are over.
#[inline(never)]
pub(crate) fn expire(p: &mut Producer<'_>, now: Instant) {
    black_box("expire");
    p.handle_timeout(now);
}

/// One report.
#[inline(never)]
pub(crate) fn report(p: &mut Producer<'_>) -> Option<Report> {
    black_box("report");
    p.poll_report()
}

/// What an adapter asks each time it wakes, with nothing to do.
#[inline(never)]
pub(crate) fn turn(
    p: &mut Producer<'_>,
    conn: ConnId,
    now: Instant,
) -> (Demand, Option<(Instant, Timer)>, bool, bool) {
    black_box("turn");
    p.handle_timeout(now);
    (p.demand(conn), p.next_deadline(), p.take_wake(), p.peek_report().is_some())
}

/// Whether a flush is over, while it is not.
#[inline(never)]
pub(crate) fn flushed(p: &Producer<'_>, ticket: FlushTicket) -> bool {
    black_box("flushed");
    p.is_flushed(ticket)
}
