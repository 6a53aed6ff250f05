//! Which brokers there are, and connections to them. Only what a bootstrap server named is known.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::connect::{ConnectError, Connector, Open, ask};
use crate::gate::brokers;
use crate::kafka::{Api, Reader, Writer, metadata};

/// Unknown ids do not make the bridge ask more often than this.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Version 7 of Metadata is what all brokers from Kafka 2.1 on have in common.
const VERSION: i16 = 7;
/// More brokers than any cluster has.
const MAX_BROKERS: usize = 10_000;

/// Where a page wants to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// Any of the bootstrap servers.
    Bootstrap,
    Broker(i32),
}

impl Target {
    /// The last part of the URL's path.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "bootstrap" => Some(Self::Bootstrap),
            // Only the one way that metadata writes it.
            id => {
                id.parse().ok().filter(|n: &i32| *n >= 0 && n.to_string() == id).map(Self::Broker)
            }
        }
    }
}

/// The brokers that the bridge knows.
pub(crate) struct Cluster {
    connector: Connector,
    bootstrap: Vec<(String, u16)>,
    turn: AtomicUsize,
    brokers: RwLock<HashMap<i32, (String, u16)>>,
    asked: Mutex<Option<Instant>>,
}

impl Cluster {
    pub(crate) fn new(connector: Connector, bootstrap: Vec<(String, u16)>) -> Self {
        let (turn, brokers) = (AtomicUsize::new(0), RwLock::default());
        Self { connector, bootstrap, turn, brokers, asked: Mutex::new(None) }
    }

    /// A new connection; `None`: there is no such broker.
    pub(crate) async fn open(&self, target: Target) -> Result<Option<Open>, ConnectError> {
        let Target::Broker(id) = target else { return self.open_bootstrap().await.map(Some) };
        if self.find(id).is_none() {
            self.ask_once().await?;
        }
        match self.find(id) {
            None => Ok(None),
            Some((host, port)) => self.connector.open(&host, port).await.map(Some),
        }
    }

    /// What a broker told a page of the others. Brokers that went away are forgotten.
    pub(crate) fn learn(&self, found: Vec<(i32, String, u16)>) {
        if found.is_empty() || found.len() > MAX_BROKERS {
            return;
        }
        let found: HashMap<_, _> =
            found.into_iter().map(|(id, host, port)| (id, (host, port))).collect();
        let mut brokers = self.brokers.write().unwrap_or_else(PoisonError::into_inner);
        if *brokers != found {
            *brokers = found;
        }
    }

    /// Asks a bootstrap server which brokers there are.
    pub(crate) async fn refresh(&self) -> Result<(), ConnectError> {
        let mut open = self.open_bootstrap().await?;
        // No topics, only brokers; nothing is created.
        let mut body = Writer::plain();
        body.set_flexible(false);
        body.count(0);
        body.bool(false);
        let body = body.into_bytes();
        let asking = ask(&mut open.stream, Api::Metadata.key(), VERSION, &body);
        let answer = tokio::time::timeout(self.connector.timeout, asking).await;
        let answer = answer.map_err(|_| ConnectError::Timeout)??;
        let answer = metadata::Answer::read(Reader::new(&answer, false), VERSION)?;
        self.learn(brokers(&answer));
        Ok(())
    }

    /// Each server in turn, until one answers.
    async fn open_bootstrap(&self) -> Result<Open, ConnectError> {
        let mut problem = ConnectError::Egress;
        let first = self.turn.fetch_add(1, Ordering::Relaxed);
        for turn in 0..self.bootstrap.len() {
            let at = first.wrapping_add(turn) % self.bootstrap.len();
            let Some((host, port)) = self.bootstrap.get(at) else { continue };
            match self.connector.open(host, *port).await {
                Ok(open) => return Ok(open),
                Err(error) => {
                    tracing::warn!(server = %format_args!("{host}:{port}"), %error, "cannot connect");
                    problem = error;
                }
            }
        }
        Err(problem)
    }

    /// Refreshes, unless somebody just did. Those who come meanwhile wait for that one.
    async fn ask_once(&self) -> Result<(), ConnectError> {
        let mut asked = self.asked.lock().await;
        if asked.is_none_or(|at| at.elapsed() >= ASK_AGAIN) {
            self.refresh().await?;
            *asked = Some(Instant::now());
        }
        Ok(())
    }

    fn find(&self, id: i32) -> Option<(String, u16)> {
        self.brokers.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_path_names_one_broker_in_one_way() {
        assert_eq!(Target::parse("bootstrap"), Some(Target::Bootstrap));
        assert_eq!(Target::parse("0"), Some(Target::Broker(0)));
        assert_eq!(Target::parse("2147483647"), Some(Target::Broker(i32::MAX)));
        for other in
            ["", "-1", "+1", "01", "1 ", "2147483648", "kafka:9092", "10.0.0.1", "Bootstrap"]
        {
            assert_eq!(Target::parse(other), None, "{other:?}");
        }
    }
}
