//! Several batches in flight whose answers are lost before the broker is killed and started again.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use klamm_interop::lost_answers::{self, TOPIC};
use klamm_interop::run_dir::RunDir;
use klamm_interop::{klamm, setup};

/// Kafka's own client, with its defaults, writes records twice here (measured: 200 of 60,000). This
/// is what makes the next test worth something: it shows that the staging bites.
#[test]
fn the_staging_makes_kafkas_own_client_write_twice() {
    let tools = setup::tools().unwrap();
    let run = RunDir::new("lost-answers-java").unwrap();
    let outcome = lost_answers::run(tools, &run, |bootstrap| {
        let mut java = tools.java(256);
        java.args(["Produce", bootstrap, TOPIC, ":", "linger.ms=5"]);
        Ok(java)
    })
    .unwrap();
    println!("Kafka's own client: {}", outcome.log.summary());
    assert!(outcome.status.success());
    assert!(outcome.log.lost.is_empty(), "{}", outcome.log.summary());
    assert!(!outcome.log.duplicated.is_empty(), "the staging lost its bite");
    run.done();
}

#[test]
fn every_record_is_there_once_and_in_order() {
    let tools = setup::tools().unwrap();
    let run = RunDir::new("lost-answers-klamm").unwrap();
    let outcome = lost_answers::run(tools, &run, |bootstrap| {
        klamm::produce(bootstrap, TOPIC, &["-K", ":", "-X", "linger.ms=5"])
    })
    .unwrap();
    assert!(outcome.log.is_empty(), "klamm: {}: {:?}", outcome.log.summary(), outcome.log);
    assert!(outcome.status.success(), "not every record was acknowledged");
    run.done();
}
