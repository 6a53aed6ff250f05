//! Faults at random moments.

use super::Simulation;
use super::network::Way;
use crate::cluster::{Api, ApiVersions, Fault, MetadataFault, Rule};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Reset,
    HalfOpen,
    StallUp,
    StallDown,
    Unreachable,
    Restart,
    Kill,
    Elect,
    Depose,
    ShrinkIsr,
    DropRequest,
    DropResponse,
    CloseBefore,
    CloseAfter,
    RetriableError,
    AppendThenError,
    OddAnswer,
    BrokenAnswer,
    Throttle,
    Delay,
    MetadataLie,
    AddPartitions,
    OtherVersion,
    TimeJump,
    NoProducerId,
    DeleteRecords,
    FinalError,
    SmallerLimit,
    Unclean,
    Truncate,
    Forget,
    Recreate,
}

impl Kind {
    /// Faults after which every record can still be delivered exactly once.
    pub const CLEAN: &'static [Self] = &[
        Self::Reset,
        Self::HalfOpen,
        Self::StallUp,
        Self::StallDown,
        Self::Unreachable,
        Self::Restart,
        Self::Kill,
        Self::Elect,
        Self::Depose,
        Self::ShrinkIsr,
        Self::DropRequest,
        Self::DropResponse,
        Self::CloseBefore,
        Self::CloseAfter,
        Self::RetriableError,
        Self::AppendThenError,
        Self::OddAnswer,
        Self::BrokenAnswer,
        Self::Throttle,
        Self::Delay,
        Self::MetadataLie,
        Self::AddPartitions,
        Self::OtherVersion,
        Self::TimeJump,
        Self::NoProducerId,
    ];
    /// Brokers refuse records for good.
    pub const FINAL: &'static [Self] = &[Self::FinalError, Self::SmallerLimit];
    /// Brokers lose records or state that they had acknowledged.
    pub const UNCLEAN: &'static [Self] =
        &[Self::DeleteRecords, Self::Unclean, Self::Truncate, Self::Forget, Self::Recreate];
}

impl Simulation {
    /// Lets one of the setup's faults happen.
    pub(super) fn fault(&mut self) {
        let kind = self.dice.pick(&self.setup.faults);
        self.trace.note(self.now, &kind);
        let now = self.now;
        let duration = self.dice.pick(&[1_000, 100_000, 1_000_000, 20_000_000]);
        let slots = self.network.open();
        let slot = (!slots.is_empty()).then(|| slots[self.dice.below(slots.len())]);
        let node = self.any_node();
        let (topic, partition) = self.any_partition();
        match kind {
            Kind::Reset => slot.into_iter().for_each(|s| self.network.reset(s, now)),
            Kind::HalfOpen => {
                slot.into_iter().for_each(|s| self.network.half_open(s, &mut self.cluster));
            }
            Kind::StallUp | Kind::StallDown => {
                let way = if kind == Kind::StallUp { Way::Up } else { Way::Down };
                slot.into_iter().for_each(|s| self.network.stall(s, way, now + duration));
            }
            Kind::Unreachable => {
                let reachable = self.dice.chance(500);
                self.network.set_reachable(node, reachable);
            }
            Kind::Restart => self.control(|c| _ = c.restart(node, now)),
            Kind::Kill => {
                if self.cluster.is_up(node) {
                    self.control(|c| _ = c.kill(node, now));
                    self.down.push((now + duration, node));
                }
            }
            Kind::Elect => self.control(|c| _ = c.elect(&topic, partition, node, now)),
            Kind::Depose => {
                self.control(|c| _ = c.depose(&topic, partition, now));
                self.down.push((now + duration, node));
            }
            Kind::ShrinkIsr => {
                // Only a leader takes another replica out.
                if self.cluster.leader(&topic, partition).is_some() {
                    self.control(|c| _ = c.shrink_isr(&topic, partition, node, now));
                }
            }
            Kind::AddPartitions => {
                let count = self.cluster.partitions(&topic) + 1;
                _ = self.cluster.add_partitions(&topic, count.min(10));
            }
            Kind::OtherVersion => {
                let old = self.setup.cluster.nodes[0].versions == ApiVersions::KAFKA_2_1;
                let versions = match self.dice.below(2) {
                    0 if old => ApiVersions::KAFKA_2_1,
                    0 => ApiVersions::KAFKA_4_3,
                    _ => ApiVersions::KAFKA_2_8,
                };
                self.cluster.set_versions(node, versions);
            }
            Kind::TimeJump => self.now += self.dice.pick(&[1_000_000, 60_000_000, 3_600_000_000]),
            Kind::SmallerLimit => {
                // A stored batch whose answer was lost may be refused now; its parts then answer 45
                // for ever.
                self.ledger.excuses.data_loss = true;
                self.ledger.excuses.rejected = true;
                let limit = self.dice.pick(&[100, 150, 300]);
                if let Some(config) = self.cluster.topic_config(&topic) {
                    config.max_message_bytes = limit;
                }
            }
            Kind::DeleteRecords => {
                let to = self.cluster.high_watermark(&topic, partition).unwrap_or(0);
                self.lossy(|c| _ = c.delete_records(&topic, partition, to / 2));
            }
            Kind::Unclean => self.lossy(|c| _ = c.elect_unclean(&topic, partition, node, now)),
            Kind::Truncate => {
                let batches = 1 + self.dice.below(3);
                self.lossy(|c| _ = c.truncate(&topic, partition, node, batches, now));
            }
            Kind::Forget => {
                self.ledger.excuses.forgotten.insert((topic.clone(), partition));
                self.lossy(|c| _ = c.forget_producers(&topic, partition, node, None));
            }
            Kind::Recreate => self.recreate_topic(&topic),
            Kind::DropRequest
            | Kind::DropResponse
            | Kind::CloseBefore
            | Kind::CloseAfter
            | Kind::RetriableError
            | Kind::AppendThenError
            | Kind::OddAnswer
            | Kind::BrokenAnswer
            | Kind::Throttle
            | Kind::Delay
            | Kind::MetadataLie
            | Kind::NoProducerId
            | Kind::FinalError => self.inject(kind, topic, partition),
        }
    }

