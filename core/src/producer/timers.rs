//! Time: what has come due, and what comes next. Lists are in order of time, so both are O(1) in partitions and
//! batches; connections are few.

use super::{Producer, Timer};
use crate::batch::AGE;
use crate::cluster::CLUSTER;
use crate::connection::{ConnSlot, ConnState};
use crate::partition::{Place, WAIT};
use crate::storage::list;
use crate::time::{Instant, Timestamp, deadline};

/// Levels of the exponential backoff that have lists of their own.
pub(crate) const BACKOFF_LEVELS: usize = if CLUSTER { 8 } else { 4 };

impl Producer<'_> {
    /// Time only moves forward, whatever the adapter's clock does.
    pub(crate) fn advance(&mut self, now: Instant) -> Instant {
        let gap = now.micros_since(self.now);
        if gap > u64::from(self.config.request_timeout_ms) * 1_000
            && self.earliest().is_some_and(|(at, _)| at < now)
        {
            // Nobody came when it was due: a device has slept.
            self.slept_from = self.now;
            self.woke = now;
            self.asleep = self.asleep.saturating_add(units(gap));
        }
        self.now = self.now.max(now);
        self.now
    }

    /// A deadline has come up. Where adapters do not say until when they sleep, that is news in any case.
    pub(super) fn wake_for(&mut self, deadline: impl FnOnce(&Self) -> Instant) {
        #[cfg(feature = "alloc")]
        {
            self.wake_at = self.wake_at.min(deadline(self));
        }
        #[cfg(not(feature = "alloc"))]
        {
            let _ = deadline;
            self.wake = true;
        }
    }

    pub(crate) fn expire(&mut self) {
        let now = self.now;
        if self.clock_due <= now && self.clock.is_none() {
            self.set_clock(Timestamp::from_millis(0), Instant::ZERO);
        }
        while let Some(b) = self.linger.head().filter(|&b| self.linger_end(b) <= now) {
            self.make_due(b);
        }
        #[cfg(feature = "policies")]
        self.expire_interval();
        for level in 0..BACKOFF_LEVELS {
            while let Some(p) = self.backoff[level].head() {
                if self.round_begins(p) > now {
                    break;
                }
                self.leave_place(p);
                self.refile(p);
            }
        }
        while let Some(b) = self.age_cursor.get().filter(|&b| self.delivery_end(b) <= now) {
            self.age_cursor = list::following(&self.storage.batches, AGE, b);
            self.storage.batches[b].expired = true;
            let p = usize::from(self.storage.batches[b].partition);
            // No new batch joins a request behind an expired head.
            self.settle_partition(p);
        }
        for c in 0..self.storage.connections.len() {
            self.expire_connection(c);
        }
        let redial = self.redial_at <= now;
        if self.arrange_due || redial || self.wants_metadata() || self.wants_id() {
            self.arrange();
        }
    }

    fn expire_connection(&mut self, c: usize) {
        let now = self.now;
        let conn = &mut self.storage.connections[c];
        if conn.is_muted() && conn.muted_until <= now {
            conn.muted_until = Instant::ZERO;
            self.wake = true;
        }
        let conn = &self.storage.connections[c];
        if self.closes_at(conn) > now {
            return;
        }
        // A connection that was only idle goes without a word: no backoff, no metadata.
        let idle = conn.state == ConnState::Ready && oldest_deadline(conn).is_none();
        self.storage.connections[c].retired = idle;
        self.close_connection(c);
    }

    /// When the connection is given up: setup or request timeout, or idle for too long.
    fn closes_at(&self, conn: &ConnSlot) -> Instant {
        let idle = match conn.state {
            ConnState::Dialing => return conn.since,
            ConnState::Handshake => 0,
            ConnState::Ready => self.config.connections_max_idle_ms,
            ConnState::Idle | ConnState::Wanted | ConnState::Closing => return Instant::FAR,
        };
        oldest_deadline(conn).unwrap_or_else(|| conn.since.plus_millis(idle))
    }

    pub(super) fn linger_end(&self, b: usize) -> Instant {
        deadline(self.storage.batches[b].opened, self.config.linger_ms)
    }

    /// When the batch is given up. One that had less than a request timeout before the last jump in time gets that once
    /// more: a device that slept an hour tries before it gives up.
    pub(super) fn delivery_end(&self, b: usize) -> Instant {
        let batch = &self.storage.batches[b];
        let end = deadline(batch.opened, self.config.delivery_timeout_ms);
        let timeout = self.config.request_timeout_ms;
        let life = units(self.woke.micros_since(batch.opened));
        let asleep = self.asleep - batch.asleep;
        let tried = life.saturating_sub(asleep) >= units(u64::from(timeout) * 1_000);
        if batch.opened > self.slept_from || tried {
            return end;
        }
        end.max(self.woke.plus_millis(timeout))
    }

    /// When the partition sends again: after its backoff, and what was asked for metadata, which may name another
    /// leader (rule 1), is answered; for that it waits no longer than one more backoff.
    fn round_begins(&self, p: usize) -> Instant {
        let retry_at = self.storage.partitions[p].retry_at;
        let more = if self.metadata.asked { self.config.retry_backoff_max_ms } else { 0 };
        retry_at.plus_millis(more)
    }

    /// Puts the partition into the backoff list of its level. A list stays in order of time because a level's waits
    /// differ by the jitter alone, and never end before that of the one ahead.
    pub(crate) fn wait_until(&mut self, p: usize, failures: u8, until: Instant) {
        let level = usize::from(failures).min(BACKOFF_LEVELS - 1);
        let list = &mut self.backoff[level];
        let ahead =
            list.tail().get().map_or(Instant::ZERO, |last| self.storage.partitions[last].retry_at);
        let partition = &mut self.storage.partitions[p];
        partition.retry_at = until.max(ahead);
        #[allow(clippy::cast_possible_truncation, reason = "below BACKOFF_LEVELS")]
        {
            partition.place = Place::Backoff(level as u8);
        }
        list.push_back(&mut self.storage.partitions, WAIT, p);
        self.wake = true;
    }

    pub(crate) fn earliest(&self) -> Option<(Instant, Timer)> {
        let mut next = Next { at: Instant::FAR, timer: Timer::Linger };
        if let Some(b) = self.linger.head() {
            next.consider(Timer::Linger, self.linger_end(b));
        }
        #[cfg(feature = "policies")]
        next.consider(Timer::Linger, self.interval_end().unwrap_or(Instant::FAR));
        if let Some(b) = self.age_cursor.get() {
            next.consider(Timer::Delivery, self.delivery_end(b));
        }
        for list in &self.backoff {
            if let Some(p) = list.head() {
                next.consider(Timer::Retry, self.round_begins(p));
            }
        }
        for conn in self.storage.connections.iter() {
            if conn.is_muted() {
                next.consider(Timer::Connection, conn.muted_until);
            }
            next.consider(Timer::Connection, self.closes_at(conn));
        }
        next.consider(Timer::Connection, self.redial_at);
        if self.clock.is_none() {
            next.consider(Timer::Linger, self.clock_due);
        }
        if self.topics_used > 0 && !self.metadata.asked {
            if self.metadata.needed {
                next.consider_after(Timer::Metadata, self.now, self.metadata.not_before);
            }
            let due = self.metadata.due.max(self.metadata.not_before);
            next.consider_after(Timer::Metadata, self.now, due);
        }
        if self.identity.is_wanted() && self.topics_used > 0 {
            next.consider_after(Timer::Metadata, self.now, self.identity.not_before);
        }
        if self.arrange_due {
            next.consider(Timer::Connection, self.now);
        }
        (next.at < Instant::FAR).then_some((next.at, next.timer))
    }
}

/// The earliest of the moments considered; `Instant::FAR` if there was none.
struct Next {
    at: Instant,
    timer: Timer,
}

impl Next {
    #[cfg_attr(target_os = "none", inline(never))]
    fn consider(&mut self, timer: Timer, at: Instant) {
        if at < self.at {
            *self = Self { at, timer };
        }
    }

    /// What is not after `now` waits for something else.
    fn consider_after(&mut self, timer: Timer, now: Instant, at: Instant) {
        if now < at {
            self.consider(timer, at);
        }
    }
}

/// Time for which 32 bits are enough: units of 1,024 microseconds.
#[allow(clippy::cast_possible_truncation, reason = "clamped")]
fn units(micros: u64) -> u32 {
    (micros >> 10).min(u64::from(u32::MAX)) as u32
}

/// Deadline of the oldest request that has to be answered.
fn oldest_deadline(conn: &ConnSlot) -> Option<Instant> {
    let mut waiting = conn.in_flight.iter().filter(|sent| sent.is_awaited());
    waiting.next().map(|sent| sent.deadline)
}
