//! S20, S21, S22: floods, and clients that are slow.

use core::net::SocketAddr;
use core::time::Duration;

use futures_util::SinkExt;
use kafka_protocol::messages::{ApiKey, MetadataRequest};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use crate::client::{Client, SOON, frame, hello, http, protocols};
use crate::common::{ORIGIN, Rig, TOPIC, claims, token, token_of};
use crate::records::{gzipped, request};

#[tokio::test]
async fn a_message_or_request_above_the_limit_closes() {
    let rig = Rig::start().await;
    let mut page = Client::open(rig.address()).await;
    // It may be closed before all of it is written.
    let _ = page.send(vec![0; 65_537]).await;
    assert!([1006, 1009].contains(&page.closed().await.code));
    let mut page = Client::open(rig.address()).await;
    page.send((2_i32 << 20).to_be_bytes().to_vec()).await.unwrap();
    assert_eq!(page.closed().await.code, 1009);
}

#[tokio::test]
async fn a_flood_of_empty_fragments_is_cut_off() {
    let rig = Rig::with(|config| config.limits.ping_s = 1).await;
    let mut page = Client::open(rig.address()).await;
    let fragment = |opcode| Frame::message(Vec::new(), OpCode::Data(opcode), false);
    let flood = async {
        page.socket.send(Message::Frame(fragment(Data::Binary))).await?;
        loop {
            page.socket.send(Message::Frame(fragment(Data::Continue))).await?;
        }
    };
    let ended: Result<Result<(), Error>, _> = timeout(SOON, flood).await;
    assert!(ended.expect("it ends").is_err());
}

