//! Tasks that wait: in order, in any number, and given up at any moment.

use core::cell::RefCell;

use embassy_futures::join::{join, join_array};
use embassy_futures::select::select;
use embassy_net::Stack;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use klamm_embassy::{
    Config, Destination, EmbassyNet, Outcome, ProduceError, Producer, Reason, Record, Resources,
    Runner, Scope, SendError, Timestamp,
};
use klamm_embassy_tests::{Brokers, Cable, SERVERS, poll_times, polls, simulate, spawn, stack};

type Device = (Producer<'static>, Runner<'static, EmbassyNet<'static>>);

/// Three batches of 224 bytes, and `TASKS` calls that may wait.
fn small<const TASKS: usize>(stack: Stack<'static>, config: &Config<'_>) -> Device {
    let resources = Box::leak(Box::new(Resources::<400, 4, 2, 1, 512, 512, TASKS>::new()));
    let (producer, runner) =
        klamm_embassy::new(resources, EmbassyNet::new(stack), config, 7).expect("legal options");
    producer.set_clock(Timestamp::from_millis(klamm_embassy_tests::UNIX_MS));
    (producer, runner)
}

fn running<const TASKS: usize>(cable: &Cable, config: &Config<'_>) -> Producer<'static> {
    let (producer, mut runner) = small::<TASKS>(stack::device::<2>(cable), config);
    spawn(async move { runner.run().await });
    producer
}

fn to(producer: &Producer<'_>) -> Destination {
    Destination::partition(producer.topic("t").expect("legal"), 0)
}

/// Fills the memory; returns how many records that took.
fn fill(producer: &Producer<'_>) -> u32 {
    let mut count = 0;
    for value in [&[b'x'; 100][..], b""] {
        while producer.try_send(to(producer), &Record::value(value)).is_ok() {
            count += 1;
        }
    }
    count
}

#[test]
fn those_who_wait_for_room_get_it_in_order() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let producer = running::<8>(&cable, &Config::new(SERVERS));
        cable.cut(true);
        let before = fill(&producer);
        let order = RefCell::new(Vec::new());
        let tasks = [3_u8, 1, 4, 0, 5, 2].map(|n| {
            let (producer, order) = (&producer, &order);
            async move {
                // Some ticks apart, at any rate of them.
                Timer::after_millis(5 + 5 * u64::from(n)).await;
                // The one in the middle is large: it is not overtaken.
                let value = vec![n; if n == 2 { 150 } else { 20 }];
                producer.send(to(producer), &Record::value(&value)).await.expect("accepted");
                order.borrow_mut().push(n);
            }
        });
        let mend = async {
            Timer::after_millis(50).await;
            assert_eq!(producer.waiting(), 6);
            let refused = producer.try_send(to(&producer), &Record::value(b""));
            assert_eq!(refused, Err(SendError::Full), "others wait");
            cable.cut(false);
        };
        join(join_array(tasks), mend).await;
        producer.flush().await;
        assert_eq!(order.into_inner(), [0, 1, 2, 3, 4, 5]);
        let values: Vec<u8> =
            brokers.values(0)[before as usize..].iter().map(|value| value[0]).collect();
        assert_eq!(values, [0, 1, 2, 3, 4, 5]);
        assert_eq!(producer.waiting(), 0);
    });
}

/// Those who find no slot look from time to time; nobody is forgotten.
#[test]
fn more_tasks_wait_than_there_are_slots() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let producer = running::<1>(&cable, &Config::new(SERVERS));
        let tasks = [1_u8, 2, 3, 4, 5].map(|n| async move {
            for _ in 0..10 {
                let value = [n; 90];
                let record = Record::value(&value);
                producer.send_and_wait(to(&producer), &record).await.expect("delivered");
            }
            producer.flush().await;
        });
        join_array(tasks).await;
        assert_eq!(brokers.log(0).len(), 50);
    });
}

