//! The functions as C calls them, also with what C can get wrong.

use core::ffi::{CStr, c_char, c_void};
use core::mem::MaybeUninit;
use core::ptr;
use std::vec;
use std::vec::Vec;

use crate::*;

const BOOTSTRAP: &CStr = c"10.0.0.2:9092,[::1]:9093";

fn limits() -> klamm_limits {
    let mut limits = MaybeUninit::uninit();
    // SAFETY: it writes all of it.
    unsafe {
        klamm_limits_init(limits.as_mut_ptr());
        limits.assume_init()
    }
}

fn config() -> klamm_config {
    let mut config = MaybeUninit::uninit();
    // SAFETY: it writes all of it.
    let mut config = unsafe {
        klamm_config_init(config.as_mut_ptr());
        config.assume_init()
    };
    config.bootstrap_servers = BOOTSTRAP.as_ptr();
    config
}

fn size(limits: &klamm_limits) -> usize {
    // SAFETY: a reference is a pointer to what it says.
    unsafe { klamm_size(limits) }
}

fn fault() -> klamm_fault {
    klamm_fault { option: ptr::null(), option_len: 0, min: 0, max: 0 }
}

/// A producer in memory that is full of rubbish before.
struct Made {
    memory: Vec<u8>,
    at: usize,
    producer: *mut klamm_producer,
}

impl Made {
    fn new(at: usize) -> Self {
        let size = size(&limits());
        let mut made = Self { memory: vec![0xa5; size + at + 8], at, producer: ptr::null_mut() };
        assert_eq!(made.init(size, &config()), (klamm_status::Ok, ""));
        made
    }

    fn init(&mut self, len: usize, config: &klamm_config) -> (klamm_status, &'static str) {
        let mut what = fault();
        let memory = self.memory[self.at..][..len].as_mut_ptr().cast();
        // SAFETY: all pointers are to what they say.
        unsafe {
            let out = &mut self.producer;
            let status = klamm_init(memory, len, &limits(), config, 7, 0, out, &mut what);
            (status, text(what.option, what.option_len))
        }
    }
}

unsafe fn text(at: *const c_char, len: usize) -> &'static str {
    // SAFETY: names of options are static.
    let bytes = unsafe { core::slice::from_raw_parts(at.cast::<u8>(), len) };
    core::str::from_utf8(bytes).unwrap()
}

fn record(topic: u16, value: &[u8]) -> klamm_record {
    klamm_record {
        topic,
        partition: 0,
        key: ptr::null(),
        key_len: 0,
        value: value.as_ptr().cast(),
        value_len: value.len(),
        headers: ptr::null(),
        header_count: 0,
        timestamp_ms: 5,
    }
}

#[test]
fn memory_of_any_alignment_and_exactly_the_size_will_do_and_none_around_it_is_touched() {
    for at in 0..9 {
        let made = Made::new(at);
        let size = size(&limits());
        let (before, rest) = made.memory.split_at(at);
        assert!(before.iter().chain(&rest[size..]).all(|byte| *byte == 0xa5), "at {at}");
        // SAFETY: it was made above.
        assert_eq!(unsafe { klamm_connections(made.producer) }, 2);
    }
}

#[test]
fn too_little_memory_is_refused_at_every_length() {
    let size = size(&limits());
    let mut made = Made::new(0);
    // Up to 7 bytes are for the alignment, which this memory may not need.
    for len in (0..size - 8).step_by(61).chain([size - 8]) {
        made.producer = ptr::null_mut();
        assert_eq!(made.init(len, &config()).0, klamm_status::Memory, "{len}");
        assert!(made.producer.is_null());
    }
}

