//! Making a producer: options checked, texts copied, bootstrap servers parsed.

use super::{BACKOFF_LEVELS, Counters, Identity, Producer, Refresh};
use crate::backoff::Rng;
use crate::batch::{HEADER, SPARE};
use crate::cluster::{CLUSTER, TopicSlot};
use crate::config::Config;
use crate::error::{ConfigError, SendError};
use crate::id::TopicId;
use crate::options::Options;
#[cfg(feature = "grow")]
use crate::storage::Slab;
use crate::storage::chunks::Chunks;
use crate::storage::list::{Link, List};
use crate::storage::{Storage, Text};
use crate::time::{Instant, deadline};

impl<'a> Producer<'a> {
    pub(super) fn start(
        config: &Config<'_>,
        mut storage: Storage<'a>,
        seed: u64,
        now: Instant,
    ) -> Result<Self, ConfigError> {
        #[cfg(feature = "recorder")]
        {
            let sizes = crate::recorder::Sizes::of(&storage);
            storage.recorder.start(config, &sizes, seed, now);
        }
        config.check()?;
        let client_id_len = u8::try_from(config.client_id.len()).ok();
        let max = u16::from(storage.shape.client_id_bytes);
        let too_long = ConfigError::TextTooLong { option: "client_id", max };
        let client_id_len = client_id_len.ok_or(too_long)?;
        if !storage.set_text(Text::ClientId, config.client_id.as_bytes()) {
            return Err(too_long);
        }
        read_bootstrap(config.bootstrap_servers, &mut storage)?;
        if storage.capacity(1) <= HEADER {
            return Err(ConfigError::StorageTooSmall { what: "chunk bytes", min: 256 });
        }
        #[cfg(feature = "compression")]
        storage.codecs.prepare(config.compression_type)?;
        Ok(Self::with_texts(config, storage, client_id_len, seed, now))
    }

    /// What is checked and has its texts becomes a producer.
    fn with_texts(
        config: &Config<'_>,
        mut storage: Storage<'a>,
        client_id_len: u8,
        seed: u64,
        now: Instant,
    ) -> Self {
        let chunk_count = storage.chunk_count();
        let keeps_spare = SPARE && chunk_count > 1;
        let batch_size = config.batch_size.min(config.max_request_size);
        let spare_run = largest_run(&storage, batch_size);
        let for_records = chunk_count - if keeps_spare { spare_run } else { 0 };
        let mut chunks = Chunks::EMPTY;
        let map = &mut storage.chunk_map;
        let spare = if keeps_spare { chunks.take(map, chunk_count, spare_run) } else { None };
        // Made where the caller has it: no copy of it lies on the stack.
        Self {
            client_id_len,
            config: Options::of(config),
            rng: Rng::new(seed),
            now,
            clock: None,
            clock_due: deadline(now, config.clock_wait_ms),
            identity: Identity::new(config),
            metadata: Refresh::START,
            chunks,
            spare,
            #[cfg(feature = "grow")]
            spare_run,
            keeps_spare,
            #[cfg(feature = "compression")]
            uncompressed: List::EMPTY,
            free: List::EMPTY,
            fresh: 0,
            linger: List::EMPTY,
            #[cfg(feature = "policies")]
            waiting: super::queue::Waiting::new(&config.policies),
            age: List::EMPTY,
            age_cursor: Link::NONE,
            reports: List::EMPTY,
            backoff: [List::EMPTY; BACKOFF_LEVELS],
            topics_used: 0,
            partitions_used: 0,
            born: 0,
            batch_max: batch_size.min(storage.capacity(spare_run)),
            record_max: config.max_request_size.min(storage.capacity(for_records)),
            closed: false,
            paused: false,
            asleep: 0,
            slept_from: now,
            woke: now,
            wake: false,
            #[cfg(feature = "alloc")]
            wake_at: Instant::FAR,
            arrange_due: false,
            slot_wanted: false,
            redial_at: Instant::FAR,
            counters: Counters::ZERO,
            #[cfg(feature = "events")]
            ring: crate::event::Ring::EMPTY,
            #[cfg(feature = "events")]
            traffic: crate::metrics::Traffic::NONE,
            storage,
        }
    }

