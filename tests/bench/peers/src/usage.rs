//! What this process has used.

use anyhow::{Context, Result};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// Seconds of processor time of all threads: user, system.
pub(crate) fn cpu() -> Result<(f64, f64)> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok((seconds(usage.user_time()), seconds(usage.system_time())))
}

pub(crate) fn since(before: (f64, f64)) -> Result<(f64, f64)> {
    let now = cpu()?;
    Ok((now.0 - before.0, now.1 - before.1))
}

/// The most memory that was resident at once, in bytes. (`getrusage` begins with the memory of the
/// process that this one was forked from.)
pub(crate) fn peak_rss() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).context("no VmHWM")?;
    Ok(kib.parse::<u64>()? * 1024)
}
