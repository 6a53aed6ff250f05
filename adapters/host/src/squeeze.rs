//! Compression by the driver, without the lock: senders go on filling batches meanwhile.

#[cfg(feature = "lz4")]
use klamm::Compression;
use klamm::{Compressor, Uncompressed};

#[cfg(feature = "lz4")]
use crate::lz4_frame::Lz4;
use crate::shared::Shared;

/// Batches compressed before the sockets get their turn.
const BATCHES_A_TURN: usize = 16;

#[derive(Default)]
pub(crate) struct Squeezer {
    compressor: Compressor<'static>,
    #[cfg(feature = "lz4")]
    lz4: Lz4,
    plain: Vec<u8>,
    small: Vec<u8>,
}

impl Squeezer {
    /// Compresses `job`, which `take` has found, and what else waits for it. Was there anything?
    pub(crate) fn turn(&mut self, shared: &Shared, mut job: Option<Uncompressed>) -> bool {
        let found = job.is_some();
        for left in (0..BATCHES_A_TURN).rev() {
            let Some(batch) = job else { break };
            let size = self.compress(batch);
            job = self.give_back(shared, batch, size, left > 0);
        }
        found
    }

    /// The same for one thread, which needs no lock.
    pub(crate) fn turn_alone(&mut self, core: &mut klamm::Producer<'_>, now: klamm::Instant) {
        while let Some(batch) = self.take(core, now) {
            let size = self.compress(batch);
            core.handle_compressed(batch, size.map(|size| &self.small[..size]), now);
        }
    }

    /// Takes a batch out, under the lock.
    pub(crate) fn take(
        &mut self,
        core: &mut klamm::Producer<'_>,
        now: klamm::Instant,
    ) -> Option<Uncompressed> {
        let batch = core.take_uncompressed(now)?;
        self.plain.clear();
        self.plain.extend_from_slice(core.uncompressed(batch).unwrap_or_default());
        Some(batch)
    }

    /// How many bytes it takes, or `None` where nothing is gained.
    fn compress(&mut self, batch: Uncompressed) -> Option<usize> {
        let room = self.plain.len().saturating_sub(1);
        if self.small.len() < room {
            self.small.resize(room, 0);
        }
        let small = &mut self.small[..room];
        match batch.codec {
            #[cfg(feature = "lz4")]
            Compression::Lz4 { level: 1 } => self.lz4.compress(&self.plain, small),
            // A codec that is not built in was refused before.
            codec => self.compressor.compress(codec, &self.plain, small).ok().flatten(),
        }
    }

    /// Gives a batch back and takes the next one, under one lock.
    fn give_back(
        &mut self,
        shared: &Shared,
        batch: Uncompressed,
        size: Option<usize>,
        more: bool,
    ) -> Option<Uncompressed> {
        let mut inner = shared.lock();
        if inner.dead {
            return None;
        }
        let now = shared.clock.now();
        inner.core.handle_compressed(batch, size.map(|size| &self.small[..size]), now);
        if more { self.take(&mut inner.core, now) } else { None }
    }
}
