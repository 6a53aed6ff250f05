//! Exactly once and in order, from a page to the log, while the bridge is killed with -9.

use core::net::SocketAddr;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use klamm_sim::dev_broker::DevBroker;

use crate::common::{ORIGIN, PARTITIONS, SECRET, TOPIC, broker, log};
use crate::page::{Outcomes, Page};

const RECORDS: u64 = 60_000;
const KILLS: u64 = 4;

/// The program, on an address that it keeps.
struct Process {
    address: SocketAddr,
    broker: SocketAddr,
    child: Child,
}

impl Process {
    fn start(address: SocketAddr, broker: SocketAddr) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_klamm-bridge"))
            .args(["--listen", &address.to_string(), "--kafka.bootstrap", &broker.to_string()])
            .args(["--auth.origins", ORIGIN, "--log.level", "error"])
            .env("KLAMM_BRIDGE_AUTH_KEYS", format!("[{{algorithm='HS256', secret='{SECRET}'}}]"))
            .stdin(Stdio::null())
            .spawn()
            .expect("the bridge");
        Self { address, broker, child }
    }

    /// `kill -9`, and a new one.
    fn again(&mut self) {
        self.end();
        *self = Self::start(self.address, self.broker);
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number")
}

fn produce(broker: &DevBroker, mut each: impl FnMut(&mut Process, u64)) -> Page {
    let mut bridge = Process::start(free_address(), broker.address());
    let mut page = Page::new(bridge.address);
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
