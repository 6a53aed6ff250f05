//! The application of the firmware examples, the same on every board.
#![no_std]
#![forbid(unsafe_code)]

use core::fmt;

/// What a board has beside its network.
pub trait Board {
    /// A line for whoever watches.
    fn print(&self, line: fmt::Arguments<'_>);
    /// Milliseconds since 1970.
    fn wall_clock_ms(&self) -> i64;
    /// Bytes of the stack that have been used at most.
    fn stack_used(&self) -> usize;
}
