//! What the process has used: processor time and memory, where the system tells.

use core::time::Duration;

/// Processor time of all threads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cpu {
    pub(super) user: Duration,
    pub(super) system: Duration,
}

impl Cpu {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }

    pub(super) fn seconds(self) -> f64 {
        (self.user + self.system).as_secs_f64()
    }
}

#[cfg(unix)]
pub(super) fn cpu() -> Option<Cpu> {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeVal;

    let duration = |time: TimeVal| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
        let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
        Duration::from_secs(seconds) + Duration::from_micros(micros)
    };
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some(Cpu { user: duration(usage.user_time()), system: duration(usage.system_time()) })
}

#[cfg(not(unix))]
pub(super) fn cpu() -> Option<Cpu> {
    None
}

/// The most memory that was resident at once, in bytes.
///
/// Not `getrusage`'s on Linux: that begins with the memory of the process that this one was forked
/// from.
#[cfg(target_os = "linux")]
pub(super) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(unix, not(target_os = "linux")))]
pub(super) fn peak_memory() -> Option<u64> {
    use nix::sys::resource::{UsageWho, getrusage};

    let peak = u64::try_from(getrusage(UsageWho::RUSAGE_SELF).ok()?.max_rss()).ok()?;
    // Bytes on Apple's systems, KiB on the others.
    Some(if cfg!(target_vendor = "apple") { peak } else { peak * 1024 })
}

#[cfg(not(unix))]
pub(super) fn peak_memory() -> Option<u64> {
    None
}
