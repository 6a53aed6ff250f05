//! A Kafka node for tests that are no Rust: `interop-kafka PORT`, where `PORT` is what its second
//! listener is advertised under, a proxy's. It first says where its two listeners are; then come
//! commands on standard input, each answered with `ok`: `topic NAME PARTITIONS`, `kill`, `start`,
//! and `done`, which removes the node's files. It ends with its standard input.

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
    let port = std::env::args().nth(1).context("usage: interop-kafka PORT")?;
    let port = port.parse().with_context(|| format!("{port} is no port"))?;
    let files = RunDir::new("kafka")?;
    let options = Options { nodes: 1, advertised_ports: &[port], ..Options::default() };
    let mut kafka = Cluster::start(tools()?, &files, &options)?;
    let proxied = kafka.node(1)?.proxied_port();
    println!("{} 127.0.0.1:{proxied}", kafka.bootstrap());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["topic", name, partitions] => kafka.create_topic(name, partitions.parse()?, &[])?,
            ["kill"] => kafka.node(1)?.kill()?,
            ["start"] => {
                kafka.node(1)?.start()?;
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
        println!("ok");
    }
    Ok(())
}
