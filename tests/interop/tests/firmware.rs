//! A microcontroller in QEMU writes to Apache Kafka while what can go wrong goes wrong. Everything
//! waits most of the time, so the scenarios run side by side, each with a device and a topic of its
//! own: most on one node, those that kill or move on a cluster of three.

#![allow(clippy::unwrap_used, reason = "in a test a failure is a panic")]

use core::time::Duration;
use klamm_interop::firmware::garbage::Garbage;
use klamm_interop::firmware::images;
use klamm_interop::firmware::ledger::Told;
use klamm_interop::firmware::machine::{BOARDS, Board, Machine, Options as MachineOptions};
use klamm_interop::firmware::wire::{Plan, Wire};
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::process::Process;
use klamm_interop::run_dir::RunDir;
use klamm_interop::{kcat, klamm, ports, setup};
use std::ffi::OsString;
use std::sync::Mutex;
use std::thread;

/// Partitions of a topic where nothing else is said.
const PARTITIONS: u32 = 4;

/// What all devices may have of memory, with the stack as deep as it ever was.
const STACK: u64 = 4_096;

#[test]
fn one_node() {
    let run = RunDir::new("firmware");
    let run = run.unwrap();
    let options = Options {
        nodes: 1,
        for_guests: true,
        // Of 3,000 partitions: each would map 20 MB for its indices.
        properties: &[("log.index.size.max.bytes", "4096")],
        ..Options::default()
    };
    let site = Site::new(&run, Cluster::start(setup::tools().unwrap(), &run, &options).unwrap());
    let scenarios: &[(&str, Scenario)] = &[
        ("ten-thousand", ten_thousand_records),
        ("second-machine", the_second_machine),
        ("link-cut", the_link_is_cut_for_20_seconds),
        ("late", address_and_name_come_late),
        ("garbage", what_answers_is_no_broker),
        ("many", two_of_3000_partitions),
        ("full", the_buffer_is_full_for_a_minute),
        ("reset", reset_in_the_middle),
    ];
    site.run_all(scenarios);
    the_broker_is_killed(&site, ["killed", "killed-c"]);
    drop(site);
    run.done();
}

#[test]
fn three_nodes() {
    let run = RunDir::new("firmware-three").unwrap();
    let options =
        Options { nodes: 3, one_controller: true, for_guests: true, ..Options::default() };
    let site = Site::new(&run, Cluster::start(setup::tools().unwrap(), &run, &options).unwrap());
    leaders_move(&site, "moved");
    drop(site);
    run.done();
}

/// Our own broker for development: what somebody without Kafka tries first.
#[test]
fn dev_broker() {
    let run = RunDir::new("firmware-dev").unwrap();
    let (topic, port) = ("readings", ports::free().unwrap());
    let address = format!("127.0.0.1:{port}");
    let topics = format!("{topic}:{PARTITIONS}");
    let mut command = klamm::command(&["dev-broker", "--listen", &address]).unwrap();
    command.args(["--topic", &topics, "--topic", &format!("c:{PARTITIONS}")]);
    command.stdout(run.log("broker.log").unwrap());
    let broker = Process::start("klamm dev-broker", &mut command).unwrap();
    let bootstrap = format!("bootstrap=10.0.2.2:{port}");
    let device = start(&run, &BOARDS[0], topic, &[&bootstrap, "records=5000"], &[]);
    let in_c = start(&run, &BOARDS[2], "c", &[&bootstrap, "records=5000"], &[]);
    for (topic, device) in [(topic, device), ("c", in_c)] {
        let told = finish(&address, topic, device);
        assert_eq!((told.accepted, told.refused), (5_000, 0));
    }
    drop(broker);
    run.done();
}

