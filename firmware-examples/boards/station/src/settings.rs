//! What the station is told, by environment variables when it is built.

/// `KLAMM_WIFI_NAME`: the network to join (its SSID).
pub const WIFI_NAME: &str = or(option_env!("KLAMM_WIFI_NAME"), "");

/// `KLAMM_WIFI_PASSWORD`: its password; none for an open network.
pub const WIFI_PASSWORD: &str = or(option_env!("KLAMM_WIFI_PASSWORD"), "");

/// `KLAMM_BROKERS`: where to ask for the cluster first, `host:port`, separated by commas.
pub const BROKERS: &str = or(option_env!("KLAMM_BROKERS"), "192.168.1.10:9092");

/// `KLAMM_TOPIC`: where the readings go.
pub const TOPIC: &str = or(option_env!("KLAMM_TOPIC"), "readings");

/// `KLAMM_TIME_SERVER`: who knows what time it is, by SNTP.
pub const TIME_SERVER: &str = or(option_env!("KLAMM_TIME_SERVER"), "pool.ntp.org");

/// `KLAMM_BATCH_SECONDS`: for how long readings are collected before they are sent, 0 to 3,600.
pub const BATCH_SECONDS: u32 = seconds(or(option_env!("KLAMM_BATCH_SECONDS"), "60"));

const fn or(given: Option<&'static str>, default: &'static str) -> &'static str {
    match given {
        Some(given) => given,
        None => default,
    }
}

/// Anything else does not compile.
const fn seconds(text: &str) -> u32 {
    match u32::from_str_radix(text, 10) {
        Ok(seconds) if seconds <= 3_600 => seconds,
        _ => panic!("KLAMM_BATCH_SECONDS: a number from 0 to 3600"),
    }
}
