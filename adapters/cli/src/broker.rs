//! The dev broker: of our own for a `produce` without `-b`, and as a command.

use core::net::{Ipv4Addr, SocketAddr};
use std::io::{self, Write};
use std::sync::mpsc::channel;
use std::thread;

use klamm_sim::dev_broker::{DevBroker, Options};

use crate::args;
use crate::failure::Failure;

/// Partitions of a topic that nobody asked for in numbers: enough to see keys spread.
const PARTITIONS: i32 = 6;

/// Starts a broker on a free loopback port, and says so.
pub(crate) fn start_own(topic: &str) -> Result<DevBroker, Failure> {
    let options = Options {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        topics: vec![(topic.to_owned(), PARTITIONS)],
        // Nobody reads them, and `produce` runs in constant memory.
        retention_bytes: Some(1 << 20),
        ..Options::default()
    };
    let broker = DevBroker::start(options).map_err(cannot_start)?;
    eprintln!(
        "no broker named: using a dev broker of our own on {} \
         (its records are gone afterwards; see klamm dev-broker --dir)",
        broker.address()
    );
    Ok(broker)
}

/// `klamm dev-broker`: runs until Ctrl-C.
pub(crate) fn run(args: args::DevBroker) -> Result<(), Failure> {
    let options = Options {
        listen: args.listen,
        topics: args.topics.clone(),
        auto_create_partitions: Some(PARTITIONS),
        dir: args.dir.clone(),
        ..Options::default()
    };
    let broker = DevBroker::start(options).map_err(cannot_start)?;
    let (ended, end) = channel();
    let interrupted = ended.clone();
    ctrlc::set_handler(move || {
        // Without a listener the process is ending anyway.
        let _ = interrupted.send(Ok(()));
    })
    .map_err(|error| Failure::Run(format!("cannot catch Ctrl-C: {error}")))?;
    // From here on Ctrl-C ends it well. Who started it in the background may not listen; it serves all the same.
    let _ = io::stdout().write_all(greeting(&args, broker.address()).as_bytes());
    thread::spawn(move || ended.send(broker.wait()));
    match end.recv() {
        Ok(Err(error)) => Err(Failure::Run(format!("the dev broker stopped: {error}"))),
        Ok(Ok(())) | Err(_) => Ok(()),
    }
}

fn greeting(args: &args::DevBroker, address: SocketAddr) -> String {
    let place = match &args.dir {
        Some(dir) => format!("records in {}", dir.display()),
        None => "records in memory".into(),
    };
    let mut text = format!("dev broker on {address}, {place}; Ctrl-C ends it\n");
    for (name, partitions) in &args.topics {
        text.push_str(&format!("  topic {name}, {partitions} partitions\n"));
    }
    let topic = args.topics.first().map_or("readings", |(name, _)| name.as_str());
    text.push_str(&format!(
        "write:  klamm produce -b {address} -t {topic} FILE\n\
         read:   kcat -b {address} -t {topic} -C -e -f '%p %o %k %s\\n'\n"
    ));
    text
}

fn cannot_start(error: io::Error) -> Failure {
    Failure::Run(format!("cannot start the dev broker: {error}"))
}
