//! The answer as lines of a name and a text each, or as JSON.

use super::Answer;
use crate::output::Lines;

pub(super) fn json(answer: &Answer<'_>) -> String {
    // Texts and numbers always serialize.
    serde_json::to_string_pretty(answer).unwrap_or_default()
}

pub(super) fn text(answer: &Answer<'_>) -> String {
    let mut lines = Lines::default();
    let last = answer.partitions - 1;
    match answer.partition {
        Some(partition) => lines.put("partition", format_args!("{partition} of 0 to {last}")),
        None => lines.put("partition", format_args!("any of 0 to {last}")),
    }
    lines.put("why", &answer.why);
    if let Some(partitioner) = answer.partitioner {
        lines.put("partitioner", partitioner);
    }
    if let Some(leader) = answer.leader {
        lines.put("leader", format_args!("broker {} at {}", leader.id, leader.address()));
    }
    if let (Some(in_sync), Some(replicas)) = (answer.in_sync, answer.replicas) {
        let (in_sync, replicas) = (in_sync.len(), replicas.len());
        lines.put("in sync", format_args!("{in_sync} of {replicas} replicas"));
    }
    match &answer.held_back[..] {
        [] => lines.put("held back by", "nothing"),
        reasons => reasons.iter().for_each(|reason| lines.put("held back by", reason)),
    }
    lines.text()
}
