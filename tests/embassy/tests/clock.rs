//! Time: of day, of deadlines, and time that is gone at once.

use embassy_futures::select::select;
use embassy_time::{Duration, Instant, TICK_HZ, Timer, with_timeout};
use klamm_embassy::{Config, Destination, EmbassyNet, Producer, Record, Resources, Timestamp};
use klamm_embassy_tests::{
    Brokers, Cable, SERVERS, UNIX_MS, polls, producer, simulate, spawn, stack, time,
};

/// A producer that does not know what time it is.
fn clockless(cable: &Cable, config: &Config<'_>) -> Producer<'static> {
    let network = EmbassyNet::new(stack::device::<2>(cable));
    let resources = Box::leak(Box::new(Resources::<1_200, 8, 2>::new()));
    let (producer, mut runner) =
        klamm_embassy::new(resources, network, config, 7).expect("legal options");
    spawn(async move { runner.run().await });
    producer
}

#[test]
fn a_clock_that_is_set_late_stamps_what_waited() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let producer = clockless(&cable, &Config::new(SERVERS));
        let to = Destination::partition(producer.topic("t").expect("legal"), 0);
        for _ in 0..5 {
            producer.send(to, &Record::value(b"early")).await.expect("accepted");
            Timer::after_secs(10).await;
        }
        assert!(brokers.log(0).is_empty(), "they wait for the time");
        // Fifty seconds after the start, says the time server.
        producer.set_clock(Timestamp::from_millis(UNIX_MS + 50_000));
        producer.flush().await;
        producer.send_and_wait(to, &Record::value(b"late")).await.expect("delivered");
        let stamps: Vec<i64> = brokers.log(0).iter().map(|r| r.timestamp - UNIX_MS).collect();
        assert_eq!(stamps[..5], [0, 10_000, 20_000, 30_000, 40_000]);
        assert!((50_000..51_000).contains(&stamps[5]), "{stamps:?}");
    });
}

/// To the tick: neither is the record sent before, nor is the runner polled for nothing.
#[test]
fn the_next_deadline_is_exact() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let mut config = Config::new(SERVERS);
        config.linger_ms = 40_000;
        let producer = producer(&cable, &config);
        let topic = producer.topic("t").expect("legal");
        producer.partitions(topic).await.expect("known");
        Timer::after_secs(3).await;
        let sent_at = Instant::now();
        producer.send(Destination::topic(topic), &Record::value(b"v")).await.expect("accepted");
        let deadline = producer.next_deadline().expect("it lingers");
        assert_eq!(deadline, sent_at + Duration::from_secs(40));
        Timer::after_secs(1).await;
        let before = (polls(), cable.sent());
        Timer::at(deadline - Duration::from_ticks(1)).await;
        assert_eq!(cable.sent(), before.1, "nothing was sent early");
        assert!(polls() - before.0 < 10, "nobody was awake: {}", polls() - before.0);
        Timer::at(deadline).await;
        Timer::after_millis(10).await;
        assert_eq!(brokers.log(0).len(), 1, "it was sent in time");
    });
}

/// Deep sleep with records in the buffer, some of them in flight.
#[test]
fn an_hour_of_sleep_fails_no_record() {
    for hours in [1, 5] {
        for awake in [0, 1, 3, 5, 8, 30, 2_000] {
            simulate(async {
                let cable = Cable::new(1);
                let brokers = Brokers::new(stack::host(&cable), 1, 1);
                let producer = producer(&cable, &Config::new(SERVERS));
                let to = Destination::partition(producer.topic("t").expect("legal"), 0);
                for n in 0..5_u8 {
                    producer.send(to, &Record::value(&[n])).await.expect("accepted");
                }
                Timer::after_millis(awake).await;
                time::jump(hours * 3_600 * TICK_HZ);
                let before = polls();
                producer.flush().await;
                let stats = producer.stats();
                assert_eq!(stats.delivered, 5, "{hours} h after {awake} ms: {stats:?}");
                assert_eq!(brokers.values(0), [[0], [1], [2], [3], [4]]);
                assert!(polls() - before < 1_000, "no storm: {}", polls() - before);
            });
        }
    }
}

/// And an hour without a network while it is awake does: that is what the timeout is for.
#[test]
fn an_hour_without_a_network_is_too_long() {
    simulate(async {
        let cable = Cable::new(1);
        let _brokers = Brokers::new(stack::host(&cable), 1, 1);
        let producer = producer(&cable, &Config::new(SERVERS));
        let to = Destination::partition(producer.topic("t").expect("legal"), 0);
        cable.cut(true);
        let record = Record::value(b"v");
        let sent =
            with_timeout(Duration::from_secs(130), producer.send_and_wait(to, &record)).await;
        let failed = sent.expect("the delivery timeout is two minutes");
        assert!(matches!(failed, Err(klamm_embassy::ProduceError::NotPersisted(_))), "{failed:?}");
    });
}

/// One minute's readings leave together, and the radio sleeps in between.
#[test]
fn the_radio_wakes_once_a_minute() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let mut config = Config::new(SERVERS);
        config.linger_ms = 60_000;
        config.metadata_max_age_ms = 24 * 3_600_000;
        let producer = producer(&cable, &config);
        let topic = producer.topic("t").expect("legal");
        producer.partitions(topic).await.expect("known");
        Timer::after_secs(2).await;
        let mut awake = 0;
        let mut frames = cable.sent();
        let radio = async {
            loop {
                Timer::after_secs(1).await;
                awake += u32::from(cable.sent() != frames);
                frames = cable.sent();
            }
        };
        let sensor = async {
            for n in 0..600_u32 {
                let value = n.to_be_bytes();
                producer
                    .send(Destination::topic(topic), &Record::value(&value))
                    .await
                    .expect("room");
                Timer::after_secs(1).await;
            }
        };
        select(sensor, radio).await;
        producer.flush().await;
        assert_eq!(brokers.log(0).len(), 600);
        assert!((9..=22).contains(&awake), "seconds with the radio on, of 600: {awake}");
        let batches = producer.stats().batches;
        assert!(batches <= 11, "one a minute: {batches}");
    });
}
