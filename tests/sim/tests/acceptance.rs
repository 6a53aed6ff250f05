//! What the acceptance tests share.

use klamm::{Config, ConfigError, Instant, Limits, Producer, Storage};
use klamm_sim::simulator::wire::PRODUCE;
use klamm_sim::simulator::{Sample, Scenario, Setup};

/// A day in milliseconds: longer than any timer of these tests.
pub(super) const DAY: u64 = 86_400_000;

/// Nothing goes by itself: linger without an end, and no delivery timeout.
pub(super) fn by_hand(setup: &mut Setup) {
    setup.config.policies.hold_full_batches = true;
    setup.config.linger_ms = u32::MAX;
    setup.config.delivery_timeout_ms = u32::MAX;
}

/// A producer without a network, for options that it has to refuse.
pub(super) fn refused(change: impl FnOnce(&mut Config<'static>)) -> Option<ConfigError> {
    let mut config = Config::new("node1:9092");
    change(&mut config);
    Producer::new(&config, Storage::boxed(&Limits::new()), 1, Instant::ZERO).err()
}

/// A small record; returns its number.
pub(super) fn small(s: &mut Scenario, partition: i32) -> u64 {
    let number = s.ledger.next();
    s.sample(partition, Sample::plain(number, 8))
}

pub(super) fn produces(s: &Scenario) -> u64 {
    s.observer.requests.get(&PRODUCE).copied().unwrap_or_default()
}

pub(super) fn flush(s: &mut Scenario) {
    let now = s.instant();
    s.producer().flush(now);
}

pub(super) fn pause(s: &mut Scenario, paused: bool) {
    let now = s.instant();
    s.producer().pause(paused, now);
}
