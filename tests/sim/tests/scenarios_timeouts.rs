//! Bugs that other producers had with timers, liveness and the end, replayed on klamm. (52, 56 and
//! 67 are in `scenarios_other.rs`.)

use std::collections::BTreeSet;

use klamm::{Acks, FlushTicket, Idempotence, Instant, Outcome, Reason, Record, SendError};
use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::dice::Dice;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::{INIT_PRODUCER_ID, METADATA};
use klamm_sim::simulator::{Exchange, Fate, Kind, Sample, Scenario, Setup, Simulation, Way};

fn flush(s: &mut Scenario) -> FlushTicket {
    let now = Instant::from_micros(s.now());
    s.producer().flush(now)
}

fn close(s: &mut Scenario) {
    let now = Instant::from_micros(s.now());
    s.producer().close(now);
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
fn small(s: &mut Scenario, partition: i32) -> u64 {
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

/// KAFKA-4557: who sends from within the callback of an expired batch changes the queue that is
/// being gone through.
#[test]
fn s54_kafka_4557_a_report_may_be_answered_by_a_record() {
    const RECORDS: u64 = 30;
    let mut setup = Scenario::setup(1, 2);
    setup.hands_off = true;
    setup.config.delivery_timeout_ms = 3_000;
    setup.config.request_timeout_ms = 1_000;
    let mut s = Simulation::new(setup).expect("the options are legal");
    let now = s.now();
    s.cluster.kill(1, now).expect("node 1 is up");
    let topic = s.producer().topic(TOPIC).expect("there is room for it");
    let send = |s: &mut Simulation, number: u64| {
        let (partition, value) = (i32::from(number.is_multiple_of(3)), [b'v'; 200]);
        let to = klamm::Destination::partition(topic, partition);
        let now = Instant::from_micros(s.now());
        s.producer().send(to, &Record::value(&value), now).expect("there is room for it");
    };
    (0..RECORDS).for_each(|number| send(&mut s, number));
    let (mut expired, mut delivered) = (0, 0);
    for second in 0..60 {
        s.run_ms(1_000).expect("no promise is broken");
        while let Some(report) = s.producer().poll_report() {
            match report.outcome {
                Outcome::NotPersisted(Reason::TimedOut { .. }) => {
                    expired += 1;
                    // At once: other batches that have expired wait behind it.
                    send(&mut s, expired);
                }
                Outcome::Delivered { .. } => delivered += 1,
                other => panic!("{other:?}"),
            }
        }
        if second == 20 {
            let now = s.now();
            s.cluster.start(1, now).expect("node 1 is down");
        }
    }
    let stats = s.producer().stats();
    assert!(expired >= 3 * RECORDS, "{expired} expired");
    assert_eq!((stats.accepted, delivered), (RECORDS + expired, RECORDS), "{stats:?}");
    assert_eq!(stats.buffered, 0, "{stats:?}");
}

/// KAFKA-4235, 3655: a close at a bad moment loses callbacks; a flush that is given up leaves its
/// counter behind.
#[test]
fn s55_kafka_4235_a_close_at_any_step_reports_everything() {
    for steps in 0..120 {
        let mut setup = Scenario::setup(2, 3);
        setup.config.linger_ms = 3;
        setup.config.delivery_timeout_ms = 6_000;
        let mut s = Scenario::new(setup);
        s.produce_fault(0, Fault::CloseAfter);
        s.produce_fault(1, Fault::Error(6));
        s.cluster.inject(Rule { skip: 2, ..Rule::once(Api::Produce, Fault::DropResponse) });
        for step in 0..steps {
            if step % 4 == 0 {
                small(&mut s, step % 3);
            }
            if step % 7 == 0 {
                // Nobody asks for this ticket again.
                flush(&mut s);
            }
            s.step().expect("no promise is broken");
        }
        let ticket = flush(&mut s);
        close(&mut s);
        // What is closed stays closed.
        close(&mut s);
        s.run_for(60_000, |s| s.ledger.unreported() == 0);
        assert_eq!(s.ledger.unreported(), 0, "closed after {steps} steps");
        assert!(s.producer().is_flushed(ticket), "closed after {steps} steps");
        assert!(s.all_delivered(0..s.ledger.next()), "closed after {steps} steps");
        s.finish();
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

/// KAFKA-10520: with one request in flight, metadata that is not answered holds all others back for
/// ever.
#[test]
fn s61_kafka_10520_slow_metadata_blocks_nothing() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.max_in_flight_requests_per_connection = 1;
    setup.config.metadata_max_age_ms = 100;
    setup.limits.connections = 1;
    let mut s = Scenario::new(setup);
    let slow = Fault::Delay(1_500_000);
    s.cluster.inject(Rule { times: u32::MAX, ..Rule::once(Api::Metadata, slow) });
    let first = s.batch(0);
    s.run(100);
    assert_eq!(s.observer.requests[&METADATA], 1);
    assert_eq!(s.observer.requests[&INIT_PRODUCER_ID], 1, "not behind the answer to Metadata");
    s.run_until_reported(8_000);
    for _ in 0..5 {
        let asked = s.observer.requests[&METADATA];
        assert!(s.run_for(5_000, |s| s.observer.requests[&METADATA] > asked));
        s.batch(0);
        let sent = s.sent(0).len();
        s.run(2);
        assert_eq!(s.sent(0).len(), sent + 1, "not behind the answer to Metadata");
        s.run_until_reported(8_000);
    }
    assert!(s.all_delivered(first..s.ledger.next()));
    assert_eq!(s.stats().connects, 1);
    s.finish();
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

/// KAFKA-13834: two nodes share the place at which the next drain begins, so partitions of one of
/// them are passed over. (For a single node: `no_partition_starves_where_requests_are_small`.)
#[test]
fn s63_kafka_13834_nodes_drain_their_own_partitions() {
    const PARTITIONS: i32 = 12;
    let mut setup = Scenario::setup(2, PARTITIONS);
    setup.config.max_request_size = 600;
    setup.config.max_in_flight_requests_per_connection = 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..PARTITIONS);
    let first = s.observer.exchanges.len();
    for _ in 0..200 {
        for partition in 0..PARTITIONS {
            let waits = |e: &&klamm_sim::simulator::Entry| {
                e.partition == Some(partition) && e.fate.is_none()
            };
            while s.ledger.entries().iter().filter(waits).count() < 4 {
                s.batch(partition);
            }
        }
        s.run(2);
    }
    s.run_until_reported(10_000);
    let all = &s.observer.exchanges[first..];
    let steady: Vec<&Exchange> = all[..all.len() * 9 / 10].iter().collect();
    for node in [1, 2] {
        let here: Vec<&&Exchange> = steady.iter().filter(|e| e.node == node).collect();
        let places: Vec<i32> = here.iter().map(|e| e.place.1).collect();
        for partition in (0..PARTITIONS).filter(|p| s.leader(*p) == node) {
            let turns: Vec<usize> =
                (0..places.len()).filter(|turn| places[*turn] == partition).collect();
            assert!(turns.len() > 10, "partition {partition} was sent {} times", turns.len());
            let longest = turns.windows(2).map(|w| w[1] - w[0]).max().unwrap_or_default();
            assert!(longest <= PARTITIONS.unsigned_abs() as usize, "{partition}: {longest}");
        }
    }
    s.finish();
}

/// librdkafka 1.7.0: a purge does not find what is on its way from one broker to another.
#[test]
fn s64_librdkafka_a_purge_finds_what_is_on_its_way() {
    let mut setup = Scenario::setup(3, 5).with_topic("new", 2, 1);
    setup.config.delivery_timeout_ms = 60_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..5);
    let old = s.leader(0);
    // 0: in flight to a leader that is deposed meanwhile; 1: waits for its backoff; 2: has no
    // leader; 3: lost its connection; 4: waits behind what is in flight; a topic that is not known.
    s.stall(old, Way::Down, 30_000);
    s.batches(0, 7);
    s.produce_faults(1, Fault::Error(19), u32::MAX);
    s.produce_faults(2, Fault::Error(6), u32::MAX);
    s.produce_fault(3, Fault::CloseBefore);
    (1..5).for_each(|partition| _ = s.batches(partition, 7));
    let now = s.now();
    s.cluster.depose(TOPIC, 2, now).expect("partition 2 is there");
    s.run(300);
    s.move_leader(0);
    s.run(20);
    s.cluster.inject(Rule::once(Api::Metadata, Fault::DropRequest));
    let number = s.ledger.next();
    let new = s.send("new", Some(1), Sample::plain(number, 200)).expect("no promise is broken");
    assert!(new.is_ok());
    let waiting = s.ledger.unreported();
    assert!(waiting > 20, "{waiting}");
    let now = Instant::from_micros(s.now());
    s.producer().purge(klamm::Scope::ALL, now);
    let buffered = s.stats().buffered;
    s.run(5);
    assert_eq!(s.ledger.unreported(), 0, "{buffered} were in flight");
    let purged = |e: &&klamm_sim::simulator::Entry| {
        matches!(e.fate, Some(Fate::NotPersisted(Reason::Purged) | Fate::Unknown(Reason::Purged)))
    };
    assert_eq!(s.ledger.entries().iter().filter(purged).count(), waiting);
    s.cluster.clear_faults();
    let first = s.ledger.next();
    (0..5).for_each(|partition| _ = s.batches(partition, 3));
    s.finish();
    let again = (first..s.ledger.next()).filter(|r| matches!(s.fate(*r), Some(Fate::Delivered(_))));
    assert!(again.count() >= 12, "all but those of the partition without a leader");
}

/// KAFKA-6768, 5503, 16217, franz-go 1.21.4: close waits for a request that is never sent; what is
/// sent after it hangs a later flush.
#[test]
fn s65_kafka_6768_close_ends_whatever_is_in_the_way() {
    type Obstacle = fn(&mut Scenario);
    let obstacles: [(&str, Obstacle); 4] = [
        ("no producer id", |s| {
            let refused = Fault::Error(15);
            s.cluster.inject(Rule { times: u32::MAX, ..Rule::once(Api::InitProducerId, refused) });
        }),
        ("nobody is reachable", |s| s.network.set_reachable(1, false)),
        ("nothing is answered", |s| {
            let rule = Rule::once(Api::Produce, Fault::DropRequest);
            s.cluster.inject(Rule { times: u32::MAX, ..rule });
        }),
        ("metadata is not answered", |s| {
            let rule = Rule::once(Api::Metadata, Fault::DropRequest);
            s.cluster.inject(Rule { times: u32::MAX, ..rule });
        }),
    ];
    for (name, obstacle) in obstacles {
        let mut s = Scenario::start(1, 1);
        obstacle(&mut s);
        s.batches(0, 7);
        s.run(1_000);
        close(&mut s);
        let ticket = flush(&mut s);
        let sample = Sample::plain(s.ledger.next(), 20);
        assert_eq!(s.offer(0, sample), Err(SendError::Closed), "{name}");
        assert_eq!(s.producer().topic("u"), Err(SendError::Closed), "{name}");
        // The delivery timeout and one request.
        s.run_until_reported(20_000 + 2_000);
        assert!(s.producer().is_flushed(ticket), "{name}");
        let ticket = flush(&mut s);
        assert!(s.producer().is_flushed(ticket), "{name}: nothing is left to flush");
        s.finish();
    }
}

/// kafkajs 181, franz-go 0.6.7: with acks = 0 an answer is waited for that never comes, or the
/// answer to another request is taken for it.
#[test]
fn s66_kafkajs_181_requests_without_answers_and_with_share_a_connection() {
    for metadata_max_age_ms in [50, 300_000] {
        let mut setup = Scenario::setup(1, 1);
        setup.config.acks = Acks::None;
        setup.config.enable_idempotence = Idempotence::Off;
        setup.config.metadata_max_age_ms = metadata_max_age_ms;
        let mut s = Scenario::new(setup);
        for _ in 0..500 {
            s.batches(0, 3);
            s.run(10);
        }
        s.run_until_reported(1_000);
        assert!(s.all_delivered(0..s.ledger.next()));
        let asked = s.observer.requests[&METADATA];
        assert_eq!(asked > 10, metadata_max_age_ms == 50, "asked {asked} times");
        // Longer than the request timeout.
        s.run(5_000);
        assert_eq!(s.stats().connects, 1, "no answer is missed, or taken for another");
        s.finish();
    }
}

/// Nor is the answer that does not come to a request that has one overlooked.
#[test]
fn s66_kafkajs_181_a_missing_answer_is_noticed_with_acks_0() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.acks = Acks::None;
    setup.config.enable_idempotence = Idempotence::Off;
    setup.config.metadata_max_age_ms = 1_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.cluster.inject(Rule::once(Api::Metadata, Fault::DropResponse));
    for _ in 0..40 {
        s.batch(0);
        s.run(100);
    }
    assert!(s.stats().connects >= 2, "the connection was given up");
    s.run_until_reported(1_000);
    s.finish();
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
