//! Direct batch control: rows AK-23 to AK-31 of the acceptance table.

use klamm::{AppendError, BatchBuilder, Destination, Header, Reason, Record, SendError, Timestamp};
use klamm_sim::cluster::Fault;
use klamm_sim::simulator::scenario::TOPIC;
use klamm_sim::simulator::{Fate, Sample, Scenario};

/// Sends a batch of so many records; returns their numbers.
fn batch(s: &mut Scenario, partition: i32, records: usize, close: bool) -> core::ops::Range<u64> {
    let first = s.ledger.next();
    let taken = s.send_batch(TOPIC, Some(partition), records, close).expect("no promise is broken");
    assert_eq!(taken.map(usize::from), Ok(records));
    first..s.ledger.next()
}

fn setup() -> klamm_sim::simulator::Setup {
    let mut setup = Scenario::setup(1, 2);
    setup.user.largest = 20;
    setup.config.batch_size = 1_000;
    setup.limits.batch_size = 1_000;
    setup
}

#[test]
fn ak_23_a_batch_that_is_made_is_not_queued() {
    let mut s = Scenario::new(setup());
    s.warm_up(0..1);
    let mut memory = [0; 300];
    let mut batch = BatchBuilder::new(&mut memory);
    assert_eq!(batch.append(&Record::value(b"21.5")), Ok(0));
    s.run(60_000);
    assert_eq!((s.stats().accepted, s.log(0).len()), (1, 1));
    assert_eq!(batch.records(), 1);
    s.finish();
}

#[test]
fn ak_24_append_says_when_the_batch_is_full() {
    let headers = [Header::new("unit", b"celsius")];
    let record = Record::value(b"21.5").with_key(b"7").with_headers(&headers);
    for max in 0..400_usize {
        let mut memory = vec![0; max];
        let mut batch = BatchBuilder::new(&mut memory);
        let mut index = 0;
        let full = loop {
            match batch.append(&record) {
                Ok(at) => assert_eq!(at, index),
                Err(error) => break error,
            }
            index += 1;
            assert!(batch.size() as usize <= max);
        };
        assert_eq!((full, batch.records()), (AppendError::Full, index));
        // The record takes 25 bytes.
        let least = if max < 61 { 0 } else { (max - 61) / 25 };
        assert_eq!(usize::from(index), least, "{max}");
    }
}

#[test]
fn ak_24_every_record_may_have_its_timestamp() {
    let mut memory = [0; 300];
    let mut batch = BatchBuilder::new(&mut memory);
    let at = |millis| Record::value(b"21.5").with_timestamp(Timestamp::from_millis(millis));
    assert_eq!(batch.append(&Record::value(b"21.5")), Ok(0));
    assert_eq!(batch.append(&at(5)), Err(AppendError::Timestamp));
    batch.clear();
    assert_eq!(batch.records(), 0);
    for millis in [1_690_000_000_000, 1_690_000_000_007, 1_690_000_000_003] {
        assert!(batch.append(&at(millis)).is_ok());
    }
    let mut s = Scenario::new(setup());
    s.hands_off();
    let now = s.instant();
    let topic = s.producer().topic(TOPIC).expect("there is room");
    let to = Destination::partition(topic, 0);
    s.producer().send_batch(to, &batch, now).expect("there is room");
    s.run(1_000);
    let times: Vec<i64> = s.cluster.log(TOPIC, 0).map(|r| r.timestamp).collect();
    assert_eq!(times, [1_690_000_000_000, 1_690_000_000_007, 1_690_000_000_003]);
}

#[test]
fn ak_25_a_closed_batch_takes_nothing_more() {
    let mut memory = [0; 300];
    let mut batch = BatchBuilder::new(&mut memory);
    assert!(batch.append(&Record::null()).is_ok());
    batch.close();
    assert!(batch.is_closed());
    assert_eq!(batch.append(&Record::null()), Err(AppendError::Closed));
    assert_eq!(batch.records(), 1);
}

#[test]
fn ak_26_an_open_batch_that_was_sent_takes_what_send_appends() {
    for close in [false, true] {
        let mut setup = setup();
        setup.config.linger_ms = 100;
        let mut s = Scenario::new(setup);
        let first = batch(&mut s, 0, 2, close);
        let number = s.ledger.next();
        s.sample(0, Sample::plain(number, 8));
        s.run_until_reported(5_000);
        let both: Vec<u64> = first.chain([number]).collect();
        let expected =
            if close { vec![both[..2].to_vec(), both[2..].to_vec()] } else { vec![both] };
        assert_eq!(s.sent(0), expected);
        s.finish();
    }
}

#[test]
fn ak_27_a_batch_goes_behind_what_was_accepted_before() {
    let mut setup = setup();
    setup.config.linger_ms = 100;
    let mut s = Scenario::new(setup);
    s.sample(0, Sample::plain(0, 8));
    let second = batch(&mut s, 0, 3, true);
    s.run_until_reported(5_000);
    assert_eq!(s.sent(0), [vec![0], second.collect()]);
    s.finish();
}