/// A device that waits sleeps: nobody is polled for nothing.
#[test]
fn waiting_costs_no_power() {
    simulate(async {
        let cable = Cable::new(1);
        let _brokers = Brokers::new(stack::host(&cable), 1, 1);
        let mut config = Config::new(SERVERS);
        config.linger_ms = 60_000;
        let producer = running::<4>(&cable, &config);
        let topic = producer.topic("t").expect("legal");
        producer.partitions(topic).await.expect("known");
        Timer::after_secs(5).await;
        let before = (polls(), cable.sent());
        let record = Record::value(b"v");
        let waits = producer.send_and_wait(Destination::topic(topic), &record);
        let waited = with_timeout(Duration::from_secs(50), waits).await;
        assert!(waited.is_err(), "it lingers");
        let after = (polls() - before.0, cable.sent() - before.1);
        assert!(after.0 < 20 && after.1 == 0, "polls, frames: {after:?}");
    });
}

/// Each call of it, dropped after any number of polls, in a world where it has to wait.
#[test]
fn a_dropped_future_loses_nothing_and_doubles_nothing() {
    #[derive(Clone, Copy, Debug)]
    enum Call {
        Send,
        SendAndWait,
        Flush,
        Partitions,
        Reports,
    }
    for call in [Call::Send, Call::SendAndWait, Call::Flush, Call::Partitions, Call::Reports] {
        let mut ready = false;
        let mut times = 1;
        while !ready {
            simulate(async {
                let cable = Cable::new(1);
                let brokers = Brokers::new(stack::host(&cable), 1, 1);
                let producer = running::<4>(&cable, &Config::new(SERVERS));
                let before = match call {
                    Call::Send | Call::SendAndWait => fill(&producer),
                    _ => 0,
                };
                let topic = producer.topic("t").expect("legal");
                let destination = Destination::topic(topic);
                let record = Record::value(b"the record");
                match call {
                    Call::Send => {
                        let sent = poll_times(producer.send(destination, &record), times).await;
                        ready = sent.is_some();
                        assert_eq!(producer.stats().accepted, u64::from(before + u32::from(ready)));
                    }
                    Call::SendAndWait => {
                        let sent = producer.send_and_wait(destination, &record);
                        let sent = poll_times(sent, times).await;
                        ready = sent.is_some();
                        assert!(sent.is_none_or(|sent| sent.is_ok()));
                    }
                    Call::Flush => {
                        producer.send(destination, &record).await.expect("accepted");
                        ready = poll_times(producer.flush(), times).await.is_some();
                        assert_eq!(brokers.log(0).is_empty(), !ready);
                    }
                    Call::Partitions => {
                        let asked = poll_times(producer.partitions(topic), times).await;
                        ready = asked == Some(Ok(1));
                        assert!(ready || asked.is_none());
                    }
                    Call::Reports => {
                        let mut reports = producer.reports();
                        producer.send(destination, &record).await.expect("accepted");
                        ready = poll_times(reports.next(), times).await.is_some();
                        let left = with_timeout(Duration::from_secs(5), reports.next()).await;
                        assert_eq!(left.is_err(), ready, "it is read once");
                    }
                }
                assert_eq!(producer.waiting(), 0, "{call:?}, {times}");
                producer.flush().await;
                let accepted = producer.stats().accepted;
                assert_eq!(brokers.log(0).len() as u64, accepted, "{call:?}, {times}");
                let ours = brokers.values(0).iter().filter(|value| *value == b"the record").count();
                assert_eq!(ours as u64, accepted - u64::from(before), "{call:?}, {times}");
                assert!(ours <= 1 && (ours == 1 || !ready || matches!(call, Call::Partitions)));
                // And the next one goes through.
                producer.send_and_wait(destination, &record).await.expect("delivered");
            });
            times += 1;
            assert!(times < 1_000, "{call:?} is ready some time");
        }
        assert!(times > 2, "{call:?} had to wait");
    }
}

/// A large record that waits is not overtaken by small ones, for which there would be room; and when
/// it is given up, those behind it go on at once.
#[test]
fn nobody_overtakes_who_waits_nor_waits_for_who_is_gone() {
    simulate(async {
        let cable = Cable::new(1);
        let _brokers = Brokers::new(stack::host(&cable), 1, 1);
        let producer = running::<4>(&cable, &Config::new(SERVERS));
        cable.cut(true);
        let to = to(&producer);
        let (large, small) = ([b'x'; 100], Record::value(b""));
        while producer.try_send(to, &Record::value(&large)).is_ok() {}
        producer.try_send(to, &small).expect("there is room for small ones");
        // In a task of its own: what wakes that one wakes nobody else.
        spawn(async move {
            let large = Record::value(&large);
            let sent = with_timeout(Duration::from_millis(1_500), producer.send(to, &large)).await;
            assert!(sent.is_err());
        });
        Timer::after_secs(1).await;
        assert_eq!(producer.try_send(to, &small), Err(SendError::Full), "another one waits");
        producer.send(to, &small).await.expect("accepted");
        assert_eq!(Instant::now(), Instant::from_millis(1_500), "as soon as that is gone");
    });
}