/// A scenario with the name of its topic, which is its device's too.
type Scenario = fn(&Site<'_>, &str);

fn ten_thousand_records(site: &Site<'_>, topic: &str) {
    let told = site.finish(topic, site.device(topic, &["records=10000"]));
    assert_eq!((told.accepted, told.retries, told.refused), (10_000, 0, 0));
}

fn the_second_machine(site: &Site<'_>, topic: &str) {
    site.create_topic(topic, PARTITIONS);
    let device = site.start_on(&BOARDS[1], topic, &[&site.bootstrap(), "records=2000"], &[]);
    site.finish(topic, device);
}

fn the_link_is_cut_for_20_seconds(site: &Site<'_>, topic: &str) {
    let mut device = site.device(topic, &["records=5000", "pace_ms=2"]);
    device.wait_for("ack", 20).unwrap();
    device.set_link(false).unwrap();
    thread::sleep(Duration::from_secs(20));
    device.set_link(true).unwrap();
    let told = site.finish(topic, device);
    assert!(told.connects > 1, "the connection outlived it: {told:?}");
}

fn address_and_name_come_late(site: &Site<'_>, topic: &str) {
    let plan = Plan { dhcp_lost: 2, dns_lost: 2, dns_failed: 2, address: [10, 0, 2, 2] };
    let (wire, further) = Wire::listen(site.run, topic, plan).unwrap();
    site.create_topic(topic, PARTITIONS);
    let bootstrap = format!("bootstrap=broker.example:{}", site.port());
    let device = site.start(topic, &[&bootstrap, "records=1000"], &further);
    site.finish(topic, device);
    assert!(wire.dhcp() > plan.dhcp_lost, "{wire:?}");
    assert!(wire.dns() > plan.dns_lost + plan.dns_failed, "{wire:?}");
}

fn what_answers_is_no_broker(site: &Site<'_>, topic: &str) {
    let garbage = Garbage::start(site.port()).unwrap();
    site.create_topic(topic, PARTITIONS);
    let bootstrap = format!("bootstrap=10.0.2.2:{}", garbage.port());
    let device = site.start(topic, &[&bootstrap, "records=1000", "request_ms=1000"], &[]);
    site.finish(topic, device);
    assert!(garbage.connections() > Garbage::CONNECTIONS, "{garbage:?}");
}

fn two_of_3000_partitions(site: &Site<'_>, topic: &str) {
    site.create_topic(topic, 3_000);
    let device = site.start(topic, &[&site.bootstrap(), "records=1000", "sensors=2"], &[]);
    let told = Told::read(&device.finish().unwrap()).unwrap();
    let partitions: Vec<u32> = {
        let mut used: Vec<u32> = told.acks.iter().map(|ack| ack.partition).collect();
        used.sort_unstable();
        used.dedup();
        used
    };
    assert_eq!(partitions.len(), 2, "{partitions:?}");
    let address = site.address();
    let log: Vec<_> =
        partitions.iter().flat_map(|p| kcat::read(&address, topic, *p).unwrap()).collect();
    told.check(&log).unwrap();
}

fn the_buffer_is_full_for_a_minute(site: &Site<'_>, topic: &str) {
    let mut device = site.device(topic, &["records=3000", "pace_ms=5", "drop=1"]);
    device.wait_for("ack", 20).unwrap();
    device.set_link(false).unwrap();
    thread::sleep(Duration::from_secs(60));
    device.set_link(true).unwrap();
    let told = site.finish(topic, device);
    // Of some 12,000 readings made in that minute few found room; QEMU's clock may be slower.
    assert!(told.refused > 1_000, "{told:?}");
}

fn reset_in_the_middle(site: &Site<'_>, topic: &str) {
    let mut device = site.device(topic, &["records=6000", "pace_ms=1"]);
    for boots in 1..=4 {
        device.wait_for("boot", boots).unwrap();
        device.wait_for("ack", 40 * boots).unwrap();
        device.reset().unwrap();
    }
    let told = site.finish(topic, device);
    assert_eq!(told.boots, 5);
    assert!(told.written_off > 0, "every reset found nothing under way: {told:?}");
}

/// Under two devices, the second one in C.
fn the_broker_is_killed(site: &Site<'_>, topics: [&str; 2]) {
    let bootstrap = site.bootstrap();
    let mut devices = [&BOARDS[0], &BOARDS[2]].into_iter().zip(topics).map(|(board, topic)| {
        site.create_topic(topic, PARTITIONS);
        let arguments = [&*bootstrap, "records=6000", "pace_ms=2"];
        (topic, site.start_on(board, topic, &arguments, &[]))
    });
    let mut devices: [(&str, Machine); 2] = core::array::from_fn(|_| devices.next().unwrap());
    for (_, device) in &mut devices {
        device.wait_for("ack", 20).unwrap();
    }
    site.cluster(|cluster| {
        cluster.node(1).unwrap().kill().unwrap();
        thread::sleep(Duration::from_secs(3));
        cluster.node(1).unwrap().start().unwrap();
        cluster.wait_until_alive().unwrap();
    });
    for (topic, device) in devices {
        let told = site.finish(topic, device);
        assert!(told.connects > 1, "the connection outlived it: {told:?}");
    }
}

fn leaders_move(site: &Site<'_>, topic: &str) {
    site.cluster(|cluster| {
        let bootstrap = cluster.bootstrap();
        cluster.helper.create_topic_on(&bootstrap, topic, "2,3;3,2;2,3;3,2", &[]).unwrap();
    });
    let mut device = site.start(topic, &[&site.bootstrap(), "records=12000", "pace_ms=2"], &[]);
    for (acks, brokers) in
        [(40, "1,2;1,3;3,1;2,1"), (80, "3,1;2,1;1,2;1,3"), (120, "2,3;3,2;2,3;3,2")]
    {
        device.wait_for("ack", acks).unwrap();
        site.cluster(|cluster| {
            let bootstrap = cluster.bootstrap();
            cluster.helper.move_topic(&bootstrap, topic, brokers).unwrap();
        });
    }
    let told = site.finish(topic, device);
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
    fn run_all(&self, scenarios: &[(&str, Scenario)]) {
        thread::scope(|scope| {
            for (topic, scenario) in scenarios {
                scope.spawn(move || {
                    scenario(self, topic);
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

    fn address(&self) -> String {
        self.address.clone()
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn bootstrap(&self) -> String {
        format!("bootstrap=10.0.2.2:{}", self.port)
    }

    /// A device on the network, and its topic.
    fn device(&self, topic: &str, arguments: &[&str]) -> Machine {
        self.create_topic(topic, PARTITIONS);
        self.start(topic, &[&[&*self.bootstrap()], arguments].concat(), &[])
    }

    fn start(&self, topic: &str, arguments: &[&str], further: &[OsString]) -> Machine {
        self.start_on(&BOARDS[0], topic, arguments, further)
    }

    fn start_on(
        &self,
        board: &Board,
        topic: &str,
        arguments: &[&str],
        further: &[OsString],
    ) -> Machine {
        start(self.run, board, topic, arguments, further)
    }

    fn finish(&self, topic: &str, device: Machine) -> Told {
        finish(&self.address, topic, device)
    }
}

fn start(
    run: &RunDir,
    board: &Board,
    topic: &str,
    arguments: &[&str],
    further: &[OsString],
) -> Machine {
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
fn finish(address: &str, topic: &str, device: Machine) -> Told {
    let lines = device.finish().unwrap();
    println!("{topic}: {}", lines.last().map_or("", |line| line));
    let told = Told::read(&lines).unwrap();
    let log: Vec<_> = (0..PARTITIONS)
        .flat_map(|partition| kcat::read(address, topic, partition).unwrap())
        .collect();
    told.check(&log).unwrap();
    assert!(told.stack <= STACK, "{} bytes of stack", told.stack);
    told
}
