//! What the Wi-Fi chip, a CYW43439, is loaded with at each start. Nothing of it is in this
//! repository: the program and the countries' rules come with the crate `cyw43-firmware`, and the
//! board's description, 742 bytes, from a file that `KLAMM_CYW43_NVRAM` names when this is built.

use cyw43::{A4, Aligned};

/// The chip's program.
pub(crate) static PROGRAM: &Aligned<A4, [u8]> = &Aligned(*cyw43_firmware::CYW43_43439A0);

/// Which channels are allowed where.
pub(crate) static COUNTRIES: &[u8] = cyw43_firmware::CYW43_43439A0_CLM;

/// How the board is wired: crystal, antenna, power.
pub(crate) static NVRAM: &Aligned<A4, [u8]> = &Aligned(*include_bytes!(env!("KLAMM_NVRAM")));

/// Stops if the image was built without the board's description, as it is where it is only
/// compiled: the chip would not start with none.
pub(crate) fn check() {
    // Not known when it is compiled, lest the compiler leave out all the rest.
    if core::hint::black_box(NVRAM).is_empty() {
        defmt::panic!("built without KLAMM_CYW43_NVRAM: see README.md");
    }
}
