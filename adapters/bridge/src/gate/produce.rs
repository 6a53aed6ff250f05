//! Produce: each partition is passed on or refused by itself, as a broker would.

use std::collections::HashSet;

use super::{
    Expected, Gate, Judgement, MOST_REFUSED, Pending, TOO_MANY, Verdict, close, forward, judgement,
    local,
};
use crate::access::topic;
use crate::close::Close;
use crate::kafka::batch::{Batch, Codec};
use crate::kafka::error::Refusal;
use crate::kafka::produce::{self, Forward, Part, Partition, Request};
use crate::kafka::produce_answer::{Answer, Refused};
use crate::kafka::records::{self, Bounds};
use crate::kafka::{Api, Code, Malformed, Reader, inflate};

impl Gate<'_> {
    pub(super) fn produce(
        &self,
        body: Reader<'_>,
        version: i16,
        page: i32,
        ours: i32,
    ) -> Result<Judgement, Malformed> {
        let request = produce::read(body)?;
        if has_twins(&request) {
            // A broker would drop one of the two without a word.
            return Ok(close(Some(Api::Produce), "a partition is in the request twice"));
        }
        let timeout_ms = request.timeout_ms.clamp(0, self.policy.max_timeout_ms);
        let mut onward = Forward { acks: request.acks, timeout_ms, topics: Vec::new() };
        let (mut refused, mut records) = (Vec::new(), 0);
        let mut room = self.policy.max_plain;
        for topic in &request.topics {
            let mut parts = Vec::new();
            for partition in &topic.partitions {
                match self.check(&request, topic.name, partition, &mut room) {
                    Ok((batch, count)) => {
                        records += u64::from(count);
                        parts.push(Part { index: partition.index, batch });
                    }
                    Err(refusal) => {
                        let topic = topic.name.to_owned();
                        refused.push(Refused { topic, index: partition.index, refusal });
                        if refused.len() > MOST_REFUSED {
                            return Ok(close(Some(Api::Produce), TOO_MANY));
                        }
                    }
                }
            }
            if !parts.is_empty() {
                onward.topics.push((topic.name, parts));
            }
        }
        let codes = refused.iter().map(|refused| refused.refusal.code).collect();
        let mut judged = self.decide(&onward, refused, version, page, ours);
        judged.records = records;
        judged.inflated = self.policy.max_plain - room;
        judged.refused = codes;
        Ok(judged)
    }

    fn decide(
        &self,
        onward: &Forward<'_>,
        refused: Vec<Refused>,
        version: i16,
        page: i32,
        ours: i32,
    ) -> Judgement {
        let api = Api::Produce;
        let silent = onward.acks == 0;
        if silent && !refused.is_empty() {
            // As brokers do. Nothing of the request was passed on.
            let why = Close::Protocol("a batch was refused, and acks = 0 asks for no answer");
            return judgement(Some(api), Verdict::Close(why));
        }
        if onward.topics.is_empty() {
            return match silent {
                true => judgement(Some(api), Verdict::Drop),
                false => {
                    let answer = Answer::default();
                    local(api, answer.answer(version, page, |_| false, &refused))
                }
            };
        }
        let frame = onward.request(version, ours, &self.policy.client_id);
        let expected = Expected::Produce(refused);
        let pending = (!silent).then_some(Pending { version, page, ours, expected });
        forward(api, frame, pending)
    }

    /// The batch to be passed on, and its number of records. `room`: what may still come out of the
    /// request's compressed batches.
    fn check(
        &self,
        request: &Request<'_>,
        name: &str,
        partition: &Partition<'_>,
        room: &mut usize,
    ) -> Result<(Vec<u8>, u32), Refusal> {
        if !topic::is_legal(name) {
            return Err(Refusal::new(Code::INVALID_TOPIC, "not a topic that a page may name"));
        }
        if !self.claims.allows(name) {
            let code = Code::TOPIC_AUTHORIZATION_FAILED;
            return Err(Refusal::new(code, "the token does not allow this topic"));
        }
        if request.transactional {
            let code = Code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
            return Err(Refusal::new(code, "the bridge takes no transactions"));
        }
        if !matches!(request.acks, -1..=1) {
            return Err(Refusal::new(Code::INVALID_REQUIRED_ACKS, "acks is none of -1, 0, 1"));
        }
        if partition.index < 0 {
            return Err(Refusal::new(Code::INVALID_REQUEST, "a partition below 0"));
        }
        let bytes = partition.records.ok_or(Refusal::invalid("no records"))?;
        if bytes.len() > self.policy.max_batch {
            return Err(Refusal::new(Code::MESSAGE_TOO_LARGE, "the batch is too large"));
        }
        let batch = Batch::read(bytes)?;
        if batch.producer_id >= 0 && !(self.owns)(batch.producer_id) {
            let code = Code::CLUSTER_AUTHORIZATION_FAILED;
            return Err(Refusal::new(code, "the producer id was given to somebody else"));
        }
        if !self.policy.codecs.contains(&batch.codec) {
            let code = Code::UNSUPPORTED_COMPRESSION_TYPE;
            return Err(Refusal::new(code, "the bridge does not take this compression"));
        }
        Ok((self.records(&batch, room)?, batch.count))
    }

    fn records(&self, batch: &Batch<'_>, room: &mut usize) -> Result<Vec<u8>, Refusal> {
        let latest_ms = self.now_ms.saturating_add(self.policy.max_ahead_ms);
        let bounds = Bounds { headers: self.policy.max_headers, latest_ms };
        let inflated;
        let plain = match batch.codec {
            Codec::None => batch.records,
            codec => {
                inflated = self.inflate(codec, batch.records, room)?;
                &inflated
            }
        };
        if self.headers.is_empty() {
            records::check(batch, plain, bounds)?;
            return Ok(batch.as_it_came());
        }
        let too_large = Refusal::new(Code::MESSAGE_TOO_LARGE, "the batch is too large");
        let added = self.headers.added().saturating_mul(usize::try_from(batch.count).unwrap_or(0));
        if plain.len().saturating_add(added) > self.policy.max_plain {
            return Err(too_large);
        }
        let records = records::rewrite(batch, plain, bounds, self.headers)?;
        batch.with_records(&records).ok_or(too_large)
    }

    /// A thousand small batches must not come to more than a single large one may.
    fn inflate(&self, codec: Codec, bytes: &[u8], room: &mut usize) -> Result<Vec<u8>, Refusal> {
        match inflate::inflate(codec, bytes, *room) {
            Ok(plain) => {
                *room -= plain.len();
                Ok(plain)
            }
            // By itself it may fit: so it is not for ever that it is refused.
            Err(refusal)
                if refusal.code == Code::MESSAGE_TOO_LARGE && *room < self.policy.max_plain =>
            {
                *room = 0;
                let why = "the request's batches are too large when they are decompressed";
                Err(Refusal::new(Code::NOT_ENOUGH_REPLICAS, why))
            }
            Err(refusal) => {
                // The work was done all the same.
                *room = 0;
                Err(refusal)
            }
        }
    }
}

fn has_twins(request: &Request<'_>) -> bool {
    let mut seen = HashSet::new();
    let mut partitions = request.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| (topic.name, partition.index))
    });
    partitions.any(|partition| !seen.insert(partition))
}
