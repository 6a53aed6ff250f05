//! `POST /topics/{topic}`.

use core::net::SocketAddr;
use core::time::Duration;

use klamm_sim::cluster::{Api, Fault, Rule};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::client::{SOON, get, http};
use crate::common::{ORIGIN, Rig, TOPIC, claims, now_s, token, token_of};

/// Status and body.
async fn post(address: SocketAddr, topic: &str, headers: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "POST /topics/{topic} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\
         content-length: {length}\r\n{headers}\r\n{body}"
    );
    let answer = http(address, &request).await;
    let status = answer.split(' ').nth(1).expect("a status").parse().expect("a number");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn bearer() -> String {
    format!("authorization: Bearer {}\r\n", token())
}

#[tokio::test]
async fn lines_are_records_and_every_one_has_an_answer() {
    let rig = Rig::start().await;
    let body = "{\"value\":\"a\",\"partition\":1}\n{\"value\":{\"b\":2},\"partition\":1}\n";
    // As curl sends it, if it is told nothing else.
    let headers = format!("{}content-type: application/x-www-form-urlencoded\r\n", bearer());
    let (status, answer) = post(rig.address(), TOPIC, &headers, body).await;
    let expected = json!({ "records": [
        { "partition": 1, "offset": 0 },
        { "partition": 1, "offset": 1 },
    ] });
    assert_eq!((status, answer), (200, expected));
    assert_eq!(rig.log(TOPIC)[1], ["a", "{\"b\":2}"]);
    let headers = format!("{}content-type: application/octet-stream\r\nkafka-key: k\r\n", bearer());
    let (status, _) = post(rig.address(), TOPIC, &headers, "as it is").await;
    assert_eq!(status, 200);
    let all: Vec<String> = rig.log(TOPIC).into_iter().flatten().collect();
    assert!(all.contains(&"as it is".to_owned()));
}

#[tokio::test]
async fn a_beacon_brings_its_token_in_the_first_line() {
    let rig = Rig::start().await;
    let headers = format!("origin: {ORIGIN}\r\ncontent-type: text/plain;charset=UTF-8\r\n");
    let body = format!("bearer {} key-1\n{{\"value\":\"v\",\"partition\":0}}", token());
    for _ in 0..3 {
        let (status, answer) = post(rig.address(), TOPIC, &headers, &body).await;
        assert_eq!((status, &answer["records"][0]["offset"]), (200, &json!(0)));
    }
    // Three times the same key: once in the log.
    assert_eq!(rig.log(TOPIC)[0], ["v"]);
}

#[tokio::test]
async fn the_same_key_is_the_same_answer_and_another_body_is_a_mistake() {
    let rig = Rig::start().await;
    let headers = format!("{}idempotency-key: one\r\n", bearer());
    let body = "{\"value\":\"v\",\"partition\":2}";
    let all = (0..8).map(|_| post(rig.address(), TOPIC, &headers, body));
    for (status, answer) in futures_util::future::join_all(all).await {
        assert_eq!((status, &answer["records"][0]["offset"]), (200, &json!(0)));
    }
    assert_eq!(post(rig.address(), TOPIC, &headers, "{\"value\":\"w\"}").await.0, 422);
    let mut bob = claims();
    bob["sub"] = json!("bob");
    let other = format!("authorization: bearer {}\r\nidempotency-key: one\r\n", token_of(&bob));
    assert_eq!(post(rig.address(), TOPIC, &other, body).await.1["records"][0]["offset"], 1);
    assert_eq!(rig.log(TOPIC)[2], ["v", "v"]);
}

#[tokio::test]
async fn a_key_is_one_topics_and_one_that_stored_nothing_may_try_again() {
    let rig = Rig::with(|config| config.http.delivery_timeout_s = 5).await;
    let mut both = claims();
    both["topics"] = json!([TOPIC, "secret"]);
    let headers = format!("authorization: Bearer {}\r\nidempotency-key: one\r\n", token_of(&both));
    let body = "{\"value\":\"v\",\"partition\":0}";
    for topic in [TOPIC, "secret"] {
        let (status, answer) = post(rig.address(), topic, &headers, body).await;
        assert_eq!((status, &answer["records"][0]["offset"]), (200, &json!(0)), "{topic}");
        assert_eq!(rig.log(topic)[0], ["v"]);
    }
    rig.broker.with(|cluster, now| cluster.kill(0, now)).unwrap();
    let headers = headers.replace("one", "two");
    let (status, answer) = post(rig.address(), TOPIC, &headers, body).await;
    assert_eq!((status, &answer["records"][0]["outcome"]), (502, &json!("not_persisted")));
    rig.broker.with(|cluster, now| cluster.start(0, now)).unwrap();
    let (status, answer) = post(rig.address(), TOPIC, &headers, body).await;
    assert_eq!((status, &answer["records"][0]["offset"]), (200, &json!(1)));
    assert_eq!(rig.log(TOPIC)[0], ["v", "v"]);
}

