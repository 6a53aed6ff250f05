//! Load for a bridge: `bridge-load MODE BRIDGE BROKER TOPIC TOKEN COUNT`, which prints one line of JSON at its end.
//!
//! | mode | what it does |
//! |---|---|
//! | `idle` | opens `COUNT` WebSockets, says so, and keeps them until its standard input ends |
//! | `even` | `COUNT` records at 1,000 a second through the bridge, and as many to the broker at the same time |
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
    bridge: SocketAddr,
    broker: SocketAddr,
    topic: String,
    token: String,
    count: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, bridge, broker, topic, token, count] = &arguments[..] else {
        bail!("usage: bridge-load MODE BRIDGE BROKER TOPIC TOKEN COUNT");
    };
    let address = |text: &String| text.parse().with_context(|| format!("{text} is no address"));
    let target = Target {
        bridge: address(bridge)?,
        broker: address(broker)?,
        topic: topic.clone(),
        token: token.clone(),
        count: count.parse().with_context(|| format!("{count} is no number"))?,
    };
    let answer = match mode.as_str() {
        "idle" => idle(&target)?,
        "even" => even(&target)?,
        "page" => together(&target, page)?,
        "post" => together(&target, post::post)?,
        other => bail!("no mode is called {other}"),
    };
    println!("{answer}");
    Ok(())
}

fn idle(target: &Target) -> Result<serde_json::Value> {
    let wire = Wire::bridged(target.bridge, &target.token);
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

/// Latency from the moment at which a record was due to its outcome. The two ways take turns in one
/// thread, neither always the first: what holds the broker up, or this program, holds up both.
fn even(target: &Target) -> Result<serde_json::Value> {
    let wires = [Wire::direct(target.broker), Wire::bridged(target.bridge, &target.token)];
    let mut lanes = Vec::new();
    for (partition, wire) in (0..).zip(wires) {
        lanes.push(Lane::new(target, wire, partition)?);
    }
    // In turn: two at the same instant would wait for each other.
    lanes[1].late = Duration::from_micros(500_000 / RATE);
    let begin = Instant::now();
    for first in (0..lanes.len()).cycle() {
        if lanes.iter().all(|lane| lane.told == lane.end) {
            break;
        }
        let (behind, before) = lanes.split_at_mut(first);
        let mut moved = false;
        for lane in before.iter_mut().chain(behind) {
            moved |= lane.turn(begin)?;
        }
        if !moved {
            let sending = lanes.iter().filter(|lane| lane.sent < lane.end);
            let next = sending.map(|lane| lane.next(begin)).min();
            let limit = next.map_or(page::NAP, |next| next - Instant::now().min(next));
            page::wait(lanes.iter().map(|lane| &lane.page), limit)?;
        }
    }
    let told: u64 = lanes.iter().map(|lane| lane.told).sum();
    let quantiles = |lane: &Lane| [0.5, 0.99].map(|of| lane.latencies.value_at_quantile(of));
    let latencies: Vec<_> = lanes.iter().map(quantiles).collect();
    let seconds = begin.elapsed().as_secs_f64();
    Ok(json!({ "acked": told, "seconds": seconds, "latency_us": latencies }))
}

/// Records at an even rate.
struct Lane {
    page: Page,
    partition: i32,
    /// Behind the other lane.
    late: Duration,
    /// When those were due that have no outcome.
    due: VecDeque<Instant>,
    sent: u64,
    told: u64,
    end: u64,
    latencies: Histogram<u64>,
}

impl Lane {
    fn new(target: &Target, wire: Wire, partition: i32) -> Result<Self> {
        Ok(Self {
            page: Page::new(&target.topic, wire, 0)?,
            partition,
            late: Duration::ZERO,
            due: VecDeque::new(),
            sent: 0,
            told: 0,
            end: target.count + WARM * RATE,
            latencies: Histogram::new_with_bounds(1, 3_600_000_000, 3)?,
        })
    }

    /// When the next record falls due.
    fn next(&self, begin: Instant) -> Instant {
        begin + self.late + Duration::from_micros(self.sent * 1_000_000 / RATE)
    }

    fn turn(&mut self, begin: Instant) -> Result<bool> {
        let next = self.next(begin);
        if self.sent < self.end && Instant::now() >= next {
            let is_taken = self.page.send(self.partition, &[b'v'; SIZE])?;
            ensure!(is_taken, "there is no room at {RATE} records a second");
            self.due.push_back(next);
            self.sent += 1;
        }
        let (moved, delivered) = self.page.turn()?;
        for _ in 0..delivered {
            let at = self.due.pop_front().context("more outcomes than records")?;
            self.told += 1;
            if self.told > WARM * RATE {
                self.latencies.record(u64::try_from(at.elapsed().as_micros())?)?;
            }
        }
        Ok(moved)
    }
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
    let wire = Wire::bridged(target.bridge, &target.token);
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
        let (moved, delivered) = page.turn()?;
        told += delivered;
        if !moved {
            thread::sleep(page::NAP);
        }
    }
    Ok(())
}
