//! Bytes that may be in flight in all. They are charged before they are read: without room the
//! bridge stops reading, and TCP tells the page.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A number of bytes that requests, or answers, share.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    room: Arc<Semaphore>,
    total: u32,
}

/// Bytes charged until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    _permit: OwnedSemaphorePermit,
}

impl Budget {
    /// At most 4 GiB.
    pub(crate) fn new(bytes: usize) -> Self {
        let total = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permits = usize::try_from(total).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(permits)), total }
    }

    /// Waits for room, in the order of the calls. One that asks for more than there is gets all.
    pub(crate) async fn charge(&self, bytes: usize) -> Option<Charge> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.total);
        // It is never closed.
        let permit = Arc::clone(&self.room).acquire_many_owned(bytes).await.ok()?;
        Some(Charge { _permit: permit })
    }

    pub(crate) fn used(&self) -> usize {
        let total = usize::try_from(self.total).unwrap_or(usize::MAX);
        total.saturating_sub(self.room.available_permits())
    }
}
