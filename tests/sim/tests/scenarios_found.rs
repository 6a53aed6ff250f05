//! What a review of klamm's core found, as scenarios. Each failed before the core was mended.

use klamm::{Acks, Config, ConnId, Demand, Destination, Idempotence, Instant, Limits, Producer};
use klamm::{ErrorCode, ProtocolError, Reason, Record, Resources, SendError, Storage};
use klamm_sim::cluster::{Api, ApiVersions, Fault, MetadataFault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::wire::METADATA;
use klamm_sim::simulator::{Entry, Exchange, Fate, Sample, Scenario, Way};

/// The key of `ApiVersions`, which each connection begins with.
const API_VERSIONS: i16 = 18;

/// Connections that were opened so far.
pub(super) fn connections(s: &Scenario) -> u64 {
    s.observer.requests.get(&API_VERSIONS).copied().unwrap_or_default()
}

/// Records of a partition that wait for their outcomes.
fn unreported(s: &Scenario, partition: i32) -> usize {
    let waits = |e: &&Entry| e.partition == Some(partition) && e.fate.is_none();
    s.ledger.entries().iter().filter(waits).count()
}

/// A small record, which may share its batch; returns its number.
fn small(s: &mut Scenario) -> u64 {
    let number = s.ledger.next();
    s.sample(0, Sample::plain(number, 20))
}

/// After a re-creation a broker that lags behind told the old topic id again. What had been stored
/// without an answer then went out under a new epoch, to the log in which it already was.
#[test]
fn a_topic_id_that_comes_back_makes_no_duplicate() {
    let mut s = Scenario::start(1, 1);
    let mut old = s.cluster.topic_id(TOPIC).expect("the topic is there");
    old[15] ^= 1;
    s.observer.learn(old, TOPIC);
    s.observer.recreated(TOPIC);
    let lie = || Rule::once(Api::Metadata, Fault::Metadata(MetadataFault::WrongTopicId));
    s.cluster.inject(lie());
    s.warm_up(0..1);
    s.cluster.inject(lie());
    s.produce_fault(0, Fault::CloseAfter);
    let record = s.batch(0);
    s.run_until_reported(15_000);
    assert!(s.all_delivered(record..record + 1));
    assert_eq!(s.log(0), [0, record]);
    s.finish();
}

/// A second producer in the same memory found the first one's batches and partitions in it.
#[test]
fn memory_that_is_used_again_starts_empty() {
    let mut resources = Box::new(Resources::<1400, 4, 2, 2>::new());
    for value in [b"old", b"new"] {
        let config = Config::new("node1:9092");
        let mut producer = Producer::new(&config, resources.storage(), 1, Instant::ZERO)
            .expect("the options are legal");
        let topic = producer.topic(TOPIC).expect("there is room for it");
        let to = Destination::partition(topic, 0);
        let id = producer.send(to, &Record::value(value), Instant::ZERO).expect("there is room");
        assert_eq!(id.index, 0, "{value:?}");
        assert_eq!(producer.stats().buffered, 1);
    }
}

/// With one connection slot the leader under steady load kept it, and the records for the other one
/// expired.
#[test]
fn leaders_take_turns_at_one_connection_slot() {
    for in_flight in [1, 5] {
        let mut setup = Scenario::setup(2, 2);
        setup.limits.connections = 1;
        setup.config.max_in_flight_requests_per_connection = in_flight;
        setup.network.latency = 20_000;
        setup.config.request_timeout_ms = 1_000;
        setup.config.delivery_timeout_ms = 3_000;
        let mut s = Scenario::new(setup);
        s.warm_up(0..2);
        assert_ne!(s.leader(0), s.leader(1));
        for _ in 0..50 {
            s.batch(1);
            for _ in 0..10 {
                // The first leader always has something to do.
                while unreported(&s, 0) < 8 {
                    s.batch(0);
                }
                s.run(10);
            }
        }
        s.run_until_reported(5_000);
        assert!(s.all_delivered(0..s.ledger.next()));
        s.finish();
    }
}

/// Seed 26522: with acks = 0 no answer ends a turn, and a connection that had had its own neither sent nor made room.
#[test]
fn leaders_take_turns_without_acknowledgements() {
    let mut setup = Scenario::setup(2, 2);
    setup.limits.connections = 1;
    setup.config.acks = Acks::None;
    setup.config.request_timeout_ms = 1_000;
    setup.config.delivery_timeout_ms = 3_000;
    let mut s = Scenario::new(setup);
    for _ in 0..100 {
        s.batch(0);
        s.batch(1);
        s.run(10);
    }
    s.run_until_reported(5_000);
    assert!(s.all_delivered(0..s.ledger.next()));
    s.finish();
}

/// KAFKA-13834, invariant I12: every partition has a batch ready at any time, and a request holds few of them. None waits
/// for more than twice the requests that all of them take.
#[test]
fn no_partition_starves_where_requests_are_small() {
    const PARTITIONS: i32 = 20;
    for in_flight in [1, 5] {
        let mut setup = Scenario::setup(1, PARTITIONS);
        setup.config.max_in_flight_requests_per_connection = in_flight;
        let batch = setup.config.batch_size;
        setup.config.max_request_size = 4 * batch;
        let mut s = Scenario::new(setup);
        s.warm_up(0..PARTITIONS);
        let first = s.observer.exchanges.len();
        for _ in 0..200 {
            for partition in 0..PARTITIONS {
                while unreported(&s, partition) < 6 {
                    s.batch(partition);
                }
            }
            s.run(2);
        }
        s.run_until_reported(10_000);
        let steady = &s.observer.exchanges[first..s.observer.exchanges.len() * 9 / 10];
        let mut requests: Vec<i32> = steady.iter().map(|e| e.correlation).collect();
        requests.dedup();
        let largest =
            requests.iter().map(|r| steady.iter().filter(|e| e.correlation == *r).count());
        let largest = largest.max().expect("requests were sent");
        assert!(largest < 6, "{largest} batches in a request: the limit has no effect");
        for partition in 0..PARTITIONS {
            let of = |e: &&Exchange| e.place.1 == partition;
            let turn = |e: &Exchange| requests.iter().position(|r| *r == e.correlation);
            let turns: Vec<usize> = steady.iter().filter(of).filter_map(turn).collect();
            assert!(turns.len() > 10, "partition {partition} was sent {} times", turns.len());
            let longest = turns.windows(2).map(|w| w[1] - w[0]).max().unwrap_or_default();
            assert!(longest <= 2 * 20, "{in_flight} in flight, partition {partition}: {longest}");
        }
        s.finish();
    }
}

/// A split moved the spare chunk between the others: a record of several chunks was refused for
/// ever.
#[test]
fn a_large_record_is_accepted_after_splits() {
    let mut setup = Scenario::setup(1, 3);
    // Four chunks, one of them the spare.
    setup.limits.buffer_memory = 3_500;
    let mut s = Scenario::new(setup);
    s.warm_up(0..3);
    s.ledger.excuses.rejected = true;
    let large = |s: &mut Scenario| {
        let sample = Sample::plain(s.ledger.next(), 1_800);
        let answer = s.offer(0, sample);
        s.run_until_reported(5_000);
        answer
    };
    assert_eq!(large(&mut s), Ok(()));
    s.produce_fault(1, Fault::Error(10));
    s.batch(0);
    s.batch_of(1, 2);
    s.batch(2);
    s.run_until_reported(5_000);
    assert_eq!(s.sent(1).len(), 4, "warm-up, whole, and two halves");
    assert_eq!(large(&mut s), Ok(()));
    s.finish();
}

/// Partitions that metadata names took all slots, and counted as written to as soon as there was a
/// producer id.
#[test]
fn two_partition_slots_are_enough_for_the_last_of_four_partitions() {
    let mut setup = Scenario::setup(1, 4);
    setup.limits.partitions = 2;
    let mut s = Scenario::new(setup);
    s.producer().topic(TOPIC).expect("there is room for it");
    s.run(1_000);
    let record = s.batch(3);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(record..record + 1));
    s.finish();
}

