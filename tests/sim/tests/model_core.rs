//! klamm and the model of its recovery rules, side by side on one partition: the same faults must
//! lead to the same requests on the wire, the same epochs and sequences, and the same outcomes.

#[path = "twin/mod.rs"]
mod twin;

use klamm_sim::dice::Dice;
use klamm_sim::model::rules::{ALL, CLEAN, KLAMM, VARIANTS};
use klamm_sim::model::search::explore;
use klamm_sim::model::{Action, Plan};

use twin::{Pair, side_by_side};

const RUNS: u64 = if cfg!(debug_assertions) { 1_500 } else { 20_000 };

#[test]
fn random_faults_lead_both_to_the_same() {
    for seed in 1..=RUNS {
        if let Err(what) = random_run(seed) {
            panic!("seed {seed}: {what}");
        }
    }
}

fn random_run(seed: u64) -> Result<(), String> {
    let mut dice = Dice::new(seed);
    let plan = Plan {
        name: "random",
        rules: KLAMM,
        batches: &[1, 1, 2, 1, 1, 1],
        replicas: 3,
        faults: if dice.chance(500) { CLEAN } else { ALL },
        reject_unknown: dice.chance(300),
        budget: 0,
        old: dice.pick(&[0, 1, 3]),
    };
    let chance = dice.pick(&[30, 100, 300]);
    let mut left = dice.pick(&[2, 4, 8, 14]);
    let mut pair = Pair::new(&plan)?;
    for _ in 0..250 {
        let (Some(default), mut extra) = pair.world.actions() else { break };
        extra.retain(|action| pair.can(*action));
        if !extra.is_empty() && left > 0 && dice.chance(chance) {
            left -= 1;
            pair.apply(extra[dice.below(extra.len())])?;
        } else {
            pair.apply(default)?;
        }
    }
    pair.finish().map(|_| ())
}

/// For each simpler rule the run that breaks it: its faults, replayed at the same steps with
/// klamm's rules, do no harm, and klamm does what the model does.
#[test]
fn counterexamples_of_simpler_rules_do_klamm_no_harm() {
    for plan in VARIANTS {
        let found = explore(plan, 1_000_000, true);
        let (trace, violation) = found.example.expect("each simpler rule has a counterexample");
        let right = Plan { rules: KLAMM, ..*plan };
        let mut pair = Pair::new(&right).expect("klamm starts");
        for action in &trace {
            // The simpler client's own steps differ; where its fault is not possible here, it is
            // left out.
            let (default, extra) = pair.world.actions();
            let possible = default == Some(*action) || extra.contains(action);
            if possible && pair.can(*action) {
                let done = pair.apply(*action);
                assert_eq!(done, Ok(()), "{} ({violation:?})", plan.name);
            }
        }
        let world = pair.finish().unwrap_or_else(|what| panic!("{}: {what}", plan.name));
        assert!(world.violations().is_empty(), "{}: {:?}", plan.name, world.violations());
    }
}

/// Java's counterexample by hand: five batches stored, their answers lost, the broker restarted.
#[test]
fn five_stored_batches_survive_a_restart_without_duplicates() {
    let mut actions = vec![Action::Client, Action::Client, Action::Process, Action::Answer];
    actions.extend([Action::Client; 4]);
    actions.extend([Action::Process; 4]);
    actions.push(Action::Restart(0));
    let plan = Plan { rules: KLAMM, ..VARIANTS[0] };
    let world = side_by_side(&plan, &actions).expect("both do the same");
    assert_eq!(world.state().log_records(), [-1, 0, 1, 2, 3, 4]);
    assert_eq!(world.bumps(), 0);
}
