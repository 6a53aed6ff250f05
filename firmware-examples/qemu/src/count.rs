//! How long the processor worked: from an executor's waking up to its going to sleep. QEMU's
//! `-icount shift=0` makes an instruction a nanosecond, so that this is a number of instructions.
//!
//! embassy's executor calls these functions with its feature `trace`.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use cortex_m::peripheral::{SCB, SYST};

use crate::systick;

/// Ticks of the processor's clock when the executor woke up.
static AWAKE: AtomicU32 = AtomicU32::new(0);
/// Thousands of ticks, and the rest.
static BUSY: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

/// Thousands of ticks of the processor's clock up to when it slept last.
pub fn busy() -> u32 {
    BUSY[0].load(Relaxed)
}

/// Ticks of the processor's clock, with an overflow every few minutes.
fn ticks() -> u32 {
    let reload = SYST::get_reload() + 1;
    loop {
        let now = systick::now();
        let left = SYST::get_current();
        // Else the clock went on in between, or has and nobody was told yet.
        if systick::now() == now && !SCB::is_pendst_pending() {
            // It counts down, and interrupts when it reaches 0: that is the first tick of the next.
            let since = if left == 0 { 0 } else { reload - left };
            return now.wrapping_mul(reload).wrapping_add(since);
        }
    }
}

#[unsafe(no_mangle)]
fn _embassy_trace_poll_start(_executor: u32) {
    AWAKE.store(ticks(), Relaxed);
}

#[unsafe(no_mangle)]
fn _embassy_trace_executor_idle(_executor: u32) {
    let worked = BUSY[1].load(Relaxed) + ticks().wrapping_sub(AWAKE.load(Relaxed));
    BUSY[0].store(BUSY[0].load(Relaxed) + worked / 1_000, Relaxed);
    BUSY[1].store(worked % 1_000, Relaxed);
}

#[unsafe(no_mangle)]
fn _embassy_trace_task_new(_executor: u32, _task: u32) {}

#[unsafe(no_mangle)]
fn _embassy_trace_task_end(_executor: u32, _task: u32) {}

#[unsafe(no_mangle)]
fn _embassy_trace_task_exec_begin(_executor: u32, _task: u32) {}

#[unsafe(no_mangle)]
fn _embassy_trace_task_exec_end(_executor: u32, _task: u32) {}

#[unsafe(no_mangle)]
fn _embassy_trace_task_ready_begin(_executor: u32, _task: u32) {}
