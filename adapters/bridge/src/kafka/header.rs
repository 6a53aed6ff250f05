//! Heads of requests and answers.

use super::{Api, Malformed, Reader, Writer};

/// The head of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) key: i16,
    pub(crate) version: i16,
    pub(crate) correlation: i32,
}

/// Reads the head; the reader then stands at the body. For an API or a version that a page may not
/// use only the head's fixed part is read, for what follows cannot be known.
pub(crate) fn read<'a>(frame: &'a [u8]) -> Result<(Head, Option<Api>, Reader<'a>), Malformed> {
    let mut reader = Reader::new(frame, false);
    let (key, version, correlation) = (reader.i16()?, reader.i16()?, reader.i32()?);
    let head = Head { key, version, correlation };
    let api = Api::from_key(key).filter(|api| {
        let (least, most) = api.versions();
        (least..=most).contains(&version)
    });
    if let Some(api) = api {
        // The client id is the one string that is never compact. It is not passed on.
        reader.nullable_string()?;
        reader.set_flexible(api.is_flexible(version));
        reader.tags()?;
    }
    Ok((head, api, reader))
}

/// Begins a request to a broker.
pub(crate) fn request(api: Api, version: i16, correlation: i32, client_id: &str) -> Writer {
    let mut writer = Writer::new(false);
    writer.i16(api.key());
    writer.i16(version);
    writer.i32(correlation);
    writer.string(client_id);
    writer.set_flexible(api.is_flexible(version));
    writer.no_tags();
    writer
}

/// Begins an answer to the page.
pub(crate) fn answer(api: Api, version: i16, correlation: i32) -> Writer {
    let flexible = api.is_flexible(version);
    let mut writer = Writer::new(flexible);
    writer.i32(correlation);
    // Who asks for versions need not know them, so that answer's head has no tagged fields.
    if api != Api::ApiVersions {
        writer.no_tags();
    }
    writer
}

/// Reads the head of a broker's answer: its correlation id, and the body.
pub(crate) fn read_answer(
    frame: &[u8],
    api: Api,
    version: i16,
) -> Result<(i32, Reader<'_>), Malformed> {
    let mut reader = Reader::new(frame, api.is_flexible(version));
    let correlation = reader.i32()?;
    if api != Api::ApiVersions {
        reader.tags()?;
    }
    Ok((correlation, reader))
}
