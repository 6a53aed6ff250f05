//! The machine: what figures of time depend on.

use std::fs;
use std::process::Command;

/// Names and texts.
pub(crate) fn describe() -> Vec<(String, String)> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    vec![
        (
            "machine".to_owned(),
            format!(
                "{model}, {cores} cores, {:.0} GiB, shared by producer and brokers",
                memory as f64 / 1_048_576.0
            ),
        ),
        ("kernel".to_owned(), format!("Linux {}", kernel.trim())),
        ("commit".to_owned(), said("git", &["describe", "--always", "--dirty"])),
    ]
}

/// The load average of the last minute: above the number of cores, processes wait.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(1).collect()
}

/// Now, as `2026-11-21 18:40 UTC`.
pub(crate) fn now() -> String {
    said("date", &["-u", "+%Y-%m-%d %H:%M UTC"])
}

fn said(program: &str, arguments: &[&str]) -> String {
    let out = Command::new(program).args(arguments).output();
    out.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default()
}
