//! Stored batches, as `DumpLogSegments` prints them: a line of `name: value` pairs for each.

use anyhow::{Context, Result};
use std::collections::HashMap;

/// A batch in a log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Offset of the first record.
    pub base_offset: u64,
    /// Records.
    pub count: u32,
    /// Sequence number of the first record; -1 without idempotence.
    pub base_sequence: i64,
    /// Producer id; -1 without idempotence.
    pub producer_id: i64,
    /// Producer epoch; -1 without idempotence.
    pub producer_epoch: i16,
    /// The codec's name in lower case.
    pub codec: String,
    /// Whether Kafka finds the checksum and the lengths right.
    pub valid: bool,
    /// Bytes on disk.
    pub size: u64,
}

/// The batches in the output of `DumpLogSegments`.
///
/// # Errors
/// If a line about a batch lacks something.
pub fn parse_dump(text: &str) -> Result<Vec<Batch>> {
    text.lines().filter(|line| line.starts_with("baseOffset:")).map(batch).collect()
}

fn batch(line: &str) -> Result<Batch> {
    let mut words = line.split_whitespace();
    let mut fields = HashMap::new();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        fields.insert(name.trim_end_matches(':').to_ascii_lowercase(), value);
    }
    let field = |name: &str| {
        fields.get(name).copied().with_context(|| format!("no {name} in a batch: {line}"))
    };
    Ok(Batch {
        base_offset: field("baseoffset")?.parse()?,
        count: field("count")?.parse()?,
        base_sequence: field("basesequence")?.parse()?,
        producer_id: field("producerid")?.parse()?,
        producer_epoch: field("producerepoch")?.parse()?,
        codec: field("compresscodec")?.to_ascii_lowercase(),
        valid: field("isvalid")?.parse()?,
        size: field("size")?.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_kafka_4_3_is_read() {
        let text = "Dumping x.log\nLog starting offset: 0\n\
            baseOffset: 7 lastOffset: 9 count: 3 baseSequence: 7 lastSequence: 9 producerId: 12 \
            producerEpoch: 1 partitionLeaderEpoch: 0 isTransactional: false isControl: false \
            deleteHorizonMs: OptionalLong.empty position: 0 CreateTime: 1780000000000 size: 86 \
            magic: 2 compresscodec: gzip crc: 1163136 isvalid: true\n\
            | offset: 7 CreateTime: 1 keySize: 3 valueSize: 5 sequence: 7 headerKeys: []\n";
        let expected = Batch {
            base_offset: 7,
            count: 3,
            base_sequence: 7,
            producer_id: 12,
            producer_epoch: 1,
            codec: "gzip".to_owned(),
            valid: true,
            size: 86,
        };
        assert_eq!(parse_dump(text).unwrap(), [expected]);
    }

    #[test]
    fn a_line_that_lacks_a_field_is_an_error() {
        assert!(parse_dump("baseOffset: 7 count: 3").is_err());
    }
}
