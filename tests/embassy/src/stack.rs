//! Two embassy-net stacks at the ends of a cable.

use core::net::Ipv4Addr;

use embassy_net::{Config, Ipv4Cidr, Stack, StackResources, StaticConfigV4};

use crate::executor::spawn;
use crate::wire::{Cable, End};

/// Where the device is.
pub const DEVICE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);
/// Where its brokers and its name server are.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// The device's stack: `SOCKETS` is what its application planned for.
#[must_use]
pub fn device<const SOCKETS: usize>(cable: &Cable) -> Stack<'static> {
    stack::<SOCKETS>(cable.end(0), DEVICE, 1)
}

/// The stack of its brokers.
#[must_use]
pub fn host(cable: &Cable) -> Stack<'static> {
    stack::<32>(cable.end(1), HOST, 2)
}

fn stack<const SOCKETS: usize>(end: End, address: Ipv4Addr, seed: u64) -> Stack<'static> {
    let mut v4 = StaticConfigV4 {
        address: Ipv4Cidr::new(address, 24),
        gateway: Some(HOST),
        dns_servers: Default::default(),
    };
    v4.dns_servers.push(HOST).expect("room for one");
    // Sockets and handles refer to it for as long as the thread lives.
    let resources = Box::leak(Box::new(StackResources::<SOCKETS>::new()));
    let (stack, mut runner) = embassy_net::new(end, Config::ipv4_static(v4), resources, seed);
    spawn(async move { runner.run().await });
    stack
}
