//! The promises: at every step, when all is calm, and at the end.

use std::collections::BTreeSet;

use klamm::{Demand, Reason, Timer};

use super::logs::{Guarantee, Logs};
use super::{Checked, Fate, Kind, Simulation};

/// Steps without time passing before the run counts as a busy loop.
const STEPS_AT_ONCE: u32 = 5_000;
/// Steps from one look at all figures to the next.
const FIGURES_EVERY: u64 = 16;

impl Simulation {
    /// Ends all faults and lets time pass until every record has its outcome and its report was
    /// read.
    ///
    /// # Errors
    /// When it takes longer than the delivery timeout, one request and one backoff, or a promise is
    /// broken.
    pub fn settle(&mut self) -> Checked {
        self.next_fault = None;
        self.heal();
        self.resume();
        let calm = self.now;
        self.user.deaf_until = 0;
        self.user.echoes = false;
        let config = &self.setup.config;
        let wait = u64::from(config.delivery_timeout_ms)
            + u64::from(config.request_timeout_ms)
            + u64::from(config.retry_backoff_max_ms);
        let network = 20 * (self.setup.network.latency + self.setup.network.jitter);
        let end = self.now.saturating_add(wait * 1_000 + network);
        let now = self.instant();
        self.ticket = Some(self.producer.flush(now));
        while self.ledger.unreported() > 0 {
            let more = self.step()?;
            let stats = self.producer.stats();
            // A broker that throttles gets that time on top of each request's.
            let end = end.saturating_add(stats.throttled_ms * 1_000);
            if self.ledger.unreported() > 0 && (!more || self.now > end) {
                let waits = self.ledger.entries().iter().find(|e| e.fate.is_none());
                return Err(format!("no outcome in time for {waits:?}: {stats:?}"));
            }
        }
        self.check_flushed()?;
        self.check_in_time(calm)
    }

    /// Without faults since `calm` and with time enough until its deadline, no record may time out.
    fn check_in_time(&self, calm: u64) -> Checked {
        let (config, network) = (&self.setup.config, &self.network.conditions);
        let splits = self.setup.faults.contains(&Kind::SmallerLimit);
        let fast = network.window >= 4_000 && network.piece >= 60 && network.latency <= 1_000;
        let repair = 4 * u64::from(config.request_timeout_ms)
            + u64::from(config.socket_connection_setup_timeout_ms)
            + 5 * u64::from(config.retry_backoff_max_ms.max(config.reconnect_backoff_max_ms));
        let delivery = u64::from(config.delivery_timeout_ms) * 1_000;
        let mut stuck = BTreeSet::new();
        for entry in self.ledger.entries().iter().filter(|_| fast) {
            let place = (&entry.topic, entry.partition);
            // With 45 it is what stood behind a batch that was given up before. And parts of a
            // batch that may be in the log take a chunk each, which a full memory may not have
            // (rule 9, seed 8396): they wait, and so does what is behind them.
            let timed_out = match entry.fate {
                Some(Fate::NotPersisted(Reason::TimedOut { .. })) => !stuck.contains(&place),
                Some(Fate::Unknown(Reason::TimedOut { .. })) if splits => {
                    stuck.insert(place);
                    false
                }
                Some(Fate::Unknown(Reason::TimedOut { last })) => last.0 != 45,
                _ => false,
            };
            let deadline = entry.opened.saturating_add(delivery);
            if timed_out && deadline > calm.max(entry.opened).saturating_add(repair * 1_000) {
                let leader = self.cluster.leader(&entry.topic, entry.partition.unwrap_or(0));
                if leader.is_none() {
                    // Re-created while its replicas were down: nobody could have delivered it.
                    continue;
                }
                return Err(format!(
                    "timed out in calm since {calm}: {entry:?}, led by {leader:?}"
                ));
            }
        }
        Ok(())
    }

    /// Closes the producer, and checks everything.
    ///
    /// # Errors
    /// When a promise is broken.
    pub fn finish(&mut self) -> Checked {
        self.check_memory()?;
        self.closed = true;
        let now = self.instant();
        self.producer.close(now);
        self.settle()?;
        let late = self.now + 60_000_000;
        while self.now < late && self.step()? {}
        self.ledger.check_complete(&self.producer.stats())?;
        self.events.check(&self.producer)?;
        self.events.check_complete()?;
        let guarantee = match self.setup.config.acks {
            klamm::Acks::None => Guarantee::Written,
            _ if self.setup.is_idempotent() => Guarantee::ExactlyOnce,
            _ => Guarantee::Acknowledged,
        };
        let logs = Logs::new(&self.cluster, &self.observer, guarantee);
        logs.check(&self.ledger)
    }

    fn check_flushed(&self) -> Checked {
        match self.ticket {
            Some(ticket) if !self.producer.is_flushed(ticket) => {
                Err(format!("flush does not end: {:?}", self.producer.stats()))
            }
            _ => Ok(()),
        }
    }

    /// The invariants of every step.
    pub(super) fn check(&mut self, progress: bool) -> Checked {
        let now = self.instant();
        let stats = self.producer.stats();
        if !self.setup.hands_off {
            self.ledger.check_stats(&stats)?;
            self.events.drain(&mut self.producer, &self.ledger)?;
            if self.steps.is_multiple_of(FIGURES_EVERY) {
                self.events.check(&self.producer)?;
            }
        }
        let held = self.ledger.held();
        // What was dropped has given its memory away, and is only still to be reported.
        if stats.dropped == 0 && held > u64::from(self.setup.limits.buffer_memory) {
            return Err(format!("{held} bytes are held in {:?}", self.setup.limits));
        }
        let timer = self.producer.next_deadline().map(|(_, timer)| timer);
        if stats.buffered == 0 && matches!(timer, Some(Timer::Linger | Timer::Delivery)) {
            return Err(format!("nothing is buffered, and {timer:?} waits"));
        }
        let due = self.producer.next_deadline().filter(|(at, _)| *at <= now);
        if let Some((_, timer)) = due.filter(|_| !progress) {
            // Time stood still and nothing happened, so it would be due again for ever.
            self.producer.handle_timeout(now);
            let still = self.producer.next_deadline();
            let acts = self.conns.iter().any(|c| self.producer.demand(*c) == Demand::Connect);
            if still.is_some_and(|(at, _)| at <= now) && !acts {
                return Err(format!("a busy loop: {timer:?} is due and stays due"));
            }
        }
        if self.steps_at_once > STEPS_AT_ONCE {
            return Err("a busy loop: time does not pass".into());
        }
        Ok(())
    }
}
