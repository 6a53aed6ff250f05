//! Readings of a sensor into Kafka from a WIZnet W5500-EVB-Pico, over its Ethernet.
#![no_std]
#![no_main]

use defmt::Display2Format;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_net_wiznet::State;
use embassy_net_wiznet::chip::W5500;
use embassy_rp::clocks::RoscRng;
use embassy_rp::flash::{Blocking, Flash};
use embassy_rp::gpio::{Input, Level, Output, Pull};
use embassy_rp::peripherals::{DMA_CH0, DMA_CH1, FLASH, SPI0};
use embassy_rp::spi::{self, Spi};
use embassy_rp::{Peri, bind_interrupts, dma};
use embassy_time::Delay;
use embedded_hal_bus::spi::ExclusiveDevice;
use klamm_station::{Memory, wired};
use panic_probe as _;
use static_cell::ConstStaticCell;

bind_interrupts!(struct Irqs {
    DMA_IRQ_0 => dma::InterruptHandler<DMA_CH0>, dma::InterruptHandler<DMA_CH1>;
});

type Chip = embassy_net_wiznet::Runner<
    'static,
    W5500,
    ExclusiveDevice<Spi<'static, SPI0, spi::Async>, Output<'static>, Delay>,
    Input<'static>,
    Output<'static>,
>;

/// Frames on their way in and out, of 1,514 bytes each.
type Frames = State<4, 4>;

/// The chip can do 80 MHz, the processor's SPI half of its clock at most.
const SPI_HZ: u32 = 33_000_000;
const FLASH_BYTES: usize = 2 * 1024 * 1024;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());
static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::new());

#[embassy_executor::main]
async fn main(spawner: Spawner) -> ! {
    let p = embassy_rp::init(Default::default());
    let mut config = spi::Config::default();
    config.frequency = SPI_HZ;
    let spi = Spi::new(p.SPI0, p.PIN_18, p.PIN_19, p.PIN_16, p.DMA_CH0, p.DMA_CH1, Irqs, config);
    let select = Output::new(p.PIN_17, Level::High);
    let spi = defmt::unwrap!(ExclusiveDevice::new(spi, select, Delay));
    let interrupt = Input::new(p.PIN_21, Pull::Up);
    let reset = Output::new(p.PIN_20, Level::High);
    let started = embassy_net_wiznet::new(mac(p.FLASH), FRAMES.take(), spi, interrupt, reset).await;
    let Ok((driver, runner)) = started else { defmt::panic!("the W5500 does not answer") };
    spawner.spawn(defmt::unwrap!(chip(runner)));

    let print = |line: core::fmt::Arguments<'_>| defmt::info!("{}", Display2Format(&line));
    klamm_station::run(driver, MEMORY.take(), RoscRng.next_u64(), print, wired).await
}

/// The chip has no address of its own: a locally administered one from the flash's unique number.
fn mac(flash: Peri<'static, FLASH>) -> [u8; 6] {
    let mut unique = [0; 8];
    let mut flash = Flash::<_, Blocking, FLASH_BYTES>::new_blocking(flash);
    defmt::unwrap!(flash.blocking_unique_id(&mut unique));
    let [_, _, _, a, b, c, d, e] = unique;
    [0x02, a, b, c, d, e]
}

#[embassy_executor::task]
async fn chip(runner: Chip) -> ! {
    runner.run().await
}
