//! Producers restored from one snapshot.

use core::ops::Range;
use std::collections::BTreeMap;

use klamm::{Compression, Destination, Instant, Outcome, Reason, RestoreError, SendError};
use klamm_sim::cluster::{Api, Fault, Pending, Rule, TopicConfig};
use klamm_sim::simulator::scenario::TOPIC;

use super::device::{Device, PARTITIONS, setup, start};
use super::flash::Gate;
use super::gate::held;

/// What was restored is there to be read, and counts.
#[test]
fn a_restored_batch_says_what_it_holds() {
    let (mut device, _) = held();
    device.write_page().expect("there is power");
    let before: Vec<u64> = device.covered.iter().copied().collect();
    device.restart(Pending::Drop);
    let mut after = Vec::new();
    for numbered in device.producer.numbered() {
        assert!(!numbered.held, "it may have been sent");
        let records = device.producer.batch_records(numbered.batch).expect("not compressed");
        assert_eq!(records.clone().count(), usize::from(numbered.records));
        after.extend(records.map(|record| {
            let value = record.value.and_then(<[u8]>::first_chunk).expect("a number");
            u64::from_be_bytes(*value)
        }));
    }
    after.sort_unstable();
    assert_eq!(before, after);
    let stats = device.producer.stats();
    assert_eq!((stats.accepted, stats.buffered), (after.len() as u64, after.len() as u64));
}

/// Batches lie in two chunks of 400 bytes each when the power is cut.
fn cut_with_large_batches(
    compression: Compression,
    chunks: u32,
    ready: impl Fn(&Device) -> bool,
) -> Device {
    let mut setup = setup(compression);
    setup.config.batch_size = 700;
    setup.config.linger_ms = 50;
    setup.limits.batch_size = 400;
    setup.limits.buffer_memory = chunks * 951;
    let mut device = Device::new(1, Gate::AfterTheSnapshot, setup, u64::MAX);
    let mut turns = 0;
    while !ready(&device) {
        turns += 1;
        assert!(turns < 1_000, "{:?}", device.producer.stats());
        device.send().expect("there is power");
        if device.to_send.is_empty() {
            device.turn().expect("there is power");
        }
    }
    let records = |device: &Device| -> Vec<u16> {
        device.producer.numbered().map(|batch| batch.records).collect()
    };
    let before = records(&device);
    device.write_page().expect("there is power");
    device.restart(Pending::Drop);
    assert_eq!(before, records(&device));
    device
}

/// What was split where memory was full lies behind the first part, and so it does when it is restored.
#[test]
fn parts_in_several_chunks_are_restored_in_as_many() {
    let split = |device: &Device| {
        let full = device.producer.free_bytes() == 0;
        full && device.producer.numbered().any(|batch| batch.records == 6)
    };
    let mut device = cut_with_large_batches(Compression::None, 8, split);
    device.run().expect("there is power");
    device.check().expect("all is delivered");
}

/// The topic is created again while the power is off, with a smaller limit, so both parts get new numbers, and the first
/// one is split once more: what was cut off joined the other part, whose id it has not, and was reported under that.
#[test]
fn what_was_split_before_a_restart_keeps_its_ids() {
    let split = |device: &Device| {
        let full = device.producer.free_bytes() == 0;
        full && device.producer.numbered().any(|batch| batch.records == 6)
    };
    let mut device = cut_with_large_batches(Compression::None, 8, split);
    device.cluster.delete_topic(TOPIC, device.now).expect("it is there");
    let mut topic = TopicConfig::new(PARTITIONS, 2);
    topic.max_message_bytes = 250;
    device.cluster.create_topic(TOPIC, topic).expect("a new log");
    let numbered = device.producer.numbered().map(|batch| (batch.origin, batch.records));
    let mut unreported: BTreeMap<usize, Vec<bool>> = numbered
        .map(|(batch, records)| (batch.index(), vec![true; usize::from(records)]))
        .collect();
    assert!(unreported.len() > 2, "{unreported:?}");
    for _ in 0..2_000 {
        let now = Instant::from_micros(device.now);
        device.producer.handle_timeout(now);
        for conn in device.producer.connections() {
            device.serve(conn, now).expect("there is power");
        }
        device.open_gate().expect("there is power");
        while let Some(report) = device.producer.poll_report() {
            let records = unreported.get_mut(&report.batch.index()).expect("it was restored");
            let first = usize::from(report.first);
            for record in &mut records[first..first + usize::from(report.records)] {
                assert!(core::mem::take(record), "twice: {report:?}");
            }
        }
        device.now += 10_000;
        device.cluster.handle_timeout(device.now);
    }
    assert!(!unreported.values().flatten().any(|record| *record), "{unreported:?}");
    assert_eq!(device.producer.stats().buffered, 0);
}

