//! Fetch and `ListOffsets`: any consumer without a group reads back what is committed.

use super::dispatch::{Context, Outcome};
use super::log::Entry;
use super::partition::Partition;
use super::state::Cluster;
use super::{code, wire};
use bytes::BytesMut;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::{
    FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint, PartitionData,
};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::{
    BrokerId, FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
};
use kafka_protocol::protocol::StrBytes;

/// A fetch that found too little.
#[derive(Debug)]
pub(super) struct WaitingFetch {
    pub(super) deadline: u64,
    context: Context,
    request: FetchRequest,
}

/// Timestamps that ask `ListOffsets` for a place, not a time.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;

impl Cluster {
    pub(super) fn fetch(&self, context: Context, request: FetchRequest) -> Outcome {
        let wait = u64::from(request.max_wait_ms.max(0).unsigned_abs()) * 1_000;
        let deadline = context.now.saturating_add(wait);
        self.finish_fetch(Box::new(WaitingFetch { deadline, context, request }), context.now)
    }

    /// Answers if there is enough to read, an error to tell, or no time left.
    pub(super) fn finish_fetch(&self, waiting: Box<WaitingFetch>, now: u64) -> Outcome {
        let WaitingFetch { context, ref request, deadline } = *waiting;
        let mut response = FetchResponse::default().with_throttle_time_ms(context.throttle_ms);
        if request.session_id != 0 {
            // The model keeps no sessions (KIP-227): every fetch names what it wants.
            response.error_code = code::FETCH_SESSION_ID_NOT_FOUND;
            let frame = wire::encode(context.correlation_id, context.version, &response);
            return Outcome::answer(frame, context.throttle_ms);
        }
        if let Some(code) = context.error {
            response.error_code = code;
        }
        let mut room = usize::try_from(request.max_bytes).unwrap_or(0);
        let mut found = 0;
        let mut at_once = context.error.is_some() || request.topics.is_empty();
        for topic in &request.topics {
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for asked in &topic.partitions {
                let data = self.fetch_partition(context, topic, asked, room, found == 0);
                let read = data.records.as_ref().map_or(0, bytes::Bytes::len);
                room = room.saturating_sub(read);
                found += read;
                at_once |= data.error_code != code::NONE;
                partitions.push(data);
            }
            response.responses.push(
                FetchableTopicResponse::default()
                    .with_topic(topic.topic.clone())
                    .with_topic_id(topic.topic_id)
                    .with_partitions(partitions),
            );
        }
        let enough = found >= usize::try_from(request.min_bytes).unwrap_or(0);
        if !enough && !at_once && now < deadline {
            return Outcome::WaitFetch(waiting);
        }
        if context.version >= 16 {
            response.node_endpoints = self.endpoints(&response);
        }
        let frame = wire::encode(context.correlation_id, context.version, &response);
        Outcome::answer(frame, context.throttle_ms)
    }

