//! Brokers, topics and turns.

use crate::clients::{Answer, Client, KLAMM, Running};
use crate::counting::Counting;
use crate::prepare::Programs;
use crate::results::{Row, Rows, figure};
use crate::{Args, values};
use anyhow::{Context, Result, ensure};
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::run_dir::RunDir;
use klamm_interop::wait_until;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Segments of deleted topics go at once: memory is what the next run needs.
const PROPERTIES: &[(&str, &str)] = &[("log.segment.delete.delay.ms", "500")];
const PROPERTIES_OF_THREE: &[(&str, &str)] =
    &[("log.segment.delete.delay.ms", "500"), ("min.insync.replicas", "2")];

/// Kafka refuses to make 10,000 partitions with one request.
const AT_ONCE: u32 = 2_500;

/// What a producer is asked to do; its own defaults hold for the rest.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    pub(crate) records: u64,
    pub(crate) warmup: u64,
    pub(crate) size: u64,
    pub(crate) partitions: u32,
    /// `name=value` arguments beyond these.
    pub(crate) more: Vec<(&'static str, String)>,
}

impl Work {
    /// With a tenth of the records in front, to warm up.
    pub(crate) fn new(records: u64, size: u64, partitions: u32) -> Self {
        Self { records, warmup: records / 10, size, partitions, more: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.more.push((name, value.to_string()));
        self
    }
}

/// All that cases work with.
#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) args: &'a Args,
    pub(crate) programs: Programs,
    pub(crate) run: &'a RunDir,
    cluster: Option<Brokers>,
    /// In front of the single node, under the addresses of its second listener.
    pub(crate) counting: Counting,
    clusters: u32,
    topics: u32,
    /// Of 10,000 partitions, which nobody makes twice.
    pub(crate) standing_topic: Option<String>,
    /// Files of values, by size.
    values: BTreeMap<u64, PathBuf>,
    /// By client.
    pub(crate) versions: BTreeMap<&'static str, String>,
}

#[derive(Debug)]
struct Brokers {
    nodes: u16,
    cluster: Cluster,
    dir: RunDir,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(args: &'a Args, programs: Programs, run: &'a RunDir) -> Result<Self> {
        Ok(Self {
            args,
            programs,
            run,
            cluster: None,
            counting: Counting::start()?,
            clusters: 0,
            topics: 0,
            standing_topic: None,
            values: BTreeMap::new(),
            versions: BTreeMap::new(),
        })
    }

    /// A cluster of so many nodes: the one that runs, if it has as many.
    pub(crate) fn cluster(&mut self, nodes: u16) -> Result<&mut Cluster> {
        if self.cluster.as_ref().is_none_or(|running| running.nodes != nodes) {
            self.stop_cluster();
            self.clusters += 1;
            let dir = RunDir::new(&format!("bench-cluster-{}", self.clusters))?;
            let ports = [self.counting.port()];
            let options = Options {
                nodes,
                one_controller: true,
                advertised_ports: if nodes == 1 { &ports } else { &[] },
                properties: if nodes == 1 { PROPERTIES } else { PROPERTIES_OF_THREE },
                fast: true,
                ..Options::default()
            };
            let mut cluster = Cluster::start(&self.programs.tools, &dir, &options)?;
            if nodes == 1 {
                self.counting.forward_to(cluster.node(1)?.proxied_port());
            }
            self.cluster = Some(Brokers { nodes, cluster, dir });
        }
        Ok(&mut self.cluster.as_mut().context("it was started")?.cluster)
    }

    /// The next case gets brokers that have seen nothing.
    pub(crate) fn stop_cluster(&mut self) {
        self.standing_topic = None;
        if let Some(Brokers { cluster, dir, .. }) = self.cluster.take() {
            drop(cluster);
            dir.done();
        }
    }

    /// A thousandth to see the machinery work.
    pub(crate) fn scaled(&self, records: u64) -> u64 {
        if self.args.quick { (records / 100).max(500) } else { records }
    }

    pub(crate) fn rounds(&self) -> u32 {
        if self.args.quick { 1 } else { self.args.rounds }
    }

    /// Those of the clients that take part: klamm always does.
    pub(crate) fn chosen(&self, clients: &[Client]) -> Vec<Client> {
        let peers = &self.args.peer;
        let chosen = |client: &&Client| {
            client.word() == KLAMM.word()
                || peers.is_empty()
                || peers.iter().any(|peer| peer == client.word())
        };
        clients.iter().filter(chosen).copied().collect()
    }

    /// A topic of its own; all of a cluster's nodes have each partition.
    pub(crate) fn new_topic(&mut self, nodes: u16, partitions: u32) -> Result<String> {
        self.topics += 1;
        let topic = format!("bench-{}", self.topics);
        let cluster = self.cluster(nodes)?;
        let at_once = partitions.min(AT_ONCE);
        cluster.create_topic(&topic, at_once, &[])?;
        let bootstrap = cluster.bootstrap();
        for more in (2 * AT_ONCE..=partitions).step_by(AT_ONCE as usize) {
            cluster.helper.add_partitions(&bootstrap, &topic, more)?;
            cluster.helper.wait_in_sync(&bootstrap, &topic, u32::from(nodes))?;
        }
        Ok(topic)
    }

    pub(crate) fn delete_topic(&mut self, nodes: u16, topic: &str) -> Result<()> {
        let cluster = self.cluster(nodes)?;
        let bootstrap = cluster.bootstrap();
        cluster.helper.drop_topic(&bootstrap, topic)
    }

