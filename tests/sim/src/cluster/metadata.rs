//! Metadata: brokers, topics, leaders, and how answers lie on demand.

use super::dispatch::{Context, Outcome};
use super::fault::{Api, Fault, MetadataFault};
use super::partition::Partition;
use super::state::{Cluster, Node, Topic};
use super::{code, wire};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// A node id that no node has.
const NOBODY: i32 = 1_000_000;

impl Cluster {
    pub(super) fn metadata(&mut self, context: Context, request: &MetadataRequest) -> Outcome {
        let mut response = MetadataResponse::default()
            .with_throttle_time_ms(context.throttle_ms)
            .with_cluster_id(Some(StrBytes::from_static_str("klamm-model-cluster")))
            .with_brokers(self.brokers());
        response.controller_id = response.brokers.first().map_or(BrokerId(-1), |b| b.node_id);
        let asked = request.topics.as_deref();
        let all = asked.is_none_or(|asked| context.version == 0 && asked.is_empty());
        let asked = asked.unwrap_or_default();
        let by_id = asked.iter().any(|topic| !topic.topic_id.is_nil());
        let malformed = if context.version < 12 {
            by_id.then_some(code::INVALID_REQUEST)
        } else {
            let nameless = |topic: &MetadataRequestTopic| topic.name.is_none();
            let nothing = !by_id && asked.iter().any(nameless);
            nothing.then_some(code::UNKNOWN_SERVER_ERROR)
        };
        if let Some(code) = malformed {
            response.brokers.clear();
            response.topics = asked
                .iter()
                .map(|topic| {
                    MetadataResponseTopic::default()
                        .with_error_code(code)
                        // Null is not allowed below version 12.
                        .with_name(Some(topic.name.clone().unwrap_or_default()))
                        .with_topic_id(topic.topic_id)
                })
                .collect();
        } else {
            let create = request.allow_auto_topic_creation;
            let topics = if all {
                self.topics.keys().cloned().map(|name| (name, Uuid::nil())).collect()
            } else {
                asked_for(asked, by_id)
            };
            for (name, id) in topics {
                let topic = self.describe_asked(context, &name, id, create, &mut response.brokers);
                response.topics.extend(topic);
            }
        }
        let frame = wire::encode(context.correlation_id, context.version, &response);
        Outcome::answer(frame, context.throttle_ms)
    }

    fn brokers(&self) -> Vec<MetadataResponseBroker> {
        let broker = |(id, node): (&i32, &Node)| {
            MetadataResponseBroker::default()
                .with_node_id(BrokerId(*id))
                .with_host(StrBytes::from_string(node.host.clone()))
                .with_port(i32::from(node.port))
                .with_rack(node.rack.clone().map(StrBytes::from_string))
        };
        self.nodes.iter().filter(|(_, node)| node.registered).map(broker).collect()
    }

    /// One topic of the answer; `None` if a fault leaves it out.
    fn describe_asked(
        &mut self,
        context: Context,
        name: &str,
        id: Uuid,
        create: bool,
        brokers: &mut Vec<MetadataResponseBroker>,
    ) -> Option<MetadataResponseTopic> {
        let mut answer = MetadataResponseTopic::default().with_topic_id(id);
        answer.name = Some(TopicName(StrBytes::from_string(name.to_string())));
        let name = if id.is_nil() {
            name.to_string()
        } else {
            match self.names.get(&id) {
                Some(name) => name.clone(),
                None => {
                    return Some(answer.with_name(None).with_error_code(code::UNKNOWN_TOPIC_ID));
                }
            }
        };
        let fault = self.part_fault(Api::Metadata, context.node, &name, None);
        if let Some(Fault::Error(code)) = fault {
            return Some(answer.with_error_code(code));
        }
        if !is_valid(&name) {
            return Some(answer.with_error_code(code::INVALID_TOPIC_EXCEPTION));
        }
        let Some(topic) = self.topics.get(&name) else {
            if let Some(config) = self.config.auto_create.clone().filter(|_| create) {
                // The answer that creates a topic does not know it yet.
                let created = self.create_topic(&name, config);
                debug_assert!(created.is_ok(), "the topic did not exist");
            }
            return Some(answer.with_error_code(code::UNKNOWN_TOPIC_OR_PARTITION));
        };
        let mut answer = describe(&name, topic);
        if let Some(Fault::Metadata(lie)) = fault {
            if lie == MetadataFault::MissingTopic {
                return None;
            }
            if lie == MetadataFault::NoBrokers {
                brokers.clear();
            }
            distort(&mut answer, topic, lie);
        }
        Some(answer)
    }
}

/// Names and ids of the topics to tell about: with an id among them, names are ignored.
fn asked_for(asked: &[MetadataRequestTopic], by_id: bool) -> Vec<(String, Uuid)> {
    asked
        .iter()
        .filter(|topic| !by_id || !topic.topic_id.is_nil())
        .map(|topic| (topic.name.clone().unwrap_or_default().to_string(), topic.topic_id))
        .collect()
}

fn describe(name: &str, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().enumerate().map(|(index, partition)| {
        let leader = partition.leader.unwrap_or(-1);
        let code = if leader < 0 { code::LEADER_NOT_AVAILABLE } else { code::NONE };
        MetadataResponsePartition::default()
            .with_error_code(code)
            .with_partition_index(i32::try_from(index).unwrap_or(i32::MAX))
            .with_leader_id(BrokerId(leader))
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(partition.replicas.iter().copied().map(BrokerId).collect())
            .with_isr_nodes(partition.in_sync.iter().copied().map(BrokerId).collect())
    });
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(name.to_string()))))
        .with_topic_id(topic.id)
        .with_partitions(partitions.collect())
}

fn distort(answer: &mut MetadataResponseTopic, topic: &Topic, lie: MetadataFault) {
    let each = |partitions: &mut Vec<MetadataResponsePartition>,
                change: &dyn Fn(&mut MetadataResponsePartition, &Partition)| {
        partitions.iter_mut().zip(&topic.partitions).for_each(|(answer, is)| change(answer, is));
    };
    let partitions = &mut answer.partitions;
    match lie {
        MetadataFault::StaleLeader => each(partitions, &|answer, partition| {
            let (leader, epoch) = partition.before;
            answer.leader_id = BrokerId(leader.unwrap_or(-1));
            answer.leader_epoch = epoch;
        }),
        MetadataFault::OlderEpoch => each(partitions, &|answer, _| answer.leader_epoch -= 1),
        MetadataFault::UnknownLeader => {
            each(partitions, &|answer, _| answer.leader_id = BrokerId(NOBODY));
        }
        MetadataFault::NoLeader => each(partitions, &|answer, _| {
            answer.leader_id = BrokerId(-1);
            answer.error_code = code::LEADER_NOT_AVAILABLE;
        }),
        MetadataFault::MissingPartition => {
            partitions.pop();
        }
        MetadataFault::ZeroPartitions => partitions.clear(),
        MetadataFault::WrongTopicId => {
            answer.topic_id = Uuid::from_u128(answer.topic_id.as_u128() ^ 1);
        }
        MetadataFault::ZeroTopicId => answer.topic_id = Uuid::nil(),
        MetadataFault::MissingTopic | MetadataFault::NoBrokers => {}
    }
}

/// Kafka's rule for names of topics.
pub(super) fn is_valid(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !matches!(name, "" | "." | "..") && name.len() <= 249 && name.chars().all(legal)
}
