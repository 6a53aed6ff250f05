//! A sensor that is read once a second, with a network that is switched on once a minute: readings
//! linger for a minute and leave together, each with the time at which it was made.
//!
//! `cargo run -p klamm-embassy-tests --example sensor` runs ten minutes of it, in virtual time, over
//! two embassy-net stacks; `sensor` and `start` would be the same on a device.

use core::cell::Cell;

use embassy_futures::select::select;
use embassy_net::Stack;
use embassy_time::{Instant, Ticker, Timer};
use klamm_embassy::{
    Config, ConfigError, Destination, EmbassyNet, Header, Producer, Record, Resources, Runner,
    SendError, Timestamp,
};
use klamm_embassy_tests::{Brokers, Cable, SERVERS, UNIX_MS, simulate, spawn, stack};

/// A minute's readings are about 2 KB: one batch, one in flight, one spare.
type Memory = Resources<'static, 3_072, 3, 1, 1, 512, 2_048>;

fn start(
    stack: Stack<'static>,
    memory: &'static mut Memory,
) -> Result<(Producer<'static>, Runner<'static, EmbassyNet<'static>>), ConfigError> {
    let mut config = Config::new(SERVERS);
    config.client_id = "greenhouse-3";
    config.linger_ms = 60_000;
    // Neither of these is to wake the radio in between.
    config.metadata_max_age_ms = 24 * 3_600_000;
    config.connections_max_idle_ms = 24 * 3_600_000;
    klamm_embassy::new(memory, EmbassyNet::new(stack), &config, 7)
}

async fn sensor(producer: Producer<'static>) -> Result<(), SendError> {
    let to = Destination::partition(producer.topic("t")?, 0);
    let headers = [Header::new("unit", b"0.1 degrees celsius")];
    let mut second = Ticker::every(embassy_time::Duration::from_secs(1));
    loop {
        let degrees = 215 + Instant::now().as_secs() % 7;
        let value = degrees.to_be_bytes();
        let reading = Record::value(&value).with_key(b"bed-7").with_headers(&headers);
        // Its timestamp is the producer's clock.
        producer.send(to, &reading).await?;
        second.next().await;
    }
}

fn main() {
    simulate(async {
        let cable = Cable::new(1);
        let brokers = Brokers::new(stack::host(&cable), 1, 1);
        let memory = Box::leak(Box::new(Memory::new()));
        let (producer, mut runner) =
            start(stack::device::<2>(&cable), memory).expect("legal options");
        spawn(async move { runner.run().await });
        // A device asks a time server for it.
        producer.set_clock(Timestamp::from_millis(UNIX_MS));
        spawn(sensor(producer));

        let awake = Cell::new(0);
        let radio = async {
            let mut frames = 0;
            loop {
                Timer::after_secs(1).await;
                if cable.sent() != frames {
                    frames = cable.sent();
                    awake.set(awake.get() + 1);
                    println!("{:>4} s: on the air, {frames} frames", Instant::now().as_secs());
                }
            }
        };
        select(radio, Timer::after_secs(601)).await;
        let log = brokers.log(0);
        let (first, last) = (log.first().expect("some"), log.last().expect("some"));
        println!("{} readings of {} s", log.len(), (last.timestamp - first.timestamp) / 1_000 + 1);
        println!("{} seconds of 601 with the network on", awake.get());
    });
}
