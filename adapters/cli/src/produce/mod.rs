//! `klamm produce`: lines to records.
//!
//! Three threads: one reads and hands records to the producer, the producer's driver sends them,
//! and this one watches over both.

mod input;
mod reader;
mod shape;
mod summary;

use core::sync::atomic::Ordering;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::args;
use crate::connect::{Target, usage};
use crate::failure::Failure;
use crate::output::print;
use crate::progress::Progress;
use crate::tally::{Tally, lock, not_acknowledged};
use crate::watch::{Cut, End, Watch};
use reader::{Counters, Reader, Stop};
use shape::Shape;

pub(crate) fn run(args: args::Produce) -> Result<(), Failure> {
    let streaming = args.files.iter().all(|file| reader::is_stdin(file));
    let sizes = input_sizes(&args.files)?;
    let Target { builder, servers, own } = Target::new(&args.producing, &args.topic)?;
    let max_line = usize::try_from(builder.config().max_request_size).unwrap_or(usize::MAX);
    let tally = Arc::new(Mutex::new(Tally::default()));
    let counted = Arc::clone(&tally);
    let producer =
        builder.on_report(move |batch| lock(&counted).add(&batch.report)).build().map_err(usage)?;
    let topic = producer
        .topic(&args.topic)
        .map_err(|error| usage(format!("topic {}: {error}", args.topic)))?;

    let counters = Arc::new(Counters::default());
    let watch = Watch::new(producer, Arc::clone(&counters.stop))?;
    let reader = Reader {
        topic,
        partition: args.partition,
        shape: Shape::new(&args),
        files: args.files.clone(),
        max_line,
        counters: Arc::clone(&counters),
    };
    let progress = Progress::new(args.json, sizes);
    watch.start(move || ((), reader.run()));
    let end = watch.until_closed(|error| {
        let read = counters.bytes.load(Ordering::Relaxed);
        progress.show(read, &lock(&tally).total(), error);
    });
    progress.end();
    let took = progress.took();
    let tally = lock(&tally).clone();
    let read = counters.records.load(Ordering::Relaxed);
    let text = match args.json {
        true => summary::json(&args.topic, &servers, read, &tally, took),
        false if read == 0 && end.cut.is_some() => String::new(),
        false => summary::table(&args.topic, &tally, took),
    };
    print(&text)?;
    drop(own);
    outcome(&args.topic, streaming, end, &tally)
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

fn outcome(topic: &str, streaming: bool, end: End<Stop>, tally: &Tally) -> Result<(), Failure> {
    let cause = end.cause();
    not_acknowledged(topic, tally, &cause)?;
    match end.cut {
        None => Ok(()),
        // The end of a stream is where its user says.
        Some(Cut::Interrupted) if streaming => Ok(()),
        Some(Cut::Interrupted) => {
            Err(Failure::Run(format!("interrupted: the rest of the input was not read{cause}")))
        }
        Some(Cut::Failed(stop @ (Stop::Refused { .. } | Stop::NoTopic(_)))) => {
            Err(Failure::Run(format!("{stop} (topic {topic}){cause}")))
        }
        Some(Cut::Failed(stop)) => Err(Failure::Run(format!("{stop}{cause}"))),
    }
}
