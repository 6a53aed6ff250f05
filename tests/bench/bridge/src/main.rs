//! Load for a bridge: `bridge-load MODE ADDRESS TOPIC TOKEN COUNT`, which prints one line of JSON at its end.
//!
//! | mode | what it does |
//! |---|---|
//! | `idle` | opens `COUNT` WebSockets, says so, and keeps them until its standard input ends |
//! | `direct-even`, `page-even` | `COUNT` records at 1,000 a second, to a broker or through a bridge |
//! | `page` | `COUNT` records as fast as they go, from some pages |
//! | `post` | the same by HTTP, 100 records a request, from some connections |
//!
//! A page is klamm's core over a WebSocket, as in a browser.

mod page;
mod post;
mod wire;

use anyhow::{Context, Result, bail, ensure};
use core::net::SocketAddr;
use core::time::Duration;
use hdrhistogram::Histogram;
use page::Page;
use serde_json::json;
use std::collections::VecDeque;
use std::io::Read;
use std::thread;
use std::time::Instant;
use wire::Wire;

/// Bytes of a value.
const SIZE: usize = 100;
/// Pages and connections that send at the same time.
const CLIENTS: u64 = 8;
/// Records a second, where they come evenly.
const RATE: u64 = 1_000;
/// Seconds of them that are no part of the measurement.
const WARM: u64 = 2;

/// Where to, and what.
#[derive(Clone, Debug)]
struct Target {
    address: SocketAddr,
    topic: String,
    token: String,
    count: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, address, topic, token, count] = &arguments[..] else {
        bail!("usage: bridge-load MODE ADDRESS TOPIC TOKEN COUNT");
    };
    let target = Target {
        address: address.parse().with_context(|| format!("{address} is no address"))?,
        topic: topic.clone(),
        token: token.clone(),
        count: count.parse().with_context(|| format!("{count} is no number"))?,
    };
    let answer = match mode.as_str() {
        "idle" => idle(&target)?,
        "direct-even" => even(&target, Wire::direct(target.address))?,
        "page-even" => even(&target, Wire::bridged(target.address, &target.token))?,
        "page" => together(&target, page)?,
        "post" => together(&target, post::post)?,
        other => bail!("no mode is called {other}"),
    };
    println!("{answer}");
    Ok(())
}

fn idle(target: &Target) -> Result<serde_json::Value> {
    let wire = Wire::bridged(target.address, &target.token);
    let mut open = Vec::new();
    for _ in 0..target.count {
        let mut connection = wire.connect("bootstrap")?;
        // Whoever is idle has been busy: buffers have been used.
        connection.say_hello()?;
        open.push(connection);
    }
    println!("open");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    for mut connection in open {
        connection.say_hello().context("an idle WebSocket was closed")?;
    }
    Ok(json!({ "acked": 0, "seconds": 0.0 }))
}

/// Latency from the moment at which a record was due to its outcome.
fn even(target: &Target, wire: Wire) -> Result<serde_json::Value> {
    let mut page = Page::new(&target.topic, wire, 0)?;
    let mut latencies = Histogram::<u64>::new_with_bounds(1, 3_600_000_000, 3)?;
    let mut due = VecDeque::new();
    let (mut sent, mut told) = (0, 0);
    let warm = WARM * RATE;
    let begin = Instant::now();
    while told < target.count + warm {
        let next = begin + Duration::from_micros(sent * 1_000_000 / RATE);
        if sent < target.count + warm && Instant::now() >= next {
            ensure!(page.send(0, &[b'v'; SIZE])?, "there is no room at {RATE} records a second");
            due.push_back(next);
            sent += 1;
        }
        for _ in 0..page.turn()? {
            let at = due.pop_front().context("more outcomes than records")?;
            told += 1;
            if told > warm {
                latencies.record(u64::try_from(at.elapsed().as_micros())?)?;
            }
        }
    }
    let latency = [0.5, 0.99, 0.999, 1.0].map(|quantile| latencies.value_at_quantile(quantile));
    let seconds = begin.elapsed().as_secs_f64();
    Ok(json!({ "acked": told, "seconds": seconds, "latency_us": latency }))
}

/// All clients at once, each with its part of the records.
fn together(target: &Target, run: fn(&Target) -> Result<()>) -> Result<serde_json::Value> {
    let begin = Instant::now();
    let each = Target { count: target.count / CLIENTS, ..target.clone() };
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let each = each.clone();
            thread::spawn(move || run(&each))
        })
        .collect();
    for client in clients {
        client.join().ok().context("a client panicked")??;
    }
    let seconds = begin.elapsed().as_secs_f64();
    Ok(json!({ "acked": each.count * CLIENTS, "seconds": seconds }))
}

fn page(target: &Target) -> Result<()> {
    let wire = Wire::bridged(target.address, &target.token);
    let mut page = Page::new(&target.topic, wire, 5)?;
    let (mut sent, mut told) = (0, 0);
    while told < target.count {
        // A different partition for every batch or so, as the sticky partitioner.
        let partition = i32::try_from(sent / 140 % 6)?;
        while sent < target.count && page.send(partition, &[b'v'; SIZE])? {
            sent += 1;
            if sent % 140 == 0 {
                break;
            }
        }
        told += page.turn()?;
    }
    Ok(())
}
