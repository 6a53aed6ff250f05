//! The page's buttons: faults by name.

use crate::faults::{self, Random};
use crate::game::{Game, check};
use crate::news::Tone;

/// As good as for ever, in microseconds: until a person ends it.
const LONG: u64 = u64::MAX / 4;

impl Game {
    /// Lets something go wrong, or ends that.
    ///
    /// | name | what | to |
    /// |---|---|---|
    /// | `kill`, `start`, `cut`, `mend` | a broker stops, starts, cannot be reached, can | node |
    /// | `move` | another replica leads | partition |
    /// | `lose-tail` | the leader's disk loses its last batch | partition |
    /// | `drop-request`, `drop-response` | neither comes nor any after it | next Produce of a partition |
    /// | `close-before`, `close-after` | the connection ends before, after it is processed | the same |
    /// | `delay`, `throttle`, `garbage` | a late answer, a request for silence, no answer at all | the same |
    /// | `error 6` | that code, nothing stored | the same |
    /// | `stored-error 7` | that code, and stored all the same | the same |
    ///
    /// # Errors
    /// There is nothing of that name, or it cannot happen now.
    pub fn fault(&mut self, name: &str, target: i32) -> Result<(), String> {
        match name {
            "kill" | "start" | "cut" | "mend" => check(target, 0)?,
            _ => check(1, target)?,
        }
        match name {
            "kill" => self.attempt(Random::Kill(target, LONG)),
            "start" => self.start(target),
            "cut" => self.attempt(Random::Cut(target, LONG)),
            "mend" => {
                self.say(Tone::Fault, format!("node {target} can be reached again"));
                self.set_cut(target, false);
                Ok(())
            }
            "move" => self.attempt(Random::Move(target)),
            "lose-tail" => {
                let text = format!("partition {target}: the disk loses its last batch");
                self.say(Tone::Fault, text);
                faults::lose_tail(&mut self.simulation, target)
            }
            other => {
                faults::inject(&mut self.simulation, other, target)?;
                self.say(Tone::Fault, format!("partition {target}: next Produce: {other}"));
                Ok(())
            }
        }
    }

    /// Ends all faults.
    pub fn heal(&mut self) {
        self.set_chaos(false);
        for node in 1..=crate::setup::NODES {
            self.set_cut(node, false);
            if !self.simulation.cluster.is_up(node) {
                // It is down, so it starts.
                let _ = self.start(node);
            }
        }
        self.simulation.cluster.clear_faults();
        self.say(Tone::Plain, "all faults end".into());
    }
}
