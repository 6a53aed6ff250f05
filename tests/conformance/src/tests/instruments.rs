//! Events, statistics, Prometheus text, `log` and `tracing` records; and that no record's bytes are in any of it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, Once, PoisonError, mpsc};

use klamm::{EventKind, Header, Record, SendError};
use klamm_host::{KeepRecords, ProducerEvent};
use serde_json::Value;

use super::LIMIT;
use crate::adapter::{Refused, Setup};
use crate::brokers::{broker, nobody};
use crate::host::{HostAdapter, builder};

/// Sends so many records to the topic `t`, one at a time, and waits for them.
fn deliver<A: HostAdapter>(producer: &A, count: u64) {
    for _ in 0..count {
        producer.send("t", None, &Record::value(b"value")).expect("accepted");
    }
    assert!(producer.flush());
}

/// RK-18, and the life of batches: every record is told of as accepted, and as delivered.
pub fn rk_18_events_tell_of_every_record<A: HostAdapter>() {
    let broker = broker(3);
    let (sender, told) = mpsc::channel();
    let mut setup = Setup::new(broker.address());
    setup.config.policies.queue_records_max = 1_000;
    let producer = A::build(builder(&setup).on_event(move |event| {
        let told = match event {
            ProducerEvent::Enqueued { topic, records, queue_records, queue_records_max } => {
                assert_eq!((*topic, *records, *queue_records_max), ("t", 1, 1_000));
                assert!((1..=300).contains(queue_records), "{queue_records}");
                ("enqueued", 1)
            }
            ProducerEvent::Core { event, topic } => match event.kind {
                EventKind::Sent { batch, .. } => {
                    assert_eq!(*topic, Some("t"));
                    ("sent", u64::from(batch.records))
                }
                EventKind::Delivered { batch, .. } => ("delivered", u64::from(batch.records)),
                EventKind::Sealed(batch) => ("sealed", u64::from(batch.records)),
                EventKind::Connected(_) => ("connected", 1),
                _ => return,
            },
            other => panic!("{other:?}"),
        };
        let _ = sender.send(told);
    }));
    deliver(&producer, 300);
    let connects = producer.stats().connects;
    producer.close(LIMIT);
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    told.try_iter().for_each(|(what, records)| *sums.entry(what).or_default() += records);
    for what in ["enqueued", "sealed", "sent", "delivered"] {
        assert_eq!(sums[what], 300, "{what}: {sums:?}");
    }
    assert_eq!(sums["connected"], connects);
}

/// RK-14, RK-15: an event and an error with topic and limit.
pub fn rk_15_an_overflow_is_told_with_its_topic_and_limit<A: HostAdapter>() {
    let (sender, told) = mpsc::channel();
    let mut setup = Setup::new(nobody());
    setup.config.policies.queue_records_max = 5;
    let producer = A::build(builder(&setup).on_event(move |event| {
        if let ProducerEvent::Overflow { topic, queue_records, queue_records_max, error } = event {
            let _ = sender.send((topic.to_string(), *queue_records, *queue_records_max, *error));
        }
    }));
    for _ in 0..5 {
        producer.try_send("t", Some(0), &Record::value(b"v")).map(|_| ()).expect("there is room");
    }
    let refused = producer.try_send("t", Some(0), &Record::value(b"v")).map(|_| ());
    let Err(Refused::Now(error @ SendError::QueueFull { max: 5, .. })) = refused else {
        panic!("{refused:?}")
    };
    let told: Vec<_> = told.try_iter().collect();
    assert_eq!(told, [("t".to_owned(), 5, 5, error)]);
    producer.close(Duration::ZERO);
}

