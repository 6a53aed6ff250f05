//! A trace that is replayed gives the bytes of the run that it was recorded from.

use klamm_replay::record::{Recorded, record};
use klamm_replay::{Codec, Digest, Memory, Output, replay};

fn recorded(codec: Codec, seed: u64) -> Recorded {
    record(codec, seed, 1_500).expect("hosts have every codec")
}

#[test]
fn a_replay_gives_the_bytes_of_the_run() {
    for codec in [Codec::None, Codec::Gzip] {
        for seed in 0..2 {
            let run = recorded(codec, seed);
            let mut output = Vec::new();
            let done = replay(&run.trace, &mut Memory::new(), &mut output);
            assert_eq!(done, Some(()), "{codec:?}, seed {seed}");
            assert!(output == run.output, "{codec:?}, seed {seed}");
            let mut digest = Digest::default();
            digest.put(&output);
            let mut again = Digest::default();
            // In memory that was used before.
            let mut memory = Memory::new();
            for _ in 0..2 {
                again = Digest::default();
                replay(&run.trace, &mut memory, &mut again).expect("it is a trace");
            }
            assert_eq!(again, digest, "{codec:?}, seed {seed}");
        }
    }
}

#[test]
fn a_trace_has_everything_in_it() {
    let run = recorded(Codec::None, 1);
    let stats = run.stats;
    assert_eq!(stats.buffered, 0, "{stats:?}");
    assert!(stats.delivered > 800 && stats.retries > 20 && stats.connects > 5, "{stats:?}");
    let other = recorded(Codec::None, 2);
    assert_ne!(run.output, other.output);
}

#[test]
fn what_is_no_trace_is_refused() {
    let mut out = Digest::default();
    let mut trace = recorded(Codec::None, 1).trace;
    assert_eq!(replay(&[], &mut Memory::new(), &mut out), None);
    assert_eq!(replay(&[9], &mut Memory::new(), &mut out), None);
    trace.pop();
    assert_eq!(replay(&trace, &mut Memory::new(), &mut out), None, "cut off");
}