#[test]
fn sizes_follow_the_limits_and_never_overflow() {
    let small = limits();
    let more = klamm_limits { partitions: 5, ..small };
    assert!(size(&small) < size(&more));
    let chunk = klamm_limits { buffer_memory: small.buffer_memory + 1_575, ..small };
    assert!((1_575..2_000).contains(&(size(&chunk) - size(&small))));
    let old = klamm_limits { struct_size: small.struct_size - 4, ..small };
    assert_eq!(size(&old), 0);
    // SAFETY: null is allowed.
    assert_eq!(unsafe { klamm_size(ptr::null()) }, 0);
    let most = klamm_limits {
        struct_size: small.struct_size,
        buffer_memory: u32::MAX,
        batch_size: u32::MAX,
        partitions: u16::MAX,
        topics: u16::MAX,
        brokers: u8::MAX,
        connections: u8::MAX,
    };
    assert!(size(&most) > 1 << 30);
}

#[test]
fn options_are_checked_and_named() {
    let mut made = Made::new(0);
    let size = made.memory.len() - 8;
    let good = config();
    let long = [b'a'; 70].map(|byte| byte as c_char);
    let mut long = long.to_vec();
    long.push(0);
    let cases = [
        (klamm_config { acks: 2, ..good }, "acks"),
        (klamm_config { enable_idempotence: 3, ..good }, "enable_idempotence"),
        (klamm_config { enable_idempotence: 1, acks: 1, ..good }, "enable_idempotence"),
        (klamm_config { partitioner: 9, ..good }, "partitioner"),
        (klamm_config { batch_records: 0, ..good }, "batch_records"),
        (klamm_config { request_timeout_ms: 0, ..good }, "request_timeout_ms"),
        (klamm_config { delivery_timeout_ms: 1, ..good }, "delivery_timeout_ms"),
        (klamm_config { client_id: long.as_ptr(), ..good }, "client_id"),
        (klamm_config { bootstrap_servers: c"host".as_ptr(), ..good }, "bootstrap_servers"),
        (klamm_config { bootstrap_servers: c"".as_ptr(), ..good }, "bootstrap_servers"),
    ];
    for (config, option) in cases {
        assert_eq!(made.init(size, &config), (klamm_status::Config, option));
    }
    let null = klamm_config { bootstrap_servers: ptr::null(), ..good };
    assert_eq!(made.init(size, &null).0, klamm_status::Argument);
    let no_text = klamm_config { client_id: c"\xff".as_ptr(), ..good };
    assert_eq!(made.init(size, &no_text).0, klamm_status::Argument);
    let old = klamm_config { struct_size: good.struct_size - 8, ..good };
    assert_eq!(made.init(size, &old).0, klamm_status::Version);
    for partitioner in [KLAMM_PARTITIONER_JAVA, KLAMM_PARTITIONER_LIBRDKAFKA, 2] {
        let config = klamm_config { partitioner, acks: 1, ..good };
        assert_eq!(made.init(size, &config).0, klamm_status::Ok);
    }
}

