//! `klamm produce`: lines to records.
//!
//! Three threads: one reads and hands records to the producer, the producer's driver sends them,
//! and this one watches over both, so that Ctrl-C works while a read or a full buffer blocks.

mod input;
mod progress;
mod reader;
mod shape;
mod summary;
mod tally;

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use klamm_std::{Builder, ConnectionError, Producer};

use crate::args;
use crate::broker;
use crate::failure::Failure;
use progress::Progress;
use reader::{Counters, Reader, Stop};
use shape::Shape;
use tally::Tally;

/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(100);

/// What the watching thread hears of.
enum Event {
    /// The reader has come to an end.
    Read(Result<(), Stop>),
    /// Ctrl-C.
    Interrupted,
    /// Every accepted record has its outcome.
    Closed,
}

pub(crate) fn run(args: args::Produce) -> Result<(), Failure> {
    let streaming = args.files.iter().all(|file| reader::is_stdin(file));
    let sizes = input_sizes(&args.files)?;
    let mut properties = properties(&args)?;
    let named = named_servers(&properties).map(str::to_owned);
    if named.is_none() {
        properties.push(("bootstrap.servers".into(), "to be known soon".into()));
    }
    let mut builder = Builder::from_properties(properties).map_err(usage)?;
    // Not before the command line is known to be right.
    let own = if named.is_none() { Some(broker::start_own(&args.topic)?) } else { None };
    let own_address = own.as_ref().map(|own| own.address().to_string());
    let servers = named.or(own_address).unwrap_or_default();
    builder = builder.servers(&servers);
    let max_line = usize::try_from(builder.config().max_request_size).unwrap_or(usize::MAX);
    let tally = Arc::new(Mutex::new(Tally::default()));
    let counted = Arc::clone(&tally);
    let producer =
        builder.on_report(move |batch| lock(&counted).add(&batch.report)).build().map_err(usage)?;
    let topic = producer.topic(&args.topic).map_err(|error| usage(topic_error(&args, &error)))?;

    let (events, happened) = channel();
    catch_interrupts(events.clone())?;
    let counters = Arc::new(Counters::default());
    let reader = Reader {
        topic,
        partition: args.partition,
        shape: Shape::new(&args),
        files: args.files.clone(),
        max_line,
        counters: Arc::clone(&counters),
    };
    let visible = io::stderr().is_terminal() && !args.json;
    let progress = Progress::new(visible, sizes);
    let read_events = events.clone();
    thread::spawn(move || read_events.send(Event::Read(reader.run())));

    let watch = Watch { producer, counters, tally, progress, events, happened };
    let (stop, cause) = watch.until_closed();
    watch.progress.end();
    let took = watch.progress.took();
    let tally = lock(&watch.tally).clone();
    let read = watch.counters.records.load(Ordering::Relaxed);
    let text = match args.json {
        true => summary::json(&args.topic, &servers, read, &tally, took),
        false if read == 0 && stop.is_some() => String::new(),
        false => summary::table(&args.topic, &tally, took),
    };
    print(&text)?;
    drop(own);
    outcome(&args.topic, streaming, stop, cause, &tally)
}

struct Watch {
    producer: Producer,
    counters: Arc<Counters>,
    tally: Arc<Mutex<Tally>>,
    progress: Progress,
    events: Sender<Event>,
    happened: Receiver<Event>,
}

impl Watch {
    /// Waits until everything is read and has its outcome. Why reading stopped before the end, and
    /// what is wrong with the connection, if anything.
    fn until_closed(&self) -> (Option<Stop>, Option<ConnectionError>) {
        let mut stop = None;
        let mut closing = false;
        let mut cause = None;
        loop {
            match self.happened.recv_timeout(TICK) {
                Err(RecvTimeoutError::Timeout) => {
                    cause = self.producer.last_connection_error();
                    let total = lock(&self.tally).total();
                    let read = self.counters.bytes.load(Ordering::Relaxed);
                    self.progress.show(read, &total, cause.as_ref());
                }
                Ok(Event::Read(result)) => {
                    if !closing {
                        stop = result.err();
                        cause = self.producer.last_connection_error();
                    }
                    self.close(&mut closing);
                }
                Ok(Event::Interrupted) if closing => {
                    self.producer.close(Duration::ZERO);
                }
                Ok(Event::Interrupted) => {
                    self.counters.stop.store(true, Ordering::Relaxed);
                    stop = Some(Stop::Interrupted);
                    self.close(&mut closing);
                }
                // We hold a sender ourselves: the channel is never disconnected.
                Ok(Event::Closed) | Err(RecvTimeoutError::Disconnected) => return (stop, cause),
            }
        }
    }

