//! Little memory, few sockets, other stacks.

use core::net::SocketAddr;

use embassy_futures::join::join_array;
use embassy_net::dns::DnsSocket;
use embassy_net::tcp::client::{TcpClient, TcpClientState};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::{Duration, Timer};
use klamm_embassy::{
    CodecMemory, Compression, Config, Destination, EmbassyNet, Nal, Network, Producer, Record,
    Resources, Timestamp,
};
use klamm_embassy_tests::{
    Answer, Brokers, Cable, Names, SERVERS, UNIX_MS, Weather, brokers, simulate, spawn, stack,
};
use klamm_sim::cluster::TopicConfig;

/// A producer with one connection and two partitions in it.
fn tiny<const RX: usize, const TX: usize>(
    network: impl Network + 'static,
    config: &Config<'_>,
) -> Producer<'static> {
    let resources = Box::leak(Box::new(Resources::<400, 6, 6, 1, RX, TX>::new()));
    let (producer, mut runner) =
        klamm_embassy::new(resources, network, config, 7).expect("legal options");
    spawn(async move { runner.run().await });
    producer.set_clock(Timestamp::from_millis(UNIX_MS));
    producer
}

/// Metadata of 3,000 partitions is some 80 KB; it goes through 64 bytes.
#[test]
fn metadata_is_larger_than_the_receive_buffer() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 3, 1);
        let large = TopicConfig::new(3_000, 3);
        brokers.with(|cluster, _| cluster.create_topic("large", large)).expect("new");
        let network = EmbassyNet::new(stack::device::<2>(&cable));
        let producer = tiny::<64, 64>(network, &Config::new(SERVERS));
        let topic = producer.topic("large").expect("legal");
        assert_eq!(producer.partitions(topic).await, Ok(3_000));
        for partition in [7, 2_999, 7] {
            let to = Destination::partition(topic, partition);
            producer.send_and_wait(to, &Record::value(b"v")).await.expect("delivered");
        }
        let count = |partition| brokers.with(|c, _| c.log("large", partition).count());
        assert_eq!((count(7), count(2_999)), (2, 1));
    });
}

/// Three leaders take turns at it.
#[test]
fn one_connection_serves_three_brokers() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 3, 6);
        let network = EmbassyNet::new(stack::device::<2>(&cable));
        let producer = tiny::<512, 512>(network, &Config::new(SERVERS));
        let topic = producer.topic("t").expect("legal");
        let tasks = [0, 1, 2, 3, 4, 5].map(|partition| async move {
            for n in 0..50_u8 {
                let value = [n; 30];
                let record = Record::value(&value);
                let to = Destination::partition(topic, partition);
                producer.send(to, &record).await.expect("accepted");
            }
        });
        join_array(tasks).await;
        producer.flush().await;
        for partition in 0..6 {
            let values = brokers.values(partition).into_iter().map(|value| value[0]);
            assert!(values.eq(0..50), "{partition}");
        }
    });
}

/// As behind a proxy: whatever addresses the brokers advertise, there is one.
#[test]
fn a_single_address_leads_to_all_brokers() {
    simulate(async {
        let cable = Cable::new(1);
        // It has all partitions itself, and says that another host has them.
        let elsewhere = |config: &mut klamm_sim::cluster::Config| {
            config.nodes[0].host = "10.0.2.77".to_owned();
        };
        let brokers = Brokers::with_config(stack::host(&cable), 1, 2, elsewhere);
        let network = EmbassyNet::new(stack::device::<2>(&cable));
        let mut config = Config::new(SERVERS);
        config.single_address = true;
        let producer = tiny::<512, 512>(network, &config);
        let topic = producer.topic("t").expect("legal");
        for partition in [0, 1] {
            let to = Destination::partition(topic, partition);
            producer.send_and_wait(to, &Record::value(b"v")).await.expect("delivered");
            assert_eq!(brokers.log(partition).len(), 1);
        }
    });
}

