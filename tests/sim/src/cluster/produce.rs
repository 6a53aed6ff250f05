//! Produce: checks, appends, waits for followers, answers.

use super::batch::Header;
use super::dispatch::{Context, Outcome};
use super::fault::{Api, Fault};
use super::log::Entry;
use super::producers::Verdict;
use super::state::Cluster;
use super::validate::{self, Refusal};
use super::{Appended, Processing, code, stamp, wire};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::produce_request::TopicProduceData;
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use kafka_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A produce request whose batches are appended and not yet all answered.
#[derive(Debug)]
pub(super) struct WaitingProduce {
    pub(super) deadline: u64,
    context: Context,
    acks: i16,
    topics: Vec<TopicWork>,
}

#[derive(Debug)]
struct TopicWork {
    /// As the client named it (empty from version 13 on).
    asked_name: TopicName,
    id: Uuid,
    /// The topic it is, if it exists.
    name: String,
    slots: Vec<Slot>,
}

/// One partition of the request and its answer.
#[derive(Debug)]
struct Slot {
    partition: i32,
    code: i16,
    base_offset: i64,
    log_append_time: i64,
    log_start: i64,
    records: Vec<i32>,
    message: Option<&'static str>,
    /// Followers must have everything below this offset.
    required: Option<i64>,
    fault: Option<Fault>,
}

impl Slot {
    fn refused(partition: i32, code: i16) -> Self {
        Self {
            partition,
            code,
            base_offset: -1,
            log_append_time: -1,
            log_start: -1,
            records: Vec::new(),
            message: None,
            required: None,
            fault: None,
        }
    }

    fn refusal(partition: i32, refusal: Refusal) -> Self {
        let mut slot = Self::refused(partition, refusal.code);
        slot.records = refusal.records;
        slot.message = Some(refusal.message);
        slot
    }
}