    /// The number of records that a topic has.
    pub(crate) fn records(&mut self, nodes: u16, topic: &str) -> Result<u64> {
        let cluster = self.cluster(nodes)?;
        let bootstrap = cluster.bootstrap();
        cluster.helper.records(&bootstrap, topic)
    }

    /// The arguments of a producer.
    pub(crate) fn arguments(
        &mut self,
        bootstrap: &str,
        topic: &str,
        work: &Work,
    ) -> Result<Vec<(&'static str, String)>> {
        let values = match self.values.get(&work.size) {
            Some(path) => path.clone(),
            None => {
                let path = self.run.file(&format!("values-{}", work.size));
                values::write(&path, usize::try_from(work.size)?)?;
                self.values.insert(work.size, path.clone());
                path
            }
        };
        let mut arguments = vec![
            ("bootstrap", bootstrap.to_owned()),
            ("topic", topic.to_owned()),
            ("partitions", work.partitions.to_string()),
            ("records", work.records.to_string()),
            ("warmup", work.warmup.to_string()),
            ("size", work.size.to_string()),
            ("values", values.display().to_string()),
        ];
        arguments.extend_from_slice(&work.more);
        Ok(arguments)
    }

    /// Runs one producer to its end, and looks at what the topic has more than the `before` of
    /// earlier runs.
    pub(crate) fn run_one(
        &mut self,
        nodes: u16,
        client: Client,
        topic: &str,
        work: &Work,
        before: u64,
    ) -> Result<Answer> {
        let bootstrap = self.cluster(nodes)?.bootstrap();
        let arguments = self.arguments(&bootstrap, topic, work)?;
        let answer = client.start(&self.programs, self.run.path(), &arguments)?.finish()?;
        self.versions.insert(client.word(), answer.version.clone());
        let stored = self.records(nodes, topic)? - before;
        let said = answer.acked + answer.warmup;
        let name = client.name;
        ensure!(answer.failed == 0, "{name} failed to deliver {} records", answer.failed);
        ensure!(stored == said, "{name} says {said} records, {stored} are in the topic");
        Ok(answer)
    }

    /// Starts all of them at the same time, each with a topic of its own, and returns when each is in
    /// the middle of it.
    pub(crate) fn start_together(
        &mut self,
        nodes: u16,
        clients: &[Client],
        work: &Work,
    ) -> Result<Vec<(Client, String, Running)>> {
        let bootstrap = self.cluster(nodes)?.bootstrap();
        let mut running = Vec::new();
        // Whoever takes long to start comes first.
        for client in clients.iter().rev() {
            let topic = self.new_topic(nodes, work.partitions)?;
            let arguments = self.arguments(&bootstrap, &topic, work)?;
            let process = client.start(&self.programs, self.run.path(), &arguments)?;
            running.push((*client, topic, process));
        }
        for (client, topic, _) in &running {
            wait_until(client.name, || Ok(self.records(nodes, topic)? > work.records / 20))?;
        }
        for (client, _, process) in &mut running {
            ensure!(process.is_at_work()?, "{} was done too early: again", client.name);
        }
        running.reverse();
        Ok(running)
    }

    /// Clients take turns, each time on a topic of its own, and whoever began last time is the last
    /// one this time. The first round warms the brokers up, and is forgotten.
    pub(crate) fn alternate(
        &mut self,
        nodes: u16,
        point: &str,
        turns: &[(Client, Work)],
        figures: fn(&Answer, &mut Row),
    ) -> Result<Rows> {
        let mut rows: Vec<_> = turns.iter().map(|(it, _)| Row::new(point, it.name)).collect();
        let first = u32::from(self.args.quick);
        for round in first..=self.rounds() {
            let mut order: Vec<usize> = (0..turns.len()).collect();
            order.rotate_left(round as usize % turns.len().max(1));
            for turn in order {
                let (client, work) = &turns[turn];
                let topic = self.new_topic(nodes, work.partitions)?;
                let answer = self.run_one(nodes, *client, &topic, work, 0)?;
                self.delete_topic(nodes, &topic)?;
                if round > 0 {
                    figures(&answer, &mut rows[turn]);
                }
                say(point, round, client.name, &answer);
            }
        }
        Ok(Rows(rows))
    }
}

/// What of an answer is about throughput.
pub(crate) fn throughput(answer: &Answer, row: &mut Row) {
    row.push(figure::RATE, answer.per_second());
    row.push(figure::CPU, answer.cpu_per_million());
    row.push(figure::RSS, answer.rss_mib());
}

/// What of an answer is about latency.
pub(crate) fn latency(answer: &Answer, row: &mut Row) {
    let names = [figure::P50, figure::P99, figure::P999, figure::MAX];
    for (name, micros) in names.into_iter().zip(answer.latency_us) {
        row.push(name, micros as f64 / 1e3);
    }
    row.push(figure::CPU, answer.cpu_per_million());
}

/// One line a run, for whoever watches.
pub(crate) fn say(point: &str, round: u32, client: &str, answer: &Answer) {
    let [p50, p99, ..] = answer.latency_us.map(|micros| micros as f64 / 1e3);
    let latency = if p50 > 0.0 { format!(", p50 {p50:.2} ms, p99 {p99:.2} ms") } else { "".into() };
    eprintln!(
        "  {point} round {round}, {client}: {:.0} records/s, {:.3} CPU s/M, {:.0} MiB{latency}",
        answer.per_second(),
        answer.cpu_per_million(),
        answer.rss_mib(),
    );
}
