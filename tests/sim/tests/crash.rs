//! Power is cut at every step of a run, and the producer restored from the last snapshot: nothing is lost, stored twice
//! or out of order. And the same run with a gate that opens too early, which must be caught.

#![expect(clippy::unwrap_in_result, reason = "the results tell of power, not of errors")]

mod device;
mod flash;
mod gate;
mod restored;

use klamm::Compression;
use klamm_sim::cluster::Pending;
use klamm_sim::simulator::Setup;

use device::{Device, setup};
use flash::Gate;

/// Runs without a crash, then with one at each step, and perhaps a second one some steps later: what went wrong.
fn crashes(seed: u64, gate: Gate, setup: &Setup) -> Vec<String> {
    let mut whole = Device::new(seed, gate, setup.clone(), u64::MAX);
    whole.run().expect("there is power");
    whole.check().unwrap_or_else(|what| panic!("seed {seed}, without a crash: {what}"));
    let mut broken = Vec::new();
    for fuse in 1..=whole.steps {
        let mut device = Device::new(seed, gate, setup.clone(), fuse);
        let mut crashes = 0;
        while device.run().is_err() {
            crashes += 1;
            let process = device.dice.chance(500);
            device.restart(if process { Pending::Process } else { Pending::Drop });
            if crashes == 1 && device.dice.chance(300) {
                device.fuse = 1 + device.dice.range(0, 150);
            }
        }
        if let Err(what) = device.check() {
            broken.push(format!("seed {seed}, crash at step {fuse}: {what}"));
        }
    }
    assert!(whole.steps > 100, "{} steps", whole.steps);
    broken
}

#[test]
fn exactly_once_across_a_crash_at_every_step() {
    for seed in 0..3 {
        let broken = crashes(seed, Gate::AfterTheSnapshot, &setup(Compression::None));
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// Parts of a split lie in one chunk then, and get chunks of their own when they are restored.
#[test]
fn exactly_once_where_memory_is_tight() {
    let mut setup = setup(Compression::None);
    setup.limits.buffer_memory = 2_600;
    for seed in 200..203 {
        let broken = crashes(seed, Gate::AfterTheSnapshot, &setup);
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// Batches grow over two chunks, are split into parts that lie in one of them or both, and are restored so.
#[test]
fn exactly_once_with_batches_of_several_chunks() {
    for (seed, compression, outside) in [
        (300, Compression::None, false),
        (301, Compression::None, false),
        (302, Compression::Gzip { level: 6 }, false),
        (303, Compression::Gzip { level: 6 }, true),
    ] {
        let mut setup = setup(compression);
        setup.config.batch_size = 800;
        setup.config.linger_ms = 50;
        setup.config.compress_outside = outside;
        setup.limits.batch_size = 200;
        setup.limits.buffer_memory = 12 * 751;
        let broken = crashes(seed, Gate::AfterTheSnapshot, &setup);
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

#[test]
fn exactly_once_with_compressed_batches() {
    let setup = setup(Compression::Gzip { level: 6 });
    let broken = crashes(100, Gate::AfterTheSnapshot, &setup);
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Parts of a split are numbered, and compressed, before they are sent: such a part was restored as if it were not
/// compressed, and its records were gone.
#[test]
fn exactly_once_with_batches_compressed_outside() {
    let mut setup = setup(Compression::Gzip { level: 6 });
    setup.config.compress_outside = true;
    for seed in 0..3 {
        let broken = crashes(seed, Gate::AfterTheSnapshot, &setup);
        assert!(broken.is_empty(), "{broken:#?}");
    }
}

/// The mutant: what the check is worth.
#[test]
fn a_gate_that_opens_before_the_snapshot_is_caught() {
    let setup = setup(Compression::None);
    let broken: usize =
        (0..2).map(|seed| crashes(seed, Gate::BeforeTheSnapshot, &setup).len()).sum();
    assert!(broken > 5, "{broken} runs went wrong");
}

/// JavaScript, say, whose stores answer later.
#[test]
fn exactly_once_while_snapshots_are_being_written() {
    let setup = setup(Compression::None);
    for seed in 0..4 {
        let broken = crashes(seed, Gate::WhileItIsWritten, &setup);
        assert!(broken.is_empty(), "{broken:#?}");
    }
}
