//! What all connections share.

use core::sync::atomic::AtomicBool;
use core::time::Duration;
use std::sync::Arc;

use tokio::sync::watch;

use crate::access::token::Tokens;
use crate::access::{Keys, Origins, Producers, crypto};
use crate::clock::Clock;
use crate::config::Config;
use crate::dev::Dev;
use crate::gate::Policy;
use crate::http::Posting;
use crate::limits::{Budget, Counts};
use crate::metrics::Metrics;
use crate::upstream::{Cluster, Connector, Egress, Sasl, trust};

/// One bridge.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) cluster: Cluster,
    pub(crate) tokens: Tokens,
    pub(crate) origins: Origins,
    pub(crate) producers: Producers,
    pub(crate) policy: Policy,
    pub(crate) counts: Arc<Counts>,
    /// For connections of operators.
    pub(crate) uncounted: Arc<Counts>,
    pub(crate) requests: Budget,
    pub(crate) answers: Budget,
    pub(crate) metrics: Metrics,
    pub(crate) posting: Posting,
    pub(crate) dev: Option<Dev>,
    /// Turns true when the bridge goes away.
    pub(crate) drain: watch::Receiver<bool>,
    /// Was a broker reached lately?
    pub(crate) ready: AtomicBool,
}

impl Shared {
    /// # Errors
    /// An option has a value that makes no sense, or a file cannot be read.
    pub(crate) fn new(
        config: Config,
        clock: Clock,
        dev: Option<Dev>,
        drain: watch::Receiver<bool>,
    ) -> Result<Self, String> {
        crypto::install();
        let (auth, limits, kafka) = (&config.auth, &config.limits, &config.kafka);
        check(&config)?;
        let keys = Keys::new(&auth.keys)?;
        if keys.is_empty() {
            return Err("auth.keys: without a key no token is valid".to_owned());
        }
        let bootstrap = servers(&kafka.bootstrap)?;
        let connector = Connector {
            tls: if kafka.tls { Some(trust(&kafka.ca)?) } else { None },
            sasl: Sasl::new(kafka)?,
            egress: Egress::new(bootstrap.iter().map(|(host, _)| host.as_str()), &kafka.hosts),
            timeout: Duration::from_secs(kafka.connect_timeout_s),
        };
        let policy =
            Policy::new(&config.policy, &kafka.client_id, limits.request, limits.uncompressed)?;
        Ok(Self {
            cluster: Cluster::new(connector.clone(), bootstrap),
            tokens: Tokens {
                keys: keys.clone(),
                audience: auth.audience.clone(),
                max_lifetime: auth.max_lifetime_s,
                leeway: auth.leeway_s,
                max_topics: auth.max_topics,
            },
            origins: Origins::new(&auth.origins, auth.allow_no_origin)?,
            producers: Producers::new(&auth.ticket_secret, &keys, auth.ticket_lifetime_s)?,
            policy,
            counts: Arc::new(Counts::new(
                limits.connections,
                limits.per_address,
                limits.per_subject,
            )),
            uncounted: Arc::new(Counts::new(0, 0, 0)),
            requests: Budget::new(limits.requests_in_flight),
            answers: Budget::new(limits.answers_in_flight),
            metrics: Metrics::new(),
            posting: Posting::new(&config, connector)?,
            dev,
            drain,
            ready: AtomicBool::new(false),
            clock,
            config,
        })
    }

    /// Ready when the bridge is going away.
    pub(crate) async fn draining(&self) {
        // Without a sender it is gone already.
        let _ = self.drain.clone().wait_for(|draining| *draining).await;
    }

    /// For `/metrics`.
    pub(crate) fn metrics_text(&self) -> String {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.connections.set(gauge(self.counts.total()));
        self.metrics.requests_in_flight.set(gauge(self.requests.used()));
        self.metrics.answers_in_flight.set(gauge(self.answers.used()));
        self.metrics.text()
    }
}

fn check(config: &Config) -> Result<(), String> {
    let limits = &config.limits;
    let too_small = |what: &str, least: usize| Err(format!("{what} is less than {least}"));
    if limits.message < 1_024 {
        return too_small("limits.message", 1_024);
    }
    if limits.requests_in_flight < limits.request {
        return too_small("limits.requests_in_flight", limits.request);
    }
    if limits.answers_in_flight < limits.answer {
        return too_small("limits.answers_in_flight", limits.answer);
    }
    if limits.idle_s <= limits.ping_s {
        return Err("limits.idle_s is not above limits.ping_s: nobody would stay".to_owned());
    }
    Ok(())
}

/// `host:port`, with brackets around an IPv6 address.
fn servers(given: &[String]) -> Result<Vec<(String, u16)>, String> {
    let mut servers = Vec::new();
    for server in given {
        let parts = server.rsplit_once(':').and_then(|(host, port)| {
            let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
            Some((host.to_owned(), port.parse().ok()?))
        });
        let parts = parts.filter(|(host, _): &(String, u16)| !host.is_empty());
        servers.push(parts.ok_or_else(|| format!("kafka.bootstrap: {server:?} is not host:port"))?);
    }
    match servers.is_empty() {
        true => Err("kafka.bootstrap: no server".to_owned()),
        false => Ok(servers),
    }
}
