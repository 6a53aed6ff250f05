//! The caller's memory, cut into slots; and how much of it that takes.

use core::mem::{align_of, size_of};
use core::slice;

use klamm::Memory;

/// What is left of the memory that `klamm_init` was given.
pub(crate) struct Arena {
    next: *mut u8,
    left: usize,
}

impl Arena {
    /// # Safety
    /// `memory` points to `len` bytes that nobody else uses from now on, for as long as what is cut out is used.
    pub(crate) const unsafe fn new(memory: *mut u8, len: usize) -> Self {
        Self { next: memory, left: len }
    }
}

impl Memory<'static> for Arena {
    fn slots<T: 'static>(&mut self, count: usize, empty: fn() -> T) -> Option<&'static mut [T]> {
        let skip = self.next.align_offset(align_of::<T>());
        let size = count.checked_mul(size_of::<T>())?;
        let left = self.left.checked_sub(skip)?.checked_sub(size)?;
        // SAFETY: `skip` and then `size` bytes are left from `next` on, as `new`'s caller vouches; after `skip` it is
        // aligned for `T`; every slot is written before it is in a slice; and no byte is handed out twice, for `next`
        // goes behind the slots.
        unsafe {
            let first = self.next.add(skip).cast::<T>();
            for slot in 0..count {
                first.add(slot).write(empty());
            }
            self.next = first.add(count).cast();
            self.left = left;
            Some(slice::from_raw_parts_mut(first, count))
        }
    }
}

/// Counts what an [`Arena`] would need.
#[derive(Default)]
pub(crate) struct Measure {
    bytes: usize,
    align: usize,
}

impl Measure {
    /// Enough for memory of any alignment.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes.saturating_add(self.align - 1)
    }
}

impl Memory<'static> for Measure {
    fn slots<T: 'static>(&mut self, count: usize, _: fn() -> T) -> Option<&'static mut [T]> {
        self.align = self.align.max(align_of::<T>());
        let start = self.bytes.checked_next_multiple_of(align_of::<T>())?;
        self.bytes = start.checked_add(count.checked_mul(size_of::<T>())?)?;
        Some(&mut [])
    }
}