#[tokio::test]
async fn a_client_that_goes_away_finds_its_answer_when_it_comes_back() {
    let rig = Rig::start().await;
    let headers = format!("{}idempotency-key: one\r\n", bearer());
    let body = "{\"value\":\"v\",\"partition\":0}";
    // The producer has its id; then the broker stores a record and says nothing.
    assert_eq!(post(rig.address(), TOPIC, &bearer(), body).await.0, 200);
    let silence = Rule::once(Api::Produce, Fault::DropResponse);
    rig.broker.with(|cluster, _| cluster.inject(silence));
    let mut impatient = TcpStream::connect(rig.address()).await.unwrap();
    let length = body.len();
    let request = format!(
        "POST /topics/{TOPIC} HTTP/1.1\r\nhost: bridge\r\ncontent-length: {length}\r\n\
         {headers}\r\n{body}"
    );
    impatient.write_all(request.as_bytes()).await.unwrap();
    until("the record is stored", async || rig.log(TOPIC)[0].len() == 2).await;
    drop(impatient);
    // Who asks is a connection, too.
    let alone =
        async || get(rig.address(), "/metrics").await.contains("klamm_bridge_connections 1\n");
    until("the bridge sees its client's end", alone).await;
    rig.broker.with(|cluster, _| cluster.cut(0));
    let (status, answer) = post(rig.address(), TOPIC, &headers, body).await;
    assert_eq!((status, &answer["records"][0]["offset"]), (200, &json!(1)));
    assert_eq!(rig.log(TOPIC)[0], ["v", "v"]);
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, waiting).await.expect(what);
}

#[tokio::test]
async fn times_and_headers_are_by_policy() {
    let rig = Rig::with(|config| {
        config.policy.add_headers = vec!["by={sub}".to_owned()];
        config.policy.remove_headers = vec!["x-*".to_owned()];
    })
    .await;
    let body = "{\"value\":\"v\",\"partition\":0,\
                \"headers\":{\"by\":\"mallory\",\"x-a\":\"1\",\"kept\":\"2\"}}";
    assert_eq!(post(rig.address(), TOPIC, &bearer(), body).await.0, 200);
    let headers = rig.broker.with(|cluster, _| {
        cluster.log(TOPIC, 0).flat_map(|record| record.headers).collect::<Vec<_>>()
    });
    let text = |bytes: &bytes::Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (text(name), text(value.as_ref().unwrap()))).collect();
    let expected = [("kept", "2"), ("by", "alice")];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let later = (now_s() + 3_700) * 1_000;
    let body = format!("{{\"value\":\"v\",\"timestamp\":{later}}}");
    let (status, answer) = post(rig.address(), TOPIC, &bearer(), &body).await;
    assert_eq!((status, &answer["records"][0]["outcome"]), (502, &json!("not_persisted")));
}

#[tokio::test]
async fn where_it_is_switched_off_there_is_no_post() {
    let rig = Rig::with(|config| config.http.enabled = false).await;
    assert_eq!(post(rig.address(), TOPIC, &bearer(), "{\"value\":\"v\"}").await.0, 404);
    let rig = Rig::with(|config| config.http.records = 2).await;
    for (status, records) in [(200, 2), (400, 3)] {
        let body = "{\"value\":\"v\"}\n".repeat(records);
        assert_eq!(post(rig.address(), TOPIC, &bearer(), &body).await.0, status, "{records}");
    }
}

#[tokio::test]
async fn what_may_not_be_posted_is_not() {
    let rig = Rig::start().await;
    let good = "{\"value\":\"v\"}";
    let mut expired = claims();
    expired["exp"] = json!(now_s() - 60);
    let expired = format!("authorization: Bearer {}\r\n", token_of(&expired));
    let evil = format!("{}origin: https://evil.example\r\n", bearer());
    let null = format!("{}origin: null\r\n", bearer());
    let cookie = format!("cookie: token={}\r\n", token());
    let xml = format!("{}content-type: text/xml\r\n", bearer());
    for (status, topic, headers, body) in [
        (401, TOPIC, "", good),
        (401, TOPIC, &*cookie, good),
        (401, TOPIC, &*expired, good),
        (403, TOPIC, &*evil, good),
        (403, TOPIC, &*null, good),
        (403, "secret", &*bearer(), good),
        (403, "%65vents%00", &*bearer(), good),
        (415, TOPIC, &*xml, good),
        (400, TOPIC, &*bearer(), "{"),
        (413, TOPIC, &*bearer(), &*"x".repeat((1 << 20) + 1)),
    ] {
        assert_eq!(post(rig.address(), topic, headers, body).await.0, status, "{topic} {body:.20}");
    }
    assert!(rig.log(TOPIC).into_iter().flatten().next().is_none());
}

