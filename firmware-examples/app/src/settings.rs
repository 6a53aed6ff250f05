//! What the device is told to do. A board that nobody talks to has these as constants.

/// Bytes that a value may have.
pub const VALUE_MAX: usize = 128;

/// The settings, each with its name in [`Settings::parse`].
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// `bootstrap=host:port`: the brokers, separated by `;`.
    pub bootstrap: &'a str,
    /// `topic=name`.
    pub topic: &'a str,
    /// `records=n`: how many to send, over all resets.
    pub records: u32,
    /// `sensors=n`: keys, at most 1,000.
    pub sensors: u32,
    /// `size=bytes`: of a value, 8 to [`VALUE_MAX`].
    pub size: usize,
    /// `pace_ms=n`: milliseconds from one record to the next; 0 for as fast as it goes.
    pub pace_ms: u64,
    /// `linger_ms=n`: how long a batch waits for more records.
    pub linger_ms: u32,
    /// `drop=1`: a reading for which there is no room is dropped and counted. Else sending waits
    /// for room.
    pub drop_when_full: bool,
    /// `request_ms=n`: how long a broker may take to answer.
    pub request_ms: u32,
    /// `quiet=1`: no line for each batch.
    pub quiet: bool,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            bootstrap: "10.0.2.2:9092",
            topic: "readings",
            records: 10_000,
            sensors: 4,
            size: 16,
            pace_ms: 0,
            linger_ms: 20,
            drop_when_full: false,
            request_ms: 5_000,
            quiet: false,
        }
    }
}

impl<'a> Settings<'a> {
    /// Reads `name=value` words; what is not said has its default. `None` for a name that is
    /// unknown, or a number that is none or out of bounds.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut settings = Self::default();
        for word in text.split_ascii_whitespace() {
            let (name, value) = word.split_once('=')?;
            match name {
                "bootstrap" => settings.bootstrap = value,
                "topic" => settings.topic = value,
                "records" => settings.records = value.parse().ok()?,
                "sensors" => settings.sensors = value.parse().ok()?,
                "size" => settings.size = value.parse().ok()?,
                "pace_ms" => settings.pace_ms = value.parse().ok()?,
                "linger_ms" => settings.linger_ms = value.parse().ok()?,
                "drop" => settings.drop_when_full = value == "1",
                "request_ms" => settings.request_ms = value.parse().ok()?,
                "quiet" => settings.quiet = value == "1",
                _ => return None,
            }
        }
        let legal =
            (1..=1_000).contains(&settings.sensors) && (8..=VALUE_MAX).contains(&settings.size);
        legal.then_some(settings)
    }
}
