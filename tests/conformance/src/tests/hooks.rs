//! What the application is called for: callbacks, reports, interceptors, key makers; properties.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, mpsc};

use klamm::{Outcome, Reason, Record};
use klamm_host::{
    BatchReport, Builder, DeliveryError, Draft, DraftHeader, Interceptor, KeepRecords,
    canonical_json,
};

use super::LIMIT;
use crate::adapter::{Fate, Setup};
use crate::brokers::{broker, log, nobody, values};
use crate::host::{HostAdapter, builder};

/// CK-06: a callback per record, each once, with its own offset.
pub fn a_callback_gets_each_records_outcome_once<A: HostAdapter>() {
    let broker = broker(1);
    let producer = A::start(&Setup::new(broker.address()));
    let (sender, told) = mpsc::channel();
    for n in 0..1_000_i64 {
        let sender = sender.clone();
        let record = n.to_le_bytes();
        let callback = move |result| sender.send((n, result)).expect("the test listens");
        producer.send_then("t", &Record::value(&record), callback).expect("accepted");
    }
    assert!(producer.flush());
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told.len(), 1_000);
    assert_eq!(told.iter().map(|(n, _)| *n).collect::<BTreeSet<_>>().len(), 1_000);
    for (n, result) in told {
        assert_eq!(result.expect("delivered").offset, Some(n));
    }
}

/// The same for records that are not delivered, or not even accepted.
pub fn callbacks_hear_of_records_that_are_given_up<A: HostAdapter>() {
    let (sender, told) = mpsc::channel();
    let mut setup = Setup::new(nobody());
    setup.max_block = Duration::ZERO;
    let send = |producer: &A, name: &'static str| {
        let sender = sender.clone();
        producer.send_then("t", &Record::value(b"v"), move |result| {
            sender.send((name, result.map(|_| ()))).expect("the test listens");
        })
    };
    let producer = A::start(&setup);
    assert!(send(&producer, "refused").is_err(), "the topic is not known");
    // A partition that is named is accepted.
    let producer = A::build(builder(&setup).interceptor(ToPartition0));
    send(&producer, "purged").expect("accepted");
    assert_eq!(producer.close(Duration::ZERO).len(), 1);
    (setup.config.delivery_timeout_ms, setup.config.request_timeout_ms) = (300, 200);
    let producer = A::build(builder(&setup).interceptor(ToPartition0));
    send(&producer, "late").expect("accepted");
    assert!(producer.flush());
    let told: Vec<_> = told.try_iter().collect();
    let [purged, ("late", Err(DeliveryError::NotPersisted(late)))] = &told[..] else {
        panic!("{told:?}")
    };
    assert!(matches!(late, Reason::TimedOut { .. }), "{late:?}");
    assert_eq!(*purged, ("purged", Err(DeliveryError::NotPersisted(Reason::Purged))));
}

/// Sends everything to partition 0.
struct ToPartition0;

impl Interceptor for ToPartition0 {
    fn on_send(&self, _: &str, record: &mut Draft<'_>) {
        record.partition = Some(0);
    }
}

/// CK-07. One answer brings the reports of 200 batches, more than the driver takes in a turn.
pub fn reports_count_every_record_and_flush_waits_for_them<A: HostAdapter>() {
    let broker = broker(200);
    let reported = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&reported);
    let setup = Setup::new(broker.address());
    let producer = A::build(builder(&setup).on_report(move |batch| {
        assert_eq!(&*batch.topic, "t");
        assert!(batch.records.is_empty());
        counter.fetch_add(u64::from(batch.report.records), Ordering::Relaxed);
    }));
    for round in 1..=5 {
        for n in 0..1_000_u32 {
            let key = n.to_le_bytes();
            let record = Record::value(b"some value").with_key(&key);
            drop(producer.send("t", None, &record).expect("accepted"));
        }
        assert!(producer.flush());
        assert_eq!(reported.load(Ordering::Relaxed), round * 1_000);
    }
}

/// A callback's panic is its own.
pub fn callbacks_that_panic_end_nothing_but_themselves<A: HostAdapter>() {
    let broker = broker(1);
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let setup = Setup::new(broker.address());
    let producer = A::build(builder(&setup).on_report(move |_| {
        if counter.fetch_add(1, Ordering::Relaxed) == 0 {
            panic!("this panic belongs to the test");
        }
    }));
    for round in 1..=2 {
        let panics = |_| panic!("this panic belongs to the test");
        producer.send_then("t", &Record::value(b"v"), panics).expect("accepted");
        assert!(producer.flush());
        assert_eq!(calls.load(Ordering::Relaxed), round);
    }
    assert_eq!(log(&broker, 0).len(), 2);
}

