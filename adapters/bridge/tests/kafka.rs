//! Apache Kafka behind the bridge: exactly once and in order, while the bridge is killed.

#![allow(clippy::unwrap_used, clippy::unwrap_in_result, reason = "in a test a failure is a panic")]
#![allow(dead_code, reason = "the other tests use the rest of these modules")]

#[path = "suite/client.rs"]
mod client;
#[path = "suite/common.rs"]
mod common;
#[path = "suite/page.rs"]
mod page;
#[path = "suite/process.rs"]
mod process;

use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::log::Faults;
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup;

use common::{PARTITIONS, TOPIC};
use page::{Outcomes, Page};
use process::Process;

const RECORDS: u64 = 30_000;

#[test]
fn a_page_produces_exactly_once_to_kafka() {
    let run = RunDir::new("bridge").unwrap();
    let options = Options { nodes: 1, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), &run, &options).unwrap();
    kafka.create_topic(TOPIC, u32::try_from(PARTITIONS).unwrap(), &[]).unwrap();
    let bootstrap = kafka.bootstrap();
    let mut bridge = Process::start(&bootstrap);
    let mut page = Page::new(bridge.address());
    let (mut sent, mut kills) = (0, 0);
    while sent < RECORDS || page.buffered() > 0 {
        let partition = |record: u64| i32::try_from(record).unwrap() % PARTITIONS;
        while sent < RECORDS && page.send(partition(sent), &sent.to_string()) {
            sent += 1;
        }
        page.turn();
        if kills < 2 && page.outcomes.delivered > (kills + 1) * RECORDS / 4 {
            bridge.again();
            kills += 1;
        }
    }
    assert_eq!(kills, 2);
    assert_eq!(page.outcomes, Outcomes { delivered: RECORDS, ..Outcomes::default() });
    let log = kafka.helper.read(&bootstrap, TOPIC).unwrap();
    let faults = Faults::find(&log, RECORDS).unwrap();
    assert!(faults.is_empty(), "{}: {faults:?}", faults.summary());
    run.done();
}
