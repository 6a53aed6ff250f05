//! Records a second, and instructions a record: klamm into Kafka, next to minimq (at least
//! once) into something that only acknowledges. What is said of the instructions has to be true.

use crate::puback;
use anyhow::{Context, Result, ensure};
use klamm_interop::firmware::images;
use klamm_interop::firmware::machine::{Board, LM3S6965, Machine, Options as MachineOptions};
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup;
use std::ffi::OsString;

/// QEMU's machine whose clock is known.
const BOARD: &Board = &LM3S6965;
/// Instructions a tick: one is a nanosecond with `-icount shift=0`, and the clock has 12.5 MHz.
const TICK: u64 = 80;
/// Bytes of a value: the records of most benchmarks have a hundred.
const SIZE: usize = 100;
const PARTITIONS: u32 = 4;
/// Instructions that a record of klamm's may take, where `firmware-examples/README.md` says a number of 13,600: how many
/// packets carry the records differs from run to run.
const MOST: u64 = 16_000;

/// Of one client.
struct Figures {
    per_second: f64,
    instructions: u64,
    stack: u64,
}

/// Measures and prints.
pub(crate) fn print(records: u32) -> Result<()> {
    let run = RunDir::new("firmware-bench")?;
    let options = Options { nodes: 1, for_guests: true, ..Options::default() };
    let mut kafka = Cluster::start(setup::tools()?, &run, &options)?;
    kafka.create_topic("readings", PARTITIONS, &[])?;
    let bootstrap = kafka.node(1)?.guest_address();
    let klamm = measure(&run, BOARD.image, &bootstrap, records)?;
    drop(kafka);
    let mqtt = measure(&run, "mqtt", &format!("10.0.2.2:{}", puback::start()?), records)?;
    println!("{} {records} records of {SIZE} bytes, a key and a header each", BOARD.qemu);
    println!("{:<44} {:>9} {:>20} {:>7}", "", "records/s", "instructions/record", "stack");
    for (name, figures) in [
        ("klamm: Apache Kafka, acks=all, idempotent", &klamm),
        ("minimq: QoS 1, a broker that only acknowledges", &mqtt),
    ] {
        let Figures { per_second, instructions, stack } = figures;
        println!("{name:<46} {per_second:>7.0} {instructions:>20} {stack:>7}");
    }
    run.done();
    ensure!(klamm.instructions <= MOST, "klamm takes more than {MOST} instructions a record");
    ensure!(klamm.instructions < mqtt.instructions, "klamm takes more instructions than minimq");
    Ok(())
}

/// Once as fast as it goes, and once counting instructions.
fn measure(run: &RunDir, image: &str, bootstrap: &str, records: u32) -> Result<Figures> {
    let arguments = [
        format!("bootstrap={bootstrap}"),
        format!("records={records}"),
        format!("size={SIZE}"),
        "quiet=1".to_owned(),
    ];
    let image = images()?.join(image);
    let start = |name: &str, further: &[OsString]| {
        let options =
            MachineOptions { board: BOARD, image: &image, arguments: &arguments, further };
        Machine::start(run, name, &options)?.finish_timed()
    };
    let fast = start("fast", &[])?;
    let at = |word: &str| {
        let line = fast.iter().find(|(_, line)| line.split(' ').next() == Some(word));
        line.map(|(at, _)| *at).with_context(|| format!("no `{word}`"))
    };
    let seconds = (at("end")? - at("address")?).as_secs_f64();
    let counted = start("counted", &["-icount".into(), "shift=0".into()])?;
    let number = |name: &str| {
        let words = counted.iter().flat_map(|(_, line)| line.split([' ', '=']));
        let value = words.skip_while(|word| *word != name).nth(1);
        value.with_context(|| format!("no `{name}`"))?.parse::<u64>().context(name.to_owned())
    };
    Ok(Figures {
        per_second: f64::from(records) / seconds,
        instructions: number("busy")? * 1_000 * TICK / u64::from(records),
        stack: number("stack")?,
    })
}
