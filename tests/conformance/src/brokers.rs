//! Brokers to test against: real ones (the dev broker), mute ones, none.

use core::net::{Ipv4Addr, SocketAddr};
use std::net::TcpListener;

use klamm_sim::cluster::LoggedRecord;
use klamm_sim::dev_broker::{self, DevBroker, Options};

/// A broker with the topic `t`.
///
/// # Panics
/// There is no free port.
#[must_use]
pub fn broker(partitions: i32) -> DevBroker {
    broker_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), partitions)
}

/// The same at this address.
///
/// # Panics
/// It is taken.
#[must_use]
pub fn broker_at(listen: SocketAddr, partitions: i32) -> DevBroker {
    let options = Options { listen, topics: vec![("t".into(), partitions)], ..Options::default() };
    DevBroker::start(options).expect("a free loopback port")
}

/// What is in a partition of the topic `t`.
#[must_use]
pub fn log(broker: &DevBroker, partition: i32) -> Vec<LoggedRecord> {
    broker.with(|cluster, _| cluster.log("t", partition).collect())
}

/// The values in a partition of the topic `t`.
#[must_use]
pub fn values(broker: &DevBroker, partition: i32) -> Vec<Vec<u8>> {
    log(broker, partition)
        .into_iter()
        .map(|record| record.value.map(|value| value.to_vec()).unwrap_or_default())
        .collect()
}

/// An address where connections are refused.
///
/// # Panics
/// There is no free port.
#[must_use]
pub fn nobody() -> SocketAddr {
    dev_broker::nobody().expect("a free port")
}

/// Someone who takes connections and never says a word.
///
/// # Panics
/// There is no free port.
#[must_use]
pub fn mute() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}
