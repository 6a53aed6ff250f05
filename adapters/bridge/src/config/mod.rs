//! The configuration: one TOML file, every option of it also by environment and by flag.

mod layers;
mod secret;

use serde::{Deserialize, Serialize};

pub use crate::access::keys::KeyConfig;
pub use layers::{Loaded, command, load};
pub use secret::Secret;

/// Everything that can be configured. What is not set has the value of [`Config::default`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where pages connect: `address:port`.
    pub listen: String,
    /// Where `/metrics` is served (and `/healthz` and `/readyz` as well); empty: by `listen`.
    pub admin_listen: String,
    /// TLS for the pages.
    pub tls: TlsConfig,
    /// The brokers.
    pub kafka: KafkaConfig,
    /// Origins, tokens, tickets.
    pub auth: AuthConfig,
    /// What is made of requests.
    pub policy: PolicyConfig,
    /// Bounds.
    pub limits: LimitsConfig,
    /// `POST /topics/{topic}`.
    pub http: HttpConfig,
    /// What is logged.
    pub log: LogConfig,
}

/// TLS for the pages.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsConfig {
    /// A PEM file with the certificate and those that lead to its authority; empty: no TLS.
    pub certificate: String,
    /// A PEM file with its key.
    pub key: String,
}

/// The brokers, and the bridge's credentials there.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaConfig {
    /// Servers to begin with: `host:port`.
    pub bootstrap: Vec<String>,
    /// Further hosts that brokers may have: names, `.suffixes`, or `*`.
    pub hosts: Vec<String>,
    /// Connect with TLS.
    pub tls: bool,
    /// A PEM file with the authorities of the brokers; empty: the system's.
    pub ca: String,
    /// `plain`, `scram-sha-256` or `scram-sha-512`; empty: none.
    pub sasl: String,
    /// The user.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// A file with the password.
    pub password_file: String,
    /// Allows `plain` without TLS.
    pub danger_plain_without_tls: bool,
    /// What brokers are told for a client id.
    pub client_id: String,
    /// Seconds for a connection, TLS and SASL included.
    pub connect_timeout_s: u64,
}

/// Who may connect.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Origins of the pages: `https://example.com`, compared byte by byte.
    pub origins: Vec<String>,
    /// Lets WebSockets in that have no `Origin`: programs, not browsers. They need a token all the same.
    pub allow_no_origin: bool,
    /// What tokens have to have for their audience (`aud`).
    pub audience: String,
    /// How far away a token's end (`exp`) may be, in seconds.
    pub max_lifetime_s: u64,
    /// How far clocks may differ, in seconds.
    pub leeway_s: u64,
    /// How many topics a token may name.
    pub max_topics: usize,
    /// Keys that tokens are signed with.
    pub keys: Vec<KeyConfig>,
    /// What tickets are signed with; the same for all bridges of a cluster. Empty: derived from the
    /// first secret among the keys, and without one made at the start, so that pages lose their
    /// producer id with the process.
    pub ticket_secret: Secret,
    /// How long a ticket is good, in seconds.
    pub ticket_lifetime_s: u64,
}

/// What is made of requests.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// Headers of every record: `NAME=VALUE`, where `{sub}` is the token's subject. With these, or
    /// with `remove_headers`, batches are written again, uncompressed.
    pub add_headers: Vec<String>,
    /// Headers that are taken away: names, or `BEGINNING*`.
    pub remove_headers: Vec<String>,
    /// Headers that a record may have.
    pub max_headers: usize,
    /// How far in the future a record may be, in seconds.
    pub max_ahead_s: u64,
    /// Compressions that are taken: `none`, `gzip`, `snappy`, `lz4`, `zstd`.
    pub codecs: Vec<String>,
    /// Lets pages create the topics that their tokens name, if the brokers do.
    pub create_topics: bool,
    /// Longest wait for replication that a page may ask for, in milliseconds.
    pub max_timeout_ms: u64,
}

