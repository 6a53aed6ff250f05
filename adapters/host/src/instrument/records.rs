//! Events as records of the `log` and `tracing` crates, tagged with the client id.

use super::event::{ProducerEvent, Severity};

pub(super) fn write(client_id: &str, event: &ProducerEvent<'_>) {
    let severity = event.severity();
    #[cfg(feature = "log")]
    write_log(client_id, event, severity);
    #[cfg(feature = "tracing")]
    write_tracing(client_id, event, severity);
}

#[cfg(feature = "log")]
fn write_log(client_id: &str, event: &ProducerEvent<'_>, severity: Severity) {
    let level = match severity {
        Severity::Error => log::Level::Error,
        Severity::Warn => log::Level::Warn,
        Severity::Info => log::Level::Info,
        Severity::Debug => log::Level::Debug,
        Severity::Trace => log::Level::Trace,
    };
    log::log!(target: "klamm", level, "[{client_id}] {event}");
}

#[cfg(feature = "tracing")]
fn write_tracing(client_id: &str, event: &ProducerEvent<'_>, severity: Severity) {
    // The level of a `tracing` event is part of its place in the code.
    match severity {
        Severity::Error => tracing::error!(target: "klamm", client_id, "{event}"),
        Severity::Warn => tracing::warn!(target: "klamm", client_id, "{event}"),
        Severity::Info => tracing::info!(target: "klamm", client_id, "{event}"),
        Severity::Debug => tracing::debug!(target: "klamm", client_id, "{event}"),
        Severity::Trace => tracing::trace!(target: "klamm", client_id, "{event}"),
    }
}
