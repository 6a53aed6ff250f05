//! Which recovery rules a producer follows. The defaults are klamm's; every other value is a rule
//! that was considered, or another client's, and has a counterexample in [`VARIANTS`].

use super::Fault;

/// The rules of a producer for one partition.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Batches in flight.
    pub window: usize,
    /// On a new connection or epoch one batch in flight until a success or a 45.
    pub first_alone: bool,
    /// A success settles every earlier batch.
    pub cumulative: bool,
    /// After a failure only the head is in flight until it is acknowledged.
    pub head_only: bool,
    /// A 45 on an unsure batch: go on with the following ones (otherwise: retry the head).
    pub probe: bool,
    /// A 45 on the head bumps and renumbers everything, unsure or not.
    pub bump_on_45: bool,
    /// Rounds of nothing but 45 before unsure batches become unknown.
    pub rounds: u32,
    /// ... or are renumbered instead.
    pub renumber_unsure: bool,
    /// An error 3, 6 or 56 with a base offset means that the batch was appended.
    pub base_offset_unsure: bool,
    /// Bump when an unsure batch stands behind the failed one (otherwise restamp in the same
    /// epoch).
    pub fence: bool,
    /// On a new connection send the batch that was transmitted last first.
    pub last_first: bool,
    /// After a connection loss the probe goes on where it was.
    pub resume_probe: bool,
    /// A round covers all transmitted batches (otherwise: as many as the window).
    pub whole_round: bool,
    /// A success whose offset leaves no room for the batches before it proves nothing about them.
    pub offset_guard: bool,
}

/// klamm's rules.
pub const KLAMM: Rules = Rules {
    window: 5,
    first_alone: true,
    cumulative: true,
    head_only: false,
    probe: true,
    bump_on_45: false,
    rounds: 2,
    renumber_unsure: false,
    base_offset_unsure: true,
    fence: true,
    last_first: false,
    resume_probe: false,
    whole_round: true,
    offset_guard: true,
};

/// The Java client's rules, as measured.
pub const JAVA: Rules = Rules {
    first_alone: false,
    cumulative: false,
    head_only: true,
    probe: false,
    bump_on_45: true,
    base_offset_unsure: false,
    ..KLAMM
};

/// The first draft of klamm's rules: one probe at a time.
const DRAFT: Rules = Rules {
    first_alone: false,
    head_only: true,
    rounds: 1,
    base_offset_unsure: false,
    resume_probe: true,
    offset_guard: false,
    ..KLAMM
};

/// A world to look for a counterexample in.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What it shows.
    pub name: &'static str,
    /// The client's rules.
    pub rules: Rules,
    /// Records of each batch.
    pub batches: &'static [u16],
    /// Replicas of the partition.
    pub replicas: usize,
    /// What may happen.
    pub faults: &'static [Fault],
    /// Do brokers refuse an unknown producer whose first sequence is not 0 (Kafka 4.5)?
    pub reject_unknown: bool,
    /// At most this many deviations from the fair order.
    pub budget: u8,
    /// Records acknowledged before the run starts; 0: the partition was never written.
    pub old: u16,
}

/// Restarts, leader moves and errors: the law of klamm's rules holds under these.
pub const CLEAN: &[Fault] = &[Fault::Restart, Fault::Move, Fault::Error];
const CLEAN_EXPIRE: &[Fault] = &[Fault::Restart, Fault::Move, Fault::Error, Fault::Expire];
const CLEAN_FINAL: &[Fault] =
    &[Fault::Restart, Fault::Move, Fault::Error, Fault::Expire, Fault::Final, Fault::Limit];
/// All faults, unclean elections too.
pub const ALL: &[Fault] = &[
    Fault::Restart,
    Fault::Move,
    Fault::Error,
    Fault::Expire,
    Fault::Final,
    Fault::Limit,
    Fault::Unclean,
];

/// klamm's rules, searched exhaustively: nothing may be found.
pub const PLANS: &[Plan] = &[
    plan("5 batches, 1 replica", KLAMM, &[1; 5], 1, CLEAN, 4, 1),
    plan("3 batches, 2 replicas", KLAMM, &[1; 3], 2, CLEAN, 3, 1),
    plan("4 batches, 2 replicas, new partition", KLAMM, &[1; 4], 2, CLEAN, 2, 0),
    plan("deadlines, final errors, split", KLAMM, &[1, 2, 1], 2, CLEAN_FINAL, 2, 1),
];

/// Other rules: each has a counterexample within its budget.
pub const VARIANTS: &[Plan] = &[
    plan("Java: 45 on the head bumps and renumbers all", JAVA, &[1; 5], 1, CLEAN, 2, 1),
    plan("serial forward probe, clean", DRAFT, &[1; 3], 2, CLEAN, 4, 1),
    plan(
        "serial forward probe, deadline",
        DRAFT,
        &[1; 4],
        1,
        &[Fault::Restart, Fault::Expire],
        3,
        1,
    ),
    plan(
        "success settles only its own batch",
        Rules { cumulative: false, ..KLAMM },
        &[1; 5],
        1,
        CLEAN,
        2,
        1,
    ),
    plan(
        "head alone, retried until it succeeds",
        Rules { head_only: true, probe: false, rounds: u32::MAX, ..KLAMM },
        &[1; 5],
        1,
        CLEAN,
        2,
        1,
    ),
    plan(
        "five at once on a new connection",
        Rules { first_alone: false, ..KLAMM },
        &[1; 3],
        1,
        CLEAN,
        2,
        0,
    ),
    plan(
        "five at once, no look at the offset",
        Rules { first_alone: false, offset_guard: false, ..KLAMM },
        &[1; 3],
        1,
        CLEAN,
        3,
        0,
    ),
    plan(
        "last first, no look at the offset",
        Rules { last_first: true, offset_guard: false, ..KLAMM },
        &[1; 3],
        1,
        &[Fault::Unclean],
        2,
        1,
    ),
    plan(
        "one round of 45 decides",
        Rules { rounds: 1, ..KLAMM },
        &[1; 3],
        2,
        &[Fault::Restart, Fault::Move],
        5,
        1,
    ),
    plan(
        "one round of 45, then renumber the unsure",
        Rules { rounds: 1, renumber_unsure: true, ..KLAMM },
        &[1; 3],
        2,
        &[Fault::Restart, Fault::Move],
        5,
        1,
    ),
    plan(
        "code 6 always means absent",
        Rules { base_offset_unsure: false, ..KLAMM },
        &[1; 2],
        2,
        CLEAN_EXPIRE,
        4,
        1,
    ),
    plan(
        "restamp in the same epoch although something is unsure",
        Rules { fence: false, ..KLAMM },
        &[1; 3],
        1,
        &[Fault::Final],
        4,
        1,
    ),
    plan(
        "a round of five only, split and truncation",
        Rules { whole_round: false, ..KLAMM },
        &[1, 2, 1, 1, 1, 1],
        1,
        &[Fault::Limit, Fault::Unclean],
        3,
        1,
    ),
    plan(
        "no look at the offset, re-created topic",
        Rules { offset_guard: false, ..KLAMM },
        &[1; 2],
        1,
        &[Fault::Unclean, Fault::Recreate],
        2,
        3,
    ),
];

const fn plan(
    name: &'static str,
    rules: Rules,
    batches: &'static [u16],
    replicas: usize,
    faults: &'static [Fault],
    budget: u8,
    old: u16,
) -> Plan {
    Plan { name, rules, batches, replicas, faults, reject_unknown: false, budget, old }
}
