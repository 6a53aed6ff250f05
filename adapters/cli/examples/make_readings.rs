//! Makes `examples/readings.txt`: `cargo run -p klamm-cli --example make_readings >
//! examples/readings.txt`.
//!
//! 100,000 readings of 1,000 sensors, one a line: the key, a colon, the reading as JSON. The same
//! lines every time: a linear congruential generator lets each sensor's values wander.

use std::io::{self, BufWriter, Write};

const READINGS: u64 = 100_000;
const SENSORS: usize = 1_000;

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut random = Random(2_026);
    // Hundredths of a degree, tenths of a percent, millivolts.
    let mut sensors: Vec<(i64, i64, i64)> = (0..SENSORS)
        .map(|_| (1_500 + random.below(1_000), 300 + random.below(400), 3_300 + random.below(900)))
        .collect();
    let mut millis = 1_767_225_600_000_i64;
    for _ in 0..READINGS {
        millis += random.below(40);
        let number = usize::try_from(random.below(1_000)).unwrap_or_default();
        let (celsius, humidity, millivolts) = &mut sensors[number];
        *celsius = (*celsius + random.below(41) - 20).clamp(0, 4_500);
        *humidity = (*humidity + random.below(11) - 5).clamp(50, 990);
        *millivolts = (*millivolts - i64::from(random.below(8) == 0)).max(2_800);
        write!(out, "sensor-{number}:{{\"t\":{millis},")?;
        write!(out, "\"celsius\":{}.{:02},", *celsius / 100, *celsius % 100)?;
        write!(out, "\"humidity\":{}.{},", *humidity / 10, *humidity % 10)?;
        writeln!(out, "\"mv\":{millivolts}}}")?;
    }
    out.flush()
}

/// Knuth's MMIX generator; its high bits are good enough for a sample file.
struct Random(u64);

impl Random {
    /// A number from 0 to `bound` - 1.
    fn below(&mut self, bound: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap_or_default() % bound
    }
}
