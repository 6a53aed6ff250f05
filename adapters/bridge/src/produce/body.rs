//! Records out of the body of a POST: lines of JSON, or the body as it is.

use core::fmt;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A record as it was given.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Given {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
}

/// Which line is wrong, from 1 on, and how. Nothing of the line is quoted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BadBody {
    line: usize,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    key_base64: Option<String>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(default)]
    value_base64: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    #[serde(default)]
    partition: Option<i32>,
    #[serde(default)]
    timestamp: Option<i64>,
}

/// One record a line; empty lines are none.
pub(crate) fn lines(body: &[u8], most: usize) -> Result<Vec<Given>, BadBody> {
    let mut records = Vec::new();
    for (number, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let bad = |why: String| BadBody { line: number + 1, why };
        if records.len() >= most {
            return Err(bad(format!("more than {most} records")));
        }
        records.push(read(line).map_err(bad)?);
    }
    Ok(records)
}

/// The body is the value.
pub(crate) fn whole(body: &[u8], key: Option<&[u8]>) -> Vec<Given> {
    let (key, value) = (key.map(<[u8]>::to_vec), Some(body.to_vec()));
    vec![Given { key, value, ..Given::default() }]
}

fn read(line: &[u8]) -> Result<Given, String> {
    let line: Line<'_> = serde_json::from_slice(line).map_err(|error| explain(&error))?;
    let key = either(line.key.map(String::into_bytes), line.key_base64.as_deref(), "key")?;
    let value = line.value.map(text).transpose()?.flatten();
    let value = either(value, line.value_base64.as_deref(), "value")?;
    if line.partition.is_some_and(|partition| partition < 0) {
        return Err("a partition below 0".to_owned());
    }
    if line.timestamp.is_some_and(|timestamp| timestamp < 0) {
        return Err("a timestamp before 1970".to_owned());
    }
    let headers =
        line.headers.into_iter().map(|(name, value)| (name, value.map(String::into_bytes)));
    let (partition, timestamp) = (line.partition, line.timestamp);
    Ok(Given { key, value, headers: headers.collect(), partition, timestamp })
}

/// A string's own bytes; anything else as it is written.
fn text(value: &RawValue) -> Result<Option<Vec<u8>>, String> {
    let written = value.get();
    if written == "null" {
        return Ok(None);
    }
    if written.starts_with('"') {
        let text: String = serde_json::from_str(written).map_err(|error| explain(&error))?;
        return Ok(Some(text.into_bytes()));
    }
    Ok(Some(written.as_bytes().to_vec()))
}

fn either(
    plain: Option<Vec<u8>>,
    base64: Option<&str>,
    what: &str,
) -> Result<Option<Vec<u8>>, String> {
    match (plain, base64) {
        (plain, None) => Ok(plain),
        (None, Some(base64)) => {
            let decoded = STANDARD.decode(base64);
            decoded.map(Some).map_err(|_| format!("{what}_base64 is no Base64"))
        }
        (Some(_), Some(_)) => Err(format!("both {what} and {what}_base64")),
    }
}

/// Where, but nothing of what was there.
fn explain(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Data => "not a record",
        _ => "not JSON",
    };
    format!("{kind}, at column {}", error.column())
}

impl fmt::Display for BadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_record() {
        let body =
            br#"{"key":"k","value":"v","headers":{"h":"1","n":null},"partition":3,"timestamp":5}

{"value":{"a": [1, 2]}}
{"value":null}
{"key_base64":"AP8=","value_base64":"/w=="}"#;
        let records = lines(body, 10).expect("records");
        assert_eq!(records[0].key.as_deref(), Some(&b"k"[..]));
        assert_eq!(records[0].value.as_deref(), Some(&b"v"[..]));
        assert_eq!((records[0].partition, records[0].timestamp), (Some(3), Some(5)));
        let headers = [("h".to_owned(), Some(b"1".to_vec())), ("n".to_owned(), None)];
        assert_eq!(records[0].headers, headers);
        assert_eq!(records[1].value.as_deref(), Some(&br#"{"a": [1, 2]}"#[..]));
        assert_eq!(records[2].value, None);
        assert_eq!(records[3].key.as_deref(), Some(&[0, 0xff][..]));
        assert_eq!(records.len(), 4);
    }

    #[test]
    fn what_is_wrong_is_told_without_its_content() {
        for (body, expected) in [
            (&b"{}\n{"[..], "line 2: not JSON, at column 1"),
            (b"{\"canary\":1}", "line 1: not a record, at column 9"),
            (b"{\"partition\":-1}", "line 1: a partition below 0"),
            (b"{\"key\":\"a\",\"key_base64\":\"AA==\"}", "line 1: both key and key_base64"),
            (b"{\"value_base64\":\"canary!\"}", "line 1: value_base64 is no Base64"),
            (b"\xff", "line 1: not JSON, at column 1"),
        ] {
            assert_eq!(lines(body, 10).expect_err("bad").to_string(), expected);
        }
        assert!(lines(b"{}\n{}\n{}", 2).is_err());
    }
}
