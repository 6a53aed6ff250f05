//! The model cluster on real sockets: a Kafka for development, in one thread, without Java.
//!
//! Any Kafka producer writes to it, any consumer without a group reads it back. With a directory it
//! keeps what was written: an answered batch has been handed to the operating system, so it
//! survives the end of the process (not of the machine: nothing is synced).

mod nobody;
mod serve;
mod store;

pub use nobody::nobody;

use crate::cluster::{ApiVersions, Cluster, Config, ControlError, NodeConfig, TopicConfig};
use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use mio::{Poll, Waker, net::TcpListener};
use serve::{Serve, WAKER};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use store::Store;

/// How to start a [`DevBroker`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the first node listens; port 0 takes a free one. Further nodes listen on the ports that
    /// follow.
    pub listen: SocketAddr,
    /// The host that clients are told to connect to; `None`: the address that is listened on (the
    /// loopback address if that is 0.0.0.0 or `::`).
    pub advertised_host: Option<String>,
    /// Number of nodes, from 1 on. Topics have a replica on up to three.
    pub nodes: u16,
    /// Topics to have at the start, with their number of partitions. Existing ones grow to it.
    pub topics: Vec<(String, i32)>,
    /// Create unknown topics that clients ask for with so many partitions; `None`: do not.
    pub auto_create_partitions: Option<i32>,
    /// Where to keep what is written; `None`: in memory only.
    pub dir: Option<PathBuf>,
    /// Keep at most so many bytes of batches of each partition in memory, where they can be read.
    pub retention_bytes: Option<u64>,
    /// What to imitate.
    pub versions: ApiVersions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::from([127, 0, 0, 1]), 9092),
            advertised_host: None,
            nodes: 1,
            topics: Vec::new(),
            auto_create_partitions: Some(1),
            dir: None,
            retention_bytes: Some(1 << 30),
            versions: ApiVersions::KAFKA_4_3,
        }
    }
}

/// A model cluster that listens. It stops when it is dropped.
#[derive(Debug)]
pub struct DevBroker {
    addresses: Vec<SocketAddr>,
    cluster: Arc<Mutex<Cluster>>,
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    started: Instant,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl DevBroker {
    /// Reads what is on the disk, listens, and serves from a thread of its own.
    ///
    /// # Errors
    /// An address cannot be listened on, the directory cannot be read or written, or an option is
    /// out of range (a topic name or number that Kafka would refuse).
    pub fn start(options: Options) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let listeners = listen(&options)?;
        let addresses: Vec<SocketAddr> =
            listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let mut cluster = Cluster::new(config(&options, &addresses));
        let mut store = options.dir.as_deref().map(Store::open).transpose()?;
        if let Some(store) = &mut store {
            store.load(&mut cluster, &topic_config(&options, 1))?;
        }
        create_topics(&mut cluster, &options)?;
        let started = Instant::now();
        let cluster = Arc::new(Mutex::new(cluster));
        let stop = Arc::new(AtomicBool::new(false));
        let serve = Serve::new(poll, listeners, store, started)?;
        let (shared, flag) = (Arc::clone(&cluster), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("klamm-dev-broker".to_string())
            .spawn(move || serve.run(&shared, &flag))?;
        Ok(Self { addresses, cluster, stop, waker, started, thread: Some(thread) })
    }

    /// Where the first node listens.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Where all nodes listen, by node id from 0 on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Looks at the cluster or changes it (faults, elections, topics). The closure gets the time
    /// that the cluster's functions ask for.
    pub fn with<T>(&self, act: impl FnOnce(&mut Cluster, u64) -> T) -> T {
        let result = act(&mut lock(&self.cluster), micros_since(self.started));
        // What was changed may have answers to send. If waking fails, they go out a little later.
        let _ = self.waker.wake();
        result
    }

    /// Serves until something fails that makes going on impossible (the disk is full).
    ///
    /// # Errors
    /// That failure.
    pub fn wait(mut self) -> io::Result<()> {
        self.join()
    }

    fn join(&mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("the dev broker's thread panicked")),
            None => Ok(()),
        }
    }
}

impl Drop for DevBroker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.waker.wake();
        // Who wants to know why it failed calls `wait`.
        let _ = self.join();
    }
}

fn listen(options: &Options) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for i in 0..options.nodes.max(1) {
        let mut address = options.listen;
        if address.port() != 0 {
            let port = address.port().checked_add(i);
            address.set_port(port.ok_or_else(|| invalid("no ports left for that many nodes"))?);
        }
        let listener = TcpListener::bind(address)
            .map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {address}: {e}")))?;
        listeners.push(listener);
    }
    Ok(listeners)
}

fn config(options: &Options, addresses: &[SocketAddr]) -> Config {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut config = Config::new(0);
    config.nodes = (0..)
        .zip(addresses)
        .map(|(id, address)| NodeConfig {
            id,
            host: options.advertised_host.clone().unwrap_or_else(|| host_of(*address)),
            port: address.port(),
            rack: None,
            versions: options.versions,
        })
        .collect();
    config.seed = u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX);
    config.unix_ms_at_zero = i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX);
    // Ids that were handed out before a restart must not be handed out again.
    config.first_producer_id = config.unix_ms_at_zero;
    config.auto_create = options.auto_create_partitions.map(|n| topic_config(options, n));
    config.trace_appended = options.dir.is_some();
    config
}

fn host_of(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => "127.0.0.1".to_string(),
        IpAddr::V6(ip) if ip.is_unspecified() => "::1".to_string(),
        ip => ip.to_string(),
    }
}

fn topic_config(options: &Options, partitions: i32) -> TopicConfig {
    let mut config = TopicConfig::new(partitions, usize::from(options.nodes.clamp(1, 3)));
    config.retention_bytes = options.retention_bytes;
    config
}

/// What else is wrong with a new topic.
const NAMES: &str =
    "names have 1 to 249 letters of a to z, digits, '.', '_' and '-'; 1 partition at least";

fn create_topics(cluster: &mut Cluster, options: &Options) -> io::Result<()> {
    for (name, partitions) in &options.topics {
        let result = match cluster.partitions(name) {
            0 => cluster.create_topic(name, topic_config(options, *partitions)),
            n if n < *partitions => cluster.add_partitions(name, *partitions),
            _ => Ok(()),
        };
        result.map_err(|error| {
            let why = match error {
                ControlError::Invalid => NAMES.to_owned(),
                other => format!("{other:?}"),
            };
            invalid(&format!("cannot have topic {name:?} with {partitions} partitions: {why}"))
        })?;
    }
    Ok(())
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn lock(cluster: &Mutex<Cluster>) -> MutexGuard<'_, Cluster> {
    // A closure of `with` that panicked may have left a fault half made; the logs are whole.
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

fn micros_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}
