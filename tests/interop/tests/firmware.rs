//! A microcontroller in QEMU writes to Apache Kafka while what can go wrong goes wrong. Everything
//! waits most of the time, so the scenarios run side by side, each with a device and a topic of its
//! own: most on one node, those that kill or move on a cluster of three.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::time::Duration;
use klamm_interop::firmware::garbage::Garbage;
use klamm_interop::firmware::images;
use klamm_interop::firmware::ledger::Told;
use klamm_interop::firmware::machine::{
    Board, IN_C, LEAN, LM3S6965, MPS2_AN385, Machine, Options as MachineOptions,
};
use klamm_interop::firmware::wire::{Plan, Wire};
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::process::Process;
use klamm_interop::run_dir::RunDir;
use klamm_interop::{kcat, klamm, ports, setup, wait_until};
use std::ffi::OsString;
use std::sync::Mutex;
use std::thread;

/// Partitions of a topic where nothing else is said.
const PARTITIONS: u32 = 4;

#[test]
fn one_node() {
    let run = RunDir::new("firmware");
    let run = run.unwrap();
    let options = Options {
        nodes: 1,
        for_guests: true,
        properties: &[
            // Of 3,000 partitions: each would map 20 MB for its indices.
            ("log.index.size.max.bytes", "4096"),
            // A broker that is merely busy is not missed: then it would lead nothing for a while.
            ("broker.session.timeout.ms", "18000"),
        ],
        ..Options::default()
    };
    let site = Site::new(&run, Cluster::start(setup::tools().unwrap(), &run, &options).unwrap());
    site.run_all(&[
        ("ten-thousand", &LM3S6965, ten_thousand_records),
        ("link-cut", &LM3S6965, the_link_is_cut_for_20_seconds),
        ("late", &LM3S6965, address_and_name_come_late),
        ("garbage", &LM3S6965, what_answers_is_no_broker),
        ("many", &LM3S6965, two_of_3000_partitions),
        ("full", &LM3S6965, the_buffer_is_full_for_a_minute),
        ("reset", &LM3S6965, reset_in_the_middle),
        ("second-ten-thousand", &MPS2_AN385, ten_thousand_records),
        ("second-link-cut", &MPS2_AN385, the_link_is_cut_for_20_seconds),
        ("second-reset", &MPS2_AN385, reset_in_the_middle),
    ]);
    the_broker_is_killed(
        &site,
        &[
            Case { topic: "killed", board: &LM3S6965 },
            Case { topic: "killed-lean", board: &LEAN },
            Case { topic: "killed-c", board: &IN_C },
            Case { topic: "killed-second", board: &MPS2_AN385 },
        ],
    );
    drop(site);
    run.done();
}

#[test]
fn three_nodes() {
    let run = RunDir::new("firmware-three").unwrap();
    let options =
        Options { nodes: 3, one_controller: true, for_guests: true, ..Options::default() };
    let site = Site::new(&run, Cluster::start(setup::tools().unwrap(), &run, &options).unwrap());
    leaders_move(&site, Case { topic: "moved", board: &LM3S6965 });
    drop(site);
    run.done();
}

/// Our own broker for development: what somebody without Kafka tries first.
#[test]
fn dev_broker() {
    let run = RunDir::new("firmware-dev").unwrap();
    let port = ports::free().unwrap();
    let address = format!("127.0.0.1:{port}");
    let cases = [("readings", &LM3S6965), ("c", &IN_C)].map(|(topic, board)| Case { topic, board });
    let mut command = klamm::command(&["dev-broker", "--listen", &address]).unwrap();
    for case in cases {
        command.args(["--topic", &format!("{}:{PARTITIONS}", case.topic)]);
    }
    command.stdout(run.log("broker.log").unwrap());
    let broker = Process::start("klamm dev-broker", &mut command).unwrap();
    let bootstrap = format!("bootstrap=10.0.2.2:{port}");
    let devices = cases.map(|case| start(&run, case, &[&bootstrap, "records=5000"], &[]));
    for (case, device) in cases.into_iter().zip(devices) {
        let told = finish(&address, case, device);
        assert_eq!((told.accepted, told.refused), (5_000, 0));
    }
    drop(broker);
    run.done();
}

/// What a device of its own goes through.
type Scenario = fn(&Site<'_>, Case<'_>);

/// A device and its topic, whose name is the device's too.
#[derive(Clone, Copy)]
struct Case<'a> {
    topic: &'a str,
    board: &'a Board,
}

/// However busy the broker is: it answers in a minute, so nothing has to be sent again.
fn ten_thousand_records(site: &Site<'_>, case: Case<'_>) {
    let told = site.finish(case, site.device(case, &["records=10000", "request_ms=60000"]));
    assert_eq!((told.accepted, told.retries, told.refused), (10_000, 0, 0));
}

