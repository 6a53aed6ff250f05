//! A filtering gateway between web pages and Kafka.
//!
//! A page runs the whole of klamm and speaks Kafka's protocol in a WebSocket's binary messages. The
//! bridge reads every request completely, passes on what the page's token allows, written anew, and
//! has one connection to a broker for each WebSocket. So producer ids, sequences, acknowledgements
//! and back-pressure are the page's and the broker's own, and a bridge that dies loses nothing.
//!
//! The program is `klamm-bridge`; this library is for its tests, and for embedding it.

mod access;
mod clock;
mod close;
mod config;
mod dev;
mod gate;
mod http;
mod kafka;
mod limits;
mod metrics;
mod produce;
mod session;
mod shared;
mod upstream;

use core::net::SocketAddr;
use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

pub use clock::Clock;
pub use config::{
    AuthConfig, Config, HttpConfig, KafkaConfig, KeyConfig, LimitsConfig, Loaded, LogConfig,
    PolicyConfig, Secret, TlsConfig, command, load,
};
use dev::Dev;
use http::{Listener, Tls};
use shared::Shared;

/// How often the bridge asks which brokers there are.
const REFRESH: Duration = Duration::from_secs(30);
/// The same, while none answers.
const RETRY: Duration = Duration::from_secs(2);
/// How often the end of the last connection is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// A bridge that runs. Dropped, it stops at once; [`shutdown`](Self::shutdown) is the gentle way.
pub struct Bridge {
    shared: Arc<Shared>,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    tls: Option<Arc<Tls>>,
    drain: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Bridge {
    /// Starts one, within a runtime that has I/O and time enabled. It does not wait for a broker:
    /// `/readyz` tells whether one was reached.
    ///
    /// # Errors
    /// An option has a value that makes no sense, a file cannot be read, or an address cannot be
    /// listened on.
    pub async fn start(mut config: Config, dev: bool, clock: Clock) -> Result<Self, String> {
        let (socket, address) = listen(&config.listen).await?;
        let dev = if dev { Some(Dev::start(&mut config, address.port())?) } else { None };
        let tls = Tls::new(&config.tls)?;
        let (drain, draining) = watch::channel(false);
        let shared = Arc::new(Shared::new(config, clock, dev, draining)?);
        let mut tasks = Vec::new();
        let mut admin = None;
        if !shared.config.admin_listen.is_empty() {
            let (socket, address) = listen(&shared.config.admin_listen).await?;
            admin = Some(address);
            let router = http::admin(&shared);
            let listener = Listener { socket, tls: None, router, counted: false };
            tasks.push(tokio::spawn(http::serve(Arc::clone(&shared), listener)));
        }
        let router = http::pages(&shared, admin.is_none());
        let listener = Listener { socket, tls: tls.clone(), router, counted: true };
        tasks.push(tokio::spawn(http::serve(Arc::clone(&shared), listener)));
        tasks.push(tokio::spawn(refresh(Arc::clone(&shared))));
        if let Some(tls) = &tls {
            tasks.push(tokio::spawn(Arc::clone(tls).watch()));
        }
        Ok(Self { shared, address, admin, tls, drain, tasks })
    }

    /// Looks at a configuration without starting anything.
    ///
    /// # Errors
    /// As [`start`](Self::start), without the addresses.
    pub fn check(config: Config) -> Result<(), String> {
        Tls::new(&config.tls)?;
        Shared::new(config, Clock::default(), None, watch::channel(false).1).map(drop)
    }

    /// Where pages connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where operators look, if that is an address of its own.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Reads the certificate again.
    pub fn reload(&self) {
        if let Some(tls) = &self.tls {
            tls.reload();
        }
    }

    /// Accepts nothing more, answers what was asked, closes the WebSockets with 1012, and returns
    /// when all connections are gone, after `limits.drain_s` at the latest.
    pub async fn shutdown(mut self) {
        let limit = Duration::from_secs(self.shared.config.limits.drain_s);
        let end = Instant::now() + limit;
        // An error says that nobody listens any more.
        let _ = self.drain.send(true);
        self.shared.posting.producer.close(limit).await;
        while self.shared.counts.total() > 0 && Instant::now() < end {
            sleep(LOOK).await;
        }
        self.stop();
    }

    fn stop(&mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.stop();
    }
}

impl core::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Bridge").field("address", &self.address).finish_non_exhaustive()
    }
}

async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), String> {
    let named = |error| format!("cannot listen on {address}: {error}");
    let socket = TcpListener::bind(address).await.map_err(named)?;
    let address = socket.local_addr().map_err(named)?;
    Ok((socket, address))
}

/// Keeps the list of brokers, and knows whether there is one.
async fn refresh(shared: Arc<Shared>) {
    loop {
        let refreshed = shared.cluster.refresh().await;
        shared.ready.store(refreshed.is_ok(), Ordering::Relaxed);
        match refreshed {
            Ok(()) => sleep(REFRESH).await,
            Err(error) => {
                tracing::warn!(%error, "no broker tells which brokers there are");
                sleep(RETRY).await;
            }
        }
    }
}
