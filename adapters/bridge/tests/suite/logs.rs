//! What is logged: lines of JSON with subjects and reasons, and no secret, whatever the level.

use core::net::SocketAddr;
use std::io::Read;
use std::process::{Child, Command, Stdio};

use futures_util::SinkExt;
use kafka_protocol::messages::{ApiKey, ProduceResponse};
use klamm_sim::dev_broker::nobody;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, frame, http};
use crate::common::{ORIGIN, SECRET, TOPIC, broker, claims, token, token_of};
use crate::records::request;

const TICKETS: &str = "another secret, that tickets are signed with";

async fn start(address: SocketAddr, bootstrap: &str) -> Child {
    let child = Command::new(env!("CARGO_BIN_EXE_klamm-bridge"))
        .args(["--listen", &address.to_string(), "--kafka.bootstrap", bootstrap])
        .args(["--auth.origins", ORIGIN, "--log.level", "trace"])
        .args(["--auth.ticket-secret", TICKETS])
        .env("KLAMM_BRIDGE_AUTH_KEYS", format!("[{{algorithm='HS256', secret='{SECRET}'}}]"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while TcpStream::connect(address).await.is_err() {}
    child
}

/// SIGTERM, and all that was said.
fn end(mut child: Child) -> String {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    said
}

async fn post(address: SocketAddr, token: &str, body: &str) -> String {
    let length = body.len();
    let head = format!(
        "POST /topics/{TOPIC} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\
         content-length: {length}\r\nauthorization: Bearer {token}\r\n\
         idempotency-key: canary-idempotency\r\n\r\n{body}"
    );
    http(address, &head).await
}

#[tokio::test]
async fn lines_are_json_and_have_no_secrets_and_no_values() {
    let broker = broker();
    let address = nobody().unwrap();
    let bridge = start(address, &broker.address().to_string()).await;
    let good = token();
    let mut page = Client::open_with(address, &good).await;
    let id = page.producer_id().await;
    let _: ProduceResponse =
        page.ask(ApiKey::Produce, 9, &request(TOPIC, id, 0, "canary-value")).await;
    let ticket: Value = serde_json::from_str(&page.words[0]).unwrap();
    let ticket = ticket["ticket"].as_str().unwrap().to_owned();
    page.socket.send(Message::Text(json!({ "ticket": ticket }).to_string().into())).await.unwrap();
    // A request that closes, a token that is not good, and one that has ended.
    page.send(frame(ApiKey::Produce, 9, 1, &request("secret", id, 0, "canary-value")))
        .await
        .unwrap();
    page.answer().await.unwrap();
    page.send(b"\0\0\0\x0ccanary-frame".to_vec()).await.unwrap();
    page.closed().await;
    let mut expired = claims();
    expired["exp"] = json!(1);
    let (expired, forged) = (token_of(&expired), format!("{good}x"));
    for bad in [&expired, &forged] {
        Client::open_with(address, bad).await.closed().await;
        assert!(post(address, bad, "{}").await.starts_with("HTTP/1.1 401"));
    }
    let body =
        "{\"key\":\"canary-key\",\"value\":\"canary-value\",\"headers\":{\"h\":\"canary-header\"}}";
    assert!(post(address, &good, body).await.starts_with("HTTP/1.1 200"));
    assert!(post(address, &good, "canary-body").await.starts_with("HTTP/1.1 4"));

    let said = end(bridge);
    let lines: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect();
    let messages: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    for expected in ["listening", "connected", "closed", "going away"] {
        assert!(messages.contains(&expected), "no {expected:?} in {said}");
    }
    assert!(lines.iter().any(|line| line["subject"] == "alice" && line["reason"] == "protocol"));
    let signature = good.rsplit_once('.').unwrap().1;
    for hidden in [SECRET, TICKETS, &good, signature, &expired, &ticket, "canary"] {
        assert!(!said.contains(hidden), "{hidden}: {said}");
    }
}
