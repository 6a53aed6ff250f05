//! Replays the traces of `klamm-replay`; `run.mjs` asks for what they come to.
#![no_std]

extern crate alloc;

use alloc::boxed::Box;

use dlmalloc::GlobalDlmalloc;
use klamm_replay::{Digest, Memory, replay};

#[global_allocator]
static HEAP: GlobalDlmalloc = GlobalDlmalloc;

static TRACES: [&[u8]; 2] = [
    include_bytes!(concat!(env!("KLAMM_TRACES"), "/plain.trace")),
    include_bytes!(concat!(env!("KLAMM_TRACES"), "/gzip.trace")),
];

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// The hash of what a trace gives.
#[unsafe(no_mangle)]
pub extern "C" fn hash(trace: usize) -> u64 {
    digest(trace).hash
}

/// The number of bytes that a trace gives.
#[unsafe(no_mangle)]
pub extern "C" fn bytes(trace: usize) -> u64 {
    digest(trace).bytes
}

fn digest(trace: usize) -> Digest {
    let mut digest = Digest::default();
    let mut memory = Box::new(Memory::new());
    replay(TRACES[trace], &mut memory, &mut digest).expect("it is a trace");
    digest
}
