//! Memory whose size is known at compile time.

use core::mem::MaybeUninit;

use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};

use crate::shared::Shared;
use crate::waiting::Waiter;

/// All memory of one producer, for a `static`: it is all zeros or not initialised, so it lies in
/// `.bss` and costs no flash.
///
/// | parameter | buys | bytes on thumbv7m |
/// |---|---|---|
/// | `CHUNK` | the largest batch, with its header of 61 bytes and 90 for the heads of a request | `CHUNK` x `BATCHES` |
/// | `BATCHES` | batches under way, and one spare for splits and compression | 116 each besides |
/// | `PARTITIONS` | partitions that can be written to, of at most as many topics | 190 each |
/// | `CONNS` | connections, and four times as many known brokers | 864 each, and the buffers |
/// | `RX`, `TX` | what a socket holds on its way in and out | each x `CONNS` |
/// | `TASKS` | calls that wait at the same time | 40 each |
/// | `M` | the lock: see [`new`](crate::new) | |
///
/// And some 540 bytes besides. Without the feature `cluster` a connection takes 496. Answers are read piece by piece, so `RX` may be small however large the
/// cluster is; a `TX` of a chunk and a half keeps a connection busy. More than `TASKS` calls may
/// wait: the others look every 10 ms whether it is their turn, which costs power, and their order.
pub struct Resources<
    'd,
    const CHUNK: usize,
    const BATCHES: usize,
    const PARTITIONS: usize,
    const CONNS: usize = 1,
    const RX: usize = 1024,
    const TX: usize = 2048,
    const TASKS: usize = 4,
    M: RawMutex = NoopRawMutex,
> {
    pub(crate) core: klamm::Resources<CHUNK, BATCHES, PARTITIONS, CONNS>,
    pub(crate) buffers: [Buffers<RX, TX>; CONNS],
    pub(crate) waiters: [Waiter; TASKS],
    pub(crate) shared: MaybeUninit<Shared<'d, M>>,
}

pub(crate) struct Buffers<const RX: usize, const TX: usize> {
    pub(crate) rx: [u8; RX],
    pub(crate) tx: [u8; TX],
}

impl<
    const CHUNK: usize,
    const BATCHES: usize,
    const PARTITIONS: usize,
    const CONNS: usize,
    const RX: usize,
    const TX: usize,
    const TASKS: usize,
    M: RawMutex,
> Resources<'_, CHUNK, BATCHES, PARTITIONS, CONNS, RX, TX, TASKS, M>
{
    /// Empty memory.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(RX >= 64 && TX >= 64, "RX, TX: at least 64 bytes");
            assert!(TASKS >= 1, "TASKS: at least one");
        }
        Self {
            core: klamm::Resources::new(),
            buffers: [const { Buffers { rx: [0; RX], tx: [0; TX] } }; CONNS],
            waiters: [const { Waiter::FREE }; TASKS],
            shared: MaybeUninit::uninit(),
        }
    }
}

impl<
    const CHUNK: usize,
    const BATCHES: usize,
    const PARTITIONS: usize,
    const CONNS: usize,
    const RX: usize,
    const TX: usize,
    const TASKS: usize,
    M: RawMutex,
> Default for Resources<'_, CHUNK, BATCHES, PARTITIONS, CONNS, RX, TX, TASKS, M>
{
    fn default() -> Self {
        Self::new()
    }
}