impl Cluster {
    pub(super) fn produce(&mut self, mut context: Context, request: ProduceRequest) -> Outcome {
        let acks = request.acks;
        let data = || request.topic_data.iter().flat_map(|topic| &topic.partition_data);
        if data().any(|partition| partition.records.is_none()) {
            return Outcome::Never;
        }
        let bytes: usize = data().filter_map(|p| p.records.as_ref()).map(Bytes::len).sum();
        context.throttle_ms = context.throttle_ms.max(self.quota(context, bytes));
        let transactional =
            data().filter_map(|partition| Header::read(partition.records.as_ref()?));
        let unauthorized = request.transactional_id.is_none()
            && transactional.into_iter().any(|header| header.is_transactional());
        let for_all = match acks {
            -1..=1 if unauthorized => Some(code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
            -1..=1 => None,
            _ => Some(code::INVALID_REQUIRED_ACKS),
        };
        let timeout = u64::from(request.timeout_ms.max(0).unsigned_abs()) * 1_000;
        let topics = merge(request.topic_data)
            .into_iter()
            .map(|topic| self.produce_topic(context, acks, topic, for_all))
            .collect();
        let deadline = context.now.saturating_add(timeout);
        self.finish_produce(
            Box::new(WaitingProduce { deadline, context, acks, topics }),
            context.now,
        )
    }

    fn produce_topic(
        &mut self,
        context: Context,
        acks: i16,
        topic: TopicProduceData,
        for_all: Option<i16>,
    ) -> TopicWork {
        let by_id = context.version >= 13;
        let (name, unknown) = if by_id {
            (self.names.get(&topic.topic_id).cloned().unwrap_or_default(), code::UNKNOWN_TOPIC_ID)
        } else {
            (topic.name.to_string(), code::UNKNOWN_TOPIC_OR_PARTITION)
        };
        let known = self.topics.contains_key(&name);
        let mut slots = Vec::with_capacity(topic.partition_data.len());
        for data in topic.partition_data {
            let fault = self.part_fault(Api::Produce, context.node, &name, Some(data.index));
            let mut slot = match (for_all, &fault) {
                (Some(code), _) => Slot::refused(data.index, code),
                (None, Some(Fault::Error(code))) => Slot::refused(data.index, *code),
                _ if !known => Slot::refused(data.index, unknown),
                _ => self.append(context, acks, &name, data.index, data.records),
            };
            slot.fault = fault;
            slots.push(slot);
        }
        TopicWork { asked_name: topic.name, id: topic.topic_id, name, slots }
    }

    /// The checks of a broker in their order, then the append.
    fn append(
        &mut self,
        context: Context,
        acks: i16,
        topic: &str,
        index: i32,
        records: Option<Bytes>,
    ) -> Slot {
        let Some(partition) = self.partition(topic, index) else {
            return Slot::refused(index, code::UNKNOWN_TOPIC_OR_PARTITION);
        };
        let records = records.unwrap_or_default();
        let (batch, header) = match validate::shape(&records, context.version) {
            Ok(shape) => shape,
            Err(refusal) => return Slot::refusal(index, refusal),
        };
        if header.is_transactional() {
            let code = if context.version >= 11 {
                code::TRANSACTION_ABORTABLE
            } else {
                code::INVALID_TXN_STATE
            };
            return Slot::refused(index, code);
        }
        if partition.leader != Some(context.node) {
            return Slot::refused(index, code::NOT_LEADER_OR_FOLLOWER);
        }
        let (Some(topic_state), Some(log)) = (self.topics.get(topic), partition.leader_log())
        else {
            return Slot::refused(index, code::UNKNOWN_TOPIC_OR_PARTITION);
        };
        let settings = &topic_state.config;
        if acks == -1 && partition.in_sync.len() < settings.min_in_sync {
            return Slot::refused(index, code::NOT_ENOUGH_REPLICAS);
        }
        let now_ms = self.unix_ms(context.now);
        let limit = self.config.max_decompressed;
        if let Err(refusal) = validate::content(&batch, &header, settings, now_ms, limit) {
            return Slot::refusal(index, refusal);
        }
        let mut slot = Slot::refused(index, code::NONE);
        slot.log_start = log.start();
        match log.producers.check(&header, self.config.unknown_producer) {
            Verdict::Refuse(code) => slot.code = code,
            Verdict::Duplicate(known) => {
                self.stats.duplicates += 1;
                slot.base_offset = known.base_offset;
                slot.log_append_time = known.max_timestamp;
                slot.required = (acks == -1).then_some(known.last_offset + 1);
            }
            Verdict::Append => {
                slot.base_offset = log.end();
                let mut entry = Entry {
                    base_offset: log.end(),
                    leader_epoch: partition.leader_epoch,
                    header,
                    batch,
                };
                if let Some(stamped) = stamp::log_append(&entry.batch, settings, now_ms) {
                    slot.log_append_time = now_ms;
                    (entry.batch, entry.header) = stamped;
                }
                slot.required = (acks == -1).then_some(entry.end());
                self.store(topic, index, entry);
            }
        }
        slot
    }

    fn store(&mut self, topic: &str, index: i32, entry: Entry) {
        self.stats.records += u64::from(entry.header.count.unsigned_abs());
        self.stats.bytes += entry.batch.len() as u64;
        if self.config.trace_appended {
            let mut batch = BytesMut::with_capacity(entry.batch.len());
            entry.write_to(&mut batch);
            self.appended.push(Appended {
                topic: topic.to_string(),
                topic_id: self.topics.get(topic).map_or([0; 16], |topic| topic.id.into_bytes()),
                partition: index,
                base_offset: entry.base_offset,
                leader_epoch: entry.leader_epoch,
                batch: batch.freeze(),
            });
        }
        let retention = self.topics.get(topic).and_then(|topic| topic.config.retention_bytes);
        let Ok(partition) = self.partition_mut(topic, index) else {
            return;
        };
        partition.append(entry);
        if self.config.processing == Processing::Automatic {
            self.copy_to_all(topic, index);
        }
        if let (Some(bytes), Ok(partition)) = (retention, self.partition_mut(topic, index)) {
            for log in partition.logs_mut() {
                log.shrink_to(bytes);
            }
        }
        self.commit(topic, index);
    }

    /// Answers if every partition has its result.
    pub(super) fn finish_produce(&mut self, mut waiting: Box<WaitingProduce>, now: u64) -> Outcome {
        let expired = waiting.deadline <= now;
        let node = waiting.context.node;
        for topic in &mut waiting.topics {
            for slot in &mut topic.slots {
                if let Some(required) = slot.required {
                    match self.replication(node, topic.id, &topic.name, slot.partition, required) {
                        Some(code) => (slot.code, slot.required) = (code, None),
                        None if expired => {
                            (slot.code, slot.required) = (code::REQUEST_TIMED_OUT, None);
                        }
                        None => {}
                    }
                }
            }
        }
        if waiting.topics.iter().flat_map(|topic| &topic.slots).any(|s| s.required.is_some()) {
            return Outcome::WaitProduce(waiting);
        }
        self.answer_produce(*waiting)
    }

    /// What has become of an append that waits for followers; `None`: it still waits.
    fn replication(
        &self,
        node: i32,
        id: Uuid,
        name: &str,
        partition: i32,
        required: i64,
    ) -> Option<i16> {
        let topic = self.topics.get(name).filter(|topic| id.is_nil() || topic.id == id);
        let Some((topic, partition)) = topic.zip(self.partition(name, partition)) else {
            return Some(code::UNKNOWN_TOPIC_OR_PARTITION);
        };
        if partition.leader != Some(node) {
            return Some(code::NOT_LEADER_OR_FOLLOWER);
        }
        if partition.high_watermark < required {
            return None;
        }
        let enough = partition.in_sync.len() >= topic.config.min_in_sync;
        Some(if enough { code::NONE } else { code::NOT_ENOUGH_REPLICAS_AFTER_APPEND })
    }

    fn answer_produce(&mut self, waiting: WaitingProduce) -> Outcome {
        let WaitingProduce { context, acks, topics, .. } = waiting;
        let mut response = ProduceResponse::default().with_throttle_time_ms(context.throttle_ms);
        let mut endpoints = BTreeMap::new();
        let mut failed = false;
        for topic in topics {
            let mut partitions = Vec::with_capacity(topic.slots.len());
            for mut slot in topic.slots {
                let fault = slot.fault.take();
                if let Some(Fault::AppendThenError { code, keep_offset }) = fault {
                    slot.code = code;
                    slot.base_offset = if keep_offset { slot.base_offset } else { -1 };
                }
                failed |= slot.code != code::NONE;
                *self.stats.produce_codes.entry(slot.code).or_default() += 1;
                let answer = self.answer_partition(context, &topic.name, slot, &mut endpoints);
                match fault {
                    Some(Fault::OmitPartition) => {}
                    Some(Fault::DuplicatePartition) => {
                        partitions.push(answer.clone());
                        partitions.push(answer);
                    }
                    Some(Fault::ExtraPartition) => {
                        partitions.push(answer.clone().with_index(answer.index + 1_000_000));
                        partitions.push(answer);
                    }
                    _ => partitions.push(answer),
                }
            }
            // Kafka's own order is that of a hash table, too.
            partitions.sort_by_key(|answer| answer.index.wrapping_mul(0x1e37_79b1));
            response.responses.push(
                TopicProduceResponse::default()
                    .with_name(topic.asked_name)
                    .with_topic_id(topic.id)
                    .with_partition_responses(partitions),
            );
        }
        response.node_endpoints = endpoints.into_values().collect();
        if acks == 0 {
            return if failed { Outcome::Close } else { Outcome::NoAnswer };
        }
        let frame = wire::encode(context.correlation_id, context.version, &response);
        Outcome::answer(frame, context.throttle_ms)
    }

    fn answer_partition(
        &self,
        context: Context,
        topic: &str,
        slot: Slot,
        endpoints: &mut BTreeMap<i32, NodeEndpoint>,
    ) -> PartitionProduceResponse {
        let mut answer = PartitionProduceResponse::default()
            .with_index(slot.partition)
            .with_error_code(slot.code)
            .with_base_offset(slot.base_offset)
            .with_log_append_time_ms(slot.log_append_time)
            .with_log_start_offset(slot.log_start)
            .with_error_message(slot.message.map(StrBytes::from_static_str));
        let at_fault = |index| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(index)
                .with_batch_index_error_message(slot.message.map(StrBytes::from_static_str))
        };
        answer.record_errors = slot.records.iter().copied().map(at_fault).collect();
        let partition = self.partition(topic, slot.partition);
        if let Some(partition) = partition.filter(|_| slot.code == code::NOT_LEADER_OR_FOLLOWER) {
            let leader = partition.leader.unwrap_or(-1);
            answer.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(leader))
                .with_leader_epoch(partition.leader_epoch);
            if let Some(node) = self.nodes.get(&leader).filter(|_| context.version >= 10) {
                endpoints.entry(leader).or_insert_with(|| {
                    NodeEndpoint::default()
                        .with_node_id(BrokerId(leader))
                        .with_host(StrBytes::from_string(node.host.clone()))
                        .with_port(i32::from(node.port))
                        .with_rack(node.rack.clone().map(StrBytes::from_string))
                });
            }
        }
        answer
    }

    /// Throttle time in milliseconds for so many bytes more on this connection.
    fn quota(&mut self, context: Context, bytes: usize) -> i32 {
        let (Some(quota), Some(peer)) = (
            self.config.produce_quota.filter(|quota| *quota > 0),
            context.peer.and_then(|peer| self.peers.get_mut(&peer)),
        ) else {
            return 0;
        };
        let (debt, at) = peer.quota_debt;
        let paid = u128::from(context.now.saturating_sub(at)) * u128::from(quota) / 1_000_000;
        let debt = debt.saturating_sub(u64::try_from(paid).unwrap_or(u64::MAX)) + bytes as u64;
        peer.quota_debt = (debt, context.now);
        i32::try_from(debt.saturating_sub(quota).saturating_mul(1_000) / quota).unwrap_or(i32::MAX)
    }
}

/// One entry per topic and partition: of a partition that is there twice, brokers keep the last.
fn merge(data: Vec<TopicProduceData>) -> Vec<TopicProduceData> {
    let mut topics: Vec<TopicProduceData> = Vec::with_capacity(data.len());
    let mut places = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for mut topic in data {
        let partitions = core::mem::take(&mut topic.partition_data);
        let key = (topic.name.to_string(), topic.topic_id);
        let place = *places.entry(key).or_insert_with(|| {
            topics.push(topic);
            topics.len() - 1
        });
        for partition in partitions {
            let slots = &mut topics[place].partition_data;
            match seen.get(&(place, partition.index)) {
                Some(&slot) => slots[slot] = partition,
                None => {
                    seen.insert((place, partition.index), slots.len());
                    slots.push(partition);
                }
            }
        }
    }
    topics
}