/// With more leaders than broker slots those that came last never got one.
#[test]
fn more_leaders_than_broker_slots_are_all_written_to() {
    for (brokers, connections) in [(4, 1), (2, 1), (4, 8)] {
        let mut setup = Scenario::setup(5, 5);
        setup.bootstrap = "node1:9092".to_owned();
        setup.limits.brokers = brokers;
        setup.limits.connections = connections;
        let mut s = Scenario::new(setup);
        let mut leaders: Vec<i32> = (0..5).map(|partition| s.leader(partition)).collect();
        leaders.sort_unstable();
        assert_eq!(leaders, [1, 2, 3, 4, 5]);
        for partition in 0..5 {
            s.batch(partition);
        }
        s.run_until_reported(15_000);
        assert!(s.all_delivered(0..5), "{:?}", s.ledger.entries());
        s.finish();
    }
}

/// A record joined a batch that was purged already, and only waited for what was in flight before
/// it.
#[test]
fn a_record_after_a_purge_is_not_purged() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.max_in_flight_requests_per_connection = 1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.stall(1, Way::Down, 500);
    s.batch(0);
    s.run(10);
    let purged = small(&mut s);
    s.run(10);
    let now = Instant::from_micros(s.now());
    s.producer().purge(klamm::Scope::ALL, now);
    let after = small(&mut s);
    s.run_until_reported(5_000);
    assert_eq!(s.fate(purged), Some(Fate::NotPersisted(Reason::Purged)));
    assert!(s.all_delivered(after..after + 1), "{:?}", s.fate(after));
    s.finish();
}

