//! Records: sizes, bytes, and reading back; batches as `kafka-protocol` reads them.

use std::string::String;
use std::vec;
use std::vec::Vec;

use bytes::Bytes;
use kafka_protocol::records::RecordBatchDecoder;
use proptest::collection::vec as any_vec;
use proptest::option;
use proptest::prelude::*;

use super::super::batch_header::{BATCH_HEADER, BatchHeader, set_crc};
use super::super::crc::crc32c;
use super::super::record::{
    MAX_RECORD_OVERHEAD, RecordIter, record_body_size, record_size, write_record, write_record_with,
};
use crate::batch::record::{Header, Record};

#[derive(Clone, Debug)]
struct Owned {
    ts_delta: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Owned {
    fn headers(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect()
    }

    fn record<'r>(&'r self, headers: &'r [Header<'r>]) -> Record<'r> {
        let mut record = Record::null().with_headers(headers);
        record.key = self.key.as_deref();
        record.value = self.value.as_deref();
        record
    }
}

/// Any record, with lengths on both sides of where a varint grows.
fn owned() -> impl Strategy<Value = Owned> {
    let bytes = || {
        option::of(prop_oneof![any_vec(any::<u8>(), 0..200), any_vec(any::<u8>(), 8_190..8_200)])
    };
    let headers = any_vec(("[a-z\u{e4}]{0,70}", option::of(any_vec(any::<u8>(), 0..80))), 0..5);
    let ts_delta = prop_oneof![-200_i64..200, any::<i64>()];
    (ts_delta, bytes(), bytes(), headers).prop_map(|(ts_delta, key, value, headers)| Owned {
        ts_delta,
        key,
        value,
        headers,
    })
}

