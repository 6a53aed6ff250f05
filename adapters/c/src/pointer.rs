//! From pointers to references: the only place where a C pointer is believed.

use core::ffi::{CStr, c_char, c_void};
use core::slice;

use crate::status::klamm_status;

/// The bytes at `data`; `None` for a null pointer, which is Kafka's null.
///
/// # Errors
/// `Argument` for a null pointer with a length, and for a length that no memory has.
///
/// # Safety
/// `data` is null, or points to `len` bytes that nobody writes to for `'a`.
pub(crate) unsafe fn bytes<'a>(
    data: *const c_void,
    len: usize,
) -> Result<Option<&'a [u8]>, klamm_status> {
    if data.is_null() {
        return if len == 0 { Ok(None) } else { Err(klamm_status::Argument) };
    }
    if len > isize::MAX.cast_unsigned() {
        return Err(klamm_status::Argument);
    }
    // SAFETY: not null, the length is one that a slice may have, and the caller vouches for the rest.
    Ok(Some(unsafe { slice::from_raw_parts(data.cast::<u8>(), len) }))
}

/// The text at `text`, which ends with a zero byte.
///
/// # Errors
/// `Argument` for a null pointer, and for what is not UTF-8.
///
/// # Safety
/// `text` is null, or points to a text that ends with a zero byte and that nobody writes to for `'a`.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Result<&'a str, klamm_status> {
    if text.is_null() {
        return Err(klamm_status::Argument);
    }
    // SAFETY: not null, and the caller vouches for the zero byte.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| klamm_status::Argument)
}

/// Writes to where `out` points, if it does.
///
/// # Safety
/// `out` is null, or points to memory for a `T` that nobody else looks at meanwhile.
pub(crate) unsafe fn put<T>(out: *mut T, value: T) {
    if !out.is_null() {
        // SAFETY: not null, and the caller vouches for the rest.
        unsafe { out.write(value) }
    }
}

/// Copies `text` and a zero byte into the `capacity` bytes at `out`; what does not fit is cut off.
///
/// # Safety
/// `out` is null, or points to `capacity` bytes that nobody else looks at meanwhile.
pub(crate) unsafe fn put_text(out: *mut c_char, capacity: usize, text: &str) {
    let Some(room) = capacity.checked_sub(1).filter(|_| !out.is_null()) else { return };
    let len = text.len().min(room);
    // SAFETY: `len` + 1 bytes are at most `capacity`; a `str` of the library or the producer is not in them.
    unsafe {
        out.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), len);
        out.add(len).write(0);
    }
}
