//! A simulated sensor.

/// Hundredths of a degree: up for ten minutes and down for ten, with some noise. Here a driver would
/// ask a chip on the I2C bus.
pub(crate) fn celsius(number: u32) -> u32 {
    const MIN: u32 = 1_950;
    const HALF: u32 = 600;
    let at = number % (2 * HALF);
    let triangle = if at < HALF { at } else { 2 * HALF - at };
    // The upper bits of a product with an odd constant look random (Knuth).
    let noise = number.wrapping_mul(2_654_435_761) >> 29;
    MIN + triangle + noise
}