#[test]
fn ak_28_a_batch_that_is_refused_is_never_sent() {
    let mut setup = setup();
    setup.config.policies.queue_records_max = 4;
    let mut s = Scenario::new(setup);
    let now = s.instant();
    s.producer().pause(true, now);
    batch(&mut s, 0, 3, true);
    let refused = s.send_batch(TOPIC, Some(0), 3, true).expect("no promise is broken");
    assert!(matches!(refused, Err(SendError::QueueFull { .. })), "{refused:?}");
    s.producer().pause(false, now);
    s.run_until_reported(5_000);
    assert_eq!(s.log(0), [0, 1, 2]);
    s.finish();
}

#[test]
fn ak_28_what_can_never_be_sent_is_refused() {
    let mut s = Scenario::new(setup());
    let now = s.instant();
    let topic = s.producer().topic(TOPIC).expect("there is room");
    let to = Destination::partition(topic, 0);
    let mut memory = vec![0; 4 << 20];
    let mut batch = BatchBuilder::new(&mut memory);
    assert_eq!(s.producer().send_batch(to, &batch, now), Err(SendError::EmptyBatch));
    assert!(batch.append(&Record::value(&vec![0; 3 << 20])).is_ok());
    let refused = s.producer().send_batch(to, &batch, now);
    assert!(matches!(refused, Err(SendError::TooLarge { .. })), "{refused:?}");
    assert_eq!(s.stats().accepted, 0);
}

#[test]
fn ak_29_a_batch_ends_in_success_or_an_error_that_is_final() {
    let mut s = Scenario::new(setup());
    s.warm_up(0..1);
    s.produce_faults(0, Fault::Error(19), 3);
    let delivered = batch(&mut s, 0, 4, true);
    s.run_until_reported(10_000);
    assert!(s.all_delivered(delivered));
    s.ledger.excuses.rejected = true;
    s.produce_fault(0, Fault::Error(29));
    let failed = batch(&mut s, 0, 4, true);
    s.run_until_reported(10_000);
    for number in failed {
        let rejected = Fate::NotPersisted(Reason::Rejected(klamm::ErrorCode(29)));
        assert_eq!(s.fate(number), Some(rejected));
    }
    s.finish();
}

#[test]
fn ak_30_any_number_of_batches_waits_for_its_turn() {
    let mut setup = setup();
    setup.config.max_in_flight_requests_per_connection = 1;
    let mut s = Scenario::new(setup);
    let batches: Vec<_> = (0..20).map(|_| batch(&mut s, 0, 2, true)).collect();
    s.run_until_reported(20_000);
    let sent: Vec<Vec<u64>> = batches.into_iter().map(Iterator::collect).collect();
    assert_eq!(s.sent(0), sent);
    s.finish();
}

#[test]
fn ak_31_the_batchs_offset_is_its_first_records() {
    let mut s = Scenario::new(setup());
    s.warm_up(0..1);
    let records = batch(&mut s, 0, 5, true);
    s.run_until_reported(5_000);
    for (place, number) in (1..).zip(records) {
        assert_eq!(s.fate(number), Some(Fate::Delivered(Some(place))));
    }
    s.finish();
}

/// The same records make the same bytes, one by one or as a batch.
#[test]
fn a_batch_is_what_send_would_have_made_of_it() {
    let mut sent = Vec::new();
    for by_batch in [false, true] {
        let mut setup = setup();
        setup.config.linger_ms = 10;
        let mut s = Scenario::new(setup);
        s.hands_off();
        let now = s.instant();
        let topic = s.producer().topic(TOPIC).expect("there is room");
        let to = Destination::partition(topic, 0);
        let headers = [Header { key: "unit", value: None }];
        let records = [
            Record::value(b"21.5").with_key(b"7").with_timestamp(Timestamp::from_millis(1 << 40)),
            Record::null().with_headers(&headers).with_timestamp(Timestamp::from_millis(0)),
            Record::value(b"").with_timestamp(Timestamp::from_millis((1 << 40) + 9)),
        ];
        let mut memory = [0; 300];
        let mut batch = BatchBuilder::new(&mut memory);
        for record in &records {
            assert!(batch.append(record).is_ok());
        }
        if by_batch {
            s.producer().send_batch(to, &batch, now).expect("there is room");
        } else {
            for record in &records {
                s.producer().send(to, record, now).expect("there is room");
            }
        }
        s.run(1_000);
        sent.push(s.observer.exchanges[0].batch.bytes.clone());
    }
    assert_eq!(sent[0], sent[1]);
}

/// Without a clock: the records get the time of `send_batch` when there is one.
#[test]
fn a_batch_waits_for_the_clock_too() {
    let mut setup = setup();
    setup.clock = false;
    let mut s = Scenario::new(setup);
    s.hands_off();
    let now = s.instant();
    let topic = s.producer().topic(TOPIC).expect("there is room");
    let mut memory = [0; 300];
    let mut batch = BatchBuilder::new(&mut memory);
    assert!(batch.append(&Record::value(b"21.5")).is_ok());
    s.producer().send_batch(Destination::partition(topic, 0), &batch, now).expect("room");
    s.run(5_000);
    assert_eq!(s.observer.exchanges.len(), 0);
    let later = s.instant();
    s.producer().set_clock(Timestamp::from_millis(1_700_000_005_000), later);
    s.run(1_000);
    let times: Vec<i64> = s.cluster.log(TOPIC, 0).map(|r| r.timestamp).collect();
    assert_eq!(times, [1_700_000_000_000]);
}
