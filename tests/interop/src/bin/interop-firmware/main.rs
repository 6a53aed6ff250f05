//! Runs the firmware in QEMU against Apache Kafka and reads its records back with kcat. `cargo
//! xtask firmware` builds the images and everything else that this needs.

mod figures;
mod puback;

use anyhow::Result;
use clap::Parser;
use klamm_interop::firmware::images;
use klamm_interop::firmware::ledger::Told;
use klamm_interop::firmware::machine::{BOARDS, Board, Machine, Options as MachineOptions};
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::run_dir::RunDir;
use klamm_interop::{kcat, setup};
use std::process::ExitCode;

const TOPIC: &str = "readings";
const PARTITIONS: u32 = 4;

/// Firmware in QEMU, writing to Apache Kafka
#[derive(Parser)]
#[command(bin_name = "cargo xtask firmware --")]
struct Args {
    /// The image: lm3s6965, lm3s6965-lean or mps2-an385, in Rust, or c-lm3s6965
    #[arg(long, default_value = "lm3s6965", value_parser = board)]
    machine: &'static Board,
    /// How many records
    #[arg(long, default_value_t = 10_000)]
    records: u32,
    /// A further setting of the firmware, `name=value` (may be given several times)
    #[arg(long, value_name = "NAME=VALUE")]
    setting: Vec<String>,
    /// Measure records a second and instructions a record, next to the MQTT client minimq
    #[arg(long)]
    bench: bool,
}

fn board(name: &str) -> Result<&'static Board, String> {
    BOARDS.iter().find(|board| board.image == name).ok_or_else(|| "no such machine".to_owned())
}

fn main() -> ExitCode {
    let args = Args::parse();
    match if args.bench { figures::print(args.records) } else { demo(&args) } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("firmware: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn demo(args: &Args) -> Result<()> {
    let run = RunDir::new("firmware-demo")?;
    let options = Options { nodes: 1, for_guests: true, ..Options::default() };
    println!("Apache Kafka starts ...");
    let mut kafka = Cluster::start(setup::tools()?, &run, &options)?;
    kafka.create_topic(TOPIC, PARTITIONS, &[])?;
    let node = kafka.node(1)?;
    let (address, bootstrap) = (node.address(), node.guest_address());
    let mut arguments = vec![
        format!("bootstrap={bootstrap}"),
        format!("topic={TOPIC}"),
        format!("records={}", args.records),
    ];
    arguments.extend_from_slice(&args.setting);
    println!("{} starts: {}", args.machine.qemu, arguments.join(" "));
    let options = MachineOptions {
        board: args.machine,
        image: &images()?.join(args.machine.image),
        arguments: &arguments,
        further: &[],
    };
    let lines = Machine::start(&run, "device", &options)?.finish()?;
    for line in lines.iter().filter(|line| !line.starts_with("ack ")) {
        println!("  {line}");
    }
    let told = Told::read(&lines)?;
    let mut log = Vec::new();
    for partition in 0..PARTITIONS {
        log.extend(kcat::read(&address, TOPIC, partition)?);
    }
    told.check(&log)?;
    println!("kcat read {} records, each once, in order, where it was acknowledged:", log.len());
    for record in log.iter().take(3) {
        let text = |bytes: &Option<Vec<u8>>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        let (key, value) = (text(&record.key), text(&record.value));
        println!("  partition {} offset {}: {key} {value}", record.partition, record.offset);
    }
    run.done();
    Ok(())
}