/// CK-26: on the interval, as figures and as JSON, in librdkafka's words.
pub fn ck_26_statistics_come_on_the_interval<A: HostAdapter>() {
    let broker = broker(1);
    let (sender, told) = mpsc::channel();
    let setup = Setup::new(broker.address());
    let builder = builder(&setup)
        .client_id("greenhouse")
        .statistics_interval(Duration::from_millis(20))
        .on_statistics(move |statistics| drop(sender.send(statistics.clone())));
    let producer = A::build(builder);
    deliver(&producer, 100);
    let delivered = |told: &mpsc::Receiver<klamm_host::Statistics>| loop {
        let one = told.recv_timeout(LIMIT).expect("they go on without end");
        // A busy machine may have taken and delivered some of them before the others were sent.
        if one.stats.delivered == 100 && one.stats.buffered == 0 {
            return one;
        }
    };
    let (first, second) = (delivered(&told), delivered(&told));
    assert!(second.age > first.age);
    // A window ends with its statistics.
    assert_eq!(first.delivery.total.count, 100);
    assert_eq!(second.delivery.window.count, 0, "{:?}", second.delivery);

    let json: Value = serde_json::from_str(&first.to_json()).expect("JSON");
    assert_eq!(json["client_id"], "greenhouse");
    assert_eq!((&json["msg_cnt"], &json["msg_size"]), (&Value::from(0), &Value::from(0)));
    assert_eq!((&json["txmsgs"], &json["klamm"]["delivered"]), (&100.into(), &100.into()));
    assert_eq!(json["eos"]["idemp_state"], "Assigned");
    let partition = &json["topics"]["t"]["partitions"]["0"];
    assert_eq!((&partition["txmsgs"], &partition["msgs"]), (&100.into(), &100.into()));
    assert_eq!((&partition["leader"], &partition["msgq_cnt"]), (&0.into(), &0.into()));
    let name = format!("{}/0", broker.address());
    let one = &json["brokers"][&name];
    assert_eq!((&one["state"], &one["nodeid"]), (&"UP".into(), &0.into()), "{json}");
    assert_eq!(one["toppars"]["t-0"]["topic"], "t");
    for number in ["tx", "txbytes", "rx", "rxbytes"] {
        assert!(one[number].as_u64() > Some(0), "{number}: {json}");
    }
    for bytes in ["tx_bytes", "rx_bytes"] {
        let brokers = json["brokers"].as_object().expect("brokers by name");
        let of_one = ["txbytes", "rxbytes"][usize::from(bytes == "rx_bytes")];
        let sum: u64 = brokers.values().filter_map(|broker| broker[of_one].as_u64()).sum();
        assert_eq!(json[bytes].as_u64(), Some(sum), "{json}");
    }
    producer.close(LIMIT);
}

/// Every line is what the text format allows, and the figures are those of the counters.
pub fn prometheus_text_is_well_formed<A: HostAdapter>() {
    let broker = broker(2);
    let setup = Setup::new(broker.address());
    let producer = A::build(builder(&setup).client_id("a\"quote\\and more"));
    deliver(&producer, 50);
    let text = producer.prometheus();
    let samples = parse(&text);
    let value = |name: &str| samples.iter().find(|(found, _, _)| found == name).expect(name).2;
    assert_eq!(value("klamm_records_accepted_total"), 50.0);
    assert_eq!(value("klamm_records_delivered_total"), 50.0);
    assert_eq!(value("klamm_topic_records_delivered_total"), 50.0);
    assert_eq!(value("klamm_queue_records"), 0.0);
    assert_eq!(value("klamm_delivery_latency_seconds_count"), 50.0);
    let buckets: Vec<f64> = samples
        .iter()
        .filter(|(name, _, _)| name == "klamm_delivery_latency_seconds_bucket")
        .map(|(_, _, value)| *value)
        .collect();
    assert!(buckets.is_sorted() && buckets.last() == Some(&50.0), "{buckets:?}");
    let tag = r#"client_id="a\"quote\\and more""#;
    assert!(samples.iter().all(|(_, labels, _)| labels.starts_with(tag)), "{text}");
    producer.close(LIMIT);
}

/// Name, labels and value of each sample; panics at what the format does not allow.
fn parse(text: &str) -> Vec<(String, String, f64)> {
    let (mut family, mut kind, mut seen) = (String::new(), String::new(), Vec::new());
    let mut samples = Vec::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect(line);
            assert!(!help.is_empty() && !seen.contains(&name.to_owned()), "{line}");
            name.clone_into(&mut family);
            seen.push(name.to_owned());
            continue;
        }
        if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, told) = told.split_once(' ').expect(line);
            assert!(name == family && ["counter", "gauge", "histogram"].contains(&told), "{line}");
            told.clone_into(&mut kind);
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        let (name, labels) = series.split_once('{').expect(line);
        let labels = labels.strip_suffix('}').expect(line);
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        assert!(name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit()));
        let suffixes: &[&str] =
            if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.iter().any(|s| name == format!("{family}{s}")), "{line} in {family}");
        assert!(kind != "counter" || name.ends_with("_total"), "{line}");
        samples.push((name.to_owned(), labels.to_owned(), value.parse().expect(line)));
    }
    samples
}

