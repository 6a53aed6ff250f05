//! One record into the topic `hello`: `cargo run -p klamm-tokio --example hello -- localhost:9092`

use core::time::Duration;

use klamm_tokio::{Producer, Record};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let servers = std::env::args().nth(1).unwrap_or_else(|| "localhost:9092".into());
    let producer = Producer::builder(&servers).build()?;
    let delivered = producer.send_and_wait("hello", &Record::value(b"hello")).await?;
    println!("in partition {} at offset {:?}", delivered.partition.index, delivered.offset);
    producer.close(Duration::from_secs(10)).await;
    Ok(())
}