    /// Begins to close, on a thread of its own: the bar goes on, and Ctrl-C still works.
    fn close(&self, closing: &mut bool) {
        if core::mem::replace(closing, true) {
            return;
        }
        let (producer, events) = (self.producer.clone(), self.events.clone());
        thread::spawn(move || {
            // `delivery.timeout.ms` is the limit.
            producer.close(Duration::MAX);
            events.send(Event::Closed)
        });
    }
}

/// The properties that the command line amounts to.
fn properties(args: &args::Produce) -> Result<Vec<(String, String)>, Failure> {
    let split = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(Failure::Usage(format!("-X {text}: expected NAME=VALUE, as linger.ms=20"))),
    };
    let mut properties = args.properties.iter().map(split).collect::<Result<Vec<_>, _>>()?;
    let named = [("bootstrap.servers", &args.broker), ("compression.type", &args.compression)];
    for (name, value) in named {
        properties.extend(value.clone().map(|value| (name.to_owned(), value)));
    }
    Ok(properties)
}

fn named_servers(properties: &[(String, String)]) -> Option<&str> {
    let named = |(name, _): &&(String, String)| {
        matches!(name.as_str(), "bootstrap.servers" | "metadata.broker.list")
    };
    properties.iter().find(named).map(|(_, servers)| servers.as_str())
}

/// The files' bytes together; `None` where standard input, a pipe or a device is among them.
///
/// A file that is not there is noticed before anything is sent.
fn input_sizes(files: &[PathBuf]) -> Result<Option<u64>, Failure> {
    let mut sum = (!files.is_empty()).then_some(0);
    for file in files {
        if reader::is_stdin(file) {
            sum = None;
            continue;
        }
        let data = std::fs::metadata(file).map_err(|error| reader::cannot_read(file, &error))?;
        if data.is_dir() {
            return Err(Failure::Run(format!("cannot read {}: is a directory", file.display())));
        }
        sum = sum.filter(|_| data.is_file()).map(|sum| sum + data.len());
    }
    Ok(sum)
}

fn catch_interrupts(events: Sender<Event>) -> Result<(), Failure> {
    ctrlc::set_handler(move || {
        // Without a listener the process is ending anyway.
        let _ = events.send(Event::Interrupted);
    })
    .map_err(|error| Failure::Run(format!("cannot catch Ctrl-C: {error}")))
}

fn outcome(
    topic: &str,
    streaming: bool,
    stop: Option<Stop>,
    cause: Option<ConnectionError>,
    tally: &Tally,
) -> Result<(), Failure> {
    let cause = cause.map(|error| format!(" (last connection error: {error})")).unwrap_or_default();
    let failed = tally.failed();
    if failed > 0 {
        let reasons = tally.failures.iter().map(|(reason, records)| format!("{records}: {reason}"));
        let reasons = reasons.collect::<Vec<_>>().join("; ");
        let s = if failed == 1 { "" } else { "s" };
        return Err(Failure::Run(format!(
            "{failed} record{s} not acknowledged in topic {topic}; {reasons}{cause}"
        )));
    }
    match stop {
        None => Ok(()),
        // The end of a stream is where its user says.
        Some(Stop::Interrupted) if streaming => Ok(()),
        Some(stop @ Stop::Refused { .. }) => {
            Err(Failure::Run(format!("{stop} (topic {topic}){cause}")))
        }
        Some(stop) => Err(Failure::Run(format!("{stop}{cause}"))),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Ok(());
    }
    // A closed pipe is the reader's decision, not a failure of ours.
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Run(format!("cannot print the summary: {error}")))
        }
        _ => Ok(()),
    }
}

fn topic_error(args: &args::Produce, error: &klamm_std::SendError) -> String {
    format!("topic {}: {error}", args.topic)
}

fn usage(error: impl ToString) -> Failure {
    Failure::Usage(error.to_string())
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
