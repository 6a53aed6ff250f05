//! A producer on one thread: the core and its clock, without a lock, a driver or wakers. Whoever owns
//! it lets it move.

use klamm::{Config, ConfigError, ConnId, Limits, Storage};

use crate::builder::{enlarge_requests, seed};
use crate::clock::{Clock, until, wall};
use crate::connection_error::ConnectionError;
use crate::engine::{CLOCK_MICROS, Link, Turn, serve, tell};
use crate::squeeze::Squeezer;

/// What an adapter's producer for one thread is made of; [`Engine`](crate::Engine) is the same for
/// many.
pub struct Local {
    core: klamm::Producer<'static>,
    clock: Clock,
    clock_set: Option<klamm::Instant>,
    conns: Vec<ConnId>,
    squeezer: Squeezer,
    last_error: Option<ConnectionError>,
}

impl Local {
    /// A core with these options, but for two: checksums are the processor's where it has an
    /// instruction for them, and batches are compressed here. `limits` are made to fit `config`.
    ///
    /// # Errors
    /// An option is out of range, or options conflict.
    pub fn new(config: &Config<'_>, limits: &Limits) -> Result<Self, ConfigError> {
        let (mut config, mut limits) = (*config, *limits);
        config.crc32c = crc32c::crc32c;
        config.compress_outside = true;
        enlarge_requests(&mut config);
        limits = limits.for_batches(config.batch_size);
        limits.max_request_size = config.max_request_size;
        let clock = Clock::start();
        let core = klamm::Producer::new(&config, Storage::boxed(&limits), seed(), clock.now())?;
        Ok(Self {
            conns: core.connections().collect(),
            core,
            clock,
            clock_set: None,
            squeezer: Squeezer::default(),
            last_error: None,
        })
    }

    /// The core.
    #[must_use]
    pub fn core(&self) -> &klamm::Producer<'static> {
        &self.core
    }

    /// The core, and what time it is for it.
    pub fn core_mut(&mut self) -> (&mut klamm::Producer<'static>, klamm::Instant) {
        let now = self.clock.now();
        (&mut self.core, now)
    }

    /// What went wrong with a connection last.
    #[must_use]
    pub fn last_connection_error(&self) -> Option<&ConnectionError> {
        self.last_error.as_ref()
    }

    /// Everything that needs the core. `links` are the connections' slots. The turn never ends: that
    /// is the owner's to decide.
    pub fn turn<L: Link>(&mut self, links: &mut [L]) -> Turn {
        let mut turn = Turn::default();
        let now = self.clock.now();
        let Self { core, last_error, .. } = self;
        if self.clock_set.is_none_or(|at| now.micros_since(at) >= CLOCK_MICROS) {
            core.set_clock(wall(), now);
            self.clock_set = Some(now);
        }
        for (conn, link) in self.conns.iter().zip(links.iter_mut()) {
            turn.again |= tell(core, last_error, *conn, link, now);
        }
        core.handle_timeout(now);
        // Whatever is new by now is looked at in this turn.
        core.take_wake();
        self.squeezer.turn_alone(core, now);
        for (conn, link) in self.conns.iter().zip(links.iter_mut()) {
            serve(core, last_error, *conn, link, now, &mut turn);
        }
        turn.again |= core.take_wake_before(klamm::Instant::ZERO);
        turn.sleep = core.next_deadline().map(|(at, _)| until(at, now));
        turn
    }

    /// Hands in what a slot's socket has read.
    ///
    /// # Errors
    /// The peer broke the protocol, in these words; the next turn closes the connection.
    pub fn received(&mut self, slot: usize, bytes: &[u8]) -> Result<(), String> {
        let now = self.clock.now();
        let result = self.core.handle_received(self.conns[slot], bytes, now);
        result.map_err(|error| error.to_string())
    }
}

impl core::fmt::Debug for Local {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Local").field("stats", &self.core.stats()).finish_non_exhaustive()
    }
}
