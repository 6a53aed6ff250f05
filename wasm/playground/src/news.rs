//! What happened, in words.

use klamm::{Event, EventBatch, EventKind};
use serde::Serialize;

/// How a line is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tone {
    /// As it should be.
    Plain,
    /// A fault that somebody asked for.
    Fault,
    /// The producer copes with something.
    Warn,
    /// Records were given up.
    Bad,
}

/// A line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// Milliseconds of the run.
    pub(crate) at: f64,
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// The line about an event; `None` for what is too much or shown otherwise.
pub(crate) fn of(event: &Event) -> Option<(Tone, String)> {
    let text = match event.kind {
        EventKind::Sent { batch, broker, retries } if retries > 0 => {
            format!(
                "{} sent again to node {}, for the {} time",
                b(&batch),
                broker.node,
                nth(retries + 1)
            )
        }
        EventKind::Failed { batch, reason, maybe_persisted } => {
            let stored = if maybe_persisted { "perhaps stored" } else { "not stored" };
            return Some((Tone::Bad, format!("{} given up, {stored}: {reason}", b(&batch))));
        }
        EventKind::Retry { partition, error, backoff_us } => format!(
            "partition {}: {error}; again, in order, after {} ms",
            partition.index,
            backoff_us / 1_000
        ),
        EventKind::LeaderChanged { partition, from, to } => {
            let node =
                |node: Option<i32>| node.map_or_else(|| "nobody".into(), |n| format!("node {n}"));
            let tone = if from.is_none() { Tone::Plain } else { Tone::Warn };
            let text = format!("partition {}: led by {}", partition.index, node(to));
            return Some((tone, text));
        }
        EventKind::Connected(broker) => {
            return Some((Tone::Plain, format!("connected to {}", name(broker.node))));
        }
        EventKind::Disconnected { broker, unanswered, .. } => {
            format!(
                "{}: connection gone, {unanswered} requests without an answer",
                name(broker.node)
            )
        }
        EventKind::Throttled { broker, millis } => {
            format!("node {} asks for {millis} ms of silence", broker.node)
        }
        EventKind::DataLoss(partition) => {
            let text =
                format!("partition {}: the broker lost acknowledged records", partition.index);
            return Some((Tone::Bad, text));
        }
        EventKind::EpochBumped { partition, epoch: Some(epoch) } => {
            format!("partition {}: sequences start again under epoch {epoch}", partition.index)
        }
        EventKind::Identity { producer_id: Some(id), .. } => {
            return Some((Tone::Plain, format!("this producer's id is {id}")));
        }
        _ => return None,
    };
    Some((Tone::Warn, text))
}

fn b(batch: &EventBatch) -> String {
    let s = if batch.records == 1 { "" } else { "s" };
    format!("partition {}: {} record{s}", batch.partition.index, batch.records)
}

fn name(node: i32) -> String {
    if node < 0 { "a bootstrap server".into() } else { format!("node {node}") }
}

fn nth(n: u16) -> String {
    match n {
        2 => "second".into(),
        3 => "third".into(),
        n => format!("{n}th"),
    }
}
