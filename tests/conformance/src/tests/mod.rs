//! The tests. Each panics where an adapter does not conform.

#![allow(clippy::missing_panics_doc, reason = "that is what they are for")]

pub mod deliver;
pub mod failures;
pub mod hooks;
pub mod instruments;
pub mod wait;

use core::time::Duration;

/// Longer than anything takes that works.
const LIMIT: Duration = Duration::from_secs(60);
