//! Readings of a sensor into Kafka from an ST Nucleo-H563ZI, over its Ethernet.
#![no_std]
#![no_main]

use defmt::Display2Format;
use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_stm32::eth::{Ethernet, PacketQueue};
use embassy_stm32::peripherals::RNG;
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Hse, HseMode, Pll, PllDiv, PllMul, PllPreDiv, PllSource, Sysclk,
    VoltageScale,
};
use embassy_stm32::rng::Rng;
use embassy_stm32::time::Hertz;
use embassy_stm32::{Config, bind_interrupts, eth, rng, uid};
use klamm_station::{Memory, wired};
use panic_probe as _;
use static_cell::ConstStaticCell;

bind_interrupts!(struct Irqs {
    ETH => eth::InterruptHandler;
    RNG => rng::InterruptHandler<RNG>;
});

/// Frames on their way out and in.
type Frames = PacketQueue<4, 4>;

static MEMORY: ConstStaticCell<Memory> = ConstStaticCell::new(Memory::new());
static FRAMES: ConstStaticCell<Frames> = ConstStaticCell::new(Frames::new());

#[embassy_executor::main]
async fn main(_spawner: Spawner) -> ! {
    let p = embassy_stm32::init(clocks());
    let seed = Rng::new(p.RNG, Irqs).next_u64();
    let driver = Ethernet::new(
        FRAMES.take(),
        p.ETH,
        Irqs,
        p.PA1,  // REF_CLK
        p.PA7,  // CRS_DV
        p.PC4,  // RXD0
        p.PC5,  // RXD1
        p.PG13, // TXD0
        p.PB15, // TXD1
        p.PG11, // TX_EN
        mac(),
        p.ETH_SMA,
        p.PA2, // MDIO
        p.PC1, // MDC
    );
    let print = |line: core::fmt::Arguments<'_>| defmt::info!("{}", Display2Format(&line));
    klamm_station::run(driver, MEMORY.take(), seed, print, wired).await
}

/// 250 MHz from the debugger's clock of 8 MHz.
fn clocks() -> Config {
    let mut config = Config::default();
    config.rcc.hsi = None;
    // The random numbers' clock.
    config.rcc.hsi48 = Some(Default::default());
    config.rcc.hse = Some(Hse { freq: Hertz(8_000_000), mode: HseMode::BypassDigital });
    config.rcc.pll1 = Some(Pll {
        source: PllSource::HSE,
        prediv: PllPreDiv::DIV2,
        mul: PllMul::MUL125,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    config.rcc.sys = Sysclk::PLL1_P;
    config.rcc.ahb_pre = AHBPrescaler::DIV1;
    config.rcc.apb1_pre = APBPrescaler::DIV1;
    config.rcc.apb2_pre = APBPrescaler::DIV1;
    config.rcc.apb3_pre = APBPrescaler::DIV1;
    config.rcc.voltage_scale = VoltageScale::Scale0;
    config
}

/// A locally administered address from the chip's unique number: where on the wafer it was.
fn mac() -> [u8; 6] {
    let [a, b, c, d, e, ..] = uid::uid();
    [0x02, a, b, c, d, e]
}