    fn fetch_partition(
        &self,
        context: Context,
        topic: &FetchTopic,
        asked: &FetchPartition,
        room: usize,
        first: bool,
    ) -> PartitionData {
        let mut data = PartitionData::default()
            .with_partition_index(asked.partition)
            .with_high_watermark(-1)
            .with_last_stable_offset(-1)
            .with_preferred_read_replica(BrokerId(-1))
            .with_aborted_transactions(None)
            .with_records(Some(bytes::Bytes::new()));
        let (name, unknown) = if context.version >= 13 {
            let name = self.names.get(&topic.topic_id).map_or("", String::as_str);
            (name, code::UNKNOWN_TOPIC_ID)
        } else {
            (topic.topic.as_str(), code::UNKNOWN_TOPIC_OR_PARTITION)
        };
        if !self.topics.contains_key(name) {
            return data.with_error_code(unknown);
        }
        let Some(partition) = self.partition(name, asked.partition) else {
            return data.with_error_code(code::UNKNOWN_TOPIC_OR_PARTITION);
        };
        let Some(log) = partition.leader_log().filter(|_| partition.leader == Some(context.node))
        else {
            data.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(partition.leader.unwrap_or(-1)))
                .with_leader_epoch(partition.leader_epoch);
            return data.with_error_code(code::NOT_LEADER_OR_FOLLOWER);
        };
        let committed = partition.high_watermark;
        data.high_watermark = committed;
        data.last_stable_offset = committed;
        data.log_start_offset = log.start();
        if asked.fetch_offset < log.start() || asked.fetch_offset > log.end() {
            return data.with_error_code(code::OFFSET_OUT_OF_RANGE);
        }
        let limit = room.min(usize::try_from(asked.partition_max_bytes).unwrap_or(0));
        let mut records = BytesMut::new();
        let batches = log.from(asked.fetch_offset).map(|(_, entry)| entry);
        for entry in batches.take_while(|entry| entry.end() <= committed) {
            // The first batch of an answer is sent whatever its size, so that readers get on.
            if records.len() + entry.batch.len() > limit && !(first && records.is_empty()) {
                break;
            }
            entry.write_to(&mut records);
        }
        data.with_records(Some(records.freeze()))
    }

    fn endpoints(&self, response: &FetchResponse) -> Vec<NodeEndpoint> {
        let failed = response.responses.iter().flat_map(|topic| &topic.partitions);
        let leaders: std::collections::BTreeSet<i32> = failed
            .filter(|data| data.error_code == code::NOT_LEADER_OR_FOLLOWER)
            .map(|data| data.current_leader.leader_id.0)
            .collect();
        let endpoint = |id| {
            let node = self.nodes.get(&id)?;
            Some(
                NodeEndpoint::default()
                    .with_node_id(BrokerId(id))
                    .with_host(StrBytes::from_string(node.host.clone()))
                    .with_port(i32::from(node.port))
                    .with_rack(node.rack.clone().map(StrBytes::from_string)),
            )
        };
        leaders.into_iter().filter_map(endpoint).collect()
    }

    pub(super) fn list_offsets(&self, context: Context, request: &ListOffsetsRequest) -> Outcome {
        let mut response =
            ListOffsetsResponse::default().with_throttle_time_ms(context.throttle_ms);
        for topic in &request.topics {
            let answers = topic.partitions.iter().map(|asked| {
                let mut answer = ListOffsetsPartitionResponse::default()
                    .with_partition_index(asked.partition_index)
                    .with_timestamp(-1)
                    .with_offset(-1)
                    .with_leader_epoch(-1);
                match self.partition(&topic.name, asked.partition_index) {
                    _ if context.error.is_some() => {
                        answer.error_code = context.error.unwrap_or_default();
                    }
                    None => answer.error_code = code::UNKNOWN_TOPIC_OR_PARTITION,
                    Some(partition) if partition.leader != Some(context.node) => {
                        answer.error_code = code::NOT_LEADER_OR_FOLLOWER;
                    }
                    Some(partition) => {
                        if let Some((offset, timestamp, epoch)) =
                            look_up(partition, asked.timestamp)
                        {
                            answer.offset = offset;
                            answer.timestamp = timestamp;
                            // The field came with version 4.
                            answer.leader_epoch = if context.version >= 4 { epoch } else { -1 };
                        }
                    }
                }
                answer
            });
            response.topics.push(
                ListOffsetsTopicResponse::default()
                    .with_name(topic.name.clone())
                    .with_partitions(answers.collect()),
            );
        }
        let frame = wire::encode(context.correlation_id, context.version, &response);
        Outcome::answer(frame, context.throttle_ms)
    }
}

/// Offset, timestamp and leader epoch for a place or a time. To find a time looks at batches, not
/// at records: it may point a few records too early, which readers allow for.
fn look_up(partition: &Partition, timestamp: i64) -> Option<(i64, i64, i32)> {
    let log = partition.leader_log()?;
    let committed = log.from(log.start()).map(|(_, entry)| entry);
    let mut committed = committed.take_while(|entry| entry.end() <= partition.high_watermark);
    let place = |entry: &Entry| (entry.base_offset, entry.header.max_timestamp, entry.leader_epoch);
    match timestamp {
        LATEST => Some((partition.high_watermark, -1, partition.leader_epoch)),
        EARLIEST | EARLIEST_LOCAL => Some((log.start(), -1, partition.leader_epoch)),
        MAX_TIMESTAMP => committed.max_by_key(|entry| entry.header.max_timestamp).map(place),
        time => committed.find(|entry| entry.header.max_timestamp >= time).map(place),
    }
}
