//! What can go wrong, on demand and at random.

use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::dice::Dice;
use klamm_sim::simulator::{Sample, Simulation, Way};

use crate::setup::{NODES, PARTITIONS, TOPIC};

/// As good as for ever, in microseconds.
const LONG: u64 = u64::MAX / 4;

/// Stops a broker; its connections break.
pub(crate) fn kill(simulation: &mut Simulation, node: i32) -> Result<(), String> {
    let now = simulation.now();
    simulation.cluster.kill(node, now).map_err(|e| format!("node {node}: {e:?}"))
}

/// Starts it again, with the logs it had.
pub(crate) fn start(simulation: &mut Simulation, node: i32) -> Result<(), String> {
    let now = simulation.now();
    simulation.cluster.start(node, now).map_err(|e| format!("node {node}: {e:?}"))
}

/// Another replica in sync leads the partition: the next one.
pub(crate) fn move_leader(simulation: &mut Simulation, partition: i32) -> Result<i32, String> {
    let now = simulation.now();
    let leader = simulation.cluster.leader(TOPIC, partition).unwrap_or(0);
    let others = simulation.cluster.isr(TOPIC, partition);
    let can = |node: &&i32| **node != leader && simulation.cluster.is_up(**node);
    let next = others.iter().filter(can).min_by_key(|node| (**node - leader).rem_euclid(NODES));
    let node =
        *next.ok_or_else(|| format!("partition {partition} has no other replica in sync"))?;
    simulation.cluster.elect(TOPIC, partition, node, now).map_err(|e| format!("{e:?}"))?;
    Ok(node)
}

/// What of `cut` cannot be reached: nothing arrives there or from there.
pub(crate) fn set_cut(simulation: &mut Simulation, cut: impl Fn(i32) -> bool) {
    let now = simulation.now();
    simulation.network.heal(now);
    for node in (1..=NODES).filter(|node| cut(*node)) {
        simulation.network.set_reachable(node, false);
        for slot in simulation.network.open() {
            if simulation.network.node(slot) == Some(node) {
                simulation.network.stall(slot, Way::Up, LONG);
                simulation.network.stall(slot, Way::Down, LONG);
            }
        }
    }
}

/// The disk of the leader loses its last batch, which other replicas then lose too: what no
/// producer can mend.
pub(crate) fn lose_tail(simulation: &mut Simulation, partition: i32) -> Result<(), String> {
    let now = simulation.now();
    let before = logged(simulation, partition);
    let cluster = &mut simulation.cluster;
    let leader = cluster.leader(TOPIC, partition);
    let leader = leader.ok_or_else(|| format!("partition {partition} has no leader"))?;
    cluster.truncate(TOPIC, partition, leader, 1, now).map_err(|e| format!("{e:?}"))?;
    let after = logged(simulation, partition);
    let excuses = &mut simulation.ledger.excuses;
    excuses.data_loss = true;
    for (number, offset) in before.into_iter().filter(|record| !after.contains(record)) {
        excuses.lost.entry(number).or_default().insert(offset);
    }
    Ok(())
}

fn logged(simulation: &Simulation, partition: i32) -> Vec<(u64, i64)> {
    let log = simulation.cluster.log(TOPIC, partition);
    log.map(|record| (Sample::number(&record), record.offset)).collect()
}

/// The next Produce of the partition goes wrong.
pub(crate) fn inject(
    simulation: &mut Simulation,
    name: &str,
    partition: i32,
) -> Result<(), String> {
    let (kind, code) = name.split_once(' ').unwrap_or((name, "0"));
    let code = code.parse::<i16>().map_err(|e| format!("{name}: {e}"))?;
    let fault = match kind {
        "drop-request" => Fault::DropRequest,
        "drop-response" => Fault::DropResponse,
        "close-before" => Fault::CloseBefore,
        "close-after" => Fault::CloseAfter,
        "delay" => Fault::Delay(1_500_000),
        "throttle" => Fault::Throttle(1_500),
        "garbage" => Fault::Garbage(b"these are not the bytes of an answer".to_vec()),
        "error" => Fault::Error(code),
        "stored-error" => Fault::AppendThenError { code, keep_offset: true },
        _ => return Err(format!("no fault is called {name}")),
    };
    if let Fault::Error(10) = fault {
        // As it is where a topic's limit becomes smaller.
        simulation.ledger.excuses.data_loss = true;
    }
    // Codes that are final: the producer may then report that records are not persisted.
    simulation.ledger.excuses.rejected |= matches!(fault, Fault::Error(10 | 29 | 87));
    let mut rule = Rule::once(Api::Produce, fault);
    rule.topic = Some(TOPIC.to_owned());
    rule.partition = Some(partition);
    simulation.cluster.inject(rule);
    Ok(())
}

/// A fault of chaos; all of them are such that nothing need be lost.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Random {
    /// This broker stops for so long, in microseconds.
    Kill(i32, u64),
    /// The network to it is cut for so long.
    Cut(i32, u64),
    /// Another replica leads.
    Move(i32),
    /// The next Produce of a partition.
    Inject(&'static str, i32),
}

impl Random {
    /// Any of them.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let node = dice.pick(&[1, 2, 3]);
        let partition = dice.pick(&[0, 1, 2]);
        debug_assert!(node <= NODES && partition < PARTITIONS);
        match dice.below(10) {
            0 => Self::Kill(node, dice.range(1_000_000, 4_000_000)),
            1 | 2 => Self::Cut(node, dice.range(500_000, 4_000_000)),
            3 => Self::Move(partition),
            _ => {
                let names = [
                    "drop-request",
                    "drop-response",
                    "close-before",
                    "close-after",
                    "delay",
                    "garbage",
                    "error 6",
                    "error 19",
                    "stored-error 7",
                    "stored-error 20",
                ];
                Self::Inject(dice.pick(&names), partition)
            }
        }
    }
}
