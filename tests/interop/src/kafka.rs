//! Apache Kafka on loopback: in `KRaft` mode, or a single node with the `ZooKeeper` of old.

use crate::helper::Helper;
use crate::ports;
use crate::process::Process;
use crate::run_dir::{RunDir, open_log};
use crate::setup::Tools;
use anyhow::{Context, Result, ensure};
use core::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

/// 16 bytes in base64url, the same for every cluster: they never meet.
const CLUSTER_ID: &str = "a2xhbW0taW50ZXJvcC10ZA";

/// Properties of every node. Records with timestamps decades apart stay, and in one segment. A node
/// that was killed is missed soon (the default is 9 s), but not while two slow cores are merely busy.
const PROPERTIES: [(&str, &str); 12] = [
    ("inter.broker.listener.name", "DIRECT"),
    ("auto.create.topics.enable", "false"),
    ("broker.session.timeout.ms", "6000"),
    // A slow start is no failure: the defaults are 60 and 18 s.
    ("initial.broker.registration.timeout.ms", "600000"),
    ("zookeeper.connection.timeout.ms", "600000"),
    ("log.retention.ms", "-1"),
    ("log.roll.ms", "9000000000000000"),
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    ("offsets.topic.num.partitions", "1"),
    ("offsets.topic.replication.factor", "1"),
    ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,DIRECT:PLAINTEXT,PROXIED:PLAINTEXT"),
];

/// What a cluster should be like.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    /// Nodes, 1 or 3.
    pub nodes: u16,
    /// Node 1 alone is a controller, and with it alive the cluster outlives both other nodes. Else
    /// every node is one.
    pub one_controller: bool,
    /// Each node's second listener is advertised under these ports, a proxy's, or with 0 under its
    /// own; empty for none.
    pub advertised_ports: &'a [u16],
    /// The second listener is for guests of QEMU's user network, which see this machine's
    /// loopback as 10.0.2.2; [`Options::advertised_ports`] is empty then.
    pub for_guests: bool,
    /// Further broker properties.
    pub properties: &'a [(&'a str, &'a str)],
    /// For a benchmark: all of Java's compilers, and a gigabyte of heap.
    pub fast: bool,
}

/// One node. Killed when dropped.
#[derive(Debug)]
pub struct Node {
    id: u32,
    port: u16,
    proxied_port: u16,
    properties: PathBuf,
    log_dir: PathBuf,
    messages: PathBuf,
    tools: Tools,
    fast: bool,
    process: Option<Process>,
}

impl Node {
    /// `host:port` of the ordinary listener.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port behind the advertised one of [`Options::advertised_ports`].
    pub fn proxied_port(&self) -> u16 {
        self.proxied_port
    }

    /// `host:port` as guests see it, with [`Options::for_guests`].
    pub fn guest_address(&self) -> String {
        format!("10.0.2.2:{}", self.proxied_port)
    }

    /// The first segment of a partition's log.
    pub fn log_file(&self, topic: &str, partition: u32) -> PathBuf {
        self.log_dir.join(format!("{topic}-{partition}/00000000000000000000.log"))
    }

    /// Starts the node, on the same ports and data as before.
    ///
    /// # Errors
    /// If it runs already or Java does not start.
    pub fn start(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "node {} runs already", self.id);
        let mut java = if self.fast { self.tools.fast_java(1024) } else { self.tools.java(512) };
        java.arg(if self.tools.needs_zookeeper() { "ZooKeeperBroker" } else { "BrokerMain" })
            .arg(&self.properties)
            .arg(CLUSTER_ID)
            .stdin(Stdio::piped())
            .stdout(open_log(&self.messages)?)
            .stderr(open_log(&self.messages)?);
        self.process = Some(Process::start(&format!("Kafka node {}", self.id), &mut java)?);
        Ok(())
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// If it does not run.
    pub fn kill(&mut self) -> Result<()> {
        let what = || format!("node {} does not run", self.id);
        self.process.take().with_context(what)?.kill()
    }

    /// `kill -STOP`, until [`Self::thaw`].
    ///
    /// # Errors
    /// If it does not run.
    pub fn freeze(&self) -> Result<()> {
        self.process.as_ref().with_context(|| format!("node {} does not run", self.id))?.freeze()
    }

    /// `kill -CONT`.
    ///
    /// # Errors
    /// If it does not run.
    pub fn thaw(&self) -> Result<()> {
        self.process.as_ref().with_context(|| format!("node {} does not run", self.id))?.thaw()
    }
}

