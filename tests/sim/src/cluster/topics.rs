//! Topics come, grow and go.

use super::batch::{self, Header};
use super::log::Entry;
use super::partition::Partition;
use super::state::{Cluster, Topic};
use super::{ControlError, TopicConfig, metadata};
use bytes::Bytes;
use uuid::Uuid;

impl Cluster {
    /// Creates a topic. Its leaders are spread over the nodes, its leader epochs start at 0.
    ///
    /// # Errors
    /// `TopicExists`; `Invalid` for an illegal name, no partitions, no replicas or no nodes.
    pub fn create_topic(&mut self, name: &str, topic: TopicConfig) -> Result<(), ControlError> {
        let id = self.random_id();
        self.create(name, id, topic)
    }

    /// Creates a topic that had this id before, for a caller that kept it on a disk.
    ///
    /// # Errors
    /// As [`create_topic`](Self::create_topic); `TopicExists` also if the id is taken.
    pub fn restore_topic(
        &mut self,
        name: &str,
        id: [u8; 16],
        topic: TopicConfig,
    ) -> Result<(), ControlError> {
        self.create(name, Uuid::from_bytes(id), topic)
    }

    /// Appends a batch that was appended before ([`Appended::batch`](super::Appended::batch)) to all
    /// replicas. To be called before the first connection. Of every producer the last batch is
    /// known.
    ///
    /// # Errors
    /// `UnknownPartition`; `Invalid` if this is not the next batch of the partition, whole and with
    /// a right checksum.
    pub fn restore_batch(
        &mut self,
        topic: &str,
        partition: i32,
        batch: Bytes,
    ) -> Result<(), ControlError> {
        let header = Header::read(&batch).ok_or(ControlError::Invalid)?;
        let whole = batch::first_size(&batch).is_ok_and(|size| size == Some(batch.len()));
        let sound = crc32c::crc32c(&batch[batch::CHECKED_FROM..]) == header.crc;
        let settings = self.topics.get(topic).map(|topic| &topic.config);
        let retention = settings.and_then(|topic| topic.retention_bytes).unwrap_or(u64::MAX);
        let state = self.partition_mut(topic, partition)?;
        let next = state.leader_log().is_some_and(|log| {
            log.end() == header.base_offset || log.is_new() && header.base_offset >= 0
        });
        let counted = header.count > 0 && header.last_offset_delta == header.count - 1;
        if !(whole && sound && next && counted) {
            return Err(ControlError::Invalid);
        }
        let base_offset = header.base_offset;
        let entry = Entry { base_offset, leader_epoch: header.leader_epoch, header, batch };
        for log in state.logs_mut() {
            log.start_at(base_offset);
            log.push(entry.clone());
            log.producers.keep_last();
            log.shrink_to(retention);
        }
        state.high_watermark = entry.end();
        state.leader_epoch = state.leader_epoch.max(entry.leader_epoch);
        self.next_producer_id = self.next_producer_id.max(header.producer_id.saturating_add(1));
        Ok(())
    }

    fn create(&mut self, name: &str, id: Uuid, topic: TopicConfig) -> Result<(), ControlError> {
        if self.topics.contains_key(name) || self.names.contains_key(&id) {
            return Err(ControlError::TopicExists);
        }
        let sane = topic.partitions > 0 && topic.replication > 0 && !self.nodes.is_empty();
        if !metadata::is_valid(name) || id.is_nil() || !sane {
            return Err(ControlError::Invalid);
        }
        let partitions =
            (0..topic.partitions).map(|p| self.new_partition(p, topic.replication)).collect();
        self.names.insert(id, name.to_string());
        self.topics.insert(name.to_string(), Topic { id, config: topic, partitions });
        Ok(())
    }

    /// Deletes a topic with its logs.
    ///
    /// # Errors
    /// `UnknownPartition` if there is no such topic.
    pub fn delete_topic(&mut self, name: &str, now: u64) -> Result<(), ControlError> {
        let topic = self.topics.remove(name).ok_or(ControlError::UnknownPartition)?;
        self.names.remove(&topic.id);
        self.dirty = true;
        self.settle(now);
        Ok(())
    }

    /// Adds partitions until there are `count`.
    ///
    /// # Errors
    /// `UnknownPartition` if there is no such topic, `Invalid` if it has more partitions.
    pub fn add_partitions(&mut self, name: &str, count: i32) -> Result<(), ControlError> {
        let topic = self.topics.get(name).ok_or(ControlError::UnknownPartition)?;
        if count < topic.config.partitions {
            return Err(ControlError::Invalid);
        }
        let (from, replication) = (topic.config.partitions, topic.config.replication);
        let more: Vec<Partition> =
            (from..count).map(|p| self.new_partition(p, replication)).collect();
        if let Some(topic) = self.topics.get_mut(name) {
            topic.partitions.extend(more);
            topic.config.partitions = count;
        }
        Ok(())
    }

    /// The settings of a topic, to change them while it is in use. The number of partitions and
    /// replicas stays as it is.
    pub fn topic_config(&mut self, name: &str) -> Option<&mut TopicConfig> {
        self.topics.get_mut(name).map(|topic| &mut topic.config)
    }

    /// Partition `index` on the nodes that follow each other from number `index` on.
    fn new_partition(&self, index: i32, replication: usize) -> Partition {
        let nodes: Vec<i32> = self.nodes.keys().copied().collect();
        let first = usize::try_from(index).unwrap_or(0) % nodes.len();
        let replicas = nodes.iter().cycle().skip(first).take(replication.min(nodes.len()));
        let mut partition = Partition::new(replicas.copied().collect());
        // A node that is down neither leads nor is in sync.
        partition.in_sync.retain(|node| self.nodes.get(node).is_some_and(|node| node.up));
        let up = partition.replicas.iter().find(|node| partition.in_sync.contains(node));
        partition.leader = up.copied();
        partition
    }
}
