//! Readings of sensors into Kafka.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use klamm_firmware_qemu::readings;
use klamm_mps2_an385::start;

#[embassy_executor::main(entry = "cortex_m_rt::entry")]
async fn main(spawner: Spawner) -> ! {
    readings::main(spawner, start).await
}
