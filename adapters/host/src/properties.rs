//! Options by the names that people know: Java's, and librdkafka's where they mean the same.

use klamm::{Acks, Compression, Idempotence, partitioner};

use crate::builder::Options;
use crate::error::PropertyError;
use crate::policy_properties::POLICY_PROPERTIES;
use crate::property_table::{ADAPTIVE, Draft, IGNORE_KEYS, Levels, PROPERTIES, Property};

/// A value that was given, for messages that name it as it was written.
struct Given {
    property: &'static Property,
    name: String,
    value: String,
}

/// What others have and klamm has not: "did you mean" would be no help there.
const NOT_THERE_YET: &[&str] = &["sasl.", "ssl.", "security.", "transaction", "transactional."];

/// The options that these properties describe.
pub(crate) fn options<N, V>(
    properties: impl IntoIterator<Item = (N, V)>,
) -> Result<Options, PropertyError>
where
    N: AsRef<str>,
    V: AsRef<str>,
{
    let mut draft = Draft::new();
    let mut given: Vec<Given> = Vec::new();
    for (name, value) in properties {
        let (name, value) = (name.as_ref().trim(), value.as_ref().trim());
        let property = find(name)?;
        if let Some(known) = given.iter().find(|known| core::ptr::eq(known.property, property)) {
            if known.value == value {
                continue;
            }
            return Err(PropertyError::Twice { first: known.name.clone(), second: name.into() });
        }
        (property.set)(&mut draft, value).ok_or_else(|| PropertyError::Value {
            name: name.into(),
            value: value.into(),
            expected: property.expected,
        })?;
        given.push(Given { property, name: name.into(), value: value.into() });
    }
    finish(draft, &given)
}

fn find(name: &str) -> Result<&'static Property, PropertyError> {
    let is_named = |property: &&Property| property.name == name || property.aliases.contains(&name);
    let known = || PROPERTIES.iter().chain(POLICY_PROPERTIES);
    if let Some(property) = known().find(is_named) {
        return Ok(property);
    }
    if NOT_THERE_YET.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(PropertyError::Unsupported { name: name.into() });
    }
    let names = known().flat_map(|property| {
        core::iter::once(property.name).chain(property.aliases.iter().copied())
    });
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let closest = names
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known);
    Err(PropertyError::Unknown { name: name.into(), closest })
}

/// Checks what one property alone does not show, by Java's rules: what was asked for in so many
/// words and cannot be had is an error; what was not asked for gives way.
fn finish(mut draft: Draft, given: &[Given]) -> Result<Options, PropertyError> {
    if draft.builder.servers.is_empty() {
        return Err(PropertyError::NoServers);
    }
    let as_given = |name: &str| {
        let known = given.iter().find(|known| known.property.name == name);
        known.map(|known| format!("{}={}", known.name, known.value))
    };
    let config = &mut draft.builder.config;

    let forbids_idempotence = [
        (config.acks != Acks::All, "acks", "idempotence needs acks=all"),
        (
            draft.in_flight > 5,
            "max.in.flight.requests.per.connection",
            "idempotence allows at most 5 requests in flight",
        ),
        (config.retries == 0, "retries", "idempotence needs retries"),
    ];
    let forbidden = forbids_idempotence.into_iter().find(|(applies, ..)| *applies);
    config.enable_idempotence = match (draft.idempotence, forbidden) {
        (Some(true), Some((_, name, rule))) => {
            return Err(PropertyError::Conflict {
                one: "enable.idempotence=true".into(),
                other: as_given(name).unwrap_or_else(|| name.into()),
                rule,
            });
        }
        (Some(true), None) => Idempotence::Required,
        (None, None) => Idempotence::Preferred,
        (Some(false), _) | (None, Some(_)) => Idempotence::Off,
    };
    config.max_in_flight_requests_per_connection = u8::try_from(draft.in_flight)
        .ok()
        .filter(|count| *count <= 5)
        .ok_or_else(|| PropertyError::Value {
            name: "max.in.flight.requests.per.connection".into(),
            value: draft.in_flight.to_string(),
            expected: "a whole number, 1 to 5",
        })?;

    let least = config.linger_ms.saturating_add(config.request_timeout_ms);
    if config.delivery_timeout_ms < least {
        if let Some(one) = as_given("delivery.timeout.ms") {
            let (linger, request) = (config.linger_ms, config.request_timeout_ms);
            return Err(PropertyError::Conflict {
                one,
                other: format!("linger.ms={linger} + request.timeout.ms={request}"),
                rule: "delivery.timeout.ms must be at least their sum",
            });
        }
        config.delivery_timeout_ms = least;
    }
    config.compression_type = draft.levels.of(draft.compression, &as_given)?;
    config.partitioner = match (draft.partitioner, draft.ignores_keys, draft.adaptive) {
        (Some(_), true, _) | (Some(_), _, true) => {
            let name = if draft.ignores_keys { IGNORE_KEYS } else { ADAPTIVE };
            return Err(PropertyError::Conflict {
                one: as_given(name).unwrap_or_else(|| name.into()),
                other: as_given("partitioner").unwrap_or_else(|| "partitioner".into()),
                rule: "it is about the default partitioner",
            });
        }
        (Some(named), ..) => named,
        (None, false, false) => &partitioner::java,
        (None, false, true) => &partitioner::java_adaptive,
        (None, true, false) => &partitioner::sticky,
        (None, true, true) => &partitioner::adaptive,
    };
    Ok(draft.builder)
}

