//! Kafka for tests that are no Rust: `interop-kafka PORT[,PORT,PORT] [NAME=VALUE…]`, one node or three. A `PORT` is what
//! a node's second listener is advertised under, a proxy's, or 0 for its own; names and values are further properties of
//! the nodes. It first says where its listeners are, the ordinary ones and the others; then come commands on standard
//! input, each answered with a line: `topic NAME PARTITIONS`, `user NAME PASSWORD` (for SCRAM), `leader TOPIC PARTITION`,
//! `kill NODE`, `start NODE`, and `done`, which removes the nodes' files. It ends with its standard input.

use anyhow::{Context, Result, bail};
use klamm_interop::kafka::{Cluster, Options};
use klamm_interop::run_dir::RunDir;
use klamm_interop::setup::tools;
use std::io::BufRead;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop-kafka: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let ports = args.next().context("usage: interop-kafka PORT[,PORT,PORT] [NAME=VALUE…]")?;
    let ports: Vec<u16> = ports
        .split(',')
        .map(|port| port.parse().with_context(|| format!("{port} is no port")))
        .collect::<Result<_>>()?;
    let args: Vec<String> = args.collect();
    let properties: Vec<(&str, &str)> = args
        .iter()
        .map(|arg| arg.split_once('=').with_context(|| format!("{arg} is no NAME=VALUE")))
        .collect::<Result<_>>()?;
    let files = RunDir::new("kafka")?;
    let nodes = ports.len().try_into()?;
    let options =
        Options { nodes, advertised_ports: &ports, properties: &properties, ..Options::default() };
    let mut kafka = Cluster::start(tools()?, &files, &options)?;
    let bootstrap = kafka.bootstrap();
    let mut proxied = Vec::new();
    for id in 1..=u32::from(nodes) {
        proxied.push(format!("127.0.0.1:{}", kafka.node(id)?.proxied_port()));
    }
    println!("{bootstrap} {}", proxied.join(","));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut answer = "ok".to_owned();
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["topic", name, partitions] => kafka.create_topic(name, partitions.parse()?, &[])?,
            ["user", name, password] => kafka.helper.create_user(&bootstrap, name, password)?,
            ["leader", topic, partition] => {
                answer = kafka.helper.leader(&bootstrap, topic, partition.parse()?)?.to_string();
            }
            ["kill", node] => kafka.node(node.parse()?)?.kill()?,
            ["start", node] => {
                kafka.node(node.parse()?)?.start()?;
                kafka.wait_until_alive()?;
            }
            ["done"] => {
                drop(kafka);
                files.done();
                println!("ok");
                return Ok(());
            }
            _ => bail!("{line:?} is no command"),
        }
        println!("{answer}");
    }
    Ok(())
}
