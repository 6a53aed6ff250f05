//! Exactly once and in order, from a page to the log, while the bridge is killed with -9.

use klamm_sim::dev_broker::DevBroker;

use crate::common::{PARTITIONS, TOPIC, broker, log};
use crate::page::{Outcomes, Page};
use crate::process::Process;

const RECORDS: u64 = 60_000;
const KILLS: u64 = 4;

fn produce(broker: &DevBroker, mut each: impl FnMut(&mut Process, u64)) -> Page {
    let mut bridge = Process::start(&broker.address().to_string());
    let mut page = Page::new(bridge.address());
    let mut sent = 0;
    while sent < RECORDS || page.buffered() > 0 {
        while sent < RECORDS && page.send(partition_of(sent), &sent.to_string()) {
            sent += 1;
        }
        page.turn();
        each(&mut bridge, page.outcomes.delivered);
    }
    page
}

fn partition_of(record: u64) -> i32 {
    i32::try_from(record).unwrap() % PARTITIONS
}

fn assert_exactly_once(broker: &DevBroker) {
    let log = log(broker, TOPIC);
    for (partition, records) in log.iter().enumerate() {
        let expected: Vec<String> = (0..RECORDS)
            .filter(|record| usize::try_from(partition_of(*record)).unwrap() == partition)
            .map(|record| record.to_string())
            .collect();
        let wrong = records.iter().zip(&expected).position(|(is, should)| is != should);
        assert_eq!(wrong, None, "partition {partition}");
        assert_eq!(records.len(), expected.len(), "partition {partition}");
    }
}

#[test]
fn a_page_produces_exactly_once_while_the_bridge_is_killed() {
    let broker = broker();
    let mut kills = 0;
    let page = produce(&broker, |bridge, delivered| {
        if kills < KILLS && delivered > (kills + 1) * RECORDS / (KILLS + 2) {
            bridge.again();
            kills += 1;
        }
    });
    assert_eq!(kills, KILLS);
    assert!(page.connects > KILLS, "{} connections", page.connects);
    assert_eq!(page.outcomes, Outcomes { delivered: RECORDS, ..Outcomes::default() });
    // One id for all of it, which the bridges that came later knew by its ticket alone.
    assert_eq!(page.tickets.len(), 1);
    assert_exactly_once(&broker);
}