#[test]
fn null_pointers_and_wrong_handles_are_refused_by_every_function() {
    let made = Made::new(0);
    let mut gone = Made::new(0);
    // SAFETY: null, made, or given up with its memory still there.
    unsafe {
        klamm_deinit(gone.producer);
        klamm_deinit(ptr::null_mut());
        klamm_limits_init(ptr::null_mut());
        klamm_config_init(ptr::null_mut());
        for producer in [ptr::null_mut(), gone.producer] {
            let mut topic = 77;
            let argument = klamm_status::Argument;
            assert_eq!(klamm_topic(producer, c"t".as_ptr(), &mut topic), argument);
            assert_eq!(topic, 77);
            assert_eq!(klamm_send(producer, &record(0, b"1"), 0, ptr::null_mut()), argument);
            assert_eq!(klamm_partition_count(producer, 0), 0);
            assert!(!klamm_expect_partitions(producer, 0, 3));
            assert_eq!(klamm_topic_error(producer, 0), 0);
            assert_eq!(klamm_flush(producer, 0), 0);
            assert!(!klamm_is_flushed(producer, 0));
            klamm_close(producer, 0);
            klamm_purge(producer, 0);
            klamm_set_clock(producer, 0, 0);
            let mut stats = klamm_stats { accepted: 9, ..klamm_stats::default() };
            klamm_get_stats(producer, &mut stats);
            assert_eq!(stats, klamm_stats::default());
            assert_eq!(klamm_free_bytes(producer), 0);
            assert_eq!(klamm_connections(producer), 0);
            assert_eq!(klamm_demand_of(producer, 0), klamm_demand::Nothing);
            let (mut host, mut port) = ([0; 65], 0);
            assert_eq!(klamm_address(producer, 0, host.as_mut_ptr(), 65, &mut port), argument);
            klamm_handle_dialing(producer, 0, 0);
            klamm_handle_connected(producer, 0, 0);
            klamm_handle_disconnected(producer, 0, 0);
            let (mut data, mut len) = (ptr::null(), 0);
            assert_eq!(klamm_transmit(producer, 0, 0, &mut data, &mut len), argument);
            assert_eq!(klamm_transmitted(producer, 0, 0, 0), argument);
            assert_eq!(klamm_handle_received(producer, 0, ptr::null(), 0, 0), argument);
            klamm_handle_timeout(producer, 0);
            assert_eq!(klamm_next_deadline(producer), KLAMM_NEVER);
            let mut report = MaybeUninit::uninit();
            assert!(!klamm_poll_report(producer, report.as_mut_ptr()));
        }
        let (size, good) = (gone.memory.len(), config());
        let memory: *mut c_void = gone.memory.as_mut_ptr().cast();
        let (mut out, none) = (ptr::null_mut(), ptr::null_mut());
        let init = |memory, limits, config, out| {
            klamm_init(memory, size, limits, config, 1, 0, out, ptr::null_mut())
        };
        assert_eq!(init(ptr::null_mut(), &limits(), &good, &mut out), klamm_status::Argument);
        assert_eq!(init(memory, ptr::null(), &good, &mut out), klamm_status::Argument);
        assert_eq!(init(memory, &limits(), ptr::null(), &mut out), klamm_status::Argument);
        assert_eq!(init(memory, &limits(), &good, none), klamm_status::Argument);

        let producer = made.producer;
        assert_eq!(klamm_topic(producer, ptr::null(), ptr::null_mut()), klamm_status::Argument);
        assert_eq!(klamm_transmitted(producer, 2, 0, 0), klamm_status::Argument);
        assert_eq!(klamm_demand_of(producer, 2), klamm_demand::Nothing);
        assert!(!klamm_poll_report(producer, ptr::null_mut()));
    }
}

#[test]
fn records_that_cannot_be_are_refused_and_change_nothing() {
    let made = Made::new(0);
    let producer = made.producer;
    let mut topic = 0;
    // SAFETY: the producer is there, and the pointers are what they say.
    unsafe {
        assert_eq!(klamm_topic(producer, c"t".as_ptr(), &mut topic), klamm_status::Ok);
        assert_eq!(klamm_topic(producer, c"t u".as_ptr(), &mut topic), klamm_status::InvalidTopic);
        let send = |record: &klamm_record| klamm_send(producer, record, 0, ptr::null_mut());
        let good = record(topic, b"1");
        let argument = klamm_status::Argument;
        assert_eq!(send(&klamm_record { topic: 1, ..good }), argument);
        assert_eq!(send(&klamm_record { topic: 9, ..good }), argument);
        assert_eq!(send(&klamm_record { partition: -2, ..good }), argument);
        assert_eq!(send(&klamm_record { key_len: 1, ..good }), argument);
        assert_eq!(send(&klamm_record { value_len: usize::MAX, ..good }), argument);
        assert_eq!(send(&klamm_record { header_count: 1, ..good }), argument);
        let header = klamm_header { key: c"k".as_ptr(), value: ptr::null(), value_len: 0 };
        let many = [header; KLAMM_HEADERS_MAX + 1];
        let with = |headers: &[klamm_header], header_count| {
            send(&klamm_record { headers: headers.as_ptr(), header_count, ..good })
        };
        assert_eq!(with(&many, many.len()), argument);
        assert_eq!(with(&[klamm_header { key: c"\xff".as_ptr(), ..header }], 1), argument);
        assert_eq!(with(&[klamm_header { key: ptr::null(), ..header }], 1), argument);
        assert_eq!(with(&[klamm_header { value_len: 1, ..header }], 1), argument);
        let any = klamm_record { partition: KLAMM_ANY_PARTITION, ..good };
        assert_eq!(send(&any), klamm_status::TopicPending);
        let large = [0; 10_000];
        assert_eq!(send(&record(topic, &large)), klamm_status::TooLarge);
        let mut stats = klamm_stats::default();
        klamm_get_stats(producer, &mut stats);
        assert_eq!(stats, klamm_stats::default());
        assert_eq!(with(&many, KLAMM_HEADERS_MAX), klamm_status::Ok);
        assert!(klamm_expect_partitions(producer, topic, 3));
        assert_eq!(klamm_partition_count(producer, topic), 3);
        assert_eq!(send(&any), klamm_status::Ok);
    }
}

