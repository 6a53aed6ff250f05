//! The properties of batching, of the queue and of retries. What others have is called as they call
//! it; klamm's own are named after the fields of `Policies`.

use klamm::{Overflow, Policies};

use crate::property_table::{BOOL, Draft, Property, number, positive, put};

const COUNT: &str = "a whole number, 1 to 4294967295 (no bound)";

/// Adds a bound or a threshold that is a field of `Policies`.
macro_rules! bound {
    ($name:literal, $field:ident) => {
        Property {
            name: $name,
            aliases: &[],
            expected: COUNT,
            set: |draft, text| put(&mut policies(draft).$field, positive(text)),
        }
    };
}

/// Adds milliseconds that are a field of `Policies`.
macro_rules! ms {
    ($name:literal, $field:ident) => {
        Property {
            name: $name,
            aliases: &[],
            expected: "a whole number of milliseconds, 0 to 4294967295",
            set: |draft, text| put(&mut policies(draft).$field, number(text)),
        }
    };
}

pub(crate) static POLICY_PROPERTIES: &[Property] = &[
    Property {
        name: "batch.num.messages",
        aliases: &["batch.records"],
        expected: "a whole number of records, 1 to 65535 (more is 65535)",
        set: |draft, text| {
            let records = positive(text).map(|n| u16::try_from(n).unwrap_or(u16::MAX));
            put(&mut draft.builder.config.batch_records, records)
        },
    },
    Property {
        name: "queue.buffering.max.messages",
        aliases: &["queue.records.max"],
        expected: "a whole number of records, 0 (no bound) to 4294967295",
        set: |draft, text| {
            let records = number(text).map(|n| if n == 0 { u32::MAX } else { n });
            put(&mut policies(draft).queue_records_max, records)
        },
    },
    bound!("queue.bytes.max", queue_bytes_max),
    bound!("broker.queue.records.max", broker_queue_records_max),
    bound!("broker.queue.bytes.max", broker_queue_bytes_max),
    bound!("send.at.records", send_at_records),
    bound!("send.at.bytes", send_at_bytes),
    ms!("delivery.interval.ms", delivery_interval_ms),
    ms!("ack.timeout.ms", ack_timeout_ms),
    Property {
        name: "hold.full.batches",
        aliases: &[],
        expected: BOOL,
        set: |draft, text| put(&mut policies(draft).hold_full_batches, text.parse().ok()),
    },
    Property {
        name: "overflow",
        aliases: &[],
        expected: "reject (wait up to max.block.ms, then refuse), drop-oldest or drop-newest",
        set: |draft, text| {
            let overflow = match text {
                "reject" => Some(Overflow::Reject),
                "drop-oldest" => Some(Overflow::DropOldest),
                "drop-newest" => Some(Overflow::DropNewest),
                _ => None,
            };
            put(&mut policies(draft).overflow, overflow)
        },
    },
    Property {
        name: "retry.not.enough.replicas",
        aliases: &[],
        expected: BOOL,
        set: |draft, text| {
            let retry: bool = text.parse().ok()?;
            let codes = if retry { &[][..] } else { Policies::NOT_ENOUGH_REPLICAS };
            put(&mut policies(draft).final_errors, Some(codes))
        },
    },
];

fn policies(draft: &mut Draft) -> &mut Policies {
    &mut draft.builder.config.policies
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::Options;

    fn build(properties: &[(&str, &str)]) -> Result<Options, String> {
        let servers = ("bootstrap.servers", "localhost:9092");
        crate::properties::options(core::iter::once(servers).chain(properties.iter().copied()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn sets_the_policies() {
        let builder = build(&[
            ("batch.num.messages", "100000"),
            ("queue.buffering.max.messages", "0"),
            ("queue.bytes.max", "1000000"),
            ("broker.queue.records.max", "100000"),
            ("broker.queue.bytes.max", "2000000"),
            ("send.at.records", "70000"),
            ("send.at.bytes", "500000"),
            ("delivery.interval.ms", "30000"),
            ("ack.timeout.ms", "500"),
            ("hold.full.batches", "true"),
            ("overflow", "drop-oldest"),
            ("retry.not.enough.replicas", "false"),
        ])
        .expect("legal");
        let (config, policies) = (&builder.config, &builder.config.policies);
        assert_eq!(config.batch_records, u16::MAX);
        assert_eq!((policies.queue_records_max, policies.queue_bytes_max), (u32::MAX, 1_000_000));
        assert_eq!(policies.broker_queue_records_max, 100_000);
        assert_eq!(policies.broker_queue_bytes_max, 2_000_000);
        assert_eq!((policies.send_at_records, policies.send_at_bytes), (70_000, 500_000));
        assert_eq!((policies.delivery_interval_ms, policies.ack_timeout_ms), (30_000, 500));
        assert!(policies.hold_full_batches);
        assert_eq!(policies.overflow, Overflow::DropOldest);
        assert_eq!(policies.final_errors, Policies::NOT_ENOUGH_REPLICAS);
    }

    #[test]
    fn rk_04_rk_05_bounds_are_positive() {
        for name in ["queue.bytes.max", "broker.queue.records.max", "send.at.records"] {
            for value in ["0", "-1"] {
                let error = build(&[(name, value)]).expect_err("out of range");
                assert!(error.contains(COUNT), "{error}");
            }
        }
        let error = build(&[("delivery.interval.ms", "-1")]).expect_err("out of range");
        assert!(error.contains("milliseconds"), "{error}");
    }

    /// Delivery by hand: nothing expires either, unless it is asked for.
    #[test]
    fn linger_without_an_end_needs_no_other_timeout() {
        let builder = build(&[("linger.ms", "4294967295")]).expect("legal");
        assert_eq!(builder.config.delivery_timeout_ms, u32::MAX);
    }
}
