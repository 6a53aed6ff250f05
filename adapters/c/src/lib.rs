//! klamm for C: `klamm.h` and a static library. The functions are klamm's own, with pointers for references; what
//! they promise is in the header, which cbindgen writes from this crate. See `README.md` for the way into a firmware.
//!
//! Nothing here allocates, calls back, starts a thread or needs libc. Every function checks its pointers and handles as
//! far as a pointer can be checked: for null, and a producer for its mark.
#![no_std]
#![allow(non_camel_case_types, reason = "types have the names that they have in C")]
#![allow(clippy::missing_safety_doc, reason = "for all functions it is at the top of the header")]

#[cfg(any(test, not(target_os = "none")))]
extern crate std;

// In the order of the header.
mod config;

mod producer;

mod application;

mod adapter;

mod report;

mod status;

mod names;

mod arena;
mod pointer;

pub use adapter::*;
pub use application::*;
pub use config::*;
pub use names::*;
pub use producer::*;
pub use report::*;
pub use status::*;

#[cfg(test)]
mod tests;

/// An invariant of klamm's own does not hold: the program says what happens then, most often a reset.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    unsafe extern "C" {
        fn klamm_panicked();
    }
    loop {
        // SAFETY: the header says that the program defines it so, with no arguments and no result.
        unsafe { klamm_panicked() }
    }
}
