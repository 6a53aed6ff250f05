//! What each parameter of the embassy adapter's `Resources` costs on this machine, for `cargo xtask size`: no firmware,
//! but numbers in a section of their own.
#![no_std]
#![no_main]

use core::mem::size_of;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use klamm_embassy::Resources;
use panic_halt as _;

type Memory<const BATCHES: usize, const PARTITIONS: usize, const CONNS: usize, const TASKS: usize> =
    Resources<'static, CHUNK, BATCHES, PARTITIONS, CONNS, SOCKET, SOCKET, TASKS, NoopRawMutex>;

const CHUNK: usize = 1_024;
const SOCKET: usize = 64;

const SMALL: usize = size_of::<Memory<8, 8, 2, 8>>();
/// Of eight more each, for the sake of padding.
const BATCH: usize = (size_of::<Memory<16, 8, 2, 8>>() - SMALL) / 8 - CHUNK;
const PARTITION: usize = (size_of::<Memory<8, 16, 2, 8>>() - SMALL) / 8;
const CONNECTION: usize = (size_of::<Memory<8, 8, 10, 8>>() - SMALL) / 8 - 2 * SOCKET;
const TASK: usize = (size_of::<Memory<8, 8, 2, 16>>() - SMALL) / 8;
const BASE: usize =
    SMALL - 8 * (CHUNK + BATCH) - 8 * PARTITION - 2 * (CONNECTION + 2 * SOCKET) - 8 * TASK;

/// In the order of the table.
#[used]
#[unsafe(link_section = ".klamm_memory")]
static NUMBERS: [usize; 5] = [BATCH, PARTITION, CONNECTION, TASK, BASE];

#[cortex_m_rt::entry]
fn main() -> ! {
    // Else the linker takes it for unused.
    core::hint::black_box(&NUMBERS);
    loop {
        core::hint::spin_loop();
    }
}
