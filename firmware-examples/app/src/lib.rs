//! The application of the firmware examples, the same on every board: readings of sensors, one
//! record each, with a key and a header, exactly once and in order into a topic; and a ledger of
//! them that survives a reset.
#![no_std]
#![forbid(unsafe_code)]

pub mod ledger;
pub mod reading;
pub mod settings;

use core::fmt;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, Ticker, Timer};
use klamm_embassy::{Config, Destination, Outcome, SendError, Timestamp, TopicId};
use klamm_embassy::{Producer, Reports};

use ledger::Ledger;
use reading::Reading;
use settings::Settings;

/// What a board has beside its network.
pub trait Board {
    /// A line for whoever watches.
    fn print(&self, line: fmt::Arguments<'_>);
    /// Milliseconds since 1970; `None`: whoever knows it later tells the producer.
    fn wall_clock_ms(&self) -> Option<i64>;
    /// Bytes of the stack that have been used at most.
    fn stack_used(&self) -> usize;
    /// What a sensor says now; without one, which reading it is.
    fn read(&self, number: u32, settings: &Settings<'_>) -> Reading {
        Reading::new(number, settings)
    }
}

/// The producer's options: the defaults are exactly once, in order, acknowledged by all replicas.
pub fn config<'a>(settings: &Settings<'a>) -> Config<'a> {
    let mut config = Config::new(settings.bootstrap);
    config.client_id = "klamm-firmware";
    config.linger_ms = settings.linger_ms;
    config.request_timeout_ms = settings.request_ms;
    config
}

/// Sends what the settings ask for, and waits until each record has an outcome. Whether all were
/// delivered.
///
/// # Errors
/// The topic cannot be used.
pub async fn run(
    board: &impl Board,
    producer: Producer<'_>,
    settings: &Settings<'_>,
    ledger: &Ledger,
) -> Result<bool, SendError> {
    let begin = Instant::now();
    if let Some(now) = board.wall_clock_ms() {
        producer.set_clock(Timestamp::from_millis(now));
    }
    let topic = producer.topic(settings.topic)?;
    let sending = async {
        let refused = send(board, producer, topic, settings, ledger).await?;
        producer.flush().await;
        // Each record has an outcome; the ledger has it when its report was read.
        while ledger.open() > 0 {
            Timer::after(Duration::from_millis(1)).await;
        }
        Ok(refused)
    };
    // Reading reports never ends by itself.
    let reading = read_reports(board, producer.reports(), ledger, settings.quiet);
    let (Either::First(refused) | Either::Second(refused)) = select(sending, reading).await;
    let refused = refused?;
    let stats = producer.stats();
    board.print(format_args!(
        "end {ledger} refused={refused} retries={} connects={} ms={} stack={}",
        stats.retries,
        stats.connects,
        begin.elapsed().as_millis(),
        board.stack_used(),
    ));
    Ok(ledger.failed() == 0)
}

/// Sends reading after reading, up to the number that the settings have; returns how many readings
/// were dropped because there was no room for them.
async fn send(
    board: &impl Board,
    producer: Producer<'_>,
    topic: TopicId,
    settings: &Settings<'_>,
    ledger: &Ledger,
) -> Result<u32, SendError> {
    let to = Destination::topic(topic);
    // A key needs the number of partitions.
    producer.partitions(topic).await?;
    let mut pace =
        (settings.pace_ms > 0).then(|| Ticker::every(Duration::from_millis(settings.pace_ms)));
    let mut refused = 0;
    while ledger.accepted() < settings.records {
        if let Some(pace) = &mut pace {
            pace.next().await;
        }
        let reading = board.read(ledger.accepted(), settings);
        let headers = reading.headers();
        let record = reading.record(&headers);
        // Before the call: after a reset in the middle of it nobody knows.
        ledger.accept();
        let result = if settings.drop_when_full {
            producer.try_send(to, &record)
        } else {
            producer.send(to, &record).await
        };
        match result {
            Ok(_) => {}
            Err(error) => {
                ledger.take_back();
                if error != SendError::Full {
                    return Err(error);
                }
                refused += 1;
            }
        }
    }
    Ok(refused)
}

/// Puts every outcome into the ledger; `quiet` does without a line for each batch.
async fn read_reports<T>(
    board: &impl Board,
    mut reports: Reports<'_>,
    ledger: &Ledger,
    quiet: bool,
) -> T {
    loop {
        let report = reports.next().await;
        let (partition, records) = (report.partition, u32::from(report.records));
        match report.outcome {
            Outcome::Delivered { .. } => {
                if !quiet {
                    let offset = report.offset(0).unwrap_or(-1);
                    board.print(format_args!("ack {} {offset} {records}", partition.index));
                }
                ledger.deliver(records);
            }
            outcome => {
                let why = match outcome {
                    Outcome::Unknown(_) => "unknown",
                    Outcome::Dropped => "dropped",
                    _ => "not-persisted",
                };
                board.print(format_args!("failed {} {why} {records}", partition.index));
                ledger.fail(records);
            }
        }
    }
}
