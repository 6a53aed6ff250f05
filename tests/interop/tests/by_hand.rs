//! The core without an adapter, as firmware drives it: klamm's own encoders in memory that is handed in, one blocking
//! socket after another. Java's consumer and kcat read back what they wrote.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use klamm::{
    CodecMemory, Compression, Config, Demand, Destination, Instant, Outcome, Producer, Record,
    Resources, SendError, Timestamp,
};
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::run_dir::RunDir;
use klamm_interop::{PATIENCE, kcat, setup};
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

const CODECS: [(&str, Compression); 3] = [
    ("gzip", Compression::Gzip { level: 1 }),
    ("lz4", Compression::Lz4 { level: 1 }),
    ("snappy", Compression::Snappy),
];

#[test]
fn codecs_without_an_allocator_are_read_back() {
    let run = RunDir::new("by-hand").unwrap();
    let options = Options { nodes: 1, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools().unwrap(), &run, &options).unwrap();
    let bootstrap = kafka.bootstrap();
    let lines: Vec<Vec<u8>> =
        (0..3_000).map(|i| format!("sensor-{}: {} degrees", i % 7, i % 40).into_bytes()).collect();
    for (topic, codec) in CODECS {
        kafka.create_topic(topic, 1, &[]).unwrap();
        produce(&bootstrap, topic, codec, &lines);
        let java = kafka.helper.read(&bootstrap, topic).unwrap();
        for read in [java, kcat::read(&bootstrap, topic, 0).unwrap()] {
            let values: Vec<Vec<u8>> = read.into_iter().filter_map(|r| r.value).collect();
            assert!(values == lines, "{topic}: {} of {} records", values.len(), lines.len());
        }
        let log = kafka.node(1).unwrap().log_file(topic, 0);
        let batches = kafka.helper.dump(&log).unwrap();
        assert!(batches.iter().all(|b| b.valid && b.codec == topic), "{topic}: {batches:?}");
    }
    run.done();
}

/// The run loop of the core's documentation, in 16 KiB for batches and 12 KiB for codecs.
fn produce(bootstrap: &str, topic: &str, codec: Compression, lines: &[Vec<u8>]) {
    let start = std::time::Instant::now();
    let now = || Instant::from_micros(u64::try_from(start.elapsed().as_micros()).unwrap());
    let mut memory = CodecMemory::<4096>::new();
    let mut resources = Resources::<4096, 4, 2, 2>::new();
    let storage = resources.storage().with_codec_memory(&mut memory);
    let mut config = Config::new(bootstrap);
    config.compression_type = codec;
    let mut producer = Producer::new(&config, storage, 42, now()).unwrap();
    let wall = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    producer.set_clock(Timestamp::from_millis(wall), now());
    let to = Destination::partition(producer.topic(topic).unwrap(), 0);

    let mut sockets: HashMap<usize, TcpStream> = HashMap::new();
    let mut waiting = lines.iter().peekable();
    let mut delivered = 0;
    while delivered < lines.len() {
        assert!(start.elapsed() < PATIENCE, "{delivered} of {} delivered", lines.len());
        while let Some(line) = waiting.peek() {
            match producer.send(to, &Record::value(line), now()) {
                Ok(_) => _ = waiting.next(),
                Err(SendError::Full) => break,
                Err(error) => panic!("{error}"),
            }
        }
        producer.handle_timeout(now());
        for conn in producer.connections() {
            if producer.demand(conn) == Demand::Connect {
                let address = producer.address(conn).map(|a| (a.host.to_string(), a.port));
                producer.handle_dialing(conn, now());
                let socket = TcpStream::connect(address.unwrap()).unwrap();
                socket.set_nonblocking(true).unwrap();
                sockets.insert(conn.index(), socket);
                producer.handle_connected(conn, now());
            }
            let Some(socket) = sockets.get_mut(&conn.index()) else { continue };
            while producer.demand(conn) == Demand::Transmit {
                match producer
                    .transmit_with(conn, now(), |t| socket.write(t.slices().next().unwrap()))
                {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("{error}"),
                }
            }
            let mut bytes = [0; 512];
            match socket.read(&mut bytes) {
                Ok(0) => panic!("the broker hangs up"),
                Ok(n) => producer.handle_received(conn, &bytes[..n], now()).unwrap(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}"),
            }
            if producer.demand(conn) == Demand::Close {
                sockets.remove(&conn.index());
                producer.handle_disconnected(conn, now());
            }
        }
        while let Some(report) = producer.poll_report() {
            assert!(matches!(report.outcome, Outcome::Delivered { .. }), "{:?}", report.outcome);
            delivered += usize::from(report.records);
        }
        std::thread::sleep(core::time::Duration::from_millis(1));
    }
}
