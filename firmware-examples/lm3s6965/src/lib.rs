//! The machine: its Ethernet, its clock, and the tasks that every image on it has.
#![no_std]

mod nic;

use embassy_executor::Spawner;
use embassy_net::{Config, Runner, Stack, StackResources};
use klamm_firmware_qemu::systick;
use static_cell::ConstStaticCell;

pub use nic::Nic;

/// What the processor runs at after a reset.
const CORE_HZ: u32 = 12_500_000;

/// Sockets at once: DHCP, DNS, and one to a broker. One too few, and embassy-net panics.
const SOCKETS: usize = 3;

/// Starts the clock and the network; its address comes by DHCP. `None` if that was done before.
pub fn start(spawner: Spawner, seed: u64) -> Option<Stack<'static>> {
    static RESOURCES: ConstStaticCell<StackResources<SOCKETS>> =
        ConstStaticCell::new(StackResources::new());
    let peripherals = cortex_m::Peripherals::take()?;
    systick::start(peripherals.SYST, CORE_HZ);
    let nic = Nic::take()?;
    let resources = RESOURCES.try_take()?;
    let (stack, runner) =
        embassy_net::new(nic, Config::dhcpv4(Default::default()), resources, seed);
    spawner.spawn(network(runner).ok()?);
    Some(stack)
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Nic>) -> ! {
    runner.run().await
}
