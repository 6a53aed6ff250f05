//! InitProducerId, never transactional.

use super::{Api, Code, Malformed, Reader, header};

/// Reads the request's body. Is it transactional?
pub(crate) fn read(mut body: Reader<'_>, version: i16) -> Result<bool, Malformed> {
    let transactional = body.nullable_string()?.is_some();
    body.i32()?;
    if version >= 3 {
        // For an idempotent producer brokers do not look at its old identity, so it is not passed on.
        body.i64()?;
        body.i16()?;
    }
    body.tags()?;
    body.end()?;
    Ok(transactional)
}

/// The request to the broker, for a new id.
pub(crate) fn request(version: i16, correlation: i32, client_id: &str) -> Option<Vec<u8>> {
    let mut writer = header::request(Api::InitProducerId, version, correlation, client_id);
    writer.nullable_string(None);
    writer.i32(i32::MAX);
    if version >= 3 {
        writer.i64(-1);
        writer.i16(-1);
    }
    writer.no_tags();
    writer.frame()
}

/// What a broker gave, or why not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Given {
    pub(crate) throttle_ms: i32,
    pub(crate) error: Code,
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

impl Given {
    pub(crate) const fn refused(error: Code) -> Self {
        Self { throttle_ms: 0, error, id: -1, epoch: -1 }
    }

    /// The body of the broker's answer.
    pub(crate) fn read(mut body: Reader<'_>) -> Result<Self, Malformed> {
        let given = Self {
            throttle_ms: body.i32()?,
            error: Code(body.i16()?),
            id: body.i64()?,
            epoch: body.i16()?,
        };
        body.tags()?;
        body.end()?;
        Ok(given)
    }

    /// The answer to the page.
    pub(crate) fn answer(&self, version: i16, correlation: i32) -> Option<Vec<u8>> {
        let mut writer = header::answer(Api::InitProducerId, version, correlation);
        writer.i32(self.throttle_ms);
        writer.i16(self.error.0);
        writer.i64(self.id);
        writer.i16(self.epoch);
        writer.no_tags();
        writer.frame()
    }
}
