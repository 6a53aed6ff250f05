//! Readings of a sensor into Kafka, once a minute, from a Raspberry Pi Pico W.
#![no_std]
#![no_main]

use defmt_rtt as _;
use embassy_executor::Spawner;
use panic_probe as _;

#[embassy_executor::main]
async fn main(spawner: Spawner) -> ! {
    let peripherals = embassy_rp::init(Default::default());
    klamm_pico_wifi::run(spawner, peripherals).await
}
