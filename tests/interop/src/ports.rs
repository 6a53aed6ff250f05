//! Ports for brokers.

use anyhow::{Context, Result};
use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU32, Ordering};
use std::net::TcpListener;

/// A port that is free now. Taken below the range from which the system gives ports to outgoing
/// connections: a client that redials a dead broker could otherwise be given the broker's own port,
/// connect to itself, and keep the broker from coming back.
///
/// # Errors
/// If none is free.
pub fn free() -> Result<u16> {
    const FIRST: u32 = 10_000;
    // Above are those of `klamm_sim::dev_broker::nobody`.
    const COUNT: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Other test processes look for ports at the same time: start where they probably do not.
    let start = std::process::id().wrapping_mul(127) % COUNT;
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + (start + step) % COUNT)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    None.context("no free port between 10000 and 20000")
}