/// In a snapshot a compressed batch is small; to be split it has to be unpacked.
#[test]
fn a_restored_batch_has_room_to_be_unpacked() {
    let numbered = |device: &Device| device.producer.numbered().any(|batch| batch.records > 10);
    let gzip = Compression::Gzip { level: 6 };
    let mut device = cut_with_large_batches(gzip, 40, numbered);
    let topic = device.cluster.topic_config(TOPIC).expect("the topic is there");
    topic.max_message_bytes = 61 + 60;
    device.run().expect("there is power");
    device.check().expect("all is delivered");
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let (mut device, _) = held();
    device.write_page().expect("there is power");
    let page = device.pages.iter().max_by_key(|page| page.serial).expect("two pages");
    let setup = setup(Compression::None);
    assert!(start(&setup, &page.bytes, 0).is_ok());
    for damaged in 0..page.bytes.len() {
        let mut bytes = page.bytes.clone();
        bytes[damaged] ^= 0x10;
        assert_eq!(start(&setup, &bytes, 0).err(), Some(RestoreError::Corrupt), "{damaged}");
        assert_eq!(
            start(&setup, &page.bytes[..damaged.max(1)], 0).err(),
            Some(RestoreError::Corrupt)
        );
    }
    let mut small = setup.clone();
    small.limits.buffer_memory = 1;
    small.limits.batch_size = 128;
    let error = start(&small, &page.bytes, 0).err();
    assert_eq!(error, Some(RestoreError::Storage(SendError::Full)));
    let mut plain = setup;
    plain.config.enable_idempotence = klamm::Idempotence::Off;
    assert!(matches!(start(&plain, &page.bytes, 0).err(), Some(RestoreError::Config(_))));
}

/// Where the partitions of a snapshot begin and end, and where its batches begin.
fn places(page: &[u8]) -> (Vec<Range<usize>>, Vec<usize>) {
    let number = |at: usize, bytes: usize| {
        page[at..at + bytes].iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    let (mut at, mut partitions, mut batches) = (24, Vec::new(), Vec::new());
    for _ in 0..number(20, 4) {
        let begin = at;
        at += 46 + usize::from(page[at]);
        for _ in 0..number(at - 2, 2) {
            batches.push(at);
            at += 37 + number(at + 33, 4);
        }
        partitions.push(begin..at);
    }
    assert_eq!(at, page.len() - 4);
    (partitions, batches)
}

/// Its checksum is right. Whatever it says, it may not lead into the memory of another batch.
#[test]
fn a_forged_snapshot_is_refused() {
    let split = |device: &Device| {
        let mut numbered = device.producer.numbered();
        device.producer.free_bytes() == 0 && numbered.any(|batch| batch.records == 6)
    };
    let device = cut_with_large_batches(Compression::None, 8, split);
    let page = device.pages.iter().max_by_key(|page| page.serial).expect("two pages");
    let crc32c = device.setup.config.crc32c;
    let restored = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut contents = page.bytes[..page.bytes.len() - 4].to_vec();
        change(&mut contents);
        contents.extend(crc32c(&contents).to_be_bytes());
        start(&device.setup, &contents, 0).map(|producer| producer.stats().accepted)
    };
    assert!(restored(&|_| {}).is_ok_and(|records| records > 10));
    let (_, batches) = places(&page.bytes);
    let before = |at: usize| u16::from_be_bytes([page.bytes[at + 1], page.bytes[at + 2]]);
    let guest = *batches.iter().find(|at| before(**at) == 1).expect("a part behind another one");
    let host = *batches.iter().rfind(|at| **at < guest).expect("it is behind another one");
    let number = |at: usize, value: u32| {
        move |bytes: &mut Vec<u8>| bytes[at..at + 4].copy_from_slice(&value.to_be_bytes())
    };
    // Where the part lies: in the next batch's chunks, on its own host's records, at the end of all numbers.
    for place in [1_600, 61, u32::MAX, u32::MAX - 10] {
        let moved = restored(&number(guest + 3, place));
        assert_eq!(moved, Err(RestoreError::Corrupt), "at {place}");
    }
    // Frozen or compressed, which neither of the two can be.
    for (at, flags) in [(guest, 2), (guest, 8), (host, 8)] {
        let other = restored(&|bytes: &mut Vec<u8>| bytes[at] = flags);
        assert_eq!(other, Err(RestoreError::Corrupt), "{flags}");
    }
    // More records, or fewer, than there are.
    for (batch, records) in [(guest, 1), (guest, 0xff), (host, 1), (host, 0xff)] {
        let other = restored(&|bytes: &mut Vec<u8>| bytes[batch + 8] = records);
        assert_eq!(other, Err(RestoreError::Corrupt), "{records} records");
    }
}

