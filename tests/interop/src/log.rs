//! What was read back from a log, and whether it is what was written.

use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeMap;

/// One record as a consumer returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Partition of the topic.
    pub partition: u32,
    /// Offset in the partition.
    pub offset: u64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Key; `None` is Kafka's null.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is Kafka's null.
    pub value: Option<Vec<u8>>,
    /// Headers in order, values as with `value`.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A line of `Helper.java`'s command `read`.
pub(crate) fn parse_line(line: &str) -> Result<StoredRecord> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [partition, offset, kind, timestamp, key, value, headers] = fields[..] else {
        bail!("{} fields instead of 7", fields.len());
    };
    ensure!(kind == "CreateTime", "the broker changed the timestamp to {kind}");
    Ok(StoredRecord {
        partition: partition.parse()?,
        offset: offset.parse()?,
        timestamp: timestamp.parse()?,
        key: unhex(key)?,
        value: unhex(value)?,
        headers: headers
            .split(',')
            .filter(|header| !header.is_empty())
            .map(|header| {
                let (name, value) = header.split_once('=').context("a header without =")?;
                Ok((unhex(name)?.context("a header without a name")?, unhex(value)?))
            })
            .collect::<Result<_>>()?,
    })
}

fn unhex(text: &str) -> Result<Option<Vec<u8>>> {
    if text == "-" {
        return Ok(None);
    }
    ensure!(text.len().is_multiple_of(2) && text.is_ascii(), "not hex: {text:.40}");
    let byte = |i| u8::from_str_radix(&text[i..i + 2], 16).context("not hex");
    (0..text.len()).step_by(2).map(byte).collect::<Result<_>>().map(Some)
}

/// What is wrong with a log that should hold the values `0 .. count` exactly once, and each key's
/// in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Numbers that are not there.
    pub lost: Vec<u64>,
    /// Numbers that are there more than once, once for each copy too many.
    pub duplicated: Vec<u64>,
    /// Numbers that stand behind a higher one of the same partition for the first time.
    pub out_of_order: Vec<u64>,
}

impl Faults {
    /// Compares a log with the numbers that were written to it, in ascending order and with the
    /// same key always to the same partition; a record's value is its number in decimal.
    ///
    /// # Errors
    /// If a value is not such a number, or an offset is missing or there twice.
    pub fn find(log: &[StoredRecord], count: u64) -> Result<Self> {
        let mut faults = Self::default();
        let mut copies = vec![0_u32; usize::try_from(count)?];
        let mut partitions: BTreeMap<u32, Vec<&StoredRecord>> = BTreeMap::new();
        for record in log {
            partitions.entry(record.partition).or_default().push(record);
        }
        for (partition, mut records) in partitions {
            records.sort_by_key(|record| record.offset);
            let mut highest = None;
            for (expected, record) in (0_u64..).zip(records) {
                let offset = record.offset;
                ensure!(offset == expected, "partition {partition}: {offset} is not {expected}");
                let number = number(record)?;
                let slot = copies.get_mut(usize::try_from(number)?);
                let slot = slot.with_context(|| format!("{number} was never written"))?;
                *slot += 1;
                if *slot > 1 {
                    faults.duplicated.push(number);
                } else if highest.is_some_and(|highest| number < highest) {
                    faults.out_of_order.push(number);
                }
                highest = highest.max(Some(number));
            }
        }
        faults.lost = (0..).zip(copies).filter(|&(_, n)| n == 0).map(|(n, _)| n).collect();
        Ok(faults)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.duplicated.is_empty() && self.out_of_order.is_empty()
    }

    /// How many of each kind, in words.
    pub fn summary(&self) -> String {
        format!(
            "{} lost, {} duplicated, {} out of order",
            self.lost.len(),
            self.duplicated.len(),
            self.out_of_order.len()
        )
    }
}

fn number(record: &StoredRecord) -> Result<u64> {
    let value = record.value.as_deref().context("a null value among the numbers")?;
    let text = core::str::from_utf8(value).context("a value that is no number")?;
    text.parse().with_context(|| format!("{text:?} is no number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: u32, offset: u64, number: u64) -> StoredRecord {
        let value = Some(number.to_string().into_bytes());
        StoredRecord { partition, offset, timestamp: 0, key: None, value, headers: vec![] }
    }

    fn log(numbers: &[u64]) -> Vec<StoredRecord> {
        (0..).zip(numbers).map(|(offset, &n)| record(0, offset, n)).collect()
    }

    #[test]
    fn a_complete_ordered_log_has_no_faults_in_whatever_order_it_was_read() {
        let mut read = vec![record(1, 1, 3), record(0, 0, 0), record(1, 0, 1), record(0, 1, 2)];
        assert!(Faults::find(&read, 4).unwrap().is_empty());
        read.reverse();
        assert!(Faults::find(&read, 4).unwrap().is_empty());
    }

    #[test]
    fn losses_copies_and_disorder_are_told_apart() {
        let faults = Faults::find(&log(&[0, 3, 1, 0, 5]), 6).unwrap();
        assert_eq!(faults.lost, [2, 4]);
        assert_eq!(faults.duplicated, [0]);
        assert_eq!(faults.out_of_order, [1]);
    }

    #[test]
    fn strange_values_and_missing_offsets_are_errors() {
        assert!(Faults::find(&log(&[0, 9]), 2).is_err());
        assert!(Faults::find(&[record(0, 1, 0)], 1).is_err());
    }

    #[test]
    fn nulls_and_empty_bytes_are_told_apart() {
        let record = parse_line("2\t7\tCreateTime\t-1\t-\t\t61=-,62=,63=00ff").unwrap();
        assert_eq!((record.partition, record.offset, record.timestamp), (2, 7, -1));
        assert_eq!((record.key, record.value), (None, Some(vec![])));
        let headers = [
            (b"a".to_vec(), None),
            (b"b".to_vec(), Some(vec![])),
            (b"c".to_vec(), Some(vec![0, 255])),
        ];
        assert_eq!(record.headers, headers);
    }
}
