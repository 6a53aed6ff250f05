//! The playground's run without a page: the same seed is the same run, and the counters are true.

use klamm_playground::Game;
use serde_json::Value;

fn frame(game: &mut Game) -> Value {
    serde_json::from_str(&game.frame()).expect("a frame is JSON")
}

fn count(game: &mut Game, name: &str) -> u64 {
    frame(game)["counts"][name].as_u64().expect("a count")
}

fn started(seed: u64) -> Game {
    let mut game = Game::new(seed, true).expect("the options are legal");
    game.set_rate(40);
    game
}

/// A run of ten seconds with a fault of every kind that a producer can mend.
fn troubled(seed: u64) -> Game {
    let mut game = started(seed);
    game.run(2_000);
    let faults = [
        ("kill", 1),
        ("error 6", 0),
        ("cut", 2),
        ("stored-error 7", 1),
        ("start", 1),
        ("drop-response", 2),
        ("mend", 2),
        ("close-after", 0),
        ("move", 1),
        ("garbage", 2),
    ];
    for (name, target) in faults {
        game.fault(name, target).expect(name);
        game.run(800);
    }
    game
}

#[test]
fn the_same_seed_is_the_same_run() {
    let (mut one, mut other) = (troubled(7), troubled(7));
    assert_eq!(one.frame(), other.frame());
    assert_ne!(one.frame(), troubled(8).frame());
}

#[test]
fn after_faults_every_record_is_stored_once() {
    for seed in 0..20 {
        let mut game = troubled(seed);
        game.set_rate(0);
        game.heal();
        game.run(15_000);
        let counts = frame(&mut game)["counts"].clone();
        let of = |name: &str| counts[name].as_u64().expect("a count");
        assert!(of("accepted") > 250, "seed {seed}: {counts}");
        assert_eq!(of("delivered"), of("accepted"), "seed {seed}: {counts}");
        assert_eq!(of("stored"), of("accepted"), "seed {seed}: {counts}");
        assert_eq!((of("lost"), of("twice")), (0, 0), "seed {seed}: {counts}");
        game.finish();
        let last = frame(&mut game);
        assert_eq!(last["broken"], Value::Null, "seed {seed}");
        assert_eq!(last["counts"], counts, "seed {seed}: the check is not counted");
    }
}

#[test]
fn chaos_breaks_no_promise() {
    for seed in 0..10 {
        let mut game = started(seed);
        game.set_chaos(true);
        game.run(20_000);
        assert!(frame(&mut game)["gauges"]["retries"].as_u64() > Some(0), "seed {seed}");
        game.finish();
        let last = frame(&mut game);
        assert_eq!(last["broken"], Value::Null, "seed {seed}");
        assert_eq!(last["counts"]["twice"], 0, "seed {seed}");
        assert_eq!(last["counts"]["lost"], 0, "seed {seed}");
    }
}

/// The counters are read from the logs: what a disk loses shows.
#[test]
fn what_a_disk_loses_is_counted() {
    let mut game = started(3);
    game.run(4_000);
    assert_eq!(count(&mut game, "lost"), 0);
    game.set_rate(0);
    game.run(3_000);
    let stored = count(&mut game, "stored");
    game.fault("lose-tail", 1).expect("there is a leader");
    game.run(1_000);
    let lost = count(&mut game, "lost");
    assert!(lost > 0);
    assert_eq!(count(&mut game, "stored"), stored - lost);
}

/// Without sequence numbers brokers store again what is sent again, and that shows, too.
#[test]
fn without_idempotence_records_are_stored_twice() {
    let mut game = Game::new(4, false).expect("the options are legal");
    game.set_rate(40);
    game.run(3_000);
    for partition in 0..3 {
        game.fault("close-after", partition).expect("a partition");
        game.run(2_000);
    }
    game.set_rate(0);
    game.run(5_000);
    let twice = count(&mut game, "twice");
    assert!(twice > 0);
    assert_eq!(count(&mut game, "stored"), count(&mut game, "accepted"));
    game.finish();
    assert_eq!(frame(&mut game)["broken"], Value::Null);
}

#[test]
fn a_step_shows_something_new() {
    let mut game = started(5);
    game.step();
    let mut before = frame(&mut game);
    for step in 0..200 {
        game.step();
        let after = frame(&mut game);
        assert_ne!(before, after, "step {step}");
        before = after;
    }
}

/// Open, sealed, in flight, in the log: with the sequence that is on the wire.
#[test]
fn a_batch_goes_through_all_states() {
    let mut game = Game::new(1, true).expect("the options are legal");
    game.run(1_500);
    game.send(0, 2);
    let mut states = Vec::new();
    for _ in 0..200 {
        let now = frame(&mut game);
        let lane = &now["lanes"][0];
        let state = match (&lane["batches"][0], &lane["log"][0]) {
            (Value::Null, Value::Null) => "nowhere".into(),
            (Value::Null, log) => format!("{} {}", log["records"], log["acknowledged"]),
            (batch, _) => batch["state"].as_str().expect("a state").to_owned(),
        };
        if states.last() != Some(&state) {
            states.push(state);
        }
        game.step();
    }
    let tail = &states[states.len() - 2..];
    assert_eq!(states[0], "open");
    assert_eq!(tail, ["flying", "2 true"], "{states:?}");
}

#[test]
fn nonsense_is_refused() {
    let mut game = started(1);
    assert!(game.fault("kill", 4).is_err());
    assert!(game.fault("move", 3).is_err());
    assert!(game.fault("error x", 0).is_err());
    assert!(game.fault("flood", 0).is_err());
    assert!(game.fault("start", 1).is_err(), "it is up");
}
