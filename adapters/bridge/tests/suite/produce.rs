//! A page's requests, all the way to the log and back.

use kafka_protocol::messages::{ApiKey, ProduceResponse};
use klamm_bridge::{Bridge, Clock};
use serde_json::{Value, json};

use crate::client::{Client, frame, get, hello};
use crate::common::{Rig, TOPIC, claims, config, token_of};
use crate::records::request;

/// Code and offset of the one partition.
fn outcome(answer: &ProduceResponse) -> (i16, i64) {
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

#[tokio::test]
async fn allowed_topics_are_written_and_others_are_not() {
    let rig = Rig::start().await;
    let mut page = Client::open(rig.address()).await;
    let id = page.producer_id().await;
    let answer = page.ask(ApiKey::Produce, 9, &request(TOPIC, id, 0, "one")).await;
    assert_eq!(outcome(&answer), (0, 0));
    let answer = page.ask(ApiKey::Produce, 9, &request("secret", id, 0, "two")).await;
    assert_eq!(outcome(&answer), (29, -1));
    let answer = page.ask(ApiKey::Produce, 9, &request(TOPIC, id, 1, "three")).await;
    assert_eq!(outcome(&answer), (0, 1));
    assert_eq!(rig.log(TOPIC)[0], ["one", "three"]);
    assert!(rig.log("secret")[0].is_empty());
}

#[tokio::test]
async fn answers_come_in_the_order_of_the_requests_whoever_gives_them() {
    let rig = Rig::start().await;
    let mut page = Client::open(rig.address()).await;
    let id = page.producer_id().await;
    let mut all = Vec::new();
    for number in 0..40 {
        let topic = if number % 2 == 0 { TOPIC } else { "secret" };
        let body = request(topic, id, number / 2, &number.to_string());
        all.extend(frame(ApiKey::Produce, 9, number, &body));
    }
    // Cut anywhere but where requests end.
    for piece in all.chunks(777) {
        page.send(piece.to_vec()).await.unwrap();
    }
    for number in 0..40 {
        let answer = page.answer().await.expect("an answer");
        assert_eq!(answer[..4], i32::to_be_bytes(number));
    }
    let expected: Vec<String> = (0..20).map(|n| (2 * n).to_string()).collect();
    assert_eq!(rig.log(TOPIC)[0], expected);
}

#[tokio::test]
async fn a_producer_id_is_its_owners_until_a_ticket_says_so() {
    let rig = Rig::start().await;
    let mut alice = Client::open(rig.address()).await;
    let id = alice.producer_id().await;
    let words: Value = serde_json::from_str(&alice.words[0]).unwrap();
    assert_eq!(words["producer_id"], id.to_string());

    let mut other = claims();
    other["sub"] = json!("bob");
    let mut bob = Client::open_with(rig.address(), &token_of(&other)).await;
    let answer = bob.ask(ApiKey::Produce, 9, &request(TOPIC, id, 0, "forged")).await;
    assert_eq!(outcome(&answer), (31, -1));
    // Alice's ticket is of no use to him.
    let show = json!({ "ticket": words["ticket"] }).to_string();
    let text = |show: &str| tokio_tungstenite::tungstenite::Message::Text(show.to_owned().into());
    futures_util::SinkExt::send(&mut bob.socket, text(&show)).await.unwrap();
    let answer = bob.ask(ApiKey::Produce, 9, &request(TOPIC, id, 0, "forged")).await;
    assert_eq!(outcome(&answer), (31, -1));

    // She comes back to a bridge that has never heard of her.
    let other = config(rig.broker.address());
    let bridge = Bridge::start(other, false, Clock::default()).await.expect("bridge");
    let mut alice = Client::open(bridge.address()).await;
    let answer = alice.ask(ApiKey::Produce, 9, &request(TOPIC, id, 0, "early")).await;
    assert_eq!(outcome(&answer), (31, -1));
    futures_util::SinkExt::send(&mut alice.socket, text(&show)).await.unwrap();
    let answer = alice.ask(ApiKey::Produce, 9, &request(TOPIC, id, 0, "back")).await;
    assert_eq!(outcome(&answer), (0, 0));
    assert_eq!(rig.log(TOPIC)[0], ["back"]);
}

#[tokio::test]
async fn tickets_are_for_their_ids_and_not_for_any_number_of_them() {
    let rig = Rig::start().await;
    let mut page = Client::open(rig.address()).await;
    let mut ids = Vec::new();
    for _ in 0..65 {
        ids.push(page.producer_id().await);
    }
    let tickets = page.words.iter().map(|words| {
        let words: Value = serde_json::from_str(words).unwrap();
        json!({ "ticket": words["ticket"] }).to_string()
    });
    let other = config(rig.broker.address());
    let bridge = Bridge::start(other, false, Clock::default()).await.expect("bridge");
    let mut page = Client::open(bridge.address()).await;
    for ticket in tickets {
        let words = tokio_tungstenite::tungstenite::Message::Text(ticket.into());
        futures_util::SinkExt::send(&mut page.socket, words).await.unwrap();
    }
    for (id, code) in [(ids[0], 0), (ids[63], 0), (ids[64], 31), (ids[64] + 1, 31)] {
        let answer = page.ask(ApiKey::Produce, 9, &request(TOPIC, id, 0, "v")).await;
        assert_eq!(outcome(&answer).0, code, "{id}");
    }
}

#[tokio::test]
async fn who_does_not_know_tickets_is_not_told_of_them() {
    let rig = Rig::start().await;
    let protocols = format!("klamm.v1, bearer.{}", token_of(&claims()));
    let headers = [("origin", crate::common::ORIGIN)];
    let mut page = Client::connect(rig.address(), "bootstrap", &headers, &protocols).await.unwrap();
    page.producer_id().await;
    assert!(page.words.is_empty(), "{:?}", page.words);
}

#[tokio::test]
async fn when_the_broker_ends_so_does_the_page() {
    let rig = Rig::start().await;
    let mut page = Client::open(rig.address()).await;
    page.send(hello()).await.unwrap();
    page.answer().await.expect("an answer");
    rig.broker.with(|cluster, _| cluster.cut(0));
    assert_eq!(page.closed().await.code, 4502);
    // And the bridge goes on.
    let mut page = Client::open(rig.address()).await;
    page.send(hello()).await.unwrap();
    page.answer().await.expect("an answer");
}

#[tokio::test]
async fn what_is_no_kafka_closes_with_a_reason() {
    let rig = Rig::start().await;
    for bytes in [&[0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 1, 0][..], &[0xff; 4], &[0, 0, 0, 3, 0, 0, 0]]
    {
        let mut page = Client::open(rig.address()).await;
        page.send(bytes.to_vec()).await.unwrap();
        let closed = page.closed().await;
        assert_eq!(closed.code, 4400, "{bytes:?}");
        assert!(!closed.reason.is_empty());
    }
    let headers = [("origin", crate::common::ORIGIN)];
    let good = crate::client::protocols(&crate::common::token());
    let mut page = Client::connect(rig.address(), "77", &headers, &good).await.unwrap();
    page.send(hello()).await.unwrap();
    assert_eq!(page.closed().await.code, 4404);
}

#[tokio::test]
async fn a_bridge_that_goes_away_answers_first() {
    let rig = Rig::start().await;
    let address = rig.address();
    let mut page = Client::open(address).await;
    let id = page.producer_id().await;
    for number in 0..10 {
        let body = request(TOPIC, id, number, &number.to_string());
        page.send(frame(ApiKey::Produce, 9, number, &body)).await.unwrap();
    }
    page.answer().await.expect("the first answer");
    let Rig { bridge, broker, .. } = rig;
    let ending = tokio::spawn(bridge.shutdown());
    let mut answers = 1;
    let closed = loop {
        match page.answer().await {
            Ok(_) => answers += 1,
            Err(closed) => break closed,
        }
    };
    assert_eq!(closed.code, 1012);
    ending.await.unwrap();
    // What is in the log was answered: nothing is left in doubt.
    assert_eq!(crate::common::log(&broker, TOPIC)[0].len(), answers);
}

#[tokio::test]
async fn operators_see_health_and_numbers_but_no_names() {
    let rig = Rig::start().await;
    let mut page = Client::open(rig.address()).await;
    let id = page.producer_id().await;
    let _: ProduceResponse = page.ask(ApiKey::Produce, 9, &request(TOPIC, id, 0, "canary")).await;
    assert!(get(rig.address(), "/healthz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(rig.address(), "/metrics").await;
    for line in ["klamm_bridge_websockets 1", "klamm_bridge_records_total 1"] {
        assert!(metrics.contains(line), "{metrics}");
    }
    for hidden in [TOPIC, "alice", "canary"] {
        assert!(!metrics.contains(hidden), "{metrics}");
    }
    for path in ["/", "/dev/token", "/index.html", "/v1/kafka/bootstrap/x"] {
        assert!(get(rig.address(), path).await.starts_with("HTTP/1.1 404"), "{path}");
    }
}
