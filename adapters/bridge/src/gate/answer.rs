//! A broker's answer, as the page gets it.

use super::{Expected, Pending};
use crate::access::Claims;
use crate::kafka::init_producer_id::Given;
use crate::kafka::{Api, Code, Malformed, header, metadata, produce_answer};

/// An answer on its way to the page, and what the bridge learns from it.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Translated {
    pub(crate) frame: Vec<u8>,
    /// Brokers, by their real names.
    pub(crate) brokers: Vec<(i32, String, u16)>,
    /// A producer id that is this page's from now on.
    pub(crate) producer_id: Option<i64>,
    /// Partitions that the broker did not take.
    pub(crate) errors: usize,
}

/// Reads the answer completely and writes it again.
pub(crate) fn translate(
    pending: &Pending,
    frame: &[u8],
    claims: &Claims,
) -> Result<Translated, Malformed> {
    let (version, page) = (pending.version, pending.page);
    let allows = |name: &str| claims.allows(name);
    let (correlation, body) = header::read_answer(frame, pending.expected.api(), version)?;
    if correlation != pending.ours {
        return Err(Malformed);
    }
    let mut translated = Translated::default();
    let frame = match &pending.expected {
        Expected::Produce(refused) => {
            let answer = produce_answer::Answer::read(body, version)?;
            translated.errors = answer.errors();
            answer.answer(version, page, allows, refused)
        }
        Expected::Metadata(refused) => {
            let answer = metadata::Answer::read(body, version)?;
            translated.brokers = brokers(&answer);
            answer.answer(version, page, allows, refused)
        }
        Expected::InitProducerId => {
            let given = Given::read(body)?;
            translated.producer_id = (given.error == Code::NONE).then_some(given.id);
            given.answer(version, page)
        }
    };
    translated.frame = frame.ok_or(Malformed)?;
    Ok(translated)
}

pub(crate) fn brokers(answer: &metadata::Answer<'_>) -> Vec<(i32, String, u16)> {
    let known = answer.brokers.iter();
    known
        .filter_map(|broker| {
            Some((broker.id, broker.host.to_owned(), u16::try_from(broker.port).ok()?))
        })
        .collect()
}

impl Expected {
    const fn api(&self) -> Api {
        match self {
            Self::Produce(_) => Api::Produce,
            Self::Metadata(_) => Api::Metadata,
            Self::InitProducerId => Api::InitProducerId,
        }
    }
}
