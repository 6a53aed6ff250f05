//! The demo: what the settings and memory of the application are on a machine of QEMU's.

use embassy_executor::Spawner;
use embassy_net::Stack;
use klamm_embassy::{EmbassyNet, Resources, Runner};
use klamm_firmware_app::ledger::Ledger;
use klamm_firmware_app::settings::Settings;
use klamm_firmware_app::{Board as _, config, run};
use static_cell::ConstStaticCell;

use crate::semihosting::{self, Host};
use crate::stack;

/// Four batches of 1,400 bytes, four partitions, one connection, and its receive and transmit
/// buffers.
type Memory = Resources<'static, 1_400, 4, 4>;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

// SAFETY: nothing but this is in the section, and any bytes are a ledger.
#[unsafe(link_section = ".uninit.LEDGER")]
static LEDGER: Ledger = Ledger::new();

/// What the exit code says, if it is not 0.
#[repr(u32)]
enum Failure {
    /// A record was not delivered.
    NotDelivered = 1,
    /// The settings are wrong.
    Settings = 2,
    /// The topic cannot be used, or the network was started before.
    Unusable = 3,
}

/// Sends what the arguments say, and ends QEMU. `start` starts the network, given a seed for its
/// port numbers; `None` from it: that was done before.
pub async fn main(
    spawner: Spawner,
    start: impl FnOnce(Spawner, u64) -> Option<Stack<'static>>,
) -> ! {
    let result = readings(spawner, start).await;
    #[cfg(feature = "count")]
    Host.print(format_args!("busy {}", crate::count::busy()));
    semihosting::exit(match result {
        Ok(()) => 0,
        Err(failure) => failure as u32,
    })
}

async fn readings(
    spawner: Spawner,
    start: impl FnOnce(Spawner, u64) -> Option<Stack<'static>>,
) -> Result<(), Failure> {
    let mut buffer = [0; 256];
    let settings = Settings::parse(semihosting::arguments(&mut buffer)).ok_or(Failure::Settings)?;
    let open = LEDGER.open_after_reset();
    // A reset may have cut off a line.
    Host.print(format_args!("\nboot {LEDGER} open={open} stack_size={}", stack::size()));
    // A device in the field takes a random number, lest all of them retry at the same time.
    let seed = u64::from(LEDGER.boots());
    let network = start(spawner, seed).ok_or(Failure::Unusable)?;
    let memory = MEMORY.try_take().ok_or(Failure::Unusable)?;
    let (producer, runner) =
        klamm_embassy::new(memory, EmbassyNet::new(network), &config(&settings), seed)
            .map_err(|_| Failure::Settings)?;
    spawner.spawn(kafka(runner).map_err(|_| Failure::Unusable)?);
    network.wait_config_up().await;
    Host.print(format_args!("address"));
    match run(&Host, producer, &settings, &LEDGER).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::NotDelivered),
        Err(_) => Err(Failure::Unusable),
    }
}

#[embassy_executor::task]
async fn kafka(mut runner: Runner<'static, EmbassyNet<'static>>) -> ! {
    runner.run().await
}
