//! Kafka's protocol, as far as a page may speak it: bytes to values and back, without any I/O.
//!
//! Nothing here trusts its input: a count never makes room, a length never leaves the bytes that are
//! there, and what follows the last field is an error.

pub(crate) mod api_versions;
pub(crate) mod batch;
pub(crate) mod error;
pub(crate) mod header;
pub(crate) mod inflate;
pub(crate) mod init_producer_id;
pub(crate) mod metadata;
pub(crate) mod produce;
pub(crate) mod produce_answer;
pub(crate) mod read;
pub(crate) mod records;
pub(crate) mod write;

pub(crate) use error::Code;
pub(crate) use read::{Malformed, Reader};
pub(crate) use write::Writer;

/// The APIs that a page may call, by Kafka's names.
#[allow(clippy::enum_variant_names, reason = "Kafka's name")]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Api {
    Produce,
    Metadata,
    ApiVersions,
    InitProducerId,
}

impl Api {
    pub(crate) const ALL: [Self; 4] =
        [Self::Produce, Self::Metadata, Self::ApiVersions, Self::InitProducerId];

    pub(crate) fn from_key(key: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.key() == key)
    }

    pub(crate) const fn key(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Metadata => 3,
            Self::ApiVersions => 18,
            Self::InitProducerId => 22,
        }
    }

    /// The versions that a page may use: none that names topics by id (Produce 13, Metadata 10),
    /// for an id says nothing to an allow-list of names.
    pub(crate) const fn versions(self) -> (i16, i16) {
        match self {
            Self::Produce => (3, 12),
            Self::Metadata => (7, 9),
            Self::ApiVersions => (0, 3),
            Self::InitProducerId => (0, 5),
        }
    }

    /// The first version with compact lengths and tagged fields (KIP-482).
    const fn flexible_from(self) -> i16 {
        match self {
            Self::Produce | Self::Metadata => 9,
            Self::ApiVersions => 3,
            Self::InitProducerId => 2,
        }
    }

    pub(crate) const fn is_flexible(self, version: i16) -> bool {
        version >= self.flexible_from()
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Produce => "Produce",
            Self::Metadata => "Metadata",
            Self::ApiVersions => "ApiVersions",
            Self::InitProducerId => "InitProducerId",
        }
    }
}