/// I17 and RK-25: whatever is written down of a run, the records' bytes are not in it; and log records carry the client id.
pub fn i17_no_bytes_of_records_are_written_down<A: HostAdapter>() {
    const MARKS: [&str; 4] = ["kEyMaRk", "vAlUeMaRk", "nAmEmArK", "hEaDmArK"];
    capture();
    let broker = broker(1);
    let written = Arc::new(Mutex::new(Vec::<String>::new()));
    let note = |written: &Arc<Mutex<Vec<String>>>, text: String| {
        written.lock().expect("no test panics with it").push(text);
    };
    let record = |headers| Record::value(b"vAlUeMaRk").with_key(b"kEyMaRk").with_headers(headers);
    let headers = [Header::new("nAmEmArK", b"hEaDmArK")];
    let record = record(&headers);
    for address in [broker.address(), nobody()] {
        let mut setup = Setup::new(address);
        (setup.config.delivery_timeout_ms, setup.config.request_timeout_ms) = (60_000, 30_000);
        let (events, statistics, reports) =
            (Arc::clone(&written), Arc::clone(&written), Arc::clone(&written));
        let builder = builder(&setup)
            .client_id("i17-client")
            .keep_records(KeepRecords::Always)
            .on_event(move |event| note(&events, format!("{event} {event:?}")))
            .on_statistics(move |s| note(&statistics, format!("{s:?} {}", s.to_json())))
            .statistics_interval(Duration::from_millis(10))
            .on_report(move |report| note(&reports, format!("{report:?}")));
        note(&written, format!("{builder:?} {record:?} {headers:?}"));
        let producer = A::build(builder);
        for _ in 0..20 {
            let sent = producer.try_send("t", Some(0), &record).map(|_| ());
            note(&written, format!("{sent:?}"));
        }
        let huge = vec![b'M'; 2 << 20];
        let refused = producer.try_send("t", Some(0), &Record::value(&huge));
        note(&written, format!("{:?}", refused.map(|_| ()).expect_err("too large")));
        if address == broker.address() {
            assert!(producer.flush());
        }
        note(&written, producer.prometheus());
        producer.close(Duration::ZERO);
    }
    let logged = core::mem::take(&mut *LOGGED.lock().expect("no test panics with it"));
    let mine: Vec<&String> = logged.iter().filter(|line| line.contains("i17-client")).collect();
    for way in ["log: ", "tracing: "] {
        let told = mine.iter().filter(|line| line.starts_with(way)).count();
        assert!(told > 20, "{way}: {told} of {}", logged.len());
        // RK-25. Other tests of this process log too, every line of klamm's by its client.
        let tagged = |line: &&String| line.contains('[') || line.contains("client_id=");
        assert!(logged.iter().filter(|line| line.starts_with(way)).all(|line| tagged(&line)));
    }
    let written = written.lock().expect("no test panics with it");
    assert!(written.len() > 50, "{}", written.len());
    for line in written.iter().chain(&logged) {
        for mark in MARKS {
            assert!(!line.contains(mark), "{mark}: {line}");
            let bytes = format!("{:?}", mark.as_bytes());
            assert!(!line.contains(bytes.trim_matches(['[', ']'])), "{mark}: {line}");
        }
    }
}

static LOGGED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Collects the records of `log` and `tracing` from now on.
fn capture() {
    struct Logger;
    impl log::Log for Logger {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.target() == "klamm"
        }
        fn log(&self, record: &log::Record<'_>) {
            if self.enabled(record.metadata()) {
                let line = format!("log: {} {}", record.level(), record.args());
                LOGGED.lock().expect("no test panics with it").push(line);
            }
        }
        fn flush(&self) {}
    }
    struct Lines;
    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let line = format!("tracing: {}", String::from_utf8_lossy(bytes));
            LOGGED.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Logger).expect("no other logger");
        log::set_max_level(log::LevelFilter::Trace);
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_writer(|| Lines)
            .finish();
        tracing::subscriber::set_global_default(subscriber).expect("no other subscriber");
    });
}
