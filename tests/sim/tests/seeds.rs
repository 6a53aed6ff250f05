//! Random runs. `cargo xtask sim --seeds N` runs more of them.

use klamm_sim::simulator::run_seed;

const SEEDS: u64 = 100;

#[test]
fn random_seeds_keep_every_promise() {
    for seed in 1..=SEEDS {
        if let Err(what) = run_seed(seed, false) {
            panic!(
                "seed {seed}: {what}\n\
                 replay: cargo run -p klamm-sim --bin sim -- --seed {seed} --trace"
            );
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [1, 7, 42] {
        let first = run_seed(seed, false).map(|s| (s.hash, s.steps));
        assert_eq!(first, run_seed(seed, false).map(|s| (s.hash, s.steps)), "seed {seed}");
    }
}