/// Adds its name to the value, the headers and the log.
struct Stamp(&'static str, Arc<Mutex<Vec<String>>>);

impl Interceptor for Stamp {
    fn on_send(&self, topic: &str, record: &mut Draft<'_>) {
        assert_eq!(topic, "t");
        let value = record.value.as_deref().unwrap_or_default();
        record.value = Some(Cow::Owned([value, self.0.as_bytes()].concat()));
        record.headers.push(DraftHeader { key: Cow::Borrowed(self.0), value: None });
        record.partition = Some(1);
    }

    fn on_acknowledgement(&self, report: &BatchReport) {
        let delivered = matches!(report.report.outcome, Outcome::Delivered { .. });
        let values = report.records.iter().map(|record| record.value.clone().unwrap_or_default());
        let values: Vec<_> = values.map(|v| String::from_utf8_lossy(&v).into_owned()).collect();
        self.1.lock().expect("no panic").push(format!("{} {delivered} {values:?}", self.0));
    }
}

/// In their order, on the way in and on the way back.
pub fn interceptors_change_records_and_hear_of_outcomes<A: HostAdapter>() {
    let broker = broker(2);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let setup = Setup::new(broker.address());
    let producer = A::build(
        builder(&setup)
            .keep_records(KeepRecords::Always)
            .interceptor(Stamp("a", Arc::clone(&heard)))
            .interceptor(Stamp("b", Arc::clone(&heard))),
    );
    producer.send("t", None, &Record::value(b"v").with_key(b"k")).expect("accepted");
    assert!(producer.flush());
    let log = log(&broker, 1);
    assert_eq!(log[0].value.as_deref(), Some(&b"vab"[..]));
    assert_eq!(log[0].key.as_deref(), Some(&b"k"[..]));
    let headers: Vec<_> = log[0].headers.iter().map(|(key, _)| key.to_vec()).collect();
    assert_eq!(headers, [b"a", b"b"]);
    let heard = heard.lock().expect("no panic");
    assert_eq!(*heard, [r#"a true ["vab"]"#, r#"b true ["vab"]"#]);
}

/// Changes the record half, and panics.
struct Panics;

impl Interceptor for Panics {
    fn on_send(&self, _: &str, record: &mut Draft<'_>) {
        record.value = None;
        panic!("this panic belongs to the test");
    }

    fn on_acknowledgement(&self, _: &BatchReport) {
        panic!("this panic belongs to the test");
    }
}

/// The record goes on as it was before that interceptor.
pub fn an_interceptor_that_panics_loses_no_record<A: HostAdapter>() {
    let broker = broker(2);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let setup = Setup::new(broker.address());
    let producer = A::build(
        builder(&setup)
            .interceptor(Stamp("a", Arc::clone(&heard)))
            .interceptor(Panics)
            .interceptor(Stamp("b", Arc::clone(&heard))),
    );
    let delivery = producer.send("t", None, &Record::value(b"v")).expect("accepted");
    assert_eq!(producer.fate(delivery).offset(), 0);
    assert!(producer.flush());
    assert_eq!(values(&broker, 1), [b"vab"]);
    assert_eq!(heard.lock().expect("no panic").len(), 2, "the others heard of it");
}

/// KI-06.
pub fn a_key_maker_makes_the_keys_that_are_missing<A: HostAdapter>() {
    let broker = broker(1);
    let setup = Setup::new(broker.address());
    let producer = A::build(builder(&setup).key_maker(|topic, record| {
        assert_eq!(topic, "t");
        record.value.filter(|value| !value.is_empty()).map(|value| value[..1].to_vec())
    }));
    let records =
        [Record::value(b"abc"), Record::value(b"abc").with_key(b"own"), Record::value(b"")];
    for record in &records {
        producer.send("t", None, record).expect("accepted");
    }
    assert!(producer.flush());
    let keys: Vec<_> = log(&broker, 0).into_iter().map(|r| r.key.map(|k| k.to_vec())).collect();
    assert_eq!(keys, [Some(b"a".to_vec()), Some(b"own".to_vec()), None]);
}

/// CK-04: from a map, and from a file.
pub fn properties_configure_a_producer<A: HostAdapter>() {
    let broker = broker(1);
    let text = format!(
        "# a producer\nbootstrap.servers = {}\nlinger.ms : 60000\nclient.id=green\\\n  house\n",
        broker.address()
    );
    let path = std::env::temp_dir().join(format!("klamm-{}.properties", std::process::id()));
    std::fs::write(&path, text).expect("a file");
    let builder = Builder::<A::Producer>::from_properties_file(&path);
    std::fs::remove_file(&path).expect("it is there");
    let builder = builder.expect("legal");
    assert_eq!(builder.config().linger_ms, 60_000);
    let producer = A::build(builder);
    for n in 0..3 {
        producer.send("t", None, &Record::value(&[n])).expect("accepted");
    }
    assert!(producer.close(LIMIT).is_empty());
    assert_eq!((log(&broker, 0).len(), producer.stats().batches), (3, 1));
    let missing = Builder::<A::Producer>::from_properties_file("/no/such/file");
    let error = missing.expect_err("there is no such file").to_string();
    assert!(error.starts_with("/no/such/file: "), "{error}");
}

/// CK-28: however a service spells its keys, what they name stays in order.
pub fn ck_28_keys_of_json_that_mean_the_same_share_a_partition<A: HostAdapter>() {
    let broker = broker(64);
    let producer = A::start(&Setup::new(broker.address()));
    let partition = |key: &[u8]| {
        let delivery = producer.send("t", None, &Record::value(b"v").with_key(key));
        match producer.fate(delivery.expect("accepted")) {
            Fate::Delivered(partition, _) => partition,
            other => panic!("not delivered: {other:?}"),
        }
    };
    let (mut used, mut parted) = (BTreeSet::new(), 0);
    for n in 0..20 {
        let spellings = [
            format!("{{\"a\":{n},\"b\":\"\u{e4}\"}}"),
            format!("{{\"a\": {n}, \"b\": \"\\u00e4\"}}"),
            format!("{{\"b\":\"\u{e4}\",\"a\":{n}.0}}"),
        ];
        let as_they_are = spellings.each_ref().map(|text| partition(text.as_bytes()));
        parted += usize::from(as_they_are[0] != as_they_are[1]);
        let canonical = spellings.each_ref().map(|text| canonical_json(text).expect("valid"));
        let partitions = canonical.each_ref().map(|key| partition(key));
        assert_eq!(partitions, [partitions[0]; 3], "{spellings:?}");
        used.insert(partitions[0].index);
    }
    assert!(used.len() > 5, "keys are spread: {used:?}");
    assert!(parted > 10, "without it they part: {parted} of 20");
}