/// Bounds. A number of connections or a rate of 0 is no bound.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Bytes of a WebSocket message. A request may come in any number of them.
    pub message: usize,
    /// Bytes of a request.
    pub request: usize,
    /// Bytes of a broker's answer.
    pub answer: usize,
    /// Bytes of a request's compressed batches without compression. What comes out of them beyond
    /// sixteen times the request counts for `bytes_per_s`, too, as a sixteenth of it.
    pub uncompressed: usize,
    /// Bytes of requests that are in the bridge in all.
    pub requests_in_flight: usize,
    /// Bytes of large answers that are in the bridge in all.
    pub answers_in_flight: usize,
    /// Requests of a WebSocket that wait for an answer.
    pub pipeline: usize,
    /// Connections in all.
    pub connections: usize,
    /// Connections from one address (an IPv6 network of 64 bits is one).
    pub per_address: usize,
    /// WebSockets of one subject.
    pub per_subject: usize,
    /// Bytes a second of one subject, unless its token says less.
    pub bytes_per_s: u64,
    /// Records a second of one subject, unless its token says less.
    pub records_per_s: u64,
    /// Seconds for TLS and the HTTP head.
    pub handshake_s: u64,
    /// Seconds between pings.
    pub ping_s: u64,
    /// Seconds without a sign of life.
    pub idle_s: u64,
    /// Seconds that a write may take, and after which a request must have come at `min_bytes_per_s`.
    pub stall_s: u64,
    /// Slowest rate of a request that has begun.
    pub min_bytes_per_s: u64,
    /// Seconds to answer what was asked before the process ends.
    pub drain_s: u64,
}

/// `POST /topics/{topic}`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Is it there?
    pub enabled: bool,
    /// Bytes of a body.
    pub body: usize,
    /// Records of a body.
    pub records: usize,
    /// Bytes of records that the bridge's own producer holds.
    pub buffer: usize,
    /// Seconds until a record that is not acknowledged is given up.
    pub delivery_timeout_s: u64,
    /// Compression of the bridge's own producer: `none`, `gzip`, `snappy`, `lz4`, `zstd`.
    pub compression: String,
    /// Answers that are kept for their `Idempotency-Key`.
    pub idempotency_keys: usize,
    /// Seconds that they are kept.
    pub idempotency_s: u64,
}

/// What is logged.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, or filters of `tracing`.
    pub level: String,
    /// Lines of JSON; else lines for people.
    pub json: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            admin_listen: String::new(),
            tls: TlsConfig::default(),
            kafka: KafkaConfig::default(),
            auth: AuthConfig::default(),
            policy: PolicyConfig::default(),
            limits: LimitsConfig::default(),
            http: HttpConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            bootstrap: vec!["localhost:9092".to_owned()],
            hosts: Vec::new(),
            tls: false,
            ca: String::new(),
            sasl: String::new(),
            username: String::new(),
            password: Secret::default(),
            password_file: String::new(),
            danger_plain_without_tls: false,
            client_id: "klamm-bridge".to_owned(),
            connect_timeout_s: 10,
        }
    }
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            allow_no_origin: false,
            audience: "klamm-bridge".to_owned(),
            max_lifetime_s: 3_600,
            leeway_s: 30,
            max_topics: 100,
            keys: Vec::new(),
            ticket_secret: Secret::default(),
            // Brokers forget a producer that was idle for a day.
            ticket_lifetime_s: 86_400,
        }
    }
}

impl Default for PolicyConfig {
    fn default() -> Self {
        let codecs = ["none", "gzip", "snappy", "lz4", "zstd"];
        Self {
            add_headers: Vec::new(),
            remove_headers: Vec::new(),
            max_headers: 64,
            max_ahead_s: 3_600,
            codecs: codecs.map(str::to_owned).to_vec(),
            create_topics: false,
            max_timeout_ms: 60_000,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            message: 64 << 10,
            request: (1 << 20) + (64 << 10),
            answer: 4 << 20,
            uncompressed: 16 << 20,
            requests_in_flight: 256 << 20,
            answers_in_flight: 64 << 20,
            pipeline: 32,
            connections: 10_000,
            per_address: 100,
            per_subject: 16,
            bytes_per_s: 4 << 20,
            records_per_s: 50_000,
            handshake_s: 5,
            ping_s: 30,
            idle_s: 75,
            stall_s: 30,
            min_bytes_per_s: 512,
            drain_s: 20,
        }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            body: 1 << 20,
            records: 1_000,
            buffer: 32 << 20,
            delivery_timeout_s: 60,
            compression: "none".to_owned(),
            idempotency_keys: 10_000,
            idempotency_s: 600,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), json: true }
    }
}
