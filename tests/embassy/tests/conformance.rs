//! The suite over `klamm-embassy`, on the operating system's sockets by way of embedded-nal-async's
//! traits, in real time. Each producer's runner has a thread, and next to it a reader of reports who
//! keeps each record's fate.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use embassy_futures::select::select3;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::with_timeout;
use embedded_io_adapters::tokio_1::FromTokio;
use klamm::{Config, Record, Stats, Storage, TopicId};
use klamm_conformance::{Adapter, Fate, Refused, Returned, Setup};
use klamm_embassy::embedded_nal_async::{AddrType, Dns, TcpConnect};
use klamm_embassy::{
    Destination, Lost, Nal, Outcome, Producer, RecordId, Records, Report, Resources, Scope,
    SendError, Timestamp,
};
use klamm_embassy_tests::run;
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime;
use tokio::sync::Notify;

type Lock = CriticalSectionRawMutex;
/// The core's memory is on the heap; the rest is for four connections and 256 threads that wait.
type Memory = Resources<'static, 256, 2, 1, 4, 16_384, 16_384, 256, Lock>;

/// The operating system's sockets and names.
struct System;

impl TcpConnect for System {
    type Error = io::Error;
    type Connection<'a> = FromTokio<TcpStream>;

    async fn connect(&self, remote: SocketAddr) -> io::Result<FromTokio<TcpStream>> {
        let stream = TcpStream::connect(remote).await?;
        stream.set_nodelay(true)?;
        Ok(FromTokio::new(stream))
    }
}

impl Dns for System {
    type Error = io::Error;

    async fn get_host_by_name(&self, host: &str, kind: AddrType) -> io::Result<IpAddr> {
        let wanted = |address: &IpAddr| match kind {
            AddrType::IPv4 => address.is_ipv4(),
            AddrType::IPv6 => address.is_ipv6(),
            AddrType::Either => true,
        };
        let mut found = lookup_host((host, 0)).await?.map(|address| address.ip());
        found.find(wanted).ok_or_else(|| ErrorKind::NotFound.into())
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> io::Result<usize> {
        Err(ErrorKind::Unsupported.into())
    }
}

/// The producer; the last clone to go closes it.
#[derive(Clone)]
struct Embassy(Arc<Owner>);

struct Owner {
    producer: Producer<'static, Lock>,
    setup: Setup,
    ledger: Arc<Ledger>,
    end: Arc<Notify>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.producer.close();
        self.end.notify_one();
    }
}

/// What became of records.
#[derive(Default)]
struct Ledger {
    entries: Mutex<Entries>,
    changed: Condvar,
}