#[test]
fn bytes_are_offered_until_they_are_said_to_be_written_and_no_more_than_were_shown() {
    let made = Made::new(3);
    let producer = made.producer;
    // SAFETY: the producer is there, and the pointers are what they say.
    unsafe {
        klamm_topic(producer, c"t".as_ptr(), ptr::null_mut());
        klamm_handle_timeout(producer, 0);
        assert_eq!(klamm_demand_of(producer, 0), klamm_demand::Connect);
        let (mut host, mut port) = ([1; 65], 0);
        let short = klamm_address(producer, 0, host.as_mut_ptr(), 8, &mut port);
        let right = klamm_address(producer, 0, host.as_mut_ptr(), 9, &mut port);
        assert_eq!((short, right), (klamm_status::Memory, klamm_status::Ok));
        assert_eq!((CStr::from_ptr(host.as_ptr()), port), (c"10.0.0.2", 9092));
        klamm_handle_dialing(producer, 0, 0);
        // The setup timeout of 10 s, give or take a fifth.
        assert!((8_000_000..12_000_000).contains(&klamm_next_deadline(producer)));
        klamm_handle_connected(producer, 0, 0);
        assert_eq!(klamm_demand_of(producer, 0), klamm_demand::Transmit);

        let show = || {
            let (mut data, mut len) = (ptr::null(), 0);
            let status = klamm_transmit(producer, 0, 0, &mut data, &mut len);
            assert_eq!(status, klamm_status::Ok);
            if len == 0 { vec![] } else { core::slice::from_raw_parts(data, len).to_vec() }
        };
        assert_eq!(klamm_transmitted(producer, 0, 1, 0), klamm_status::Argument);
        let hello = show();
        assert_eq!(show(), hello);
        assert_eq!(klamm_transmitted(producer, 0, hello.len() + 1, 0), klamm_status::Argument);
        assert_eq!(klamm_transmitted(producer, 0, 3, 0), klamm_status::Ok);
        assert_eq!(klamm_transmitted(producer, 0, 1, 0), klamm_status::Argument);
        assert_eq!(show(), hello[3..]);
        assert_eq!(klamm_transmitted(producer, 0, hello.len() - 3, 0), klamm_status::Ok);
        assert_eq!(show(), []);
        assert_eq!(klamm_demand_of(producer, 0), klamm_demand::Receive);

        // What was shown on one connection says nothing of the next one.
        klamm_handle_disconnected(producer, 0, 0);
        klamm_handle_timeout(producer, 1_000_000);
        let again = (0..2).find(|c| klamm_demand_of(producer, *c) == klamm_demand::Connect);
        assert_eq!(again, Some(0));
        klamm_handle_dialing(producer, 0, 0);
        klamm_handle_connected(producer, 0, 0);
        assert_eq!(show(), hello);
        klamm_handle_disconnected(producer, 0, 0);
        assert_eq!(klamm_transmitted(producer, 0, 1, 0), klamm_status::Argument);
        let not_open = klamm_handle_received(producer, 0, [1, 2].as_ptr().cast(), 2, 0);
        assert_eq!(not_open, klamm_status::NotConnected);
    }
}

