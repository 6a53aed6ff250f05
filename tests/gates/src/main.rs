//! Work for callgrind: the core without a network, the same instructions in every run.
//!
//! `gates PARTITIONS RECORDS` goes through every phase with so many partitions, all of which have
//! batches of so many records, and prints how many operations each phase had. `cargo xtask gates`
//! counts the instructions.

mod broker;
mod phases;
mod rig;

use std::process::ExitCode;

use rig::Rig;

/// Batches that go through each phase, however many partitions there are.
const BATCHES: i32 = 10_000;
/// `NOT_ENOUGH_REPLICAS`: certainly not stored.
const TRY_AGAIN: i16 = 19;
/// What a record of 100 bytes takes in a batch, at most.
const RECORD_BYTES: u32 = 112;
const BATCH_HEADER: u32 = 61;

fn main() -> ExitCode {
    let numbers: Vec<i32> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let [partitions, records] = numbers[..] else {
        eprintln!("usage: gates PARTITIONS RECORDS_A_BATCH");
        return ExitCode::FAILURE;
    };
    let batch_size = BATCH_HEADER + u32::try_from(records).unwrap_or_default() * RECORD_BYTES;
    let mut rig = Rig::new(partitions, batch_size);
    for _ in 0..BATCHES / partitions {
        in_good_weather(&mut rig, records);
    }
    for _ in 0..BATCHES / partitions {
        sent_again(&mut rig);
    }
    for _ in 0..BATCHES / partitions {
        append(&mut rig, 1);
        rig.give_up();
    }
    by_partitioner(&mut rig);
    rig.turns(1_000);
    for (phase, operations) in &rig.operations {
        #[expect(clippy::print_stdout, reason = "what it is for")]
        {
            println!("{phase} {operations}");
        }
    }
    ExitCode::SUCCESS
}

/// The way of a record from `send` to its report.
fn in_good_weather(rig: &mut Rig, records: i32) {
    append(rig, records);
    rig.turns(2);
    rig.pass(5);
    phases::linger(&mut rig.producer, rig.now);
    rig.count("linger", batches(rig));
    rig.deliver("drain", 0);
    assert_eq!(rig.producer.stats().buffered, 0);
}

/// A flush; every batch is refused once.
fn sent_again(rig: &mut Rig) {
    append(rig, 1);
    let ticket = phases::flush(&mut rig.producer, rig.now);
    rig.count("flush", batches(rig));
    rig.count("flushed", 1);
    assert!(!phases::flushed(&rig.producer, ticket));
    rig.deliver("drain", TRY_AGAIN);
    rig.pass(1_000);
    phases::backoff(&mut rig.producer, rig.now);
    rig.count("backoff", batches(rig));
    rig.deliver("resend", 0);
    rig.settle();
}

/// Records that the partitioner places.
fn by_partitioner(rig: &mut Rig) {
    for number in 0..u32::try_from(BATCHES).unwrap_or_default() {
        let Rig { producer, topic, value, now, .. } = rig;
        phases::append_keyless(producer, *topic, value, *now);
        phases::append_keyed(producer, *topic, &number.to_be_bytes(), value, *now);
        if number % 10 == 9 {
            rig.settle();
        }
    }
    for phase in ["append_keyless", "append_keyed"] {
        rig.count(phase, usize::try_from(BATCHES).unwrap_or_default());
    }
}

fn append(rig: &mut Rig, records: i32) {
    for _ in 0..records {
        for index in 0..rig.partitions {
            phases::append(&mut rig.producer, rig.topic, index, &rig.value, rig.now);
        }
    }
    rig.count("append", batches(rig) * usize::try_from(records).unwrap_or_default());
}

/// One of each partition.
fn batches(rig: &Rig) -> usize {
    usize::try_from(rig.partitions).unwrap_or_default()
}
