//! What a line becomes: key, value, headers.

use klamm_std::{Header, Record};
use memchr::memmem::Finder;

use crate::args::Produce;

/// How lines become records.
pub(crate) struct Shape {
    delimiter: Option<Finder<'static>>,
    key: Option<Vec<u8>>,
    null: bool,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Shape {
    pub(crate) fn new(args: &Produce) -> Self {
        let header = |text: &String| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.as_bytes().to_vec())),
            None => (text.clone(), None),
        };
        Self {
            delimiter: args.delimiter.as_ref().map(|delim| Finder::new(&delim.0).into_owned()),
            key: args.key.as_ref().map(|key| key.as_bytes().to_vec()),
            null: args.null,
            headers: args.headers.iter().map(header).collect(),
        }
    }

    /// The headers that every record gets.
    pub(crate) fn headers(&self) -> Vec<Header<'_>> {
        let header = |header| {
            let (key, value): &(String, Option<Vec<u8>>) = header;
            Header { key, value: value.as_deref() }
        };
        self.headers.iter().map(header).collect()
    }

    pub(crate) fn record<'r>(&'r self, line: &'r [u8], headers: &'r [Header<'r>]) -> Record<'r> {
        let split = self.delimiter.as_ref().and_then(|delimiter| {
            let at = delimiter.find(line)?;
            Some((&line[..at], &line[at + delimiter.needle().len()..]))
        });
        let (key, value) = match split {
            Some((key, value)) => (Some(key), value),
            None => (self.key.as_deref(), line),
        };
        let mut record = Record::value(value).with_headers(headers);
        record.key = key;
        if self.null {
            record.key = record.key.filter(|key| !key.is_empty());
            record.value = record.value.filter(|value| !value.is_empty());
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(delimiter: Option<&str>, key: Option<&str>, null: bool) -> Shape {
        Shape {
            delimiter: delimiter.map(|delimiter| Finder::new(delimiter).into_owned()),
            key: key.map(|key| key.as_bytes().to_vec()),
            null,
            headers: Vec::new(),
        }
    }

    fn parts<'r>(shape: &'r Shape, line: &'r str) -> (Option<&'r [u8]>, Option<&'r [u8]>) {
        let record = shape.record(line.as_bytes(), &[]);
        (record.key, record.value)
    }

    #[test]
    fn the_first_delimiter_splits_key_from_value() {
        let shape = shape(Some("::"), None, false);
        assert_eq!(parts(&shape, "k::v::w"), (Some(&b"k"[..]), Some(&b"v::w"[..])));
        assert_eq!(parts(&shape, "::v"), (Some(&b""[..]), Some(&b"v"[..])));
        assert_eq!(parts(&shape, "k::"), (Some(&b"k"[..]), Some(&b""[..])));
        assert_eq!(parts(&shape, "neither"), (None, Some(&b"neither"[..])));
    }

    #[test]
    fn empty_is_null_when_asked_for() {
        let shape = shape(Some(":"), None, true);
        assert_eq!(parts(&shape, "k:"), (Some(&b"k"[..]), None));
        assert_eq!(parts(&shape, ":v"), (None, Some(&b"v"[..])));
        assert_eq!(parts(&shape, ""), (None, None));
    }

    #[test]
    fn a_fixed_key_is_everybodys() {
        let shape = shape(None, Some("k"), false);
        assert_eq!(parts(&shape, "a:b"), (Some(&b"k"[..]), Some(&b"a:b"[..])));
    }
}
