//! Jumps in time, and records before the clock is set.

use klamm::{Reason, Timestamp};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Scenario, Setup};

use super::acceptance::{pause, small};

/// A device that slept an hour tries before it gives up.
#[test]
fn after_a_jump_in_time_a_batch_gets_its_try() {
    for asleep in [3_600_000, 21_000] {
        let mut s = Scenario::start(1, 1);
        s.warm_up(0..1);
        let records = s.batches(0, 2);
        s.sleep(asleep);
        s.run_until_reported(10_000);
        assert!(s.all_delivered(records), "after {asleep} ms");
        s.finish();
    }
}

/// Many short turns awake add up, and an hour asleep is none.
#[test]
fn jumps_in_time_do_not_count_as_tries() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    let node = s.leader(0);
    s.network.set_reachable(node, false);
    let now = s.now();
    s.cluster.kill(node, now).expect("it is up");
    let record = s.batch(0);
    let mut turns = 0;
    while s.fate(record).is_none() {
        s.run(1_200);
        s.sleep(3_600_000);
        turns += 1;
        assert!(turns < 10);
    }
    // Twice 1,200 ms are more than the 2 seconds of a request timeout: only time between calls counts.
    assert!(turns >= 3, "{turns}");
    assert!(matches!(s.fate(record), Some(Fate::Unknown(_) | Fate::NotPersisted(_))));
    let now = s.now();
    s.cluster.start(node, now).expect("it is down");
    s.network.set_reachable(node, true);
    s.finish();
}

/// Without a jump nothing changes: a deadline is a deadline.
#[test]
fn an_honest_wait_is_no_jump() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    pause(&mut s, true);
    let (record, before) = (s.batch(0), s.now());
    assert!(s.run_for(60_000, |s| s.ledger.unreported() == 0));
    assert!(matches!(s.fate(record), Some(Fate::NotPersisted(Reason::TimedOut { .. }))));
    assert_eq!(s.now() - before, 20_000_000);
    s.finish();
}

fn clockless(wait_ms: u32) -> Setup {
    let mut setup = Scenario::setup(1, 1);
    setup.clock = false;
    setup.config.clock_wait_ms = wait_ms;
    setup.config.delivery_timeout_ms = 60_000;
    setup
}

fn timestamps(s: &Scenario) -> Vec<i64> {
    s.cluster.log(TOPIC, 0).map(|record| record.timestamp).collect()
}

#[test]
fn records_wait_for_the_clock_and_get_the_time_of_their_acceptance() {
    let mut s = Scenario::new(clockless(u32::MAX));
    small(&mut s, 0);
    s.run(7_000);
    small(&mut s, 0);
    s.run(7_000);
    assert_eq!(s.log(0).len(), 0);
    let at = s.instant();
    s.producer().set_clock(Timestamp::from_millis(1_700_000_014_000), at);
    s.run_until_reported(5_000);
    assert_eq!(timestamps(&s), [1_700_000_000_000, 1_700_000_007_000]);
    s.finish();
}

#[test]
fn the_wait_for_the_clock_may_have_an_end() {
    let mut s = Scenario::new(clockless(10_000));
    // The clock of the simulation starts at 1 s.
    small(&mut s, 0);
    s.run(9_900);
    assert_eq!(s.log(0).len(), 0);
    s.run(200);
    assert_eq!(timestamps(&s), [1_000]);
    let at = s.instant();
    s.producer().set_clock(Timestamp::from_millis(1_700_000_000_000), at);
    small(&mut s, 0);
    s.run_until_reported(5_000);
    assert_eq!(timestamps(&s), [1_000, 1_700_000_000_000]);
    s.finish();
}