/// The runner itself, dropped after any number of polls and started again.
#[test]
fn a_dropped_runner_goes_on_where_it_was() {
    const RECORDS: u32 = 12;
    for times in 1..160 {
        simulate(async {
            let cable = Cable::new(1);
            let brokers = Brokers::new(stack::host(&cable), 1, 1);
            let (producer, mut runner) =
                small::<4>(stack::device::<2>(&cable), &Config::new(SERVERS));
            let sender = async {
                for n in 0..RECORDS {
                    let value = [&n.to_be_bytes()[..], &[b'x'; 90]].concat();
                    let record = Record::value(&value);
                    producer.send(to(&producer), &record).await.expect("accepted");
                }
                producer.flush().await;
            };
            let runs = async {
                for _ in 0..3 {
                    poll_times(runner.run(), times).await;
                }
                runner.run().await
            };
            select(sender, runs).await;
            let expected = (0..RECORDS).map(|n| n.to_be_bytes().to_vec());
            let values = brokers.values(0).into_iter().map(|value| value[..4].to_vec());
            assert!(values.eq(expected), "{times}");
        });
    }
}

/// Every outcome is told once, and what was not delivered comes back as it was.
#[test]
fn reports_tell_of_every_record() {
    simulate(async {
        let cable = Cable::new(1);
        let _brokers = Brokers::new(stack::host(&cable), 1, 1);
        let producer = running::<4>(&cable, &Config::new(SERVERS));
        let mut reports = producer.reports();
        let destination = to(&producer);
        let sends = async {
            for n in 0..20_u8 {
                let value = [n; 60];
                producer.send(destination, &Record::value(&value)).await.expect("accepted");
            }
        };
        let mut delivered = 0;
        let reads = async {
            while delivered < 20 {
                let report = reports.next().await;
                assert!(matches!(report.outcome, Outcome::Delivered { .. }));
                delivered += report.records;
            }
        };
        join(sends, reads).await;
        cable.cut(true);
        producer.send(destination, &Record::value(b"back").with_key(b"k")).await.expect("room");
        producer.purge(Scope::ALL);
        let given_up = |report: &klamm_embassy::Report,
                        records: Option<klamm_embassy::Records<'_>>| {
            let record = records.and_then(|mut records| records.next()).expect("it is there");
            (report.outcome, record.key.map(<[u8]>::to_vec), record.value.map(<[u8]>::to_vec))
        };
        let (outcome, key, value) = reports.next_with(given_up).await;
        let gone = Outcome::NotPersisted(Reason::Purged);
        let unsure = Outcome::Unknown(Reason::Purged);
        assert!(outcome == gone || outcome == unsure, "{outcome:?}");
        assert_eq!((key.as_deref(), value.as_deref()), (Some(&b"k"[..]), Some(&b"back"[..])));
    });
}

#[test]
fn closed_is_closed_for_everybody() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let mut config = Config::new(SERVERS);
        config.linger_ms = 60_000;
        let producer = running::<4>(&cable, &config);
        let topic = producer.topic("t").expect("legal");
        producer.send(to(&producer), &Record::value(b"v")).await.expect("accepted");
        let unknown = producer.topic("absent").expect("legal");
        let record = Record::value(b"w");
        let waits = producer.send_and_wait(Destination::topic(unknown), &record);
        let asks = producer.partitions(unknown);
        let closes = async {
            Timer::after_secs(3).await;
            producer.close();
            producer.flush().await;
        };
        let ((waited, asked), ()) = join(join(waits, asks), closes).await;
        assert_eq!(waited, Err(ProduceError::Refused(SendError::Closed)));
        assert_eq!(asked, Err(SendError::Closed));
        let refused = producer.try_send(Destination::topic(topic), &record);
        assert_eq!(refused, Err(SendError::Closed));
        assert_eq!(brokers.log(0).len(), 1, "what was accepted was delivered");
    });
}
