//! What every image has, with klamm and without, so that it counts for nobody: what any firmware links, copying,
//! clearing and comparing memory, and 64-bit division. An image that lacked some of it would seem to be smaller.
#![no_std]

use core::hint::black_box;

/// Calls all of it.
#[inline(never)]
pub fn firmware() {
    let mut bytes = [0_u8; 64];
    let at = black_box(8_usize).min(bytes.len());
    bytes.copy_within(at.., 0);
    bytes[..at].copy_from_slice(&black_box([1; 64])[..at]);
    bytes[at..].fill(black_box(2));
    black_box(&bytes);
    // Words have functions of their own.
    let mut words = [0_u64; 16];
    black_box(&mut words);
    let copy = words;
    black_box(&copy);
    black_box(&mut [0_u32; 15]);
    black_box(*black_box(&[1_u32; 15]));
    black_box(black_box(&bytes[..at]) == black_box(&bytes[at..]));
    black_box(black_box(1_u64).checked_div(black_box(3)));
}