    /// Puts a rule for a coming request into the cluster.
    fn inject(&mut self, kind: Kind, topic: String, partition: i32) {
        let dice = &mut self.dice;
        let any = dice.pick(&[
            Api::Produce,
            Api::Produce,
            Api::Produce,
            Api::Metadata,
            Api::ApiVersions,
            Api::InitProducerId,
        ]);
        let mut api = Api::Produce;
        let fault = match kind {
            Kind::DropRequest => Fault::DropRequest,
            Kind::DropResponse => Fault::DropResponse,
            Kind::CloseBefore => Fault::CloseBefore,
            Kind::CloseAfter => Fault::CloseAfter,
            Kind::RetriableError => Fault::Error(dice.pick(&[3, 5, 6, 19, 74, 75, 103])),
            Kind::AppendThenError => match dice.below(2) {
                0 => Fault::AppendThenError { code: dice.pick(&[7, 20, 56]), keep_offset: false },
                _ => Fault::AppendThenError { code: dice.pick(&[7, 20, 6, 3]), keep_offset: true },
            },
            Kind::OddAnswer => match dice.below(3) {
                0 => Fault::OmitPartition,
                1 => Fault::DuplicatePartition,
                _ => Fault::ExtraPartition,
            },
            Kind::BrokenAnswer => match dice.below(3) {
                0 => Fault::WrongCorrelationId,
                1 => Fault::TruncateFrame(dice.below(20)),
                _ => Fault::Garbage(
                    (0..dice.below(60)).map(|_| dice.any().to_le_bytes()[0]).collect(),
                ),
            },
            Kind::Throttle => Fault::Throttle(dice.pick(&[1, 100, 3_000])),
            Kind::Delay => Fault::Delay(dice.pick(&[1_000, 100_000, 3_000_000])),
            Kind::MetadataLie => {
                api = Api::Metadata;
                Fault::Metadata(dice.pick(&[
                    MetadataFault::StaleLeader,
                    MetadataFault::OlderEpoch,
                    MetadataFault::MissingTopic,
                    MetadataFault::MissingPartition,
                    MetadataFault::ZeroPartitions,
                    MetadataFault::UnknownLeader,
                    MetadataFault::NoBrokers,
                    MetadataFault::NoLeader,
                ]))
            }
            Kind::NoProducerId => {
                api = Api::InitProducerId;
                Fault::Error(dice.pick(&[14, 15, 16, 51]))
            }
            Kind::FinalError => {
                self.ledger.excuses.rejected = true;
                match dice.pick(&[87, 87, 2, 29, 44, 76, -1]) {
                    -1 => Fault::AppendThenError { code: -1, keep_offset: false },
                    code => Fault::Error(code),
                }
            }
            other => unreachable!("{other:?} is no fault of a request"),
        };
        let transport = matches!(
            fault,
            Fault::DropRequest
                | Fault::DropResponse
                | Fault::CloseBefore
                | Fault::CloseAfter
                | Fault::WrongCorrelationId
                | Fault::TruncateFrame(_)
                | Fault::Garbage(_)
                | Fault::Delay(_)
        );
        let mut rule = Rule::once(if transport { any } else { api }, fault);
        if !transport && api == Api::Produce && dice.chance(500) {
            rule.topic = Some(topic);
            rule.partition = Some(partition);
        }
        rule.skip = u32::from(dice.chance(500)) * 3;
        rule.times = dice.pick(&[1, 1, 3]);
        self.cluster.inject(rule);
    }

    /// Ends what chaos began and has an end: nodes come back, leaders are elected.
    pub(super) fn recover(&mut self) {
        let now = self.now;
        let due: Vec<i32> =
            self.down.iter().filter(|(at, _)| *at <= now).map(|(_, node)| *node).collect();
        self.down.retain(|(at, _)| *at > now);
        for node in due {
            self.control(|c| _ = c.start(node, now));
            self.elect_leaders();
        }
    }

    /// Ends all faults.
    pub(super) fn heal(&mut self) {
        let now = self.now;
        self.down.clear();
        self.cluster.clear_faults();
        self.network.heal(now);
        for node in self.nodes() {
            self.control(|c| _ = c.start(node, now));
        }
        self.elect_leaders();
    }

    /// Gives partitions without a leader one.
    fn elect_leaders(&mut self) {
        let now = self.now;
        for (topic, partition) in self.partitions() {
            if self.cluster.leader(&topic, partition).is_none() {
                for node in self.cluster.isr(&topic, partition) {
                    self.control(|c| _ = c.elect(&topic, partition, node, now));
                }
            }
        }
    }

    /// Deletes a topic and creates it again.
    pub fn recreate_topic(&mut self, topic: &str) {
        let now = self.now;
        let Some(mut config) = self.cluster.topic_config(topic).cloned() else { return };
        config.partitions = self.cluster.partitions(topic);
        self.ledger.excuses.recreated.insert(topic.to_owned());
        self.observer.recreated(topic);
        self.lossy(|c| {
            _ = c.delete_topic(topic, now);
            _ = c.create_topic(topic, config);
        });
        self.learn_topics();
    }
}
