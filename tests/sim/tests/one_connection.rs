//! One socket: leaders in turns, a single address for all of them, and more leaders than slots.

use klamm::Reason;
use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Entry, Fate, Scenario, Setup, Way};

const API_VERSIONS: i16 = 18;

fn connections(s: &Scenario) -> u64 {
    s.observer.requests.get(&API_VERSIONS).copied().unwrap_or_default()
}

fn unreported(s: &Scenario, partition: i32) -> usize {
    let waits = |e: &&Entry| e.partition == Some(partition) && e.fate.is_none();
    s.ledger.entries().iter().filter(waits).count()
}

/// Three leaders under steady load share one slot.
#[test]
fn three_leaders_take_turns_at_one_slot() {
    let mut setup = Scenario::setup(3, 6);
    setup.limits.connections = 1;
    setup.network.latency = 5_000;
    let mut s = Scenario::new(setup);
    s.warm_up(0..6);
    for _ in 0..100 {
        for partition in 0..6 {
            while unreported(&s, partition) < 4 {
                s.batch(partition);
            }
        }
        s.run(20);
    }
    let sent = s.ledger.next();
    s.run_until_reported(20_000);
    assert!(s.all_delivered(0..sent));
    let nodes = |node: i32| s.observer.exchanges.iter().filter(|e| e.node == node).count();
    for node in 1..=3 {
        assert!(nodes(node) > 50, "node {node} got {} batches", nodes(node));
    }
    s.finish();
}

/// Node 1 is a proxy for three brokers: the brokers' own addresses are never dialed.
fn proxied() -> Setup {
    let mut setup = Setup::quiet(1).with_topic(TOPIC, 6, 1);
    setup.config.single_address = true;
    setup.bootstrap = "proxy:9092,other-proxy:9092".to_owned();
    setup.config.batch_size = 300;
    setup.limits.batch_size = 300;
    setup
}

#[test]
fn a_single_address_serves_all_leaders_over_one_connection() {
    let mut setup = proxied();
    // Metadata names an address that nobody can reach.
    setup.cluster.nodes[0].host = "hidden".to_owned();
    let mut s = Scenario::new(setup);
    s.network.alias("proxy", 1);
    s.network.alias("other-proxy", 1);
    for round in 0..20 {
        for partition in 0..6 {
            s.batch(partition);
        }
        s.run(if round == 10 { 300_000 } else { 50 });
    }
    s.run_until_reported(10_000);
    assert!(s.all_delivered(0..s.ledger.next()));
    assert_eq!(connections(&s), 1);
    s.finish();
}

/// The proxy's first address dies: the second one serves all leaders, exactly once and in order.
#[test]
fn a_single_address_that_dies_is_followed_by_the_next() {
    let mut s = Scenario::new(proxied());
    s.network.alias("proxy", 1);
    s.network.alias("other-proxy", 1);
    s.warm_up(0..6);
    s.network.alias("proxy", -1);
    s.cluster.inject(Rule::once(Api::Produce, Fault::CloseAfter));
    for partition in 0..6 {
        s.batches(partition, 3);
    }
    s.run_until_reported(15_000);
    assert!(s.all_delivered(0..s.ledger.next()));
    assert_eq!(connections(&s), 2);
    s.finish();
}

/// A leader moves behind the proxy: on the same connection, the new one is asked alone first (rule 2).
#[test]
fn a_leader_that_moves_behind_a_single_address_is_not_known() {
    let mut setup = Scenario::setup(2, 1);
    setup.config.single_address = true;
    setup.config.metadata_max_age_ms = 500;
    setup.bootstrap = "proxy:9092".to_owned();
    let mut s = Scenario::new(setup);
    s.network.alias("proxy", 1);
    if s.leader(0) != 1 {
        s.move_leader(0);
    }
    s.warm_up(0..1);
    // An election that the same node wins has the same effect on the producer: a newer epoch.
    s.move_leader(0);
    s.move_leader(0);
    s.run(1_000);
    let before = s.observer.exchanges.len();
    s.stall(1, Way::Down, 300);
    s.batches(0, 4);
    s.run(200);
    assert_eq!(s.observer.exchanges.len() - before, 1, "the new leader is asked with one batch");
    s.run_until_reported(5_000);
    s.finish();
}

/// What is to be asked goes over the connection that there is.
#[test]
fn metadata_and_ids_need_no_connection_of_their_own() {
    let mut setup = Scenario::setup(3, 3);
    setup.config.metadata_max_age_ms = 200;
    setup.bootstrap = "node1:9092".to_owned();
    let mut s = Scenario::new(setup);
    let mine = (0..3).find(|partition| s.leader(*partition) == 1).expect("node 1 leads one");
    for _ in 0..50 {
        s.batch(mine);
        s.run(100);
    }
    s.run_until_reported(5_000);
    assert_eq!(connections(&s), 1);
    s.finish();
}

/// Six leaders under steady load, one bootstrap server, and this many slots for brokers: the batches that each
/// partition got, and the scenario.
fn steady_load(slots: u8) -> (Vec<usize>, Scenario) {
    let mut setup = Scenario::setup(6, 6);
    setup.limits.brokers = slots;
    setup.limits.connections = 2;
    setup.bootstrap = "node1:9092".to_owned();
    let mut s = Scenario::new(setup);
    for _ in 0..400 {
        for partition in 0..6 {
            if unreported(&s, partition) < 2 {
                s.batch(partition);
            }
        }
        s.run(100);
    }
    s.run_until_reported(30_000);
    s.finish();
    ((0..6).map(|partition| s.log(partition).len()).collect(), s)
}

/// What `Limits::brokers` asks for: a slot for each leader and each bootstrap server. Connections may be fewer.
#[test]
fn leaders_with_broker_slots_take_turns_at_fewer_connections() {
    let (batches, s) = steady_load(7);
    assert!(batches.iter().all(|count| *count > 100), "{batches:?}");
    assert!(s.all_delivered(0..s.ledger.next()));
}

/// With fewer, leaders under steady load keep their slots: what the others wait for times out, and says so.
#[test]
fn leaders_without_broker_slots_time_out_and_say_so() {
    let (batches, s) = steady_load(5);
    let starved = batches.iter().filter(|count| **count == 0).count();
    assert!(starved <= 2, "{batches:?}");
    for entry in s.ledger.entries() {
        let fate = entry.fate.expect("every record has an outcome");
        let fair = match fate {
            Fate::Delivered(_) => true,
            Fate::NotPersisted(reason) => matches!(reason, Reason::TimedOut { .. }),
            _ => false,
        };
        assert!(fair, "{entry:?}");
    }
}
