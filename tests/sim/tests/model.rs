//! The model of the recovery rules: klamm's have no counterexample, each simpler rule has one.

use klamm_sim::dice::Dice;
use klamm_sim::model::Plan;
use klamm_sim::model::rules::{ALL, CLEAN, KLAMM, PLANS, VARIANTS};
use klamm_sim::model::search::{explore, walk};

/// States per plan: enough for every run with the plan's budget in release, a part of them in
/// debug.
const STATES: usize = if cfg!(debug_assertions) { 20_000 } else { 400_000 };

#[test]
fn klamms_rules_have_no_counterexample() {
    for plan in PLANS {
        let found = explore(plan, STATES, true);
        assert!(found.example.is_none(), "{}: {:?}", plan.name, found.example);
        assert!(found.runs > 0, "{}: no run came to an end", plan.name);
    }
}

#[test]
fn each_simpler_rule_has_a_counterexample() {
    for plan in VARIANTS {
        let found = explore(plan, 1_000_000, true);
        let (trace, violation) = found.example.unwrap_or_else(|| {
            panic!("{}: none in {} states (cut: {})", plan.name, found.states, found.cut)
        });
        println!("{}: {violation:?} after {trace:?}", plan.name);
    }
}

#[test]
fn klamms_rules_hold_on_random_runs() {
    let seed = 20;
    let mut dice = Dice::new(seed);
    for number in 0..3_000 {
        let plan = Plan {
            name: "random",
            rules: KLAMM,
            batches: &[1, 1, 2, 1, 1, 1],
            replicas: 3,
            faults: if dice.chance(500) { CLEAN } else { ALL },
            reject_unknown: dice.chance(500),
            budget: 0,
            old: [0, 1, 2, 3][dice.below(4)],
        };
        let chance = dice.pick(&[30, 100, 300]);
        let deviations = dice.pick(&[2, 4, 8, 14]);
        let world = walk(&plan, &mut dice, chance, deviations);
        assert!(
            world.violations().is_empty(),
            "seed {seed}, run {number}: {:?} after {:?}",
            world.violations(),
            world.trace()
        );
    }
}