impl Levels {
    /// The codec with its level.
    fn of(
        &self,
        codec: Compression,
        as_given: &impl Fn(&str) -> Option<String>,
    ) -> Result<Compression, PropertyError> {
        let name = match codec {
            Compression::Gzip { .. } => "compression.gzip.level",
            Compression::Lz4 { .. } => "compression.lz4.level",
            Compression::Zstd { .. } => "compression.zstd.level",
            _ => return Ok(codec),
        };
        if let (Some(one), Some(other)) = (as_given("compression.level"), as_given(name)) {
            let rule = "both give the level of the codec";
            return Err(PropertyError::Conflict { one, other, rule });
        }
        // What is out of the codec's range, the core refuses.
        let small = |own| self.any.map_or(own, |any| u8::try_from(any).unwrap_or(u8::MAX));
        Ok(match codec {
            Compression::Gzip { .. } => Compression::Gzip { level: small(self.gzip) },
            Compression::Lz4 { .. } => Compression::Lz4 { level: small(self.lz4) },
            _ => Compression::Zstd { level: self.any.unwrap_or(self.zstd) },
        })
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::property_table::{DEFAULT_LZ4_LEVEL, DEFAULT_ZSTD_LEVEL};

    fn build(properties: &[(&str, &str)]) -> Result<Options, String> {
        let servers = ("bootstrap.servers", "localhost:9092");
        options(core::iter::once(servers).chain(properties.iter().copied()))
            .map_err(|error| error.to_string())
    }

    fn error(properties: &[(&str, &str)]) -> String {
        build(properties).expect_err("these properties are wrong")
    }

    #[test]
    fn sets_what_javas_names_say() {
        let builder = build(&[
            ("client.id", "greenhouse"),
            ("linger.ms", "20"),
            ("batch.size", "65536"),
            ("buffer.memory", "67108864"),
            ("compression.gzip.level", "9"),
            ("compression.type", "gzip"),
            ("max.block.ms", "1500"),
            ("statistics.interval.ms", "5000"),
            ("retries", "2147483647"),
            ("allow.auto.create.topics", "false"),
        ])
        .expect("legal");
        assert_eq!(builder.servers, "localhost:9092");
        assert_eq!(builder.client_id, "greenhouse");
        assert_eq!(builder.config.linger_ms, 20);
        assert_eq!(builder.config.batch_size, 65_536);
        assert_eq!(builder.limits.buffer_memory, 64 << 20);
        assert_eq!(builder.config.compression_type, Compression::Gzip { level: 9 });
        assert_eq!(builder.max_block, Duration::from_millis(1500));
        assert_eq!(builder.instruments.interval, Duration::from_secs(5));
        assert_eq!(builder.config.retries, u32::MAX);
        assert!(!builder.config.allow_auto_create_topics);
        assert_eq!(builder.config.enable_idempotence, Idempotence::Preferred);
    }

    #[test]
    #[cfg(all(feature = "gzip", feature = "snappy", feature = "lz4", feature = "zstd"))]
    fn a_codec_has_the_level_that_was_given_for_it() {
        let codec =
            |properties: &[(&str, &str)]| build(properties).expect("legal").config.compression_type;
        let levels = [
            ("compression.gzip.level", "-1"),
            ("compression.lz4.level", "17"),
            ("compression.zstd.level", "-5"),
        ];
        for (name, with_levels, with_any) in [
            ("none", Compression::None, Compression::None),
            ("gzip", Compression::Gzip { level: 6 }, Compression::Gzip { level: 4 }),
            ("snappy", Compression::Snappy, Compression::Snappy),
            ("lz4", Compression::Lz4 { level: 17 }, Compression::Lz4 { level: 4 }),
            ("zstd", Compression::Zstd { level: -5 }, Compression::Zstd { level: 4 }),
        ] {
            let name = ("compression.type", name);
            assert_eq!(codec(&[levels[0], name, levels[1], levels[2]]), with_levels);
            assert_eq!(codec(&[("compression.level", "4"), name]), with_any);
        }
        assert_eq!(codec(&[("compression.type", "lz4")]), Compression::Lz4 { level: 1 });
        assert_eq!(codec(&[("compression.type", "zstd")]), Compression::Zstd { level: 3 });
        let message = error(&[
            ("compression.type", "lz4"),
            ("compression.level", "3"),
            ("compression.lz4.level", "3"),
        ]);
        assert!(message.contains("both give the level"), "{message}");
    }

    /// Every value of the ranges' ends and of their middle, with each of the others.
    #[test]
    #[cfg(all(feature = "lz4", feature = "zstd"))]
    fn ck_22_the_usual_tuning_is_accepted() {
        let codecs = [
            ("lz4", Compression::Lz4 { level: DEFAULT_LZ4_LEVEL }),
            ("zstd", Compression::Zstd { level: DEFAULT_ZSTD_LEVEL }),
        ];
        for linger in [5_u32, 10, 20, 50] {
            for batch in [64_u32, 100, 128, 256].map(|kib| kib << 10) {
                for memory in [64_u32, 96, 128].map(|mib| mib << 20) {
                    for (name, codec) in codecs {
                        let options = build(&[
                            ("linger.ms", &linger.to_string()),
                            ("batch.size", &batch.to_string()),
                            ("compression.type", name),
                            ("buffer.memory", &memory.to_string()),
                            ("max.in.flight.requests.per.connection", "5"),
                            ("acks", "all"),
                            ("enable.idempotence", "true"),
                        ])
                        .expect("legal");
                        let config = options.config;
                        assert_eq!((config.linger_ms, config.batch_size), (linger, batch));
                        assert_eq!(config.compression_type, codec);
                        assert_eq!(options.limits.buffer_memory, memory);
                        assert_eq!(config.max_in_flight_requests_per_connection, 5);
                        assert_eq!(config.enable_idempotence, Idempotence::Required);
                    }
                }
            }
        }
    }

    #[test]
    fn takes_librdkafkas_names_where_they_mean_the_same() {
        let builder = options([
            ("metadata.broker.list", "a:1,b:2"),
            ("request.required.acks", "-1"),
            ("queue.buffering.max.ms", "7"),
            ("queue.buffering.max.kbytes", "2048"),
            ("message.timeout.ms", "40000"),
        ])
        .expect("legal");
        assert_eq!(builder.servers, "a:1,b:2");
        assert_eq!(builder.config.acks, Acks::All);
        assert_eq!(builder.config.linger_ms, 7);
        assert_eq!(builder.limits.buffer_memory, 2 << 20);
        assert_eq!(builder.config.delivery_timeout_ms, 40_000);
    }

    #[test]
    fn names_the_closest_property() {
        let message = error(&[("lingerms", "5")]);
        assert_eq!(message, "unknown property lingerms; did you mean linger.ms?");
        assert_eq!(error(&[("xyzzy", "5")]), "unknown property xyzzy");
        let message = error(&[("sasl.mechanism", "PLAIN")]);
        assert_eq!(message, "klamm does not support sasl.mechanism yet");
    }

    #[test]
    fn says_what_a_value_should_be() {
        assert_eq!(error(&[("acks", "2")]), "acks=2: expected all, -1, 1 or 0");
        assert!(error(&[("linger.ms", "-1")]).contains("milliseconds"));
        assert!(error(&[("compression.type", "zip")]).contains("none, gzip, snappy, lz4 or zstd"));
        assert!(error(&[("compression.gzip.level", "10")]).contains("1 (fast) to 9"));
        assert!(error(&[("compression.zstd.level", "23")]).contains("-131072 (fast) to 22"));
        assert!(error(&[("batch.size", "0")]).contains("bytes"));
        assert!(error(&[("max.in.flight.requests.per.connection", "6")]).contains("1 to 5"));
    }

    #[test]
    fn refuses_a_property_given_twice_unless_it_says_the_same() {
        let message = error(&[("linger.ms", "5"), ("queue.buffering.max.ms", "6")]);
        assert!(message.contains("linger.ms and queue.buffering.max.ms are the same"), "{message}");
        assert!(build(&[("linger.ms", "5"), ("linger.ms", "5")]).is_ok());
    }

    #[test]
    fn idempotence_asked_for_conflicts_and_not_asked_for_gives_way() {
        let message = error(&[("enable.idempotence", "true"), ("acks", "1")]);
        assert_eq!(
            message,
            "enable.idempotence=true conflicts with acks=1: idempotence needs acks=all"
        );
        let message = error(&[("max.in.flight", "6"), ("enable.idempotence", "true")]);
        assert!(message.contains("conflicts with max.in.flight=6"), "{message}");
        let builder = build(&[("acks", "1")]).expect("legal");
        assert_eq!(builder.config.enable_idempotence, Idempotence::Off);
        assert_eq!(builder.config.acks, Acks::Leader);
        let builder = build(&[("enable.idempotence", "true")]).expect("legal");
        assert_eq!(builder.config.enable_idempotence, Idempotence::Required);
    }

    #[test]
    fn a_delivery_timeout_is_at_least_linger_plus_request_timeout() {
        let message = error(&[("delivery.timeout.ms", "1000")]);
        assert!(message.starts_with("delivery.timeout.ms=1000 conflicts with linger.ms=5 + "));
        let builder = build(&[("request.timeout.ms", "200000")]).expect("the default gives way");
        assert_eq!(builder.config.delivery_timeout_ms, 200_005);
    }

    #[test]
    fn names_partitioners_as_others_do() {
        let chosen = |properties: &[(&str, &str)]| {
            let name = build(properties).expect("legal").config.partitioner.name();
            name.rsplit("::").next().map(str::to_owned)
        };
        let java = |name: &str| format!("org.apache.kafka.clients.producer.{name}");
        let (ignore, adaptive) = ((IGNORE_KEYS, "true"), (ADAPTIVE, "true"));
        for (properties, name) in [
            (&[][..], "java"),
            (&[adaptive], "java_adaptive"),
            (&[ignore], "sticky"),
            (&[ignore, adaptive], "adaptive"),
            (&[("partitioner", "consistent_random")], "consistent_random"),
            (&[("partitioner", "murmur2")], "murmur2"),
            (&[("partitioner.class", &java("RoundRobinPartitioner"))], "round_robin"),
            (&[("partitioner.class", &java("UniformStickyPartitioner"))], "sticky"),
        ] {
            assert_eq!(chosen(properties).as_deref(), Some(name), "{properties:?}");
        }
        assert!(error(&[("partitioner", "md5")]).contains("fnv1a_random"));
        let message = error(&[("partitioner", "fnv1a"), ignore]);
        assert!(message.contains("partitioner.ignore.keys=true conflicts with partitioner=fnv1a"));
    }

    #[test]
    fn servers_are_needed() {
        let error = options([("acks", "all")]).expect_err("no servers");
        assert_eq!(error, PropertyError::NoServers);
    }
}