fn the_link_is_cut_for_20_seconds(site: &Site<'_>, case: Case<'_>) {
    // On a busy machine QEMU's clock is slow: 20 s of ours are longer than 2 s of it.
    let mut device = site.device(case, &["records=8000", "pace_ms=2", "request_ms=2000"]);
    device.wait_for("ack", 20).unwrap();
    device.set_link(false).unwrap();
    thread::sleep(Duration::from_secs(20));
    device.set_link(true).unwrap();
    let told = site.finish(case, device);
    assert!(told.connects > 1, "the connection outlived it: {told:?}");
}

fn address_and_name_come_late(site: &Site<'_>, case: Case<'_>) {
    let plan = Plan { dhcp_lost: 2, dns_lost: 2, dns_failed: 2, address: [10, 0, 2, 2] };
    let (wire, further) = Wire::listen(site.run, case.topic, plan).unwrap();
    site.create_topic(case.topic, PARTITIONS);
    let bootstrap = format!("bootstrap=broker.example:{}", site.port);
    let device = start(site.run, case, &[&bootstrap, "records=1000"], &further);
    site.finish(case, device);
    assert!(wire.dhcp() > plan.dhcp_lost, "{wire:?}");
    assert!(wire.dns() > plan.dns_lost + plan.dns_failed, "{wire:?}");
}

fn what_answers_is_no_broker(site: &Site<'_>, case: Case<'_>) {
    let garbage = Garbage::start(site.port).unwrap();
    site.create_topic(case.topic, PARTITIONS);
    let bootstrap = format!("bootstrap=10.0.2.2:{}", garbage.port());
    let arguments = [&*bootstrap, "records=1000", "request_ms=1000"];
    site.finish(case, start(site.run, case, &arguments, &[]));
    assert!(garbage.connections() > Garbage::CONNECTIONS, "{garbage:?}");
}

fn two_of_3000_partitions(site: &Site<'_>, case: Case<'_>) {
    site.create_topic(case.topic, 3_000);
    let device = start(site.run, case, &[&site.bootstrap(), "records=1000", "sensors=2"], &[]);
    let told = told(case, device);
    let mut partitions: Vec<u32> = told.acks.iter().map(|ack| ack.partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    assert_eq!(partitions.len(), 2, "{partitions:?}");
    let read = |partition| kcat::read(&site.address, case.topic, partition).unwrap();
    told.check(&partitions.into_iter().flat_map(read).collect::<Vec<_>>()).unwrap();
}

fn the_buffer_is_full_for_a_minute(site: &Site<'_>, case: Case<'_>) {
    let mut device = site.device(case, &["records=3000", "pace_ms=5", "drop=1"]);
    device.wait_for("ack", 20).unwrap();
    device.set_link(false).unwrap();
    thread::sleep(Duration::from_secs(60));
    device.set_link(true).unwrap();
    let told = site.finish(case, device);
    // Of up to 12,000 readings made in that minute about 100 found room; QEMU's clock may be slow.
    assert!(told.refused > 100, "{told:?}");
}

fn reset_in_the_middle(site: &Site<'_>, case: Case<'_>) {
    let mut device = site.device(case, &["records=12000", "pace_ms=1"]);
    for boots in 1..=4 {
        device.wait_for("boot", boots).unwrap();
        device.wait_for("ack", 40 * boots).unwrap();
        device.reset().unwrap();
    }
    let told = site.finish(case, device);
    assert_eq!(told.boots, 5);
    assert!(told.written_off > 0, "every reset found nothing under way: {told:?}");
}

/// With -9, while every device is in the middle of its 10,000 records; and started again.
fn the_broker_is_killed(site: &Site<'_>, cases: &[Case<'_>]) {
    cases.iter().for_each(|case| site.create_topic(case.topic, PARTITIONS));
    let start = |case: &Case<'_>| site.start(*case, &["records=10000", "pace_ms=1"]);
    let mut devices: Vec<Machine> = cases.iter().map(start).collect();
    // The quick ones wait for the slow ones.
    let mut halted = vec![false; devices.len()];
    wait_until("every device to be in the middle", || {
        for (device, halted) in devices.iter_mut().zip(&mut halted) {
            if !*halted && device.count("ack") >= 20 {
                device.halt(true)?;
                *halted = true;
            }
        }
        Ok(halted.iter().all(|halted| *halted))
    })
    .unwrap();
    devices.iter_mut().for_each(|device| device.halt(false).unwrap());
    site.cluster(|cluster| {
        cluster.node(1).unwrap().kill().unwrap();
        thread::sleep(Duration::from_secs(3));
        cluster.node(1).unwrap().start().unwrap();
        cluster.wait_until_alive().unwrap();
    });
    for (case, device) in cases.iter().zip(devices) {
        let told = site.finish(*case, device);
        assert_eq!(told.accepted, 10_000);
        assert!(told.connects > 1, "it had ended before: {told:?}");
    }
}

