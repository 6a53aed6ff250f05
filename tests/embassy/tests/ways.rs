//! The way to a broker: name servers that fail, peers that are not there or are no brokers, networks
//! without an address.

use embassy_net::ConfigV4;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use klamm_embassy::{Config, Destination, Lost, Producer, Record};
use klamm_embassy_tests::{Answer, Brokers, Cable, Names, SERVERS, producer, simulate, stack};
use klamm_sim::cluster::{Api, Fault, Rule};

/// A way that heals after twenty seconds: nothing is delivered before, everything after.
async fn heals(producer: Producer<'static>, brokers: &Brokers, lost: &[Lost], heal: impl FnOnce()) {
    let topic = producer.topic("t").expect("legal");
    let record = Record::value(b"v");
    let to = Destination::partition(topic, 0);
    producer.send(to, &record).await.expect("a partition that is named needs no metadata");
    let early = with_timeout(Duration::from_secs(20), producer.send_and_wait(to, &record)).await;
    assert!(early.is_err(), "{early:?}");
    let last = producer.last_error().expect("something is wrong");
    assert!(lost.contains(&last), "{last:?}");
    heal();
    let late = with_timeout(Duration::from_secs(25), producer.send_and_wait(to, &record)).await;
    // The record whose wait was given up is there nevertheless.
    assert_eq!(late.expect("in time").expect("delivered").offset, Some(2));
    assert_eq!(producer.last_error(), None);
    assert_eq!(brokers.log(0).len(), 3);
}

#[test]
fn a_name_server_that_fails_at_first() {
    simulate(async {
        let cable = Cable::new(1);
        let host = stack::host(&cable);
        let brokers = Brokers::new(host, 1, 1);
        let names = Names::new(host, Answer::Failure);
        let producer = producer(&cable, &Config::new("kafka.local:9093"));
        let heal = || names.set(Answer::Address(stack::HOST));
        heals(producer, &brokers, &[Lost::Name], heal).await;
        assert!(names.asked() > 5, "it was asked again and again");
    });
}

#[test]
fn a_name_server_that_keeps_silent_at_first() {
    simulate(async {
        let cable = Cable::new(1);
        let host = stack::host(&cable);
        let brokers = Brokers::new(host, 1, 1);
        let names = Names::new(host, Answer::Silence);
        let producer = producer(&cable, &Config::new("kafka.local:9093"));
        let heal = || names.set(Answer::Address(stack::HOST));
        heals(producer, &brokers, &[Lost::Name, Lost::NoAnswer], heal).await;
    });
}

/// As before DHCP has an answer.
#[test]
fn a_network_without_an_address_at_first() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let (stack, producer) = klamm_embassy_tests::stack_and_producer(&cable, SERVERS);
        let config = stack.config_v4().expect("it has one");
        stack.set_config_v4(ConfigV4::None);
        let heal = || stack.set_config_v4(ConfigV4::Static(config));
        heals(producer, &brokers, &[Lost::NoAnswer], heal).await;
    });
}

/// Neither is the task that sends held up for longer than it wants, nor is the next server forgotten.
#[test]
fn a_broker_that_is_unreachable_is_passed_over() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let mut config = Config::new("10.0.2.99:9093,10.0.2.2:9093");
        config.socket_connection_setup_timeout_ms = 3_000;
        let producer = producer(&cable, &config);
        let to = Destination::topic(producer.topic("t").expect("legal"));
        let delivered = producer.send_and_wait(to, &Record::value(b"v")).await;
        assert_eq!(delivered.expect("delivered").offset, Some(0));
        assert!(Instant::now() < Instant::from_secs(4), "{:?}", Instant::now());
        assert_eq!(brokers.log(0).len(), 1);
    });
}

