//! A recording replays bit for bit: the same bytes on every connection, the same reports, the same counters.

use klamm::recorder::{Input, Recording};
use klamm::{
    Config, Destination, Instant, Limits, Producer, Record, Report, Resources, Scope, Storage,
};
use klamm_sim::replay::{Player, Replay, replay};
use klamm_sim::simulator::{Setup, Simulation};

/// The whole run of a seed, with faults: what came out of the producer, and the recording.
fn recorded(seed: u64) -> (Replay, Vec<u8>) {
    let mut setup = Setup::from_seed(seed);
    setup.recorder = 16 << 20;
    let mut simulation = Simulation::new(setup).expect("the options are legal");
    simulation.run().unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    let mut recording = vec![0; simulation.producer().recorded()];
    assert_eq!(simulation.producer().take_recording(&mut recording), recording.len());
    assert!(!simulation.producer().is_recording_cut());
    let stats = simulation.producer().stats();
    let (written, reports) = (simulation.written.clone(), simulation.reports.clone());
    (Replay { written, reports, stats, inputs: 0 }, recording)
}

#[test]
fn random_runs_replay_bit_for_bit() {
    let mut delivered = 0;
    for seed in 0..40 {
        let (run, recording) = recorded(seed);
        let replayed = replay(&recording, |_| ()).expect("it is a recording");
        assert_eq!(replayed.written, run.written, "seed {seed}");
        assert_eq!(replayed.reports, run.reports, "seed {seed}");
        assert_eq!(replayed.stats, run.stats, "seed {seed}");
        delivered += replayed.delivered();
    }
    assert!(delivered > 1_500, "{delivered} records delivered");
}

/// One bit of one input makes another run: the comparison above can fail.
#[test]
fn another_input_is_another_run() {
    let (run, mut recording) = recorded(3);
    // A byte of the last value that was sent: the end of its number, and what follows. (A record
    // that was refused had the number of the next one.)
    let sent = |value: &[u8]| run.written.iter().any(|w| w.windows(16).any(|w| w == value));
    let is_value = |w: &[u8]| w.ends_with(b"........") && w[7] != b'.' && sent(w);
    let at = 15 + recording.windows(16).rposition(is_value).expect("a value");
    recording[at] ^= 1;
    let replayed = replay(&recording, |_| ()).expect("it is a recording");
    assert_ne!(replayed.written, run.written);
}

fn producer(bytes: usize) -> Producer<'static> {
    let mut limits = Limits::default();
    limits.buffer_memory = 1 << 20;
    let storage = Storage::boxed(&limits).with_recorder(bytes);
    Producer::new(&Config::new("node1:9092"), storage, 7, Instant::ZERO).expect("legal options")
}

/// Calls until the recording is cut, or `calls` were made.
fn fill(producer: &mut Producer<'static>, calls: u64) -> u64 {
    let topic = producer.topic("readings").expect("there is room for it");
    for call in 1..=calls {
        let to = Destination::partition(topic, 0);
        let now = Instant::from_micros(call);
        let value = format!("reading {}", producer.stats().accepted);
        producer.send(to, &Record::value(value.as_bytes()), now).expect("there is memory");
        if producer.is_recording_cut() {
            return call;
        }
    }
    calls
}

fn sends(recording: &[u8]) -> u64 {
    let mut recording = Recording::new(recording).expect("it begins like one");
    let mut sends = 0;
    while let Some(input) = recording.next_input().expect("it is whole") {
        if let Input::Send { record, .. } = input {
            let expected = format!("reading {sends}");
            assert_eq!(record.value, Some(expected.as_bytes()));
            sends += 1;
        }
    }
    sends
}

/// What fits is whole; what does not fit is left out, and said so.
#[test]
fn a_recording_that_is_full_ends_before_the_first_input_that_did_not_fit() {
    for bytes in [250, 300, 301, 302, 303, 304, 400] {
        let mut producer = producer(bytes);
        let cut = fill(&mut producer, 1_000);
        assert!(cut < 1_000, "{bytes} bytes");
        let mut recording = vec![0; producer.recorded()];
        producer.take_recording(&mut recording);
        assert!(recording.len() <= bytes && recording.len() + 30 > bytes, "{bytes}");
        assert_eq!(sends(&recording), cut - 1, "{bytes} bytes");
        let replayed = replay(&recording, |_| ()).expect("it is a recording");
        assert_eq!(replayed.stats.accepted, cut - 1);
        // Room that comes later does not make it whole again.
        fill(&mut producer, 3);
        assert_eq!(producer.recorded(), 0);
    }
}