/// The same with a batch that has expired.
#[test]
fn a_record_after_a_time_out_has_its_own_time() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.max_in_flight_requests_per_connection = 1;
    setup.config.delivery_timeout_ms = 5_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.cluster.inject(Rule { times: 3, ..Rule::once(Api::Produce, Fault::DropRequest) });
    s.batch(0);
    s.run(100);
    let late = small(&mut s);
    s.run(5_050);
    assert_eq!(s.fate(late), None, "what is in flight before it is awaited");
    let after = small(&mut s);
    s.run_until_reported(10_000);
    assert!(matches!(s.fate(late), Some(Fate::NotPersisted(Reason::TimedOut { .. }))));
    assert!(s.all_delivered(after..after + 1), "{:?}", s.fate(after));
    s.finish();
}

/// A starting broker answers without brokers. When metadata was due it was asked again at once, and
/// again.
#[test]
fn metadata_that_is_due_is_asked_for_at_the_pace_of_the_backoff() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.metadata_max_age_ms = 1_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let starting = Fault::Metadata(MetadataFault::NoBrokers);
    s.cluster.inject(Rule { times: u32::MAX, ..Rule::once(Api::Metadata, starting) });
    let before = s.observer.requests[&METADATA];
    s.run(10_000);
    let asked = s.observer.requests[&METADATA] - before;
    // Every 200 to 250 ms: a quarter of the longest backoff. Half of that would be too often, twice too seldom.
    assert!((25..=52).contains(&asked), "{asked} times in 10 s");
    s.finish();
}

/// A handle of a producer with more connections was an index out of bounds.
#[test]
fn a_connection_of_another_producer_is_harmless() {
    let config = Config::new("node1:9092");
    let start = |connections: u8| {
        let mut limits = Limits::new();
        limits.connections = connections;
        Producer::new(&config, Storage::boxed(&limits), 1, Instant::ZERO)
            .expect("the options are legal")
    };
    let foreign: ConnId = start(3).connections().last().expect("it has three");
    let (mut producer, now) = (start(1), Instant::ZERO);
    assert_eq!(producer.demand(foreign), Demand::Nothing);
    assert!(producer.address(foreign).is_none());
    producer.handle_dialing(foreign, now);
    producer.handle_connected(foreign, now);
    let heard = producer.handle_received(foreign, &[0; 8], now);
    assert_eq!(heard, Err(ProtocolError::NotConnected));
    let written = producer.transmit_with(foreign, now, |frame| Ok::<_, ()>(frame.len()));
    assert_eq!(written, Ok(0));
    producer.handle_disconnected(foreign, now);
}