/// The beginning of a body of a mebibyte.
async fn begin(address: SocketAddr, headers: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /topics/{TOPIC} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\
         content-length: 1048576\r\n{headers}\r\n{body}"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

async fn status(mut socket: TcpStream) -> u16 {
    let mut head = [0; 12];
    timeout(SOON, socket.read_exact(&mut head)).await.expect("an answer").unwrap();
    str::from_utf8(&head[9..]).unwrap().parse().unwrap()
}

/// S22: whoever has no token takes no room that others need.
#[tokio::test]
async fn a_body_takes_no_room_before_its_token_was_seen() {
    let rig = Rig::with(|config| {
        config.limits.handshake_s = 3_600;
        // One body of the largest size, and not a second one beside it.
        (config.limits.request, config.limits.requests_in_flight) = (1 << 20, 1 << 20);
    })
    .await;
    let mut kept = Vec::new();
    for beginning in ["", "bearer", "bearer x"] {
        kept.push(begin(rig.address(), "", beginning).await);
    }
    for (headers, beginning) in [
        ("", "bearer x\n"),
        ("", "{}\n"),
        ("", &*"x".repeat(9_000)),
        ("authorization: Bearer x\r\n", ""),
    ] {
        assert_eq!(status(begin(rig.address(), headers, beginning).await).await, 401);
    }
    let body = "{\"value\":\"v\"}";
    assert_eq!(post(rig.address(), TOPIC, &bearer(), body).await.0, 200);
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_not_waited_for() {
    let rig = Rig::with(|config| {
        (config.limits.handshake_s, config.limits.stall_s) = (1, 1);
        config.limits.min_bytes_per_s = 1 << 20;
    })
    .await;
    assert_eq!(status(begin(rig.address(), "", "bearer").await).await, 408);
    assert_eq!(status(begin(rig.address(), &bearer(), "{").await).await, 408);
}

#[tokio::test]
async fn bodies_of_one_subject_that_come_slowly_are_counted() {
    let rig = Rig::with(|config| config.limits.per_subject = 2).await;
    let kept =
        [begin(rig.address(), &bearer(), "").await, begin(rig.address(), &bearer(), "").await];
    // Both are waited for by now, or one of these three is in their place.
    let mut refused = 0;
    for _ in 0..3 {
        let more = begin(rig.address(), &bearer(), "").await;
        // Sooner than one that is waited for is given up.
        let soon = Duration::from_secs(20);
        refused += usize::from(timeout(soon, more.readable()).await.is_ok());
    }
    assert!(refused >= 1);
    drop(kept);
}

#[tokio::test]
async fn browsers_are_told_who_may_post() {
    let rig = Rig::start().await;
    let ask = |origin: &str| {
        let request = format!(
            "OPTIONS /topics/{TOPIC} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\
             origin: {origin}\r\naccess-control-request-method: POST\r\n\r\n"
        );
        let address = rig.address();
        async move { http(address, &request).await }
    };
    let allowed = ask(ORIGIN).await;
    assert!(allowed.starts_with("HTTP/1.1 204"), "{allowed}");
    assert!(allowed.contains(&format!("access-control-allow-origin: {ORIGIN}\r\n")), "{allowed}");
    assert!(!allowed.contains("credentials"), "{allowed}");
    let refused = ask("https://evil.example").await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    assert!(!refused.contains("access-control"), "{refused}");
}

#[tokio::test]
async fn who_posts_too_fast_is_told_when_to_come_again() {
    let rig = Rig::with(|config| config.limits.records_per_s = 1).await;
    let body = "{\"value\":\"v\"}\n".repeat(20);
    let request = format!(
        "POST /topics/{TOPIC} HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\n\
         content-length: {}\r\n{}\r\n{body}",
        body.len(),
        bearer()
    );
    let answer = http(rig.address(), &request).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    // Twenty records at one a second, of which the first second is free.
    let line = answer.lines().find_map(|line| line.strip_prefix("retry-after: "));
    let seconds: u64 = line.expect("when to come again").parse().unwrap();
    assert!((15..=21).contains(&seconds), "{seconds}");
    assert!(rig.log(TOPIC).into_iter().flatten().next().is_none());
}