proptest! {
    #[test]
    fn sizes_are_exact_and_records_come_back(one in owned(), offset_delta in 0..70_000_i32) {
        let headers = one.headers();
        let record = one.record(&headers);
        let (key, value) = (record.key.map(<[u8]>::len), record.value.map(<[u8]>::len));
        let size = record_size(record_body_size(one.ts_delta, offset_delta, key, value, &headers));

        // Exact: one byte less does not do (KAFKA-5457), and then nothing is written.
        let mut out = vec![0xee; size + 5];
        prop_assert_eq!(write_record(&mut out[..size - 1], &record, one.ts_delta, offset_delta), None);
        prop_assert!(out.iter().all(|byte| *byte == 0xee));
        prop_assert_eq!(write_record(&mut out[..size], &record, one.ts_delta, offset_delta), Some(size));
        prop_assert_eq!(&out[size..], &[0xee; 5]);
        if headers.is_empty() {
            let payload = key.unwrap_or(0) + value.unwrap_or(0);
            prop_assert!(size <= payload + MAX_RECORD_OVERHEAD);
        }

        let mut records = RecordIter::new(&out[..size]);
        let view = records.next().expect("a record");
        prop_assert_eq!(records.next(), None);
        prop_assert_eq!((view.ts_delta, view.offset_delta), (one.ts_delta, offset_delta));
        prop_assert_eq!((view.key, view.value), (record.key, record.value));
        prop_assert_eq!(view.headers().collect::<Vec<_>>(), headers);
        prop_assert_eq!(view.range, 0..size);
    }

    #[test]
    fn a_value_written_in_place_gives_the_same_bytes(
        mut one in owned(),
        offset_delta in 0..70_000_i32,
        spare in prop_oneof![0..3_usize, 0..20_000_usize],
    ) {
        let value = one.value.take().unwrap_or_default();
        let headers = one.headers();
        let record = one.record(&headers);
        let mut whole = record;
        whole.value = Some(&value);
        let (mut out, mut placed) = (vec![0; 60_000], vec![0; 60_000]);
        let size = write_record(&mut out, &whole, one.ts_delta, offset_delta).expect("room");
        let max = value.len() + spare;
        let write = |room: &mut [u8]| {
            assert_eq!(room.len(), max);
            room[..value.len()].copy_from_slice(&value);
            value.len()
        };
        let found =
            write_record_with(&mut placed, &record, one.ts_delta, offset_delta, max, write);
        prop_assert_eq!(found, Some(size));
        prop_assert_eq!(&placed[..size], &out[..size]);
    }

    #[test]
    fn batches_are_what_kafka_protocol_reads(all in any_vec(owned(), 1..8)) {
        let base = 1_700_000_000_000_i64;
        let deltas = || all.iter().map(|one| one.ts_delta % 1_000_000_000);
        let mut bytes = vec![0; 200_000];
        let (mut len, mut ranges) = (BATCH_HEADER, Vec::new());
        for ((index, one), delta) in (0..).zip(&all).zip(deltas()) {
            let headers = one.headers();
            let from = len;
            len += write_record(&mut bytes[len..], &one.record(&headers), delta, index).expect("room");
            ranges.push(from - BATCH_HEADER..len - BATCH_HEADER);
        }
        bytes.truncate(len);
        let count = i32::try_from(all.len()).expect("few");
        let header = BatchHeader {
            length: i32::try_from(len - 12).expect("short"),
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: base,
            max_timestamp: base + deltas().max().unwrap_or(0),
            producer_id: 4711,
            epoch: 7,
            base_sequence: 99,
            count,
        };
        header.write(bytes.first_chunk_mut().expect("61 bytes"));
        set_crc(&mut bytes, crc32c);

        let found: Vec<_> = RecordIter::new(&bytes[BATCH_HEADER..]).map(|view| view.range).collect();
        prop_assert_eq!(found, ranges);
        let (_, crc) = BatchHeader::parse(&bytes).expect("a header");
        prop_assert_eq!(crc, crc32c(&bytes[21..]));

        let set = RecordBatchDecoder::decode(&mut Bytes::from(bytes)).expect("a batch");
        prop_assert_eq!(set.records.len(), all.len());
        for (((index, theirs), one), delta) in (0..).zip(&set.records).zip(&all).zip(deltas()) {
            prop_assert_eq!((theirs.producer_id, theirs.producer_epoch), (4711, 7));
            prop_assert_eq!(theirs.sequence, 99 + index);
            prop_assert_eq!(theirs.offset, i64::from(index));
            prop_assert_eq!(theirs.timestamp, base + delta);
            prop_assert_eq!(theirs.key.as_deref(), one.key.as_deref());
            prop_assert_eq!(theirs.value.as_deref(), one.value.as_deref());
            // It keeps the last of several headers with one key.
            for (key, value) in &theirs.headers {
                let last = one.headers.iter().rev().find(|(k, _)| **k == **key);
                prop_assert_eq!(Some(value.as_deref()), last.map(|(_, v)| v.as_deref()));
            }
        }
    }

    #[test]
    fn damaged_records_end_the_iterator(one in owned(), at: prop::sample::Index, byte: u8) {
        let headers = one.headers();
        let mut out = vec![0; 40_000];
        let size = write_record(&mut out, &one.record(&headers), one.ts_delta, 0).expect("room");
        out.truncate(size);
        out[at.index(size)] = byte;
        for view in RecordIter::new(&out) {
            prop_assert!(view.range.end <= size);
            prop_assert!(view.headers().count() <= size);
        }
    }
}

#[test]
fn sizes_saturate_instead_of_wrapping() {
    let size = record_body_size(0, 0, Some(usize::MAX), Some(usize::MAX), &[]);
    assert_eq!(size, usize::MAX);
    assert_eq!(record_size(size), usize::MAX);
}

#[test]
fn other_bytes_are_no_batch() {
    assert_eq!(BatchHeader::parse(&[0; BATCH_HEADER]), None, "magic 0");
    assert_eq!(BatchHeader::parse(&[2; BATCH_HEADER - 1]), None, "too short");
    let mut short = [7; 20];
    set_crc(&mut short, crc32c);
    assert_eq!(short, [7; 20]);
}