/// Idempotence is required and nobody offers producer ids: the connection was closed and opened
/// again without end.
#[test]
fn a_cluster_without_producer_ids_is_not_dialed_without_end() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.enable_idempotence = Idempotence::Required;
    setup.cluster.nodes[0].versions.init_producer_id = None;
    setup.limits.connections = 1;
    let mut s = Scenario::new(setup);
    s.producer().topic(TOPIC).expect("there is room for it");
    s.run(10_000);
    let opened = connections(&s);
    assert!((1..4).contains(&opened), "{opened} connections in 10 s");
    s.finish();
}

/// 59 says that the leader has forgotten the producer, yet was taken for proof that it knows it:
/// several batches were in flight at once, of which a later one could become the first.
#[test]
fn after_59_one_batch_is_in_flight() {
    let mut setup = Scenario::setup(1, 1);
    setup.cluster.nodes[0].versions = ApiVersions::KAFKA_2_1;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    // The first is stored, its answer lost; then it is answered with 59.
    s.produce_fault(0, Fault::CloseAfter);
    s.cluster.inject(Rule { skip: 1, ..Rule::once(Api::Produce, Fault::Error(59)) });
    let records = s.batches(0, 4);
    s.run_until_reported(10_000);
    assert!(s.all_delivered(records));
    let sent = s.observer.sent_to(TOPIC, 0);
    let forgotten = sent.iter().position(|e| matches!(e.answer, Some((_, 59, _))));
    let at = forgotten.expect("59 was answered");
    let known = sent[at + 1].answer.expect("it was answered").0;
    assert!(known <= sent[at + 2].at, "{:#?}", &sent[at..]);
    s.finish();
}

/// Rule 1: the round after a backoff waits for the metadata that was asked for. Without, it went to the old leader once
/// more, whose answer says nothing new.
#[test]
fn the_next_round_waits_for_metadata() {
    let mut setup = Scenario::setup(2, 1);
    for node in &mut setup.cluster.nodes {
        // Before Produce 10 no answer names the new leader.
        node.versions = ApiVersions::KAFKA_2_8;
    }
    setup.config.metadata_max_age_ms = 60_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    s.run(2_000);
    let old = s.leader(0);
    let new = s.move_leader(0);
    // The answer about metadata takes longer than the first backoff.
    s.cluster.inject(Rule::once(Api::Metadata, Fault::Delay(400_000)));
    let record = s.batch(0);
    s.run_until_reported(5_000);
    assert!(s.all_delivered(record..record + 1));
    let to = |node: i32| {
        let sent = s.observer.sent_to(TOPIC, 0);
        sent.iter().filter(|e| e.node == node && e.batch.numbers == [record]).count()
    };
    assert_eq!((to(old), to(new)), (1, 1));
    s.finish();
}

/// The sticky partition of null keys had no slot while no partition had a leader, and stayed the
/// sticky one when leaders were back: nothing was accepted any more.
#[test]
fn null_keys_leave_a_partition_without_a_slot() {
    const PARTITIONS: i32 = 10;
    let mut setup = Scenario::setup(1, PARTITIONS);
    setup.limits.partitions = 2;
    let mut s = Scenario::new(setup);
    s.warm_up(0..2);
    let null_key = |s: &mut Scenario| {
        let sample = Sample::plain(s.ledger.next(), 200);
        s.send(TOPIC, None, sample).expect("no promise is broken")
    };
    let lie = Fault::Metadata(MetadataFault::NoLeader);
    s.cluster.inject(Rule { times: u32::MAX, ..Rule::once(Api::Metadata, lie) });
    s.produce_fault(0, Fault::Error(6));
    s.batch(0);
    s.run(1_000);
    let refused = (0..20).map(|_| null_key(&mut s)).find_map(Result::err);
    assert_eq!(refused, Some(SendError::NoPartitionSlot), "8 of 10 partitions have no slot");
    s.cluster.clear_faults();
    s.run_until_reported(10_000);
    let first = s.ledger.next();
    for _ in 0..20 {
        assert!(null_key(&mut s).is_ok());
        s.run(10);
    }
    s.run_until_reported(10_000);
    assert!(s.all_delivered(first..s.ledger.next()));
    s.finish();
}

