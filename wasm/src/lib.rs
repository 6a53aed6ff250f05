//! klamm for JavaScript: the core behind numbers and bytes. The npm package `klamm` is this module and `js/`.
//!
//! What crosses the boundary crosses it in bulk: records of many calls lie in one area (`append`), and a
//! `turn` hands out everything that is to be done, all reports included. Areas are allocated at the start and
//! stay where they are; only a second `Engine` may make the memory grow, and detach what JavaScript saw of it.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod crc;
mod engine;
mod input;
#[cfg(feature = "codecs")]
mod jobs;
mod options;
mod output;
#[cfg(feature = "codecs")]
mod returned;
mod setup;
#[cfg(feature = "codecs")]
mod snapshot;
mod status;

pub use engine::Engine;
pub use setup::Setup;

/// Frees nothing: what the plain module allocates it allocates at the start, and keeps until its instance goes.
#[cfg(all(target_arch = "wasm32", not(feature = "codecs")))]
#[global_allocator]
static HEAP: lol_alloc::LockedAllocator<lol_alloc::LeakingAllocator> =
    lol_alloc::LockedAllocator::new(lol_alloc::LeakingAllocator::new());

/// Snapshots come and go.
#[cfg(all(target_arch = "wasm32", feature = "codecs"))]
#[global_allocator]
static HEAP: lol_alloc::LockedAllocator<lol_alloc::FreeListAllocator> =
    lol_alloc::LockedAllocator::new(lol_alloc::FreeListAllocator::new());

/// Without a word: messages would be a third of the module.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn stop(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
