//! Compression by the driver, without the lock: senders go on filling batches meanwhile.

use klamm::{Compressor, Uncompressed};

use crate::shared::Shared;

/// Batches compressed before the sockets get their turn.
const BATCHES_A_TURN: usize = 16;

#[derive(Default)]
pub(crate) struct Squeezer {
    compressor: Compressor<'static>,
    plain: Vec<u8>,
    small: Vec<u8>,
}

impl Squeezer {
    /// Compresses what waits for it. Was there anything?
    pub(crate) fn turn(&mut self, shared: &Shared) -> bool {
        let mut job = self.take(shared);
        let found = job.is_some();
        for left in (0..BATCHES_A_TURN).rev() {
            let Some(batch) = job else { break };
            let size = self.compress(batch);
            job = self.give_back(shared, batch, size, left > 0);
        }
        found
    }

    fn take(&mut self, shared: &Shared) -> Option<Uncompressed> {
        let mut inner = shared.lock();
        if inner.dead { None } else { self.copy(&mut inner.core, shared.clock.now()) }
    }

    fn copy(
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
        // A codec that is not built in was refused before.
        self.compressor.compress(batch.codec, &self.plain, &mut self.small[..room]).ok().flatten()
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
        if more { self.copy(&mut inner.core, now) } else { None }
    }
}
