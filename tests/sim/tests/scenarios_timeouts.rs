//! Bugs that other producers had with timers, replayed on klamm. (52, 56 and 67 are in `scenarios_other.rs`.)

use std::collections::BTreeSet;

use klamm::{FlushTicket, Instant};
use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::dice::Dice;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Kind, Sample, Scenario, Setup, Way};

pub(super) fn flush(s: &mut Scenario) -> FlushTicket {
    let now = Instant::from_micros(s.now());
    s.producer().flush(now)
}

/// Turns of the simulation in a minute.
fn steps_in_a_minute(s: &mut Scenario) -> u32 {
    let end = s.now() + 60_000_000;
    let mut steps = 0;
    while s.now() < end && s.step().expect("no promise is broken") {
        steps += 1;
    }
    steps
}

/// A small record, which shares its batch.
pub(super) fn small(s: &mut Scenario, partition: i32) -> u64 {
    let sample = Sample::plain(s.ledger.next(), 20);
    s.sample(partition, sample)
}

/// KAFKA-3155, 8134: now plus the longest linger there is overflows, and is in the past.
#[test]
fn s53_kafka_3155_the_longest_times_do_not_overflow() {
    // The end of the clock is two days away: every longer time is never.
    for start in [0, 1 << 62, u64::MAX - 172_800_000_000] {
        let mut setup = Scenario::setup(1, 1);
        setup.start = start;
        let config = &mut setup.config;
        config.linger_ms = u32::MAX;
        config.delivery_timeout_ms = u32::MAX;
        config.metadata_max_age_ms = u32::MAX;
        config.connections_max_idle_ms = u32::MAX;
        config.request_timeout_ms = i32::MAX.cast_unsigned();
        config.retry_backoff_max_ms = u32::MAX;
        let mut s = Scenario::new(setup);
        let record = small(&mut s, 0);
        s.run(86_400_000);
        assert_eq!(s.fate(record), None, "start {start}: it lingers");
        assert!(s.sent(0).is_empty(), "start {start}: it lingers");
        let ticket = flush(&mut s);
        s.run_until_reported(1_000);
        assert!(s.producer().is_flushed(ticket), "start {start}");
        assert!(s.all_delivered(record..record + 1), "start {start}");
    }
}

/// librdkafka 1.6.0, 1.7.0: flush says that time is up though everything is delivered, when the
/// last answer comes at the last moment.
#[test]
fn s57_librdkafka_flush_is_done_with_the_last_answer() {
    for late in -2_i64..=2 {
        let mut setup = Scenario::setup(1, 2);
        setup.config.request_timeout_ms = 4_000;
        setup.config.delivery_timeout_ms = 4_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..2);
        s.produce_faults(1, Fault::Error(19), u32::MAX);
        // There and back take a millisecond.
        let delay = 4_000_000 - 1_000 + late;
        s.produce_fault(0, Fault::Delay(delay.try_into().expect("positive")));
        let began = s.now();
        let record = s.batch(0);
        let ticket = flush(&mut s);
        // What is accepted later does not count, and is not done in time.
        s.run(10);
        s.batch(1);
        let before = s.run_for(3_980, |s| s.producer().is_flushed(ticket));
        assert!(!before, "{late} us");
        assert!(s.run_for(5_000, |s| s.producer().is_flushed(ticket)), "{late} us");
        let ended = s.now() - began;
        s.run(1);
        // An answer that is there when its time is up counts; afterwards the connection was given up.
        let delivered = matches!(s.fate(record), Some(Fate::Delivered(_)));
        let in_time = late <= 0;
        assert_eq!(delivered, in_time, "{late} us: {:?}", s.fate(record));
        assert_eq!(ended, 4_000_000_u64.saturating_add_signed(late.min(0)), "{late} us");
        s.finish();
    }
}

/// librdkafka 2912, 5032: wakeups that are left to a timer of a second.
#[test]
fn s58_librdkafka_2912_nothing_waits_for_a_timer_in_a_quiet_net() {
    const ROUND_TRIP: u64 = 2 * 500;
    for linger_ms in [0, 7] {
        let mut setup = Scenario::setup(3, 6);
        setup.config.linger_ms = linger_ms;
        let mut s = Scenario::new(setup);
        s.warm_up(0..6);
        let first = s.ledger.next();
        for round in 0..300_u64 {
            for partition in 0..6 {
                if (round * 7 + u64::try_from(partition).expect("not negative")) % 3 == 0 {
                    small(&mut s, partition);
                }
            }
            // Some rounds in quick succession, some after a pause.
            s.run(if round % 10 == 0 { 1_700 } else { round % 23 });
        }
        s.run_until_reported(10_000);
        let linger = u64::from(linger_ms) * 1_000;
        for exchange in &s.observer.exchanges {
            let number = exchange.batch.numbers[0];
            if number < first {
                continue;
            }
            let opened = s.ledger.entry(number).expect("it was sent").opened;
            let answered = exchange.answer.expect("it is delivered").0;
            assert!(answered - opened <= linger + ROUND_TRIP, "record {number}: {exchange:?}");
        }
        s.finish();
    }
}

