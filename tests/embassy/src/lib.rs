//! A device, its network and its brokers in one thread, in virtual time: no privileges, no sockets,
//! no waiting, and the same every time for a seed.

#![allow(clippy::missing_panics_doc, reason = "that is how tests fail")]
#![allow(missing_debug_implementations, reason = "they are made of other people's types")]

pub mod brokers;
pub mod executor;
pub mod names;
pub mod relay;
pub mod stack;
pub mod time;
pub mod wire;

use embassy_net::Stack;
use klamm_embassy::{Config, EmbassyNet, Producer, Resources, Timestamp};

pub use brokers::Brokers;
pub use executor::{poll_times, polls, run, simulate, spawn};
pub use names::{Answer, Names};
pub use wire::{Cable, Weather};

/// A producer on a device of usual size, which is running, and knows the time: 7 batches of 1,024
/// bytes, 8 partitions, 2 connections.
#[must_use]
pub fn producer(cable: &Cable, config: &Config<'_>) -> Producer<'static> {
    start(stack::device::<3>(cable), config)
}

/// The same and its stack, with these bootstrap servers.
#[must_use]
pub fn stack_and_producer(cable: &Cable, servers: &str) -> (Stack<'static>, Producer<'static>) {
    let stack = stack::device::<3>(cable);
    (stack, start(stack, &Config::new(servers)))
}

fn start(stack: Stack<'static>, config: &Config<'_>) -> Producer<'static> {
    let resources = Box::leak(Box::new(Resources::<1_200, 8, 8, 2>::new()));
    let (producer, mut runner) =
        klamm_embassy::new(resources, EmbassyNet::new(stack), config, 7).expect("legal options");
    spawn(async move { runner.run().await });
    producer.set_clock(Timestamp::from_millis(UNIX_MS));
    producer
}

/// The time of day when a simulation begins.
pub const UNIX_MS: i64 = 1_700_000_000_000;

/// The bootstrap servers: the first node's address.
pub const SERVERS: &str = "10.0.2.2:9093";