/// The slot of a partition that was never written to was given away while a report that names it
/// was unread: the report then named the other one.
#[test]
fn an_unread_report_keeps_its_partition() {
    let mut setup = Scenario::setup(1, 2);
    setup.limits.partitions = 1;
    let mut s = Scenario::new(setup);
    let now = s.now();
    s.cluster.kill(1, now).expect("node 1 is up");
    let purged = s.batch(0);
    s.run(100);
    let now = Instant::from_micros(s.now());
    s.producer().purge(klamm::Scope::ALL, now);
    let other = |s: &mut Scenario| {
        let sample = Sample::plain(s.ledger.next(), 200);
        s.offer(1, sample)
    };
    assert_eq!(other(&mut s), Err(SendError::NoPartitionSlot));
    // The ledger checks that reports name the partitions that records were sent to.
    s.run(1);
    assert_eq!(s.fate(purged), Some(Fate::NotPersisted(Reason::Purged)));
    assert_eq!(other(&mut s), Ok(()));
    let now = s.now();
    s.cluster.start(1, now).expect("node 1 is down");
    s.run_until_reported(10_000);
    assert_eq!(s.log(1), [1]);
    s.finish();
}

/// A bootstrap connection that became a broker's counted as never dialed: with one connection slot
/// that broker had a second turn while the other waited for its first.
#[test]
fn a_connection_taken_over_from_bootstrap_has_had_its_turn() {
    const TURN: usize = 16;
    let mut setup = Scenario::setup(2, 2);
    setup.bootstrap = "node1:9092".to_owned();
    setup.limits.connections = 1;
    setup.config.max_in_flight_requests_per_connection = 1;
    let mut s = Scenario::new(setup);
    for partition in [0, 1] {
        s.batches(partition, 4 * TURN);
    }
    s.run_until_reported(10_000);
    let nodes: Vec<i32> = s.observer.exchanges.iter().map(|e| e.node).collect();
    let turns: Vec<(i32, usize)> =
        nodes.chunk_by(|a, b| a == b).map(|turn| (turn[0], turn.len())).collect();
    assert_eq!(turns[0].0, 1, "the bootstrap server is asked first: {turns:?}");
    assert!(turns.iter().all(|(_, requests)| *requests <= TURN), "{turns:?}");
    s.finish();
}

/// Seed 500031: an unsure batch was refused for good, a success behind it left no room for it in the
/// log, and it was reported as the broker's loss of data.
#[test]
fn a_refused_batch_is_reported_as_refused_when_a_success_leaves_no_room() {
    let mut s = Scenario::start(1, 1);
    s.warm_up(0..1);
    s.ledger.excuses.rejected = true;
    s.produce_fault(0, Fault::CloseBefore);
    s.produce_fault(0, Fault::Error(87));
    // Without the producer's state the broker accepts what comes behind a gap.
    s.cluster.forget_producers(TOPIC, 0, 1, None).expect("node 1 has partition 0");
    let refused = s.batch(0);
    let stored = s.batch(0);
    s.run_until_reported(10_000);
    assert_eq!(s.fate(refused), Some(Fate::Unknown(Reason::Rejected(ErrorCode(87)))));
    assert_eq!(s.fate(stored), Some(Fate::Delivered(Some(1))));
    assert_eq!(s.stats().data_losses, 0);
    s.finish();
}

/// The wait for metadata has an end, also where it is asked for again as soon as it is answered.
#[test]
fn metadata_that_is_always_under_way_stops_no_round() {
    let mut setup = Scenario::setup(1, 1);
    setup.config.retry_backoff_max_ms = 200;
    let mut s = Scenario::new(setup);
    s.warm_up(0..1);
    let mut slow = Rule::once(Api::Metadata, Fault::Delay(300_000));
    slow.times = u32::MAX;
    s.cluster.inject(slow);
    // A topic that is not there is asked for without end.
    s.producer().topic("missing").expect("there is room for it");
    s.run(2_000);
    s.produce_fault(0, Fault::Error(19));
    let record = s.batch(0);
    s.run_until_reported(3_500);
    assert!(s.all_delivered(record..record + 1));
    s.finish();
}