/// The same for the adapter's thread: what an application's call makes possible wakes it, and a record that changes
/// nothing for it does not, unless its deadline is the earliest.
#[test]
fn s58_librdkafka_2912_a_call_wakes_whoever_drives() {
    use klamm::Demand;
    for linger_ms in [0, 50] {
        let mut setup = Scenario::setup(3, 6);
        setup.config.linger_ms = linger_ms;
        setup.limits.connections = 2;
        let mut s = Scenario::new(setup);
        let conns = s.conns().to_vec();
        let wants = |s: &mut Scenario| {
            let producer = s.producer();
            let acts = [Demand::Connect, Demand::Transmit, Demand::Close];
            let demands = conns.iter().map(|c| producer.demand(*c));
            let acts: Vec<bool> = demands.map(|d| acts.contains(&d)).collect();
            (acts, producer.next_deadline().map_or(Instant::FAR, |(at, _)| at))
        };
        let mut dice = Dice::new(11);
        let (mut woken, mut in_vain) = (0, 0);
        for _ in 0..3_000 {
            for _ in 0..dice.below(6) {
                s.step().expect("no promise is broken");
            }
            s.producer().take_wake();
            let before = wants(&mut s);
            match dice.below(40) {
                0 => _ = flush(&mut s),
                1 => {
                    let now = Instant::from_micros(s.now());
                    s.producer().purge(klamm::Scope::ALL, now);
                }
                _ => {
                    let sample = Sample::plain(s.ledger.next(), dice.pick(&[20, 200]));
                    let partition = dice.pick(&[0, 1, 2, 3, 4, 5]);
                    // Full is as good an answer.
                    let _ = s.offer(partition, sample);
                }
            }
            let after = wants(&mut s);
            let more = after.0.iter().zip(&before.0).any(|(now, then)| *now && !then);
            let wake = s.producer().take_wake_before(before.1);
            if more || after.1 < before.1 {
                assert!(wake, "{before:?}, then {after:?}");
                woken += 1;
            } else if wake {
                in_vain += 1;
            }
        }
        assert!(woken > 100, "{woken}");
        assert!(in_vain * 4 < woken, "{in_vain} of {woken}");
        s.run_until_reported(30_000);
        s.finish();
    }
}

/// The same where the leader moves: the old one names the new one, and no timer is waited for.
#[test]
fn s58_librdkafka_5032_a_moved_leader_costs_a_few_round_trips() {
    let mut s = Scenario::start(3, 1);
    for _ in 0..6 {
        // Connections to all that may lead.
        s.batch(0);
        s.run_until_reported(10_000);
        s.move_leader(0);
        s.run(2_000);
    }
    let began = s.now();
    s.batch(0);
    s.run_until_reported(10_000);
    let took = (s.now() - began) / 1_000;
    assert!(took <= 10, "{took} ms");
    s.finish();
}

/// franz-go 1.20.0: lingers too short. aiokafka 1142: does not linger.
#[test]
fn s59_franz_go_a_trickle_makes_a_request_per_linger() {
    for linger_ms in [20, 50, 200] {
        let mut setup = Setup::quiet(1).with_topic(TOPIC, 1, 1);
        setup.config.linger_ms = linger_ms;
        let mut s = Scenario::new(setup);
        small(&mut s, 0);
        s.run_until_reported(1_000);
        let before = s.observer.exchanges.len();
        for _ in 0..5_000 {
            small(&mut s, 0);
            s.run(1);
        }
        let requests = s.observer.exchanges.len() - before;
        // A batch is opened by the first record after the one before has gone.
        let most = 5_000 / usize::try_from(linger_ms).expect("few");
        let least = 5_000 / (usize::try_from(linger_ms).expect("few") + 2) - 1;
        assert!((least..=most).contains(&requests), "linger {linger_ms}: {requests} requests");
        s.run_until_reported(1_000);
        s.finish();
    }
}

