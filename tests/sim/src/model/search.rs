//! Searching for a violation: every run with few deviations, or random runs with many.

use core::hash::{Hash, Hasher};
use std::collections::{HashMap, HashSet};
use std::hash::DefaultHasher;

use super::state::State;
use super::{Action, Plan, Violation, World};
use crate::dice::Dice;

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// Runs that came to an end.
    pub runs: usize,
    /// Different states seen.
    pub states: usize,
    /// The shortest run with a violation, and which.
    pub example: Option<(Vec<Action>, Violation)>,
    /// Was the search stopped by `max_states`?
    pub cut: bool,
}

/// Every run of `plan` with at most `plan.budget` deviations, until `max_states` were seen or, with
/// `first_only`, until the first violation.
pub fn explore(plan: &Plan, max_states: usize, first_only: bool) -> Found {
    let mut found = Found::default();
    let mut seen: HashMap<u64, u8> = HashMap::new();
    let mut stack = vec![(World::new(plan), plan.budget)];
    while let Some((mut world, left)) = stack.pop() {
        let mut path = HashSet::new();
        loop {
            let key = digest(&world.state);
            if !path.insert(key) {
                // The same state again, without a fault.
                world.violations.push(Violation::NoProgress);
                found.finish(world);
                break;
            }
            if seen.get(&key).is_some_and(|seen_left| *seen_left >= left) {
                break;
            }
            seen.insert(key, left);
            let (default, extra) = world.actions();
            for action in extra.into_iter().take(if left > 0 { usize::MAX } else { 0 }) {
                let mut other = world.clone();
                other.apply(action);
                stack.push((other, left - 1));
            }
            match default {
                Some(action) if world.violations.is_empty() => _ = world.apply(action),
                _ => {
                    found.finish(world);
                    break;
                }
            }
        }
        found.states = seen.len();
        found.cut = seen.len() >= max_states;
        if found.cut || first_only && found.example.is_some() {
            break;
        }
    }
    found
}

/// One run that deviates at random, `left` times at most, with probability `chance` of 1,000 at
/// each step.
pub fn walk(plan: &Plan, dice: &mut Dice, chance: u32, mut left: u32) -> World {
    let mut world = World::new(plan);
    for _ in 0..250 {
        let (default, extra) = world.actions();
        let Some(default) = default else { break };
        if !extra.is_empty() && left > 0 && dice.chance(chance) {
            left -= 1;
            world.apply(extra[dice.below(extra.len())]);
        } else {
            world.apply(default);
        }
    }
    world.calm();
    world
}

impl Found {
    fn finish(&mut self, mut world: World) {
        self.runs += 1;
        let steps = world.trace.len();
        world.calm();
        let Some(violation) = world.violations.first().copied() else { return };
        if self.example.as_ref().is_none_or(|(trace, _)| steps < trace.len()) {
            self.example = Some((world.trace, violation));
        }
    }
}

fn digest(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}
