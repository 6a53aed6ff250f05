//! The filter: a page's request in, what becomes of it out. No I/O, no clock, no state.

mod answer;
mod policy;
mod produce;
#[cfg(test)]
mod tests;

use crate::access::Claims;
use crate::close::Close;
use crate::kafka::api_versions::{self, Offer};
use crate::kafka::init_producer_id::{self, Given};
use crate::kafka::produce_answer::Refused;
use crate::kafka::records::HeaderPolicy;
use crate::kafka::{Api, Code, Malformed, Reader, header, metadata};

pub(crate) use answer::{brokers, translate};
pub(crate) use policy::Policy;

/// More partitions or topics of one request than this are not refused one by one: answers would be
/// many times as long as requests.
const MOST_REFUSED: usize = 1_000;
const TOO_MANY: &str = "more is refused than any page asks for";

/// What a page may do, as far as it does not change from request to request.
#[derive(Clone, Copy)]
pub(crate) struct Gate<'a> {
    pub(crate) claims: &'a Claims,
    pub(crate) policy: &'a Policy,
    /// The policy's, with the subject put in.
    pub(crate) headers: &'a HeaderPolicy,
    /// What the broker can do.
    pub(crate) offer: &'a Offer,
    /// Is the producer id this page's?
    pub(crate) owns: &'a (dyn Fn(i64) -> bool + Sync),
    /// Unix time.
    pub(crate) now_ms: i64,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) api: Option<Api>,
    pub(crate) verdict: Verdict,
    /// Records that are passed on.
    pub(crate) records: u64,
    /// Bytes that came out of compressed batches.
    pub(crate) inflated: usize,
    /// One for each partition, topic or request refused.
    pub(crate) refused: Vec<Code>,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    /// To the broker. It answers, unless it was asked not to.
    Forward(Vec<u8>, Option<Pending>),
    /// To the page, when what it asked before is answered.
    Answer(Vec<u8>),
    /// Nothing is left of it, and nothing is said.
    Drop,
    Close(Close),
}

/// A request that a broker will answer.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) version: i16,
    /// The request's number on the page's side, and on the broker's.
    pub(crate) page: i32,
    pub(crate) ours: i32,
    pub(crate) expected: Expected,
}

/// What the answer will be, and what is put into it.
#[derive(Debug)]
pub(crate) enum Expected {
    Produce(Vec<Refused>),
    Metadata(Vec<String>),
    InitProducerId,
}

impl Gate<'_> {
    /// `ours` is the number that the request gets if it goes on.
    pub(crate) fn judge(&self, frame: &[u8], ours: i32) -> Judgement {
        let (head, api, body) = match header::read(frame) {
            Ok(read) => read,
            Err(Malformed) => return close(None, "a request without a head"),
        };
        let (version, page) = (head.version, head.correlation);
        let Some(api) = api else {
            return match head.key == Api::ApiVersions.key() {
                true => local(Api::ApiVersions, api_versions::unsupported(page)),
                false => {
                    close(None, "only ApiVersions, Metadata, InitProducerId and Produce, by name")
                }
            };
        };
        if !self.offer.allows(api, version) {
            return close(Some(api), "a version that was not offered");
        }
        let judged = match api {
            Api::ApiVersions => api_versions::read(body, version)
                .map(|()| local(api, self.offer.answer(version, page))),
            Api::Metadata => self.metadata(body, version, page, ours),
            Api::InitProducerId => self.init_producer_id(body, version, page, ours),
            Api::Produce => self.produce(body, version, page, ours),
        };
        judged.unwrap_or_else(|Malformed| {
            close(Some(api), "a request that ends too soon or too late")
        })
    }

    fn metadata(
        &self,
        body: Reader<'_>,
        version: i16,
        page: i32,
        ours: i32,
    ) -> Result<Judgement, Malformed> {
        let request = metadata::read(body, version)?;
        let (mut asked, mut refused): (Vec<&str>, Vec<String>) = Default::default();
        match &request.topics {
            None => asked.extend(self.claims.topics.iter().map(String::as_str)),
            Some(topics) => {
                for name in topics {
                    if self.claims.allows(name) {
                        asked.push(name);
                    } else {
                        refused.push((*name).to_owned());
                    }
                }
                if refused.len() > MOST_REFUSED {
                    return Ok(close(Some(Api::Metadata), TOO_MANY));
                }
            }
        }
        let create = request.create && self.policy.create_topics;
        let client = &self.policy.client_id;
        let frame = metadata::request(version, ours, client, asked.into_iter(), create);
        let codes = refused.iter().map(|_| Code::TOPIC_AUTHORIZATION_FAILED).collect();
        let expected = Expected::Metadata(refused);
        let mut judgement =
            forward(Api::Metadata, frame, Some(Pending { version, page, ours, expected }));
        judgement.refused = codes;
        Ok(judgement)
    }

    fn init_producer_id(
        &self,
        body: Reader<'_>,
        version: i16,
        page: i32,
        ours: i32,
    ) -> Result<Judgement, Malformed> {
        let api = Api::InitProducerId;
        if init_producer_id::read(body, version)? {
            let code = Code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
            let mut judgement = local(api, Given::refused(code).answer(version, page));
            judgement.refused.push(code);
            return Ok(judgement);
        }
        let frame = init_producer_id::request(version, ours, &self.policy.client_id);
        let expected = Expected::InitProducerId;
        Ok(forward(api, frame, Some(Pending { version, page, ours, expected })))
    }
}

fn judgement(api: Option<Api>, verdict: Verdict) -> Judgement {
    Judgement { api, verdict, records: 0, inflated: 0, refused: Vec::new() }
}

fn close(api: Option<Api>, why: &'static str) -> Judgement {
    judgement(api, Verdict::Close(Close::Protocol(why)))
}

/// What is `None` is longer than a frame can be, which nothing within the limits is.
fn local(api: Api, frame: Option<Vec<u8>>) -> Judgement {
    judgement(Some(api), frame.map_or(Verdict::Close(Close::TooLarge), Verdict::Answer))
}

fn forward(api: Api, frame: Option<Vec<u8>>, pending: Option<Pending>) -> Judgement {
    let verdict = match frame {
        Some(frame) => Verdict::Forward(frame, pending),
        None => Verdict::Close(Close::TooLarge),
    };
    judgement(Some(api), verdict)
}
