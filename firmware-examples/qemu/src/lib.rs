//! What QEMU's Cortex-M machines have in common, and real boards have from elsewhere: text, time of day, arguments and an
//! exit code through semihosting; a clock for embassy on SysTick; how much of the stack was used.
#![no_std]

pub mod semihosting;
pub mod stack;
pub mod systick;

use core::panic::PanicInfo;

use cortex_m_semihosting::hprintln;

/// The exit code of an image that panicked.
pub const PANICKED: u32 = 101;

/// Says where, and ends QEMU: a test that panics has failed. (What a device in the field does is in the README.)
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(at) => hprintln!("panic {}:{}", at.file(), at.line()),
        None => hprintln!("panic"),
    }
    semihosting::exit(PANICKED)
}