/// What is done to a snapshot.
type Change<'a> = &'a dyn Fn(&mut Vec<u8>);

/// Two entries for one partition would send its records twice; no broker gives out an id or an offset below 0. Whoever
/// is told so takes the snapshot before.
#[test]
fn a_snapshot_with_a_partition_twice_or_a_negative_number_is_refused() {
    let (mut device, _) = held();
    device.write_page().expect("there is power");
    let page = device.pages.iter().max_by_key(|page| page.serial).expect("two pages");
    let restored = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut contents = page.bytes[..page.bytes.len() - 4].to_vec();
        change(&mut contents);
        contents.extend((device.setup.config.crc32c)(&contents).to_be_bytes());
        start(&device.setup, &contents, 0).map(|producer| producer.stats().accepted)
    };
    let whole = restored(&|_| {}).expect("it is whole");
    let (partitions, batches) = places(&page.bytes);
    assert!(whole > 0 && batches.len() > 1, "{whole} records in {} batches", batches.len());
    for partition in &partitions {
        let id = partition.start + 21 + usize::from(page.bytes[partition.start]);
        let end = id + 25;
        let twice = |bytes: &mut Vec<u8>| {
            bytes[23] += 1;
            bytes.extend_from_within(partition.clone());
        };
        let without_ids = |bytes: &mut Vec<u8>| {
            for id in [6, id] {
                bytes[id..id + 8].fill(0);
            }
            twice(bytes);
        };
        let without_batches = |bytes: &mut Vec<u8>| {
            let header = [&bytes[partition.start..end - 2], &[0, 0]].concat();
            bytes[23] = 2;
            bytes.truncate(24);
            bytes.extend([header.clone(), header].concat());
        };
        let changes: [Change<'_>; 3] = [&twice, &without_ids, &without_batches];
        for (place, change) in changes.into_iter().enumerate() {
            assert_eq!(restored(change), Err(RestoreError::Corrupt), "{partition:?}, {place}");
        }
        for number in [6, id, id + 14] {
            let negative = |bytes: &mut Vec<u8>| bytes[number] = 0xff;
            assert_eq!(restored(&negative), Err(RestoreError::Corrupt), "at {number}");
        }
    }
    assert_eq!(restored(&|_| {}), Ok(whole), "the one before");
    assert_eq!(
        RestoreError::Corrupt.to_string(),
        "snapshot incomplete or damaged: take the one before"
    );
}

