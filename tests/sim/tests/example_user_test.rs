//! An example: how an application tests its own use of klamm, with faults and without a network.
//!
//! The application is [`Greenhouse`]: it sends readings and counts what became of them. Its test
//! runs it against the model cluster in virtual time, so half an hour of outage takes milliseconds,
//! and a failure is the same every time.

use klamm::{Destination, Instant, Outcome, Producer, Record, SendError};
use klamm_sim::cluster::{Api, Fault, Rule};
use klamm_sim::simulator::{Setup, Simulation};

/// The application under test. It knows klamm, and nothing of the simulator.
#[derive(Debug, Default)]
struct Greenhouse {
    delivered: usize,
    /// For the outbox: certainly not in Kafka, so that sending them again makes no duplicate.
    to_repeat: usize,
    /// Perhaps in Kafka: a person decides.
    to_look_up: usize,
}

impl Greenhouse {
    fn send_reading(producer: &mut Producer<'_>, now: Instant) -> Result<(), SendError> {
        let topic = producer.topic("readings")?;
        let record = Record::value(b"21.5").with_key(b"sensor-7");
        producer.send(Destination::partition(topic, 0), &record, now).map(|_| ())
    }

    fn read_reports(&mut self, producer: &mut Producer<'_>) {
        while let Some(report) = producer.poll_report() {
            match report.outcome {
                Outcome::Delivered { .. } => self.delivered += usize::from(report.records),
                Outcome::NotPersisted(_) => self.to_repeat += usize::from(report.records),
                _ => self.to_look_up += usize::from(report.records),
            }
        }
    }

    /// Sends a reading a second for so many seconds.
    fn run(&mut self, simulation: &mut Simulation, seconds: u32) -> Result<(), String> {
        for _ in 0..seconds {
            let now = Instant::from_micros(simulation.now());
            Self::send_reading(simulation.producer(), now).map_err(|e| e.to_string())?;
            simulation.run_ms(1_000)?;
            self.read_reports(simulation.producer());
        }
        Ok(())
    }
}

fn simulation() -> Simulation {
    let mut setup = Setup::quiet(1).with_topic("readings", 1, 1);
    setup.hands_off = true;
    Simulation::new(setup).expect("the options are legal")
}

#[test]
fn a_lost_answer_makes_no_duplicate() {
    let mut simulation = simulation();
    let mut greenhouse = Greenhouse::default();
    greenhouse.run(&mut simulation, 1).expect("no promise is broken");
    // The broker appends the second reading; then the connection dies before the answer.
    simulation.cluster.inject(Rule::once(Api::Produce, Fault::CloseAfter));
    greenhouse.run(&mut simulation, 5).expect("no promise is broken");
    assert_eq!(greenhouse.delivered, 6);
    assert_eq!(simulation.cluster.log("readings", 0).count(), 6);
}

#[test]
fn readings_of_an_outage_go_to_the_outbox() {
    let mut simulation = simulation();
    let mut greenhouse = Greenhouse::default();
    greenhouse.run(&mut simulation, 10).expect("no promise is broken");
    let now = simulation.now();
    simulation.cluster.kill(1, now).expect("node 1 is up");
    greenhouse.run(&mut simulation, 1_800).expect("no promise is broken");
    let now = simulation.now();
    simulation.cluster.start(1, now).expect("node 1 is down");
    greenhouse.run(&mut simulation, 30).expect("no promise is broken");
    let Greenhouse { delivered, to_repeat, to_look_up } = greenhouse;
    assert_eq!(delivered + to_repeat + to_look_up, 1_840);
    assert!(to_look_up <= 1, "only what was in flight when the node died");
    let stored = simulation.cluster.log("readings", 0).count();
    assert!((delivered..=delivered + to_look_up).contains(&stored), "{stored} are in the log");
}
