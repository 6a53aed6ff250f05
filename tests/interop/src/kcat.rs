//! kcat (librdkafka), the reader and writer that shares no code with Kafka's Java.

use crate::log::StoredRecord;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

/// Reads one partition from its first record to its end. kcat is told to print every length, so
/// whatever bytes the records hold are told apart; a null is the length -1.
///
/// # Errors
/// If kcat fails or prints something else.
pub fn read(bootstrap: &str, topic: &str, partition: u32) -> Result<Vec<StoredRecord>> {
    let out = Command::new("kcat")
        .args(["-C", "-e", "-q", "-o", "beginning", "-X", "check.crcs=true"])
        .args(["-b", bootstrap, "-t", topic, "-p", &partition.to_string()])
        .args(["-f", "%p %o %T %K %S %h\\n%k%s\\n"])
        .stdin(Stdio::null())
        .output()
        .context("kcat cannot be started")?;
    if !out.status.success() {
        bail!("kcat -C {topic}: {}", String::from_utf8_lossy(&out.stderr));
    }
    let mut rest = &out.stdout[..];
    let mut records = Vec::new();
    while !rest.is_empty() {
        let (record, after) = record(rest).context("kcat printed something unknown")?;
        records.push(record);
        rest = after;
    }
    Ok(records)
}

fn record(bytes: &[u8]) -> Result<(StoredRecord, &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n').context("no end of line")?;
    let (line, rest) = bytes.split_at(end);
    let line = core::str::from_utf8(line)?;
    let fields: Vec<&str> = line.splitn(6, ' ').collect();
    let [partition, offset, timestamp, key_length, value_length, headers] = fields[..] else {
        bail!("{} fields instead of 6 in {line:?}", fields.len());
    };
    let rest = rest.get(1..).context("no body")?;
    let (key, rest) = take(rest, key_length)?;
    let (value, rest) = take(rest, value_length)?;
    let record = StoredRecord {
        partition: partition.parse()?,
        offset: offset.parse()?,
        timestamp: timestamp.parse()?,
        key,
        value,
        headers: headers
            .split(',')
            .filter_map(|header| header.split_once('='))
            .map(|(name, value)| (name.into(), (value != "NULL").then(|| value.into())))
            .collect(),
    };
    Ok((record, rest.strip_prefix(b"\n").context("no end of record")?))
}

fn take<'a>(bytes: &'a [u8], length: &str) -> Result<(Option<Vec<u8>>, &'a [u8])> {
    if length == "-1" {
        return Ok((None, bytes));
    }
    let (taken, rest) = bytes.split_at_checked(length.parse()?).context("too short")?;
    Ok((Some(taken.to_vec()), rest))
}

/// Writes the lines `key:value` of a file to a topic with kcat, under `property=value`.
///
/// # Errors
/// If kcat fails.
pub fn write(bootstrap: &str, topic: &str, lines: &Path, property: &str) -> Result<()> {
    let out = Command::new("kcat")
        .args(["-P", "-q", "-b", bootstrap, "-t", topic, "-K", ":"])
        .args(["-X", "enable.idempotence=true", "-X", property])
        .stdin(File::open(lines)?)
        .output()
        .context("kcat cannot be started")?;
    if !out.status.success() {
        // The first line says why; one for each record that was not delivered follows.
        let said = String::from_utf8_lossy(&out.stderr);
        bail!("kcat -P {topic}: {}", said.lines().next().unwrap_or_default());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_line_ends_and_one_of_nulls_are_told_apart() {
        let bytes = b"2 7 5 1 4 a=x,b=NULL\nk1\n23\n2 8 6 -1 0 \n\n";
        let (first, rest) = record(bytes).unwrap();
        assert_eq!((first.partition, first.offset, first.timestamp), (2, 7, 5));
        assert_eq!((first.key, first.value), (Some(b"k".to_vec()), Some(b"1\n23".to_vec())));
        let headers = [(b"a".to_vec(), Some(b"x".to_vec())), (b"b".to_vec(), None)];
        assert_eq!(first.headers, headers);
        let (second, rest) = record(rest).unwrap();
        assert_eq!((second.key, second.value, second.headers), (None, Some(vec![]), vec![]));
        assert_eq!(rest, b"");
    }
}