    pub(super) fn register_topic(&mut self, name: &str) -> Result<TopicId, SendError> {
        #[allow(clippy::cast_possible_truncation, reason = "at most 65,535 topics")]
        if let Some(t) = self.find_topic(name.as_bytes()) {
            return Ok(TopicId(t as u16));
        }
        if self.closed {
            return Err(SendError::Closed);
        }
        let t = usize::from(self.topics_used);
        let legal = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        let name_len = u8::try_from(name.len()).map_err(|_| SendError::InvalidTopic)?;
        let reserved = matches!(name.as_bytes(), [] | [b'.'] | [b'.', b'.']);
        if reserved || name_len > 249 || !name.bytes().all(legal) {
            return Err(SendError::InvalidTopic);
        }
        let slot = self.storage.topics.get_mut(t).ok_or(SendError::NoTopicSlot)?;
        *slot = TopicSlot::EMPTY;
        slot.name_len = name_len;
        if !self.storage.set_text(Text::Name(t), name.as_bytes()) {
            return Err(SendError::InvalidTopic);
        }
        self.topics_used += 1;
        // A new topic is asked for at once, whatever the backoff.
        self.metadata.not_before = self.now;
        self.arrange_due = true;
        self.wake = true;
        self.request_metadata();
        Ok(TopicId(self.topics_used - 1))
    }
}

/// `host:port,host:port`, `[v6]:port`: a broker slot each. Byte by byte: what `str` offers for it costs 1 KB of flash.
fn read_bootstrap(servers: &str, storage: &mut Storage<'_>) -> Result<(), ConfigError> {
    let mut count = 0;
    for server in servers.as_bytes().split(|byte| *byte == b',') {
        let server = server.trim_ascii();
        if server.is_empty() {
            continue;
        }
        let (host, port) = host_and_port(server).ok_or(ConfigError::BootstrapServers)?;
        // More servers than slots: the first ones do, and a slot must be left for a broker.
        if count + usize::from(CLUSTER) >= storage.brokers.len() && count > 0 {
            break;
        }
        let max = u16::from(storage.shape.host_bytes);
        let too_long = ConfigError::TextTooLong { option: "bootstrap_servers: host", max };
        let host_len = u8::try_from(host.len()).ok().filter(|len| *len > 0).ok_or(too_long)?;
        if !storage.set_text(Text::Host(count), host) {
            return Err(too_long);
        }
        let broker = &mut storage.brokers[count];
        broker.used = true;
        broker.bootstrap = true;
        broker.node = -1;
        broker.host_len = host_len;
        broker.port = port;
        count += 1;
    }
    if count == 0 { Err(ConfigError::BootstrapServers) } else { Ok(()) }
}

#[expect(clippy::manual_contains, reason = "`contains` searches by words: 150 bytes of flash")]
fn host_and_port(server: &[u8]) -> Option<(&[u8], u16)> {
    let colon = server.iter().rposition(|byte| *byte == b':')?;
    let (host, port) = server.split_at_checked(colon)?;
    let mut number = 0_u16;
    for digit in port.get(1..)? {
        let value = digit.checked_sub(b'0').filter(|value| *value < 10)?;
        number = number.checked_mul(10)?.checked_add(u16::from(value))?;
    }
    let host = match host {
        [b'[', bare @ .., b']'] => bare,
        _ if host.iter().any(|byte| *byte == b':') => return None,
        _ => host,
    };
    (number != 0).then_some((host, number))
}

/// How many chunks a batch grows over: what `batch_size` takes, but a quarter of the memory at most. In memory that is no
/// heap's chunks are as large as batches.
#[cfg(feature = "grow")]
fn largest_run(storage: &Storage<'_>, batch_size: u32) -> u16 {
    match storage.chunks {
        Slab::Borrowed(_) => 1,
        Slab::Owned(_) => storage.run_for(batch_size).min(storage.chunk_count() / 4).max(1),
    }
}

#[cfg(not(feature = "grow"))]
const fn largest_run(_: &Storage<'_>, _: u32) -> u16 {
    1
}