/// For an hour: each attempt ends by its deadline, and they are not many.
#[test]
fn a_broker_that_never_answers_costs_little() {
    simulate(async {
        let cable = Cable::new(1);
        let host = stack::host(&cable);
        let _brokers = Brokers::new(host, 1, 1);
        let producer = producer(&cable, &Config::new(SERVERS));
        cable.cut(true);
        let to = Destination::topic(producer.topic("t").expect("legal"));
        let record = Record::value(b"v");
        let sent = with_timeout(Duration::from_secs(3_600), producer.send(to, &record)).await;
        assert!(sent.is_err());
        assert_eq!(producer.last_error(), Some(Lost::NoAnswer));
        assert_eq!((producer.stats().accepted, producer.waiting()), (0, 0));
        let frames = cable.sent();
        assert!((100..4_000).contains(&frames), "about one a second: {frames}");
    });
}

#[test]
fn a_port_where_nobody_listens_is_noticed_at_once() {
    simulate(async {
        let cable = Cable::new(1);
        let _host = stack::host(&cable);
        let producer = producer(&cable, &Config::new("10.0.2.2:9999"));
        producer.topic("t").expect("legal");
        Timer::after_millis(50).await;
        assert_eq!(producer.last_error(), Some(Lost::Refused));
    });
}

/// Whatever answers: it is given up, said so, and tried again later; nothing is taken for an answer.
#[test]
fn garbage_for_an_answer() {
    let alert = b"\x15\x03\x03\x00\x02\x02\x46".to_vec();
    let http = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec();
    let mut dice = oorandom::Rand32::new(5);
    let mut noise = || (0..400).map(|_| dice.rand_range(0..256).to_le_bytes()[0]).collect();
    let garbage = [alert, http, vec![0; 100], vec![0xff; 3_000], noise(), noise(), noise()];
    for (n, bytes) in garbage.into_iter().enumerate() {
        for api in [Api::ApiVersions, Api::Metadata, Api::InitProducerId, Api::Produce] {
            simulate(async {
                let cable = Cable::new(1);
                let brokers = Brokers::new(stack::host(&cable), 1, 1);
                let times = 6;
                let fault = Fault::Garbage(bytes.clone());
                brokers.with(|cluster, _| {
                    cluster.inject(Rule { times, ..Rule::once(api, fault) });
                });
                let mut config = Config::new(SERVERS);
                config.request_timeout_ms = 2_000;
                let producer = producer(&cable, &config);
                let to = Destination::partition(producer.topic("t").expect("legal"), 0);
                for value in [b"1", b"2", b"3"] {
                    let sent = producer.send_and_wait(to, &Record::value(value)).await;
                    sent.unwrap_or_else(|error| panic!("{n} {api:?}: {error}"));
                }
                assert_eq!(brokers.values(0), [b"1", b"2", b"3"], "{n} {api:?}");
                let connections = brokers.with(|cluster, _| cluster.stats().accepted);
                assert!(connections > 6, "{n} {api:?}: each was given up");
            });
        }
    }
}

#[test]
fn a_peer_that_is_no_broker_is_named_so() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let fault = Fault::Garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
        brokers.with(|cluster, _| {
            cluster.inject(Rule { times: u32::MAX, ..Rule::once(Api::ApiVersions, fault) });
        });
        let producer = producer(&cable, &Config::new(SERVERS));
        producer.topic("t").expect("legal");
        Timer::after_secs(5).await;
        let lost = producer.last_error();
        assert!(matches!(lost, Some(Lost::Protocol(_))), "{lost:?}");
    });
}

/// embassy-net's own limit: it is met when the runner begins, not in the field.
#[test]
#[should_panic(expected = "adding a socket to a full SocketSet")]
fn too_few_sockets_panic_at_the_start() {
    simulate(async {
        let cable = Cable::new(1);
        // One for DNS, and one for two connections.
        let stack = stack::device::<2>(&cable);
        let network = klamm_embassy::EmbassyNet::new(stack);
        let resources = Box::leak(Box::new(klamm_embassy::Resources::<1_200, 8, 8, 2>::new()));
        let config = Config::new(SERVERS);
        let (_, mut runner) = klamm_embassy::new(resources, network, &config, 7).expect("legal");
        runner.run().await;
    });
}
