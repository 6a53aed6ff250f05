//! What the tests share: a broker of their own, a producer for it, and the broker's log.

use core::net::{Ipv4Addr, SocketAddr};
use std::net::TcpListener;

use klamm_sim::cluster::LoggedRecord;
use klamm_sim::dev_broker::{self, DevBroker, Options};
use klamm_std::{Builder, Producer};

/// A broker with the topic `t`.
pub(crate) fn broker(partitions: i32) -> DevBroker {
    broker_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), partitions)
}

/// The same at this address.
pub(crate) fn broker_at(listen: SocketAddr, partitions: i32) -> DevBroker {
    let options = Options { listen, topics: vec![("t".into(), partitions)], ..Options::default() };
    DevBroker::start(options).expect("a free loopback port")
}

pub(crate) fn builder(broker: &DevBroker) -> Builder {
    Producer::builder(&broker.address().to_string())
}

pub(crate) fn producer(broker: &DevBroker) -> Producer {
    builder(broker).build().expect("the defaults are legal")
}

/// What is in a partition of the topic `t`.
pub(crate) fn log(broker: &DevBroker, partition: i32) -> Vec<LoggedRecord> {
    broker.with(|cluster, _| cluster.log("t", partition).collect())
}

/// An address at which nobody listens, yet.
pub(crate) fn nobody() -> SocketAddr {
    dev_broker::nobody().expect("a free port")
}

/// Someone who takes connections and never says a word.
pub(crate) fn mute() -> (TcpListener, SocketAddr) {
    let address = nobody();
    (TcpListener::bind(address).expect("nobody is there"), address)
}
