//! The APIs that klamm speaks, and which version of each.

/// All versions (unit tests go through them with any features), or one of each API that every broker from 2.1 on has:
/// no compact forms, no tags, no topic ids. With one version the compiler sees which branches are left.
pub(crate) const FLEXIBLE: bool = cfg!(any(feature = "flexible", test));

/// Is a broker asked which versions it speaks? Else it is taken to speak the one of each API.
pub(crate) const GREETS: bool = cfg!(any(feature = "api-versions", test));

/// Kafka's number of an API.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i16)]
pub(crate) enum ApiKey {
    Produce = 0,
    Metadata = 3,
    FindCoordinator = 10,
    #[cfg_attr(
        not(any(feature = "api-versions", feature = "events", test)),
        expect(dead_code, reason = "nobody is asked")
    )]
    ApiVersions = 18,
    InitProducerId = 22,
}

impl ApiKey {
    /// The API that a broker's number names, if klamm speaks it.
    #[cfg(any(feature = "api-versions", test))]
    pub(crate) const fn of(key: i16) -> Option<Self> {
        Some(match key {
            0 => Self::Produce,
            3 => Self::Metadata,
            10 => Self::FindCoordinator,
            18 => Self::ApiVersions,
            22 => Self::InitProducerId,
            _ => return None,
        })
    }

    /// The lowest and the highest version that klamm speaks.
    pub(crate) const fn range(self) -> (i16, i16) {
        match self {
            Self::Produce | Self::Metadata if !FLEXIBLE => (7, 7),
            Self::ApiVersions if !FLEXIBLE => (0, 0),
            Self::InitProducerId if !FLEXIBLE => (1, 1),
            // Kafka 4 advertises 0 to 2 for the sake of librdkafka and closes the connection on them (KAFKA-18659).
            Self::Produce => (3, 13),
            Self::Metadata => (4, 13),
            Self::FindCoordinator => (2, 6),
            // Version 4 adds nothing for a producer, and Event Hubs resets the connection on it.
            Self::ApiVersions => (0, 3),
            // Version 6 is marked unstable (KIP-939).
            Self::InitProducerId => (1, 5),
        }
    }

    /// The version of a request or an answer: known to the compiler where there is but one.
    pub(crate) const fn spoken(self, version: i16) -> i16 {
        if FLEXIBLE { version } else { self.range().1 }
    }

    /// The version to use with a broker that supports `broker_min` to `broker_max`.
    #[cfg(any(feature = "api-versions", test))]
    pub(crate) const fn version(self, broker_min: i16, broker_max: i16) -> Option<i16> {
        let (min, max) = self.range();
        match (self, usable(min, max, broker_min, broker_max)) {
            // Metadata 8 would be one more form of the body, for Kafka 2.3 alone.
            (Self::Metadata, Some(8)) => usable(min, 7, broker_min, broker_max),
            (_, version) => version,
        }
    }
}

/// The highest version that both sides know.
#[cfg(any(feature = "api-versions", test))]
pub(crate) const fn usable(
    client_min: i16,
    client_max: i16,
    broker_min: i16,
    broker_max: i16,
) -> Option<i16> {
    let max = if client_max < broker_max { client_max } else { broker_max };
    let min = if client_min > broker_min { client_min } else { broker_min };
    if max >= min { Some(max) } else { None }
}

/// Does the version use compact strings and tagged fields (KIP-482)? Then it has request header 2, and response
/// header 1; only `ApiVersions` answers always with header 0, so that any client can read them.
pub(crate) const fn is_flexible(api: ApiKey, version: i16) -> bool {
    FLEXIBLE
        && version
            >= match api {
                ApiKey::Produce | ApiKey::Metadata => 9,
                ApiKey::FindCoordinator | ApiKey::ApiVersions => 3,
                ApiKey::InitProducerId => 2,
            }
}
