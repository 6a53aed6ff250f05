//! A measuring station, the same on every board: a reading each second with the time at which it
//! was made, collected for a minute and then sent in one batch, so that a radio can sleep between.
//! Sending, and what became of the readings, is the application of the QEMU examples.
#![no_std]
#![forbid(unsafe_code)]

mod sensor;
pub mod settings;

use core::convert::Infallible;
use core::fmt;

use embassy_futures::join::join5;
use embassy_net::driver::Driver;
use embassy_net::{Stack, StackResources};
use embassy_time::{Duration, Timer};
use klamm_embassy::{EmbassyNet, Producer, Resources};
use klamm_firmware_app::ledger::Ledger;
use klamm_firmware_app::reading::Reading;
use klamm_firmware_app::settings::Settings;
use klamm_firmware_app::{Board, config, run as send};
use klamm_firmware_sntp::keep;

use settings::{BATCH_SECONDS, BROKERS, TIME_SERVER, TOPIC};

/// DHCP, DNS, SNTP, and one to a broker. One too few, and embassy-net panics.
const SOCKETS: usize = 4;

/// All that the network stack and the producer need, for a `static`. A minute of readings has
/// 2.5 KB: with 12 batches of 4 KB ten minutes without network lose nothing.
pub struct Memory {
    network: StackResources<SOCKETS>,
    producer: Resources<'static, 4_096, 12, 4>,
    ledger: Ledger,
}

impl Memory {
    /// Empty memory.
    pub const fn new() -> Self {
        Self { network: StackResources::new(), producer: Resources::new(), ledger: Ledger::new() }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

/// Measures and sends for ever. `print` shows a line, `seed` is a random number, and `link` brings
/// the network's link up, whenever it is down: see [`wired`].
pub async fn run(
    driver: impl Driver,
    memory: &'static mut Memory,
    seed: u64,
    print: fn(fmt::Arguments<'_>),
    link: impl AsyncFnOnce(Stack<'static>) -> Infallible,
) -> ! {
    let Memory { network, producer, ledger } = memory;
    let dhcp = embassy_net::Config::dhcpv4(Default::default());
    let (stack, mut network) = embassy_net::new(driver, dhcp, network, seed);

    let settings = Settings {
        bootstrap: BROKERS,
        topic: TOPIC,
        records: u32::MAX,
        pace_ms: 1_000,
        linger_ms: BATCH_SECONDS * 1_000,
        // A reading that comes too late is of no use, and the next one is not to wait.
        drop_when_full: true,
        ..Settings::default()
    };
    let mut config = config(&settings);
    // What is in memory is kept as long as it takes, and no question wakes the radio in between.
    config.delivery_timeout_ms = u32::MAX;
    config.metadata_max_age_ms = 3_600_000;
    let (producer, mut runner) =
        match klamm_embassy::new(producer, EmbassyNet::new(stack), &config, seed) {
            Ok(both) => both,
            Err(error) => {
                print(format_args!("settings: {error}"));
                core::future::pending().await
            }
        };

    let board = Station { print };
    print(format_args!(
        "to topic {TOPIC} at {BROKERS}, every {BATCH_SECONDS} s; time from {TIME_SERVER}"
    ));
    let (never, ..) = join5(
        network.run(),
        runner.run(),
        keep(stack, producer, TIME_SERVER),
        measure(&board, producer, &settings, ledger),
        link(stack),
    )
    .await;
    never
}

/// The `link` of a board with a cable.
pub async fn wired(_stack: Stack<'static>) -> Infallible {
    core::future::pending().await
}

async fn measure(
    board: &Station,
    producer: Producer<'_>,
    settings: &Settings<'_>,
    ledger: &Ledger,
) -> ! {
    const RETRY: Duration = Duration::from_secs(60);
    loop {
        if let Err(error) = send(board, producer, settings, ledger).await {
            board.print(format_args!("topic {TOPIC}: {error}"));
        }
        // Somebody may create the topic, or allow its use.
        Timer::after(RETRY).await;
    }
}

struct Station {
    print: fn(fmt::Arguments<'_>),
}

impl Board for Station {
    fn print(&self, line: fmt::Arguments<'_>) {
        (self.print)(line);
    }

    fn wall_clock_ms(&self) -> Option<i64> {
        None
    }

    fn stack_used(&self) -> usize {
        0
    }

    fn read(&self, number: u32, _settings: &Settings<'_>) -> Reading {
        Reading::celsius(sensor::celsius(number))
    }
}
