//! One reading of a sensor, as a record.

use klamm_embassy::{Header, Record};

use crate::settings::{Settings, VALUE_MAX};

/// Which sensor, and what it says.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    key: [u8; KEY.len()],
    value: [u8; VALUE_MAX],
    length: usize,
}

const KEY: &[u8; 10] = b"sensor-000";

impl Reading {
    /// The reading with this number, which is its value, for whoever reads it back to see that none
    /// is missing; the sensors take turns.
    pub fn new(number: u32, settings: &Settings<'_>) -> Self {
        let mut reading = Self { key: *KEY, value: [b'0'; VALUE_MAX], length: settings.size };
        let sensor = number.checked_rem(settings.sensors).unwrap_or_default();
        let [.., hundreds, tens, ones] = &mut reading.key;
        decimal([ones, tens, hundreds].into_iter(), sensor);
        if let Some(value) = reading.value.get_mut(..settings.size) {
            decimal(value.iter_mut().rev(), number);
        }
        reading
    }

    /// A temperature in hundredths of a degree Celsius, at most 9999: `21.53`.
    pub fn celsius(hundredths: u32) -> Self {
        let mut reading = Self { key: *KEY, value: [b'0'; VALUE_MAX], length: 5 };
        let [tens, ones, point, tenths, rest, ..] = &mut reading.value;
        *point = b'.';
        decimal([rest, tenths, ones, tens].into_iter(), hundredths);
        reading
    }

    /// What every record says beside its value.
    pub fn headers(&self) -> [Header<'static>; 1] {
        [Header::new("unit", b"celsius")]
    }

    /// Which sensor it is.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// What it says.
    pub fn value(&self) -> &[u8] {
        self.value.get(..self.length).unwrap_or(&self.value)
    }

    /// As a record.
    pub fn record<'a>(&'a self, headers: &'a [Header<'a>]) -> Record<'a> {
        Record::value(self.value()).with_key(self.key()).with_headers(headers)
    }
}

/// Writes a number, its last digit first.
fn decimal<'a>(digits: impl Iterator<Item = &'a mut u8>, mut number: u32) {
    for digit in digits {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