#[derive(Default)]
struct Entries {
    /// By batch slot and generation.
    reports: HashMap<(usize, u16), Vec<Report>>,
    told: u64,
    undelivered: Vec<(TopicId, Returned)>,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, report: &Report, records: Option<Records<'_>>) {
        let mut entries = self.lock();
        let key = (report.batch.index(), report.batch.generation());
        entries.reports.entry(key).or_default().push(*report);
        entries.told += u64::from(report.records);
        let fate = fate(report, None);
        if !matches!(fate, Fate::Delivered(..)) {
            let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
            let returned =
                records.expect("what was not delivered is there").map(|record| Returned {
                    to: (String::new(), report.partition.index),
                    key: owned(record.key),
                    value: owned(record.value),
                    headers: record.headers.map(|h| (h.key.to_owned(), owned(h.value))).collect(),
                    fate,
                });
            let topic = report.partition.topic;
            entries.undelivered.extend(returned.map(|returned| (topic, returned)));
        }
        self.changed.notify_all();
    }

    fn wait<T>(&self, mut find: impl FnMut(&mut Entries) -> Option<T>) -> T {
        let mut entries = self.lock();
        loop {
            if let Some(found) = find(&mut entries) {
                return found;
            }
            entries = self.changed.wait(entries).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn fate(report: &Report, index: Option<u16>) -> Fate {
    match report.outcome {
        Outcome::Delivered { .. } => {
            Fate::Delivered(report.partition, index.and_then(|index| report.offset(index)))
        }
        Outcome::NotPersisted(reason) => Fate::NotPersisted(reason),
        Outcome::Unknown(reason) => Fate::Unknown(reason),
        _ => Fate::Other,
    }
}

fn limit(duration: Duration) -> embassy_time::Duration {
    embassy_time::Duration::from_micros(duration.as_micros().try_into().expect("short"))
}

impl Embassy {
    fn to(&self, topic: &str, partition: Option<i32>) -> Result<Destination, Refused> {
        let topic = self.0.producer.topic(topic).map_err(Refused::Now)?;
        Ok(match partition {
            Some(partition) => Destination::partition(topic, partition),
            None => Destination::topic(topic),
        })
    }

    /// Waits for up to `max_block`; `why` says what for.
    fn within<T>(
        &self,
        call: impl Future<Output = Result<T, SendError>>,
        why: impl FnOnce() -> SendError,
    ) -> Result<T, Refused> {
        match run(with_timeout(limit(self.0.setup.max_block), call)) {
            Ok(result) => result.map_err(Refused::Now),
            Err(_) => Err(Refused::Late(why())),
        }
    }
}

impl Adapter for Embassy {
    type Delivery = RecordId;

    fn start(setup: &Setup) -> Self {
        let mut setup = setup.clone();
        setup.limits.connections = 4;
        let mut config = Config::new(&setup.servers);
        let servers = config.bootstrap_servers;
        config = setup.config;
        (config.bootstrap_servers, config.client_id) = (servers, "klamm");
        let memory = Box::leak(Box::new(Memory::new()));
        let network = Nal::new(&System, &System);
        let boxed = |_| Storage::boxed(&setup.limits);
        let (producer, mut runner) =
            klamm_embassy::new_with(memory, network, &config, 7, boxed).expect("legal options");
        let wall = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
        producer.set_clock(Timestamp::from_millis(wall.try_into().expect("this age")));
        let (ledger, end) = (Arc::<Ledger>::default(), Arc::<Notify>::default());
        let (told, ended) = (Arc::clone(&ledger), Arc::clone(&end));
        // From the first record on.
        let mut reports = producer.reports();
        thread::spawn(move || {
            let reads = async {
                loop {
                    reports.next_with(|report, records| told.note(report, records)).await;
                }
            };
            let ends = async {
                ended.notified().await;
                producer.flush().await;
            };
            let runtime = runtime::Builder::new_current_thread().enable_io().build();
            runtime.expect("a runtime").block_on(select3(runner.run(), reads, ends));
        });
        Self(Arc::new(Owner { producer, setup, ledger, end }))
    }

    fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &Record<'_>,
    ) -> Result<RecordId, Refused> {
        let to = self.to(topic, partition)?;
        let known = || self.0.producer.with(|core, _| core.partition_count(to.topic).is_some());
        self.within(self.0.producer.send(to, record), || {
            if partition.is_some() || known() { SendError::Full } else { SendError::TopicPending }
        })
    }

    fn try_send(
        &self,
        topic: &str,
        partition: Option<i32>,
        record: &Record<'_>,
    ) -> Result<RecordId, Refused> {
        self.0.producer.try_send(self.to(topic, partition)?, record).map_err(Refused::Now)
    }

    fn fate(&self, record: RecordId) -> Fate {
        let key = (record.batch.index(), record.batch.generation());
        let about = |report: &&Report| {
            let place = record.index.checked_sub(report.first);
            place.is_some_and(|place| place < report.records)
        };
        self.0.ledger.wait(|entries| {
            let report = entries.reports.get(&key)?.iter().find(about)?;
            Some(fate(report, Some(record.index)))
        })
    }

    fn partitions(&self, topic: &str) -> Result<i32, Refused> {
        let to = self.to(topic, None)?;
        self.within(self.0.producer.partitions(to.topic), || SendError::TopicPending)
    }

    fn flush(&self) -> bool {
        run(self.0.producer.flush());
        true
    }

    fn close(&self, after: Duration) -> Vec<Returned> {
        let producer = self.0.producer;
        producer.close();
        if run(with_timeout(limit(after), producer.flush())).is_err() {
            producer.purge(Scope::ALL);
            run(producer.flush());
        }
        let accepted = producer.stats().accepted;
        let undelivered = self.0.ledger.wait(|entries| {
            (entries.told == accepted).then(|| core::mem::take(&mut entries.undelivered))
        });
        let named = undelivered.into_iter().map(|(topic, mut returned)| {
            returned.to.0 = producer.with(|core, _| core.topic_name(topic).to_owned());
            returned
        });
        named.collect()
    }

    fn stats(&self) -> Stats {
        self.0.producer.stats()
    }

    fn waiting(&self) -> usize {
        self.0.producer.waiting()
    }

    fn last_connection_error(&self) -> Option<String> {
        // A device has no room for addresses: its log has them.
        let lost: Lost = self.0.producer.last_error()?;
        Some(format!("{}: {lost}", self.0.setup.servers))
    }
}

klamm_conformance::suite!(crate::Embassy);