/// Numbers may be written with more bytes than they need. klamm does not do that, but a snapshot is read from outside:
/// such a record was moved from the wrong place, or ended in a panic.
#[test]
fn a_restored_record_with_long_numbers_keeps_its_value() {
    let (mut device, _) = held();
    device.write_page().expect("there is power");
    let page = device.pages.iter().max_by_key(|page| page.serial).expect("two pages");
    let (mut contents, setup) = (page.bytes.clone(), setup(Compression::None));
    contents.truncate(page.bytes.len() - 4);
    let dots = contents.windows(32).position(|bytes| bytes == [b'.'; 32]).expect("a record");
    // Of attributes, deltas, key, length of the value, value (40 bytes) and number of headers.
    let body = &mut contents[dots - 8 - 5..][..46];
    let value = [7; 27];
    let long: [&[u8]; 6] =
        [&[0], &[0x80; 9], &[0, 0x80, 0x80, 0x80, 0x80, 0], &[1, 27 << 1], &value, &[0]];
    body.copy_from_slice(&long.concat());
    // As a part of a split, which is written anew: not frozen.
    contents[dots - 8 - 6 - 61 - 37] = 0;
    contents.extend((setup.config.crc32c)(&contents).to_be_bytes());
    let producer = start(&setup, &contents, 0).expect("it is whole");
    let batch = producer.numbered().next().expect("it was held").batch;
    let first = producer.batch_records(batch).and_then(|mut records| records.next());
    assert_eq!(first.and_then(|record| record.value), Some(&value[..]));
}

/// Of two batches that nobody got the first one timed out before the crash. That the second one is out of order then is no
/// loss of data, and the partition goes on.
#[test]
fn a_hole_is_known_after_a_restart() {
    let mut setup = setup(Compression::None);
    setup.config.delivery_timeout_ms = 1_000;
    setup.config.hold_stamped = false;
    setup.config.retry_backoff_ms = 1;
    setup.config.retry_backoff_max_ms = 5;
    let mut device = Device::new(1, Gate::AfterTheSnapshot, setup, u64::MAX);
    let topic = device.producer.topic(TOPIC).expect("there is room for it");
    let to = Destination::partition(topic, 0);
    let send = |device: &mut Device, value: &[u8]| {
        let now = Instant::from_micros(device.now);
        device.producer.send(to, &klamm::Record::value(value), now).expect("there is room");
    };
    let pass = |device: &mut Device, millis: u64| {
        let mut outcomes = Vec::new();
        for _ in 0..millis {
            let now = Instant::from_micros(device.now);
            device.producer.handle_timeout(now);
            for conn in device.producer.connections() {
                device.serve(conn, now).expect("there is power");
            }
            outcomes.extend(core::iter::from_fn(|| device.producer.poll_report()));
            device.now += 1_000;
            device.cluster.handle_timeout(device.now);
        }
        outcomes.into_iter().map(|report| report.outcome).collect::<Vec<_>>()
    };
    send(&mut device, b"known to the broker");
    assert_eq!(pass(&mut device, 200).len(), 1);
    // From now on nobody gets anything, but both are in flight for a while.
    device.cluster.inject(Rule::once(Api::Produce, Fault::DropRequest));
    let mut rule = Rule::once(Api::Produce, Fault::CloseBefore);
    rule.times = u32::MAX;
    device.cluster.inject(rule);
    send(&mut device, &[b'1'; 100]);
    pass(&mut device, 300);
    send(&mut device, &[b'2'; 100]);
    let outcomes = pass(&mut device, 850);
    assert!(matches!(outcomes[..], [Outcome::Unknown(Reason::TimedOut { .. })]), "{outcomes:?}");
    device.write_page().expect("there is power");
    device.restart(Pending::Drop);
    assert_eq!(device.producer.numbered().count(), 1);
    device.cluster.clear_faults();
    let outcomes = pass(&mut device, 500);
    assert!(
        matches!(outcomes[..], [Outcome::Unknown(Reason::TimedOut { last })] if last.0 == 45),
        "{outcomes:?}"
    );
    send(&mut device, b"and on");
    let outcomes = pass(&mut device, 200);
    assert!(matches!(outcomes[..], [Outcome::Delivered { .. }]), "{outcomes:?}");
}
