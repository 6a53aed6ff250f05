//! One record into the topic `hello`: `cargo run -p klamm-std --example hello -- localhost:9092`

use klamm_std::{Producer, Record};

fn main() -> Result<(), Box<dyn core::error::Error>> {
    let servers = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".into());
    let producer = Producer::builder(&servers).build()?;
    let delivered = producer.send_and_wait("hello", &Record::value(b"hello"))?;
    println!("in partition {} at offset {:?}", delivered.partition.index, delivered.offset);
    // Dropped, the producer closes.
    Ok(())
}