/// KAFKA-1642, 7779, 8635, kafkajs 1556: a producer without a connection is busy with nothing.
#[test]
fn s60_kafka_1642_a_disconnected_producer_sleeps() {
    for kind in [Kind::Kill, Kind::Unreachable, Kind::HalfOpen] {
        let mut setup = Scenario::setup(1, 3);
        setup.config.delivery_timeout_ms = 120_000;
        setup.config.socket_connection_setup_timeout_ms = 1_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..3);
        s.batches(0, 5);
        s.run(1);
        let now = s.now();
        match kind {
            Kind::Kill => s.cluster.kill(1, now).expect("node 1 is up"),
            _ => s.network.set_reachable(1, false),
        }
        for slot in s.network.open() {
            if kind == Kind::HalfOpen {
                s.half_open(slot);
            } else {
                s.network.reset(slot, now);
            }
        }
        s.batches(1, 5);
        flush(&mut s);
        for minute in 0..2 {
            let steps = steps_in_a_minute(&mut s);
            // Two addresses are dialed once a second: asked for, begun, refused.
            assert!(steps < 600, "{kind:?}, minute {minute}: {steps} wakeups");
        }
        s.finish();
    }
}

/// KAFKA-13388: a connection waits for ever in a step of its handshake. platformatic 318: a
/// bootstrap server that hangs blocks the producer id.
#[test]
fn s62_kafka_13388_every_step_to_a_connection_has_a_deadline() {
    let hangs = [None, Some(Api::ApiVersions), Some(Api::Metadata), Some(Api::InitProducerId)];
    for hang in hangs {
        for other in [true, false] {
            let mut setup = Scenario::setup(2, 1);
            setup.config.socket_connection_setup_timeout_ms = 2_000;
            setup.limits.connections = 1;
            let mut s = Scenario::new(setup);
            let leader = s.leader(0);
            // Either one of two brokers hangs for ever, and does not lead; or all hang twice.
            let (node, times) = if other { (Some(3 - leader), u32::MAX) } else { (None, 2) };
            match hang {
                None if other => s.network.set_reachable(3 - leader, false),
                None => {
                    let rule = Rule { times, ..Rule::once(Api::ApiVersions, Fault::CloseBefore) };
                    s.cluster.inject(rule);
                }
                Some(api) => {
                    let rule = Rule { node, times, ..Rule::once(api, Fault::DropRequest) };
                    s.cluster.inject(rule);
                }
            }
            let record = s.batch(0);
            s.run_until_reported(15_000);
            assert!(s.all_delivered(record..record + 1), "{hang:?}, other {other}");
            s.finish();
        }
    }
}

/// A request of six batches, 3.6 MB, over a link of 64 KiB/s, which takes almost a minute. Given up after 30 s, and written
/// again for 30 s, it would never get through. But where the link takes nothing any more, 30 s are enough.
#[test]
fn a_large_request_gets_the_time_that_a_slow_link_needs() {
    let retries_with = |dies: bool| {
        let mut setup = Scenario::setup(1, 6);
        setup.limits.buffer_memory = 16 << 20;
        setup.limits = setup.limits.for_batches(1 << 20);
        setup.config.batch_size = 1 << 20;
        setup.config.max_write_bytes = 4 << 20;
        setup.config.linger_ms = 100;
        setup.config.request_timeout_ms = 30_000;
        setup.config.delivery_timeout_ms = 600_000;
        setup.network.latency = 1_000_000;
        setup.network.window = 65_536;
        let mut s = Scenario::new(setup);
        s.warm_up(0..6);
        let first = s.ledger.next();
        for partition in (0..6).flat_map(|partition| [partition; 6]) {
            let sample = Sample::plain(s.ledger.next(), 100_000);
            s.sample(partition, sample);
        }
        s.run(40_000);
        assert_eq!(s.stats().retries, 0, "it is still being written");
        if dies {
            let node = s.leader(0);
            s.stall(node, Way::Up, 300_000);
            s.run(35_000);
            assert_eq!(s.stats().retries, 6, "on another connection");
        }
        s.run_until_reported(400_000);
        assert!(s.all_delivered(first..first + 36));
        let large = s.observer.exchanges.iter().filter(|e| e.batch.numbers.len() == 6);
        let requests: BTreeSet<_> = large.take(6).map(|e| (e.connection, e.correlation)).collect();
        assert_eq!(requests.len(), 1, "six batches, one request");
        let retries = s.stats().retries;
        s.finish();
        retries
    };
    assert_eq!(retries_with(false), 0);
    assert!(retries_with(true) > 0);
}
