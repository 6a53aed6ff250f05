//! `--dev`: tokens for the demo page.

use klamm_bridge::{Bridge, Clock, Config};
use serde_json::Value;

use crate::client::{Client, frame, get, http, protocols};
use crate::records::request;
use kafka_protocol::messages::{ApiKey, ProduceResponse};

const TOPIC: &str = "demo";

async fn token(bridge: &Bridge, query: &str) -> Option<String> {
    let answer = get(bridge.address(), &format!("/dev/token{query}")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let said: Value = serde_json::from_str(body).ok()?;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    Some(said["token"].as_str().unwrap().to_owned())
}

async fn open(bridge: &Bridge, token: &str) -> Client {
    Client::connect(bridge.address(), "bootstrap", &[], &protocols(token)).await.unwrap()
}

#[tokio::test]
async fn a_page_whose_token_ends_gets_another_one_and_keeps_its_producer_id() {
    let clock = Clock::default();
    let config = Config { listen: "127.0.0.1:0".to_owned(), ..Config::default() };
    let bridge = Bridge::start(config, true, clock.clone()).await.unwrap();
    let first = token(&bridge, "?name=page-1").await.unwrap();
    let mut page = open(&bridge, &first).await;
    let id = page.producer_id().await;
    let produce = async |page: &mut Client, sequence| {
        let body = request(TOPIC, id, sequence, "v");
        let answer: ProduceResponse = page.ask(ApiKey::Produce, 9, &body).await;
        answer.responses[0].partition_responses[0].error_code
    };
    assert_eq!(produce(&mut page, 0).await, 0);

    // An hour, and the leeway.
    clock.shift(3_631_000);
    page.send(frame(ApiKey::Produce, 9, 1, &request(TOPIC, id, 1, "v"))).await.unwrap();
    assert_eq!(page.closed().await.code, 4401);
    assert_eq!(open(&bridge, &first).await.closed().await.code, 4401);
    let second = token(&bridge, "?name=page-1").await.unwrap();
    assert_ne!(first, second);
    assert_eq!(produce(&mut open(&bridge, &second).await, 1).await, 0);
    // Of others the id is not.
    for other in ["?name=page-2", ""] {
        let other = token(&bridge, other).await.unwrap();
        assert_eq!(produce(&mut open(&bridge, &other).await, 2).await, 31);
    }
}

#[tokio::test]
async fn pages_of_its_own_address_are_let_in_whatever_the_port_is_and_switch_the_broker() {
    let config = Config { listen: "127.0.0.1:0".to_owned(), ..Config::default() };
    let bridge = Bridge::start(config, true, Clock::default()).await.unwrap();
    let address = bridge.address();
    let port = address.port();
    let good = protocols(&token(&bridge, "").await.unwrap());
    let switch = async |what: &str, origin: &str| {
        let head = format!("POST /dev/broker/{what} HTTP/1.1\r\nhost: b\r\nconnection: close\r\n");
        let answer = http(address, &format!("{head}origin: {origin}\r\n\r\n")).await;
        answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    let is_on = async || {
        let log = get(address, "/dev/log/demo/0").await;
        let said: Value = serde_json::from_str(log.split_once("\r\n\r\n").unwrap().1).unwrap();
        said["on"].as_bool().unwrap()
    };
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let own = format!("http://{host}:{port}");
        let page = Client::connect(address, "bootstrap", &[("origin", &own)], &good).await;
        assert!(page.is_ok(), "{own}");
        assert_eq!(switch("stop", &own).await, 204);
        assert!(!is_on().await);
        assert_eq!(switch("start", &own).await, 204);
        assert!(is_on().await);
    }
    for other in ["http://localhost:1", "https://evil.example", "null"] {
        let page = Client::connect(address, "bootstrap", &[("origin", other)], &good).await;
        assert!(page.is_err(), "{other}");
        assert_eq!(switch("stop", other).await, 403, "{other}");
    }
    assert_eq!(switch("burn", &format!("http://localhost:{port}")).await, 404);
    assert!(is_on().await);
}

#[tokio::test]
async fn a_strange_name_gets_no_token() {
    let config = Config { listen: "127.0.0.1:0".to_owned(), ..Config::default() };
    let bridge = Bridge::start(config, true, Clock::default()).await.unwrap();
    let long = format!("?name={}", "x".repeat(65));
    for query in ["?name=", "?name=a%20b", "?name=a&b", "?subject=a", "?", &long] {
        assert_eq!(token(&bridge, query).await, None, "{query}");
    }
}