fn leaders_move(site: &Site<'_>, case: Case<'_>) {
    site.cluster(|cluster| {
        let bootstrap = cluster.bootstrap();
        cluster.helper.create_topic_on(&bootstrap, case.topic, "2,3;3,2;2,3;3,2", &[]).unwrap();
    });
    let mut device = site.start(case, &["records=12000", "pace_ms=2"]);
    let move_to = |brokers| {
        site.cluster(|cluster| {
            let bootstrap = cluster.bootstrap();
            cluster.helper.move_topic(&bootstrap, case.topic, brokers).unwrap();
        });
    };
    device.wait_for("ack", 40).unwrap();
    // However long that takes, it has not ended before its leaders are elsewhere.
    device.halt(true).unwrap();
    move_to("1,2;1,3;3,1;2,1");
    device.halt(false).unwrap();
    for (acks, brokers) in [(80, "3,1;2,1;1,2;1,3"), (120, "2,3;3,2;2,3;3,2")] {
        device.wait_for("ack", acks).unwrap();
        move_to(brokers);
    }
    let told = told(case, device);
    // A new leader may show less for a moment than the former one had acknowledged.
    wait_until("the leaders to show all", || {
        site.cluster(|cluster| {
            let bootstrap = cluster.bootstrap();
            Ok(cluster.helper.records(&bootstrap, case.topic)? >= told.delivered)
        })
    })
    .unwrap();
    check(&site.address, case, &told);
    assert!(told.retries > 0, "no request met a broker that led no more: {told:?}");
}

/// A cluster and the devices that write to it.
struct Site<'a> {
    run: &'a RunDir,
    cluster: Mutex<Cluster>,
    /// Of node 1: as we see it, and the port that devices see.
    address: String,
    port: u16,
}

impl<'a> Site<'a> {
    fn new(run: &'a RunDir, mut cluster: Cluster) -> Self {
        let node = cluster.node(1).unwrap();
        let (address, port) = (node.address(), node.proxied_port());
        Self { run, cluster: Mutex::new(cluster), address, port }
    }

    /// Runs the scenarios side by side.
    fn run_all(&self, scenarios: &[(&str, &Board, Scenario)]) {
        thread::scope(|scope| {
            for &(topic, board, scenario) in scenarios {
                scope.spawn(move || {
                    scenario(self, Case { topic, board });
                    println!("{topic}: ok");
                });
            }
        });
    }

    fn cluster<R>(&self, act: impl FnOnce(&mut Cluster) -> R) -> R {
        act(&mut self.cluster.lock().unwrap())
    }

    fn create_topic(&self, topic: &str, partitions: u32) {
        self.cluster(|cluster| cluster.create_topic(topic, partitions, &[])).unwrap();
    }

    fn bootstrap(&self) -> String {
        format!("bootstrap=10.0.2.2:{}", self.port)
    }

    /// A device on the network, and its topic.
    fn device(&self, case: Case<'_>, arguments: &[&str]) -> Machine {
        self.create_topic(case.topic, PARTITIONS);
        self.start(case, arguments)
    }

    /// A device whose topic is there.
    fn start(&self, case: Case<'_>, arguments: &[&str]) -> Machine {
        start(self.run, case, &[&[&*self.bootstrap()], arguments].concat(), &[])
    }

    fn finish(&self, case: Case<'_>, device: Machine) -> Told {
        finish(&self.address, case, device)
    }
}

fn start(run: &RunDir, case: Case<'_>, arguments: &[&str], further: &[OsString]) -> Machine {
    let Case { topic, board } = case;
    let topic_argument = format!("topic={topic}");
    let arguments: Vec<String> = arguments
        .iter()
        .chain([&&*topic_argument])
        .map(|argument| (*argument).to_owned())
        .collect();
    let image = images().unwrap().join(board.image);
    let options = MachineOptions { board, image: &image, arguments: &arguments, further };
    Machine::start(run, topic, &options).unwrap()
}

/// Waits for a device's end, and compares what it said with what kcat reads.
fn finish(address: &str, case: Case<'_>, device: Machine) -> Told {
    let told = told(case, device);
    check(address, case, &told);
    told
}

fn check(address: &str, case: Case<'_>, told: &Told) {
    let read = |partition| kcat::read(address, case.topic, partition).unwrap();
    told.check(&(0..PARTITIONS).flat_map(read).collect::<Vec<_>>()).unwrap();
}

/// Waits for a device's end; what it said, with no more stack than it may use.
fn told(case: Case<'_>, device: Machine) -> Told {
    let lines = device.finish().unwrap();
    println!("{}: {}", case.topic, lines.last().map_or("", |line| line));
    let told = Told::read(&lines).unwrap();
    assert!(told.stack <= case.board.stack, "{} bytes of stack", told.stack);
    told
}
