//! The Wi-Fi of the Raspberry Pi Pico W and Pico 2 W: both have the chip at the same pins.
#![no_std]

mod firmware;

use core::convert::Infallible;

use cyw43::{Control, JoinOptions, NetDriver, PowerManagementMode, SpiBus, State};
use cyw43_pio::{PioSpi, RM2_CLOCK_DIVIDER};
use defmt::Display2Format;
use embassy_executor::Spawner;
use embassy_net::Stack;
use embassy_rp::clocks::RoscRng;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::{DMA_CH0, PIO0};
use embassy_rp::pio::{self, Pio};
use embassy_rp::{Peripherals, bind_interrupts, dma};
use embassy_time::{Duration, Timer};
use klamm_station::Memory;
use klamm_station::settings::{WIFI_NAME, WIFI_PASSWORD};
use static_cell::{ConstStaticCell, StaticCell};

bind_interrupts!(struct Irqs {
    PIO0_IRQ_0 => pio::InterruptHandler<PIO0>;
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>;
});

type Chip = cyw43::Runner<'static, SpiBus<Output<'static>, PioSpi<'static, PIO0, 0>>>;

const RETRY: Duration = Duration::from_secs(5);

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());

/// Starts the Wi-Fi chip, and measures and sends for ever.
pub async fn run(spawner: Spawner, p: Peripherals) -> ! {
    static STATE: StaticCell<State> = StaticCell::new();
    firmware::check();
    let mut pio = Pio::new(p.PIO0, Irqs);
    let spi = PioSpi::new(
        &mut pio.common,
        pio.sm0,
        // The slowest: what is sent is little, and wires differ from board to board.
        RM2_CLOCK_DIVIDER,
        pio.irq0,
        Output::new(p.PIN_25, Level::High),
        p.PIN_24,
        p.PIN_29,
        dma::Channel::new(p.DMA_CH0, Irqs),
    );
    let power = Output::new(p.PIN_23, Level::Low);
    let state = STATE.init_with(State::new);
    let (driver, control, runner) =
        cyw43::new(state, power, spi, firmware::PROGRAM, firmware::NVRAM).await;
    spawner.spawn(defmt::unwrap!(chip(runner)));
    let seed = RoscRng.next_u64();
    station(driver, control, seed).await
}

async fn station(driver: NetDriver<'static>, mut control: Control<'static>, seed: u64) -> ! {
    control.init(firmware::COUNTRIES).await;
    // The chip listens to every few beacons only; what comes in between waits in the access point.
    control.set_power_management(PowerManagementMode::Aggressive).await;
    let print = |line: core::fmt::Arguments<'_>| defmt::info!("{}", Display2Format(&line));
    klamm_station::run(driver, MEMORY.take(), seed, print, async |stack| {
        stay_joined(control, stack).await
    })
    .await
}

async fn stay_joined(mut control: Control<'static>, stack: Stack<'static>) -> Infallible {
    let options = match WIFI_PASSWORD {
        "" => JoinOptions::new_open(),
        password => JoinOptions::new(password.as_bytes()),
    };
    loop {
        match control.join(WIFI_NAME, options.clone()).await {
            Ok(()) => {
                defmt::info!("joined {}", WIFI_NAME);
                stack.wait_link_up().await;
                stack.wait_link_down().await;
            }
            Err(error) => defmt::warn!("cannot join {}: {}", WIFI_NAME, error),
        }
        Timer::after(RETRY).await;
    }
}

#[embassy_executor::task]
async fn chip(runner: Chip) -> ! {
    runner.run().await
}
