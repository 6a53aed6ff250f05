//! Names for messages: texts that are never freed, in English, with a zero byte at the end.

use core::ffi::{CStr, c_char};

use klamm::ErrorCode;

use crate::pointer;

/// The version of the library, as `0.1.0`.
#[unsafe(no_mangle)]
pub extern "C" fn klamm_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// A few words about a klamm_status.
#[unsafe(no_mangle)]
pub extern "C" fn klamm_status_name(status: i32) -> *const c_char {
    name(match status {
        0 => c"ok",
        -1 => c"bad argument: null pointer, wrong handle, text not UTF-8",
        -2 => c"header and library are of different versions: compile again",
        -3 => c"memory too small",
        -4 => c"option out of range",
        -5 => c"record memory full: take reports, then try again",
        -6 => c"record too large",
        -7 => c"partitions of the topic not known yet",
        -8 => c"a broker refuses the topic",
        -9 => c"invalid topic name",
        -10 => c"no slot left: raise topics or partitions of klamm_limits",
        -11 => c"the topic has no such partition",
        -12 => c"producer closed",
        -13 => c"the peer breaks the Kafka protocol",
        -14 => c"the peer speaks TLS",
        -15 => c"not connected",
        _ => c"unknown status",
    })
}

/// A word about a klamm_outcome.
#[unsafe(no_mangle)]
pub extern "C" fn klamm_outcome_name(outcome: i32) -> *const c_char {
    name(match outcome {
        0 => c"delivered",
        1 => c"not persisted",
        2 => c"unknown",
        _ => c"no such outcome",
    })
}

/// A few words about a klamm_reason.
#[unsafe(no_mangle)]
pub extern "C" fn klamm_reason_name(reason: i32) -> *const c_char {
    name(match reason {
        0 => c"none",
        1 => c"rejected by the broker",
        2 => c"delivery timed out",
        3 => c"another record of the batch was invalid",
        4 => c"the broker lost data or the producer's state",
        5 => c"retries used up",
        6 => c"purged",
        7 => c"record larger than the broker allows",
        8 => c"the topic has no such partition",
        99 => c"other",
        _ => c"no such reason",
    })
}

/// Writes a few words about a broker's error code and a zero byte to `text`; what does not fit into `capacity` bytes is
/// cut off. Returns how long it is without the zero byte: at most 63.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn klamm_error_text(error: i16, text: *mut c_char, capacity: usize) -> usize {
    let words = ErrorCode(error).text();
    // SAFETY: the program vouches for its pointers, as the header asks.
    unsafe { pointer::put_text(text, capacity, words) };
    words.len()
}

const fn name(text: &'static CStr) -> *const c_char {
    text.as_ptr()
}