/// Taken in time, a small memory records a run of any length: it is a ring.
#[test]
fn a_recording_that_is_taken_in_time_has_no_end() {
    let mut producer = producer(400);
    let mut recording = Vec::new();
    let mut page = [0; 37];
    for _ in 0..200 {
        fill(&mut producer, 4);
        while producer.recorded() > 0 {
            let taken = producer.take_recording(&mut page);
            recording.extend(&page[..taken]);
        }
    }
    assert!(!producer.is_recording_cut());
    assert_eq!(sends(&recording), 800);
    let replayed = replay(&recording, |_| ()).expect("it is a recording");
    assert_eq!(replayed.stats, producer.stats());
    // A torn end is the end.
    let torn = replay(&recording[..recording.len() - 3], |_| ()).expect("it is a recording");
    assert_eq!(torn.stats.accepted, 799);
}

/// Written in place, refused, from a microcontroller's memory, from a snapshot: all of it is in a recording.
#[test]
fn every_way_in_is_recorded() {
    let mut memory = [0; 4_000];
    let mut resources = Box::new(Resources::<512, 4, 2, 2>::new());
    let storage = resources.storage().with_recorder_in(&mut memory);
    let mut config = Config::new("node1:9092");
    config.hold_stamped = true;
    let mut first =
        Producer::new(&config, storage, 7, Instant::ZERO).expect("the options are legal");
    let topic = first.topic("readings").expect("there is room for it");
    assert!(first.expect_partitions(topic, 3));
    let key = Record::null().with_key(b"sensor");
    let to = Destination::topic(topic);
    let written = first.send_with(to, &key, 100, Instant::ZERO, |room| {
        room[..4].copy_from_slice(b"21.5");
        4
    });
    written.expect("there is room");
    assert!(first.send(to, &Record::value(&[0; 3_000]), Instant::ZERO).is_err(), "too large");
    assert!(first.send_with(to, &key, 3_000, Instant::ZERO, |_| 0).is_err(), "too large");
    first.purge(Scope::ALL, Instant::from_millis(5));
    let mut snapshot = vec![0; first.snapshot_len()];
    first.snapshot(&mut snapshot).expect("it has room");
    let values = |player: &Player<'_>| {
        let records = player.producer.report_records()?;
        Some(records.map(|r| r.value.map(<[u8]>::to_vec)).collect::<Vec<_>>())
    };
    let reports: Vec<Report> = core::iter::from_fn(|| first.poll_report()).collect();
    let mut recording = vec![0; first.recorded()];
    first.take_recording(&mut recording);
    let replayed = replay(&recording, |_| ()).expect("it is a recording");
    assert_eq!((replayed.stats, &replayed.reports), (first.stats(), &reports));
    // The player stops anywhere: here, where the report can be read.
    let mut player = Player::new(&recording, |_| ()).expect("it is a recording");
    while player.producer.peek_report().is_none() {
        assert!(player.step().expect("it is whole"));
    }
    assert_eq!(values(&player), Some(vec![Some(b"21.5".to_vec())]));

    let storage = Storage::boxed(&Limits::default()).with_recorder(4_000);
    let mut second = Producer::restore(&config, storage, 8, &snapshot, Instant::from_millis(9))
        .expect("the snapshot is whole");
    second.handle_timeout(Instant::from_millis(10));
    let mut recording = vec![0; second.recorded()];
    second.take_recording(&mut recording);
    let replayed = replay(&recording, |_| ()).expect("it is a recording");
    assert_eq!(replayed.stats, second.stats());
    assert_eq!(replayed.inputs, 1);
}

#[test]
fn what_is_no_recording_is_refused() {
    assert!(replay(b"", |_| ()).is_err());
    assert!(replay(b"klrec\x00 of another version", |_| ()).is_err());
    let mut producer = producer(4_000);
    fill(&mut producer, 5);
    let mut recording = vec![0; producer.recorded()];
    producer.take_recording(&mut recording);
    assert!(replay(&recording[..50], |_| ()).is_err(), "cut within the options");
    let mut other = recording.clone();
    other.push(200);
    assert!(replay(&other, |_| ()).is_err(), "an input that does not exist");
    // Whatever is damaged, nothing panics.
    for at in 0..recording.len() {
        let mut damaged = recording.clone();
        damaged[at] ^= 0x10;
        if let Ok(mut recording) = Recording::new(&damaged) {
            while let Ok(Some(_)) = recording.next_input() {}
        }
    }
}
