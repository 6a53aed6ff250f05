//! How deep the stack has been: cortex-m-rt paints it before `main` (its feature `paint-stack`).

use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    /// The lowest address of the stack, and the one above the highest: symbols of cortex-m-rt's
    /// linker script.
    static _stack_end: u32;
    static _stack_start: u32;
}

/// Bytes of the stack that have been written since the start.
pub fn used() -> usize {
    let (mut at, end) = (&raw const _stack_end, &raw const _stack_start);
    // SAFETY: between the two symbols is nothing but the stack; it is aligned to words and painted,
    // so each word is initialized. What is below the stack pointer belongs to nobody, and what is
    // above is not read: it is not paint.
    while at < end && unsafe { at.read_volatile() } == STACK_PAINT_VALUE {
        at = at.wrapping_add(1);
    }
    end as usize - at as usize
}

/// Bytes that the stack may take.
pub fn size() -> usize {
    (&raw const _stack_start) as usize - (&raw const _stack_end) as usize
}
