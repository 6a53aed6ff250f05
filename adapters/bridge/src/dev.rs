//! `--dev`: a broker in the process, and tokens for whoever asks. Not for the open network.

use core::net::{Ipv4Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use klamm_sim::cluster::Cluster;
use klamm_sim::dev_broker::{DevBroker, Options};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use crate::clock::Clock;
use crate::config::{Config, KeyConfig, Secret};

/// What the demo writes to.
pub(crate) const TOPICS: &[&str] = &["demo", "readings"];
const PARTITIONS: i32 = 6;
/// Records that are read at once.
const LOG_PART: usize = 1_000;
/// The demo is looked at, not kept.
const RETENTION: u64 = 16 << 20;

/// The broker, and the key of the tokens.
#[derive(Debug)]
pub(crate) struct Dev {
    broker: DevBroker,
    audience: String,
    key: Secret,
}

impl Dev {
    /// Starts the broker, and fills the configuration in so that the bridge uses it, and pages from
    /// its own port are let in.
    pub(crate) fn start(config: &mut Config, port: u16) -> Result<Self, String> {
        let broker = DevBroker::start(Options {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            topics: TOPICS.iter().map(|topic| ((*topic).to_owned(), PARTITIONS)).collect(),
            retention_bytes: Some(RETENTION),
            ..Options::default()
        })
        .map_err(|error| format!("cannot start the dev broker: {error}"))?;
        config.kafka.bootstrap = vec![broker.address().to_string()];
        config.kafka.tls = false;
        config.kafka.sasl = String::new();
        let key = Secret::new(random(32)?);
        config.auth.keys.push(KeyConfig {
            algorithm: "HS256".to_owned(),
            secret: key.clone(),
            ..KeyConfig::default()
        });
        config.auth.allow_no_origin = true;
        for host in ["localhost", "127.0.0.1", "[::1]"] {
            let scheme = if config.tls.certificate.is_empty() { "http" } else { "https" };
            config.auth.origins.push(format!("{scheme}://{host}:{port}"));
        }
        Ok(Self { broker, audience: config.auth.audience.clone(), key })
    }

    /// A token for the demo's topics: for whoever the page says it is, so that one with a new token keeps its producer id.
    /// Without a name, for somebody new.
    pub(crate) fn token(&self, name: Option<&str>, clock: &Clock, lifetime_s: u64) -> String {
        let name = name.map_or_else(|| random(9).unwrap_or_default(), str::to_owned);
        let subject = format!("dev-{name}");
        let claims = json!({
            "sub": subject,
            "aud": self.audience,
            "exp": clock.now_s() + lifetime_s,
            "topics": TOPICS,
        });
        sign(&claims.to_string(), self.key.expose().as_bytes())
    }
}

/// The broker's switch and its logs, for the demo page.
impl Dev {
    /// Stops the broker, or starts it with the logs it had. It may be so already.
    pub(crate) fn power(&self, on: bool) {
        self.broker.with(|cluster, now| {
            for node in cluster.node_ids().collect::<Vec<_>>() {
                let _ = if on { cluster.start(node, now) } else { cluster.kill(node, now) };
            }
        });
    }

    /// Is the broker running?
    fn is_on(cluster: &Cluster) -> bool {
        cluster.node_ids().all(|node| cluster.is_up(node))
    }

    /// A part of a partition's log from `offset` on, as JSON, and where the log ends. `None`: there is no such partition.
    pub(crate) fn log(&self, topic: &str, partition: i32, offset: i64) -> Option<String> {
        self.broker.with(|cluster, _| {
            let end = cluster.high_watermark(topic, partition)?;
            let records = cluster.log_from(topic, partition, offset);
            let records = records.take_while(|record| record.offset < end).take(LOG_PART);
            let records: Vec<_> = records
                .map(|record| {
                    json!({
                        "offset": record.offset,
                        "epoch": record.producer_epoch,
                        "sequence": record.sequence,
                        "batch": record.batch,
                        "value": record.value.map(|value| String::from_utf8_lossy(&value).into_owned()),
                    })
                })
                .collect();
            Some(json!({ "end": end, "records": records, "on": Self::is_on(cluster) }).to_string())
        })
    }
}

fn sign(claims: &str, key: &[u8]) -> String {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn random(bytes: usize) -> Result<String, String> {
    let mut random = vec![0; bytes];
    SystemRandom::new().fill(&mut random).map_err(|_| "no random numbers".to_owned())?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}