/// embassy-net's own implementation of the traits for other stacks, with a name, in bad weather.
#[test]
fn any_stack_with_the_traits_will_do() {
    for seed in 0..8 {
        println!("seed {seed}");
        simulate(async {
            let cable = Cable::new(seed);
            let jitter = Duration::from_millis(5);
            let delay = Duration::from_millis(2);
            cable.set(Weather { lost: 20, twice: 20, delay, jitter, cut: false });
            let host = stack::host(&cable);
            let brokers = Brokers::new(host, 2, 2);
            let _names = Names::new(host, Answer::Address(stack::HOST));
            let stack = stack::device::<4>(&cable);
            let state = Box::leak(Box::new(TcpClientState::<2, 512, 512>::new()));
            let tcp = Box::leak(Box::new(TcpClient::new(stack, state)));
            let dns = Box::leak(Box::new(DnsSocket::new(stack)));
            let mut config = Config::new("kafka.local:9093");
            config.request_timeout_ms = 5_000;
            config.delivery_timeout_ms = u32::MAX;
            let producer = tiny::<256, 256>(Nal::new(tcp, dns), &config);
            let topic = producer.topic("t").expect("legal");
            let restart = async {
                for node in [1, 2] {
                    Timer::after_millis(400).await;
                    brokers.with(|cluster, now| cluster.restart(node, now)).expect("it was up");
                }
            };
            let sends = [0, 1].map(|partition| async move {
                for n in 0..100_u8 {
                    let value = [n; 40];
                    let to = Destination::partition(topic, partition);
                    producer.send(to, &Record::value(&value)).await.expect("accepted");
                    Timer::after_millis(10).await;
                }
            });
            embassy_futures::join::join(join_array(sends), restart).await;
            producer.flush().await;
            for partition in [0, 1] {
                let values = brokers.values(partition).into_iter().map(|value| value[0]);
                assert!(values.eq(0..100), "seed {seed}, partition {partition}");
            }
        });
    }
}

/// An address that swallows packets: the traits have no deadlines, the producer has.
#[test]
fn an_unreachable_broker_over_the_traits_hangs_nobody() {
    simulate(async {
        let cable = Cable::new(1);
        let host = stack::host(&cable);
        let brokers = Brokers::new(host, 1, 1);
        let stack = stack::device::<4>(&cable);
        let state = Box::leak(Box::new(TcpClientState::<2, 512, 512>::new()));
        let tcp = Box::leak(Box::new(TcpClient::new(stack, state)));
        let dns = Box::leak(Box::new(DnsSocket::new(stack)));
        let mut config = Config::new("10.0.2.99:9093,10.0.2.2:9093");
        config.socket_connection_setup_timeout_ms = 2_000;
        let producer = tiny::<256, 256>(Nal::new(tcp, dns), &config);
        let to = Destination::partition(producer.topic("t").expect("legal"), 0);
        producer.send_and_wait(to, &Record::value(b"v")).await.expect("delivered");
        assert_eq!(brokers.log(0).len(), 1);
        assert_eq!(brokers::port(1), SocketAddr::from((stack::HOST, 9_093)).port());
    });
}

/// For interrupts and other cores: handles are `Send` and `Sync`, and so is what runners hold.
#[test]
fn a_critical_section_makes_handles_that_threads_share() {
    fn is_shared<T: Send + Sync + Copy>(_: &T) {}
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let network = EmbassyNet::new(stack::device::<2>(&cable));
        type Shared = Resources<'static, 400, 4, 1, 1, 512, 512, 2, CriticalSectionRawMutex>;
        let resources = Box::leak(Box::new(Shared::new()));
        let (producer, mut runner) =
            klamm_embassy::new(resources, network, &Config::new(SERVERS), 7).expect("legal");
        is_shared(&producer);
        spawn(async move { runner.run().await });
        producer.set_clock(Timestamp::from_millis(UNIX_MS));
        let to = Destination::topic(producer.topic("t").expect("legal"));
        producer.send_and_wait(to, &Record::value(b"v")).await.expect("delivered");
        assert_eq!(brokers.log(0).len(), 1);
    });
}

/// In memory that is handed in; what the brokers decode is what was sent.
#[test]
fn codecs_work_in_memory_that_is_handed_in() {
    for codec in [
        Compression::Lz4 { level: 1 },
        Compression::Gzip { level: 1 },
        Compression::Snappy,
        Compression::None,
    ] {
        simulate(async {
            let cable = Cable::new(1);
            let brokers = Brokers::new(stack::host(&cable), 1, 1);
            let network = EmbassyNet::new(stack::device::<2>(&cable));
            let mut config = Config::new(SERVERS);
            config.compression_type = codec;
            let resources = Box::leak(Box::new(Resources::<1_200, 6, 1>::new()));
            let memory = Box::leak(Box::new(CodecMemory::<1_024>::new()));
            let (producer, mut runner) =
                klamm_embassy::new_with(resources, network, &config, 7, |storage| {
                    storage.with_codec_memory(memory)
                })
                .expect("legal");
            spawn(async move { runner.run().await });
            producer.set_clock(Timestamp::from_millis(UNIX_MS));
            let to = Destination::topic(producer.topic("t").expect("legal"));
            let value = |n: u8| format!("{n}: {}", "21.5 degrees, ".repeat(5)).into_bytes();
            for n in 0..100 {
                producer.send(to, &Record::value(&value(n))).await.expect("accepted");
            }
            producer.flush().await;
            assert!(brokers.values(0).into_iter().eq((0..100).map(value)), "{codec:?}");
            let bytes = brokers.with(|cluster, _| cluster.stats().bytes);
            let plain = 100 * 75;
            assert_eq!(bytes < plain / 2, codec != Compression::None, "{codec:?}: {bytes}");
        });
    }
}