#[tokio::test]
async fn heads_that_are_too_large_or_too_slow_are_not_waited_for() {
    let rig = Rig::with(|config| config.limits.handshake_s = 1).await;
    let many: String = (0..2_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let answer = http(rig.address(), &format!("GET / HTTP/1.1\r\nhost: b\r\n{many}\r\n")).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let long = "y".repeat(20_000);
    let answer = http(rig.address(), &format!("GET / HTTP/1.1\r\nx: {long}\r\n\r\n")).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    for beginning in ["", "GET / HTTP/1.1\r\nhost:"] {
        let mut slow = TcpStream::connect(rig.address()).await.unwrap();
        slow.write_all(beginning.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        timeout(SOON, slow.read_to_end(&mut rest)).await.expect("it ends").unwrap();
    }
}

#[tokio::test]
async fn a_page_that_says_nothing_or_drips_is_let_go() {
    let rig = Rig::with(|config| {
        (config.limits.ping_s, config.limits.idle_s, config.limits.stall_s) = (1, 3, 2);
    })
    .await;
    // One that does not even answer pings: nobody polls it.
    let silent = Client::open(rig.address()).await;
    // One that answers pings, and never gets to the end of a request.
    let mut dripping = Client::open(rig.address()).await;
    dripping.send(vec![0, 0, 1, 0, 0]).await.unwrap();
    assert_eq!(dripping.closed().await.code, 4408);
    let end = websockets_are(&rig, 0).await;
    assert!(end, "{silent:?}", silent = silent.response);
}

async fn websockets_are(rig: &Rig, count: usize) -> bool {
    let line = format!("klamm_bridge_websockets {count}\n");
    for _ in 0..2_400 {
        if crate::client::get(rig.address(), "/metrics").await.contains(&line) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

#[tokio::test]
async fn connections_are_counted_by_address_and_subject() {
    let rig = Rig::with(|config| {
        (config.limits.per_address, config.limits.per_subject) = (4, 2);
    })
    .await;
    let open = |subject: &str| {
        let mut claims = claims();
        claims["sub"] = json!(subject);
        let protocols = protocols(&token_of(&claims));
        let address: SocketAddr = rig.address();
        async move {
            let headers = [("origin", ORIGIN)];
            Client::connect(address, "bootstrap", &headers, &protocols).await
        }
    };
    let _alice = (open("alice").await.unwrap(), open("alice").await.unwrap());
    let third = open("alice").await;
    assert!(matches!(third, Err(Error::Http(answer)) if answer.status() == 429));
    let _bob = open("bob").await.unwrap();
    let mut kept = Vec::new();
    let mut refused = 0;
    for number in 0..5 {
        match open(&number.to_string()).await {
            Ok(client) => kept.push(client),
            Err(_) => refused += 1,
        }
    }
    assert!(kept.len() <= 1, "{}", kept.len());
    assert!(refused >= 4);
}

#[tokio::test]
async fn a_page_that_does_not_read_is_not_read_from() {
    let rig = Rig::with(|config| config.limits.stall_s = 2).await;
    let mut page = Client::open_with(rig.address(), &token()).await;
    let ask = frame(ApiKey::Metadata, 9, 1, &MetadataRequest::default().with_topics(None));
    let many = ask.repeat(200);
    let flood = async {
        loop {
            page.send(many.clone()).await?;
        }
    };
    // It neither takes everything for ever, nor keeps the connection.
    let ended: Result<Result<(), Error>, _> = timeout(4 * SOON, flood).await;
    assert!(ended.expect("it ends").is_err());
    let mut other = Client::open(rig.address()).await;
    other.send(hello()).await.unwrap();
    other.answer().await.expect("others are served");
}

#[tokio::test]
async fn a_rate_is_kept_by_waiting_and_nothing_is_dropped() {
    let rig = Rig::with(|config| config.limits.bytes_per_s = 20_000).await;
    let mut page = Client::open(rig.address()).await;
    let requests = 40;
    let piece = hello().repeat(50);
    for _ in 0..requests {
        page.send(piece.clone()).await.unwrap();
    }
    for _ in 0..requests * 50 {
        page.answer().await.expect("an answer");
    }
}

/// How long it takes until this page is heard again after `request`, and that it is.
async fn heard_again_after(page: &mut Client, request: Vec<u8>) -> Duration {
    let begin = Instant::now();
    page.send(request).await.unwrap();
    page.answer().await.expect("taken");
    page.send(hello()).await.unwrap();
    page.answer().await.expect("heard");
    begin.elapsed()
}

#[tokio::test]
async fn a_token_may_say_less_than_the_configured_rate() {
    let rig = Rig::start().await;
    let mut slow = claims();
    slow["records_per_s"] = json!(10);
    let mut page = Client::open_with(rig.address(), &token_of(&slow)).await;
    let mut passed = Duration::ZERO;
    for _ in 0..25 {
        let request = frame(ApiKey::Produce, 9, 1, &request(TOPIC, -1, 0, "v"));
        passed += heard_again_after(&mut page, request).await;
    }
    // The first second's are free.
    assert!(passed >= Duration::from_millis(1_400), "{passed:?}");
}

/// S22: brokers keep every producer id for a day, and the bridge whose it is.
#[tokio::test]
async fn producer_ids_are_not_for_the_asking() {
    let rig = Rig::start().await;
    let mut page = Client::open(rig.address()).await;
    let begin = Instant::now();
    // The first second's are free.
    for _ in 0..45 {
        page.producer_id().await;
    }
    assert!(begin.elapsed() >= Duration::from_millis(1_100), "{:?}", begin.elapsed());
}

/// S19: what is hardly anything on the wire, and much when it is decompressed.
#[tokio::test]
async fn decompression_is_paid_for() {
    let rig = Rig::with(|config| config.limits.bytes_per_s = 20_000).await;
    let mut page = Client::open(rig.address()).await;
    let bomb = gzipped(request(TOPIC, -1, 0, &"0".repeat(800_000)));
    let bomb = frame(ApiKey::Produce, 9, 1, &bomb);
    assert!(bomb.len() < 2_000, "{}", bomb.len());
    // A sixteenth of it, less a second's worth.
    let wait = heard_again_after(&mut page, bomb).await;
    assert!(wait >= Duration::from_secs(1), "{wait:?}");
}