/// One or three nodes, and Kafka's tools.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    /// Kafka's tools, for this cluster or another broker.
    pub helper: Helper,
}

impl Cluster {
    /// Starts a cluster and waits until all of it is alive. Data and messages are in the run's
    /// folder: `node-N`, `node-N.log`.
    ///
    /// # Errors
    /// If Java does not start or the cluster does not come up.
    pub fn start(tools: &Tools, run: &RunDir, options: &Options<'_>) -> Result<Self> {
        let old = tools.needs_zookeeper();
        ensure!(options.nodes == 1 || !old, "Kafka {} is run as one node only", tools.version);
        let controllers = if options.one_controller || old { 1 } else { options.nodes };
        let controllers: Vec<u16> =
            (0..controllers).map(|_| ports::free()).collect::<Result<_>>()?;
        let mut nodes = Vec::new();
        for id in 1..=u32::from(options.nodes) {
            let mut node = Node {
                id,
                port: ports::free()?,
                proxied_port: ports::free()?,
                properties: run.file(&format!("node-{id}.properties")),
                log_dir: run.file(&format!("node-{id}")),
                messages: run.file(&format!("node-{id}.log")),
                tools: tools.clone(),
                fast: options.fast,
                process: None,
            };
            let text = properties(&node, &controllers, options)?;
            fs::write(&node.properties, text)?;
            node.start()?;
            nodes.push(node);
        }
        let mut cluster = Self { nodes, helper: Helper::start(run)? };
        cluster.wait_until_alive()?;
        Ok(cluster)
    }

    /// `host:port,…` of all nodes.
    pub fn bootstrap(&self) -> String {
        self.nodes.iter().map(Node::address).collect::<Vec<_>>().join(",")
    }

    /// The node with this id (they count from 1).
    ///
    /// # Errors
    /// If there is none.
    pub fn node(&mut self, id: u32) -> Result<&mut Node> {
        let node = self.nodes.iter_mut().find(|node| node.id == id);
        node.with_context(|| format!("no node {id}"))
    }

    /// Waits until every node is a live broker.
    ///
    /// # Errors
    /// If that takes more than [`crate::PATIENCE`].
    pub fn wait_until_alive(&mut self) -> Result<()> {
        self.helper.wait_for_nodes(&self.bootstrap(), self.nodes.len())
    }

    /// See [`Helper::create_topic`].
    ///
    /// # Errors
    /// What the broker says.
    pub fn create_topic(&mut self, topic: &str, partitions: u32, configs: &[&str]) -> Result<()> {
        let replicas = u32::try_from(self.nodes.len())?;
        self.helper.create_topic(&self.bootstrap(), topic, partitions, replicas, configs)
    }
}

fn properties(node: &Node, controllers: &[u16], options: &Options<'_>) -> Result<String> {
    let index = usize::try_from(node.id)? - 1;
    let mut listeners = format!("DIRECT://{}", node.address());
    let mut advertised = listeners.clone();
    if let Some(port) = options.advertised_ports.get(index) {
        let port = if *port == 0 { &node.proxied_port } else { port };
        write!(listeners, ",PROXIED://127.0.0.1:{}", node.proxied_port)?;
        write!(advertised, ",PROXIED://127.0.0.1:{port}")?;
    } else if options.for_guests {
        write!(listeners, ",PROXIED://127.0.0.1:{}", node.proxied_port)?;
        write!(advertised, ",PROXIED://{}", node.guest_address())?;
    }
    let mut text = format!("log.dirs={}\n", node.log_dir.display());
    if node.tools.needs_zookeeper() {
        let zookeeper = controllers.first().context("no port for ZooKeeper")?;
        writeln!(text, "broker.id={}\nzookeeper.connect=127.0.0.1:{zookeeper}", node.id)?;
    } else {
        let voters: Vec<_> =
            (1..).zip(controllers).map(|(id, port)| format!("{id}@127.0.0.1:{port}")).collect();
        writeln!(text, "node.id={}\ncontroller.listener.names=CONTROLLER", node.id)?;
        writeln!(text, "controller.quorum.voters={}", voters.join(","))?;
        if let Some(port) = controllers.get(index) {
            write!(listeners, ",CONTROLLER://127.0.0.1:{port}")?;
            writeln!(text, "process.roles=broker,controller")?;
        } else {
            writeln!(text, "process.roles=broker")?;
        }
    }
    writeln!(text, "listeners={listeners}\nadvertised.listeners={advertised}")?;
    for (name, value) in PROPERTIES.iter().chain(options.properties) {
        writeln!(text, "{name}={value}")?;
    }
    Ok(text)
}