#[test]
fn a_peer_that_speaks_tls_or_rubbish_is_told_apart_and_closed() {
    for (bytes, expected) in [
        (*b"\x15\x03\x03\0\x02\x02\x50\0", klamm_status::Tls),
        (*b"HTTP/1.1", klamm_status::Protocol),
    ] {
        let made = Made::new(0);
        let producer = made.producer;
        // SAFETY: the producer is there, and the pointers are what they say.
        unsafe {
            klamm_topic(producer, c"t".as_ptr(), ptr::null_mut());
            klamm_handle_timeout(producer, 0);
            klamm_handle_dialing(producer, 0, 0);
            klamm_handle_connected(producer, 0, 0);
            let (mut data, mut len) = (ptr::null(), 0);
            klamm_transmit(producer, 0, 0, &mut data, &mut len);
            klamm_transmitted(producer, 0, len, 0);
            let status = klamm_handle_received(producer, 0, bytes.as_ptr().cast(), bytes.len(), 0);
            assert_eq!(status, expected);
            assert_eq!(klamm_demand_of(producer, 0), klamm_demand::Close);
        }
    }
}

#[test]
fn every_record_is_reported_once_also_those_given_up() {
    let made = Made::new(5);
    let producer = made.producer;
    let (mut topic, mut id) = (0, klamm_record_id::default());
    // SAFETY: the producer is there, and the pointers are what they say.
    unsafe {
        klamm_topic(producer, c"t".as_ptr(), &mut topic);
        for n in 0..5 {
            assert_eq!(klamm_send(producer, &record(topic, b"21.5"), 0, &mut id), klamm_status::Ok);
            assert_eq!(id.index, n);
        }
        let ticket = klamm_flush(producer, 0);
        assert!(!klamm_is_flushed(producer, ticket));
        let free = klamm_free_bytes(producer);
        klamm_close(producer, 0);
        let closed = klamm_send(producer, &record(topic, b"1"), 0, ptr::null_mut());
        assert_eq!(closed, klamm_status::Closed);
        klamm_purge(producer, 0);
        assert!(klamm_is_flushed(producer, ticket));

        let mut report = MaybeUninit::<klamm_report>::uninit();
        assert!(klamm_poll_report(producer, report.as_mut_ptr()));
        let report = report.assume_init();
        assert_eq!((report.slot, report.generation), (id.slot, id.generation));
        assert_eq!((report.first, report.records, report.topic, report.partition), (0, 5, 0, 0));
        assert_eq!(report.outcome, klamm_outcome::NotPersisted);
        assert_eq!((report.reason, report.error), (klamm_reason::Purged, 0));
        assert_eq!((report.base_offset, report.log_append_time_ms), (-1, -1));
        assert!(!klamm_poll_report(producer, MaybeUninit::uninit().as_mut_ptr()));
        let mut stats = klamm_stats::default();
        klamm_get_stats(producer, &mut stats);
        assert_eq!((stats.accepted, stats.not_persisted, stats.buffered), (5, 5, 0));
        assert!(klamm_free_bytes(producer) > free);
    }
}

#[test]
fn names_end_with_a_zero_byte_and_cover_every_number() {
    // SAFETY: the functions return static texts.
    let name = |text: *const c_char| unsafe { CStr::from_ptr(text) }.to_str().unwrap();
    for status in -15..=0 {
        assert_ne!(name(klamm_status_name(status)), "unknown status", "{status}");
    }
    for reason in (0..=8).chain([99]) {
        assert_ne!(name(klamm_reason_name(reason)), "no such reason", "{reason}");
    }
    assert_eq!(name(klamm_outcome_name(1)), "not persisted");
    assert_eq!(name(klamm_version()), env!("CARGO_PKG_VERSION"));
    for error in -1..200 {
        let mut text = [1; 64];
        // SAFETY: there are 64 bytes.
        unsafe {
            let len = klamm_error_text(error, text.as_mut_ptr(), 64);
            assert!(len < 64);
            assert_eq!(name(text.as_ptr()).len(), len);
            assert_eq!(klamm_error_text(error, text.as_mut_ptr(), 3), len);
            assert_eq!(name(text.as_ptr()).len(), 2);
            assert_eq!(klamm_error_text(error, ptr::null_mut(), 3), len);
            assert_eq!(klamm_error_text(error, text.as_mut_ptr(), 0), len);
        }
    }
}
