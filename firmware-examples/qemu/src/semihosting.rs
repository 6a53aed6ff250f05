//! Calls to the machine that QEMU runs on.

use cortex_m_semihosting::nr;
use cortex_m_semihosting::{syscall, syscall1};
use klamm_firmware_app::Board;

/// Not in `cortex_m_semihosting::nr`: an exit with a code.
const EXIT_EXTENDED: usize = 0x20;
const APPLICATION_EXIT: usize = 0x2_0026;

/// The host's terminal and clock.
#[derive(Clone, Copy, Debug)]
pub struct Host;

impl Board for Host {
    fn print(&self, line: core::fmt::Arguments<'_>) {
        cortex_m_semihosting::hprintln!("{}", line);
    }

    fn wall_clock_ms(&self) -> Option<i64> {
        // SAFETY: the operation takes no argument and touches no memory.
        let seconds = unsafe { syscall1(nr::TIME, 0) };
        Some(i64::try_from(seconds).unwrap_or_default() * 1_000)
    }

    fn stack_used(&self) -> usize {
        crate::stack::used()
    }
}

/// What stands behind QEMU's `-semihosting-config arg=...`, one space between two of them; empty if
/// it does not fit into `buffer` or is no UTF-8.
pub fn arguments(buffer: &mut [u8]) -> &str {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    // SAFETY: the host writes no more than the length given to the address given, which is all of
    // `buffer`, and the length into the block. The address of the block is exposed, for the
    // compiler must not take it for unchanged.
    let failed = unsafe { syscall1(nr::GET_CMDLINE, (&raw mut block).expose_provenance()) };
    let length = if failed == 0 { block[1] } else { 0 };
    let text = buffer.get(..length).unwrap_or_default();
    core::str::from_utf8(text).unwrap_or_default().trim_end_matches('\0')
}

/// Ends QEMU with this exit code.
pub fn exit(code: u32) -> ! {
    let block = [APPLICATION_EXIT, code as usize];
    loop {
        // SAFETY: the block is the two words that the operation reads.
        unsafe { syscall(EXIT_EXTENDED, &block) };
    }
}
