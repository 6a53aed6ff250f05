//! A bridge, a broker, and tokens.

use core::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use klamm_bridge::{Bridge, Clock, Config, KeyConfig, Secret};
use klamm_sim::dev_broker::{DevBroker, Options};
use ring::hmac;
use serde_json::{Value, json};

pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";
pub(crate) const ORIGIN: &str = "https://page.example";
pub(crate) const TOPIC: &str = "events";
pub(crate) const PARTITIONS: i32 = 3;

/// A bridge in front of a broker with the topics `events` and `secret`.
pub(crate) struct Rig {
    pub(crate) bridge: Bridge,
    pub(crate) broker: DevBroker,
    pub(crate) clock: Clock,
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let broker = broker();
        let clock = Clock::default();
        let mut config = config(broker.address());
        change(&mut config);
        let bridge = Bridge::start(config, false, clock.clone()).await.expect("bridge");
        Self { bridge, broker, clock }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.bridge.address()
    }

    /// Values of all records of a topic, in the order of their partitions and offsets.
    pub(crate) fn log(&self, topic: &str) -> Vec<Vec<String>> {
        log(&self.broker, topic)
    }
}

pub(crate) fn broker() -> DevBroker {
    DevBroker::start(Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        topics: vec![(TOPIC.to_owned(), PARTITIONS), ("secret".to_owned(), 1)],
        auto_create_partitions: None,
        ..Options::default()
    })
    .expect("broker")
}

pub(crate) fn log(broker: &DevBroker, topic: &str) -> Vec<Vec<String>> {
    let text = |value: Option<bytes::Bytes>| {
        String::from_utf8(value.unwrap_or_default().to_vec()).expect("text")
    };
    broker.with(|cluster, _| {
        let partitions = 0..cluster.partitions(topic);
        partitions
            .map(|partition| {
                cluster.log(topic, partition).map(|record| text(record.value)).collect()
            })
            .collect()
    })
}

pub(crate) fn config(broker: SocketAddr) -> Config {
    let mut config = Config { listen: "127.0.0.1:0".to_owned(), ..Config::default() };
    config.kafka.bootstrap = vec![broker.to_string()];
    config.auth.origins = vec![ORIGIN.to_owned()];
    config.auth.keys = vec![KeyConfig {
        algorithm: "HS256".to_owned(),
        secret: Secret::new(SECRET.to_owned()),
        ..KeyConfig::default()
    }];
    config
}

pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("time").as_secs()
}

/// What a good token says.
pub(crate) fn claims() -> Value {
    json!({
        "sub": "alice",
        "aud": "klamm-bridge",
        "exp": now_s() + 600,
        "topics": [TOPIC],
    })
}

pub(crate) fn token() -> String {
    token_of(&claims())
}

pub(crate) fn token_of(claims: &Value) -> String {
    signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, SECRET.as_bytes())
}

/// A token of this head, signed by HMAC whatever the head says.
pub(crate) fn signed(head: &Value, claims: &Value, secret: &[u8]) -> String {
    let body = unsigned(head, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(tag))
}

pub(crate) fn unsigned(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(head), part(claims))
}
