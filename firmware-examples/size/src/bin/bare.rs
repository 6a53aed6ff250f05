//! The image without klamm: start-up, vectors, and what every image has.
#![no_std]
#![no_main]

use panic_halt as _;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        klamm_size::firmware();
    }
}
