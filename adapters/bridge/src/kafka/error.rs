//! The error codes that the bridge answers of its own.

/// A code of Kafka's table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Code(pub(crate) i16);

impl Code {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const CORRUPT_MESSAGE: Self = Self(2);
    pub(crate) const MESSAGE_TOO_LARGE: Self = Self(10);
    pub(crate) const INVALID_TOPIC: Self = Self(17);
    /// For "not now": it is tried again.
    pub(crate) const NOT_ENOUGH_REPLICAS: Self = Self(19);
    pub(crate) const INVALID_REQUIRED_ACKS: Self = Self(21);
    pub(crate) const TOPIC_AUTHORIZATION_FAILED: Self = Self(29);
    pub(crate) const CLUSTER_AUTHORIZATION_FAILED: Self = Self(31);
    pub(crate) const INVALID_TIMESTAMP: Self = Self(32);
    pub(crate) const UNSUPPORTED_VERSION: Self = Self(35);
    pub(crate) const INVALID_REQUEST: Self = Self(42);
    pub(crate) const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: Self = Self(53);
    pub(crate) const UNSUPPORTED_COMPRESSION_TYPE: Self = Self(76);
    pub(crate) const INVALID_RECORD: Self = Self(87);
}

/// Why a partition of a request was refused: the code for the machine, the words for a person.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) why: &'static str,
}

impl Refusal {
    pub(crate) const fn new(code: Code, why: &'static str) -> Self {
        Self { code, why }
    }

    pub(crate) const fn invalid(why: &'static str) -> Self {
        Self::new(Code::INVALID_RECORD, why)
    }
}
