//! S22: many pages that send as much as they can, and a broker that takes nothing: what the bridge
//! keeps is bounded by its budget and a little for each page. Bytes are counted, not time.

#![allow(clippy::unwrap_used, clippy::unwrap_in_result, reason = "in a test a failure is a panic")]
#![allow(dead_code, reason = "the other tests use the rest of these modules")]

#[path = "suite/client.rs"]
mod client;
#[path = "suite/common.rs"]
mod common;
#[path = "suite/records.rs"]
mod records;

use core::net::SocketAddr;
use core::time::Duration;
use std::alloc::System;
use std::sync::Arc;

use cap::Cap;
use kafka_protocol::messages::ApiKey;
use klamm_bridge::{Bridge, Clock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use client::frame;
use common::{ORIGIN, TOPIC, claims, config, token_of};

#[global_allocator]
static ALLOCATED: Cap<System> = Cap::new(System, usize::MAX);

const PAGES: usize = 60;
const BUDGET: usize = 4 << 20;
/// For each page: two messages of 64 KiB, a read buffer, the rest.
const EACH: usize = 192 << 10;
/// Requests that are being looked at, of which there are copies for a moment; the test's own.
const SLACK: usize = 12 << 20;
/// A socket that took nothing for so long is full.
const FULL: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_takes_nothing_does_not_fill_the_memory() {
    let mut config = config(stalled_broker().await);
    config.limits.requests_in_flight = BUDGET;
    config.limits.per_subject = 0;
    config.limits.bytes_per_s = 0;
    let bridge = Bridge::start(config, false, Clock::default()).await.expect("bridge");
    let flood = Arc::new(messages(&large_request()));
    let before = ALLOCATED.allocated();
    let pages = (0..PAGES).map(|_| tokio::spawn(page(bridge.address(), Arc::clone(&flood))));
    let mut sent = 0;
    let mut open = Vec::new();
    for page in pages.collect::<Vec<_>>() {
        let (bytes, socket) = page.await.unwrap();
        sent += bytes;
        open.push(socket);
    }
    let most = ALLOCATED.max_allocated() - before;
    let bound = BUDGET + PAGES * EACH + SLACK;
    assert!(most <= bound, "{most} bytes, more than {bound}");
    // They could have filled far more than that.
    assert!(flood.len() * PAGES > 2 * bound, "{} x {PAGES}", flood.len());
    assert!(sent > BUDGET, "only {sent} bytes were sent");
}

/// Answers ApiVersions, and reads nothing more.
async fn stalled_broker() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let Ok(length) = socket.read_i32().await else { continue };
            let mut request = vec![0; usize::try_from(length).unwrap()];
            if socket.read_exact(&mut request).await.is_err() {
                continue;
            }
            let mut answer = vec![0, 0, 0, 34];
            answer.extend_from_slice(&request[4..8]);
            answer.extend_from_slice(&[0, 0, 0, 0, 0, 4]);
            for (key, most) in [(0_u8, 12_u8), (3, 9), (18, 3), (22, 4)] {
                answer.extend_from_slice(&[0, key, 0, 0, 0, most]);
            }
            if socket.write_all(&answer).await.is_ok() {
                kept.push(socket);
            }
        }
    });
    address
}

/// Produce of nearly a mebibyte.
fn large_request() -> Vec<u8> {
    let value = "v".repeat(1_000_000);
    frame(ApiKey::Produce, 9, 1, &records::request(TOPIC, -1, 0, &value))
}

/// Several of them in WebSocket messages, masked with zeros, so that all pages share these bytes.
fn messages(request: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in request.repeat(16).chunks(60_000) {
        let length = u16::try_from(piece.len()).unwrap().to_be_bytes();
        all.extend_from_slice(&[0x82, 0xfe, length[0], length[1], 0, 0, 0, 0]);
        all.extend_from_slice(piece);
    }
    all
}

/// Sends until nothing more is taken: how much that was.
async fn page(address: SocketAddr, flood: Arc<Vec<u8>>) -> (usize, TcpStream) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let token = token_of(&claims());
    let hello = format!(
        "GET /v1/kafka/bootstrap HTTP/1.1\r\nhost: bridge\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: {ORIGIN}\r\n\
         sec-websocket-protocol: klamm.v1, bearer.{token}\r\n\r\n"
    );
    socket.write_all(hello.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
    let mut sent = 0;
    while sent < flood.len() {
        match timeout(FULL, socket.write(&flood[sent..])).await {
            Ok(written) => sent += written.unwrap(),
            Err(_) => break,
        }
    }
    (sent, socket)
}
