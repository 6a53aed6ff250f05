//! What QEMU's Cortex-M machines have in common, and real boards have from elsewhere: text, time of
//! day, arguments and an exit code through semihosting; a clock for embassy on SysTick; how much of
//! the stack was used.
#![no_std]

#[cfg(feature = "count")]
pub mod count;
pub mod readings;
pub mod semihosting;
pub mod stack;
pub mod systick;

use core::panic::PanicInfo;

/// The exit code of an image that panicked.
pub const PANICKED: u32 = 101;

/// Ends QEMU: a test that panics has failed. (A device in the field would reset itself.) The
/// message is not looked at, so that neither it nor the names of source files are in the flash; the
/// feature `say-where` tells the place.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    #[cfg(feature = "say-where")]
    if let Some(at) = _info.location() {
        cortex_m_semihosting::hprintln!("panic {}:{}", at.file(), at.line());
    }
    semihosting::exit(PANICKED)
}
