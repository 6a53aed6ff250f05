//! What can happen next: one fair default, and every deviation from it.

use super::World;
use super::state::{Sent, State};

/// A kind of fault that a plan allows. Lost connections and late requests are always allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Brokers restart: they forget all but the last batch of a producer.
    Restart,
    /// Leaders move, and the in-sync set shrinks.
    Move,
    /// Errors that are retried: 19 without an append, 7 after one.
    Error,
    /// A final error: 87.
    Final,
    /// The oldest batch's delivery timeout.
    Expire,
    /// The topic's `max.message.bytes` shrinks.
    Limit,
    /// An unclean election: committed batches vanish.
    Unclean,
    /// The producer's state expires on all brokers.
    Forget,
    /// The topic is deleted and made again, which the client does not notice (Produce <= 12).
    Recreate,
}

/// One step of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The client decides, connects or sends.
    Client,
    /// The broker reads a request.
    Process,
    /// A follower does one step.
    Replicate(usize),
    /// The client reads an answer.
    Answer,
    /// A request of this dead connection is read after all.
    Zombie(usize),
    /// The connection dies; requests not yet read may be read later.
    Lose,
    /// The connection dies with the requests not yet read.
    Drop,
    /// A broker restarts.
    Restart(usize),
    /// Another replica leads.
    Move(usize),
    /// Only the leader stays in sync.
    Shrink,
    /// The request is refused with 19.
    Reject19,
    /// The wait for replication times out: 7.
    TimeOut7,
    /// The request is refused with 87.
    Reject87,
    /// The head's delivery timeout passes.
    Deadline,
    /// An unclean election: the last so many batches vanish.
    Unclean(usize),
    /// The producer's state is gone.
    Forget,
    /// The topic is made again.
    Recreate,
    /// Batches of more than one record are too large from now on.
    Limit,
}

impl World {
    /// The default action, and every deviation from it.
    pub fn actions(&self) -> (Option<Action>, Vec<Action>) {
        let State { brokers, client, .. } = &self.state;
        let live = brokers.live();
        let requests = live.is_some_and(|c| !c.requests.is_empty());
        let replicas = 0..brokers.replicas.len();
        let mut acts = Vec::new();
        if self.can_client() {
            acts.push(Action::Client);
        }
        if requests {
            acts.push(Action::Process);
        }
        acts.extend(replicas.clone().filter(|r| brokers.lags(*r)).map(Action::Replicate));
        if live.and_then(|c| c.answers.front()).is_some_and(|a| a.code.is_some()) {
            acts.push(Action::Answer);
        }
        let dead = brokers.conns.iter().enumerate().filter(|(_, c)| !c.alive);
        acts.extend(dead.filter(|(_, c)| !c.requests.is_empty()).map(|(i, _)| Action::Zombie(i)));
        let default = acts.first().copied();
        let mut extra = acts.split_off(acts.len().min(1));
        if live.is_some_and(|c| requests || !c.answers.is_empty()) {
            extra.push(Action::Lose);
        }
        if requests {
            extra.push(Action::Drop);
        }
        for fault in self.faults {
            match fault {
                Fault::Restart => {
                    let forgets =
                        |r: &usize| *r == brokers.leader || brokers.replicas[*r].known > 1;
                    extra.extend(replicas.clone().filter(forgets).map(Action::Restart));
                }
                Fault::Move => {
                    let eligible = |r: &usize| *r != brokers.leader && brokers.in_sync[*r];
                    extra.extend(replicas.clone().filter(eligible).map(Action::Move));
                    if brokers.in_sync.iter().filter(|is| **is).count() > 1 {
                        extra.push(Action::Shrink);
                    }
                }
                Fault::Error => {
                    if requests {
                        extra.push(Action::Reject19);
                    }
                    if live.and_then(|c| c.answers.back()).is_some_and(|a| a.code.is_none()) {
                        extra.push(Action::TimeOut7);
                    }
                }
                Fault::Final if requests => extra.push(Action::Reject87),
                Fault::Expire if !client.queue.is_empty() && !client.expire => {
                    extra.push(Action::Deadline);
                }
                Fault::Limit if brokers.max_records > 1 => extra.push(Action::Limit),
                Fault::Unclean if !brokers.leader_log().is_empty() => {
                    extra.extend([1, 2, 9].map(Action::Unclean));
                }
                Fault::Forget if brokers.replicas.iter().any(|r| r.known > 0) => {
                    extra.push(Action::Forget);
                }
                Fault::Recreate if !brokers.leader_log().is_empty() => extra.push(Action::Recreate),
                _ => {}
            }
        }
        (default, extra)
    }

    /// Does one action; the request that the client sent, if it did, is returned.
    pub fn apply(&mut self, action: Action) -> Option<Sent> {
        self.trace.push(action);
        match action {
            Action::Client => return self.client(),
            Action::Answer => self.answer(),
            Action::Lose => self.disconnect(false),
            Action::Drop => self.disconnect(true),
            Action::Deadline => {
                self.state.client.expire = true;
                self.state.may_be_unknown = true;
                self.state.may_fail = true;
            }
            Action::Restart(replica) => {
                self.state.brokers.restart(replica);
                if self.state.brokers.live().is_some_and(|c| c.to == replica) {
                    self.disconnect(false);
                }
                self.state.brokers.tidy();
            }
            Action::Unclean(_) => {
                self.broker_action(action);
                self.disconnect(true);
                self.state.brokers.conns.clear();
                let leader = self.state.brokers.leader;
                self.state.brokers.elect(leader);
            }
            other => self.broker_action(other),
        }
        None
    }

    /// The actions that the client does not notice at once.
    pub(super) fn broker_action(&mut self, action: Action) {
        let state = &mut self.state;
        let brokers = &mut state.brokers;
        let live = brokers.live;
        match action {
            Action::Replicate(follower) => brokers.replicate(follower),
            Action::Zombie(conn) => {
                brokers.process(conn, None);
                brokers.conns[conn].answers.clear();
                brokers.tidy();
            }
            Action::Move(replica) => brokers.elect(replica),
            Action::Shrink => {
                let leader = brokers.leader;
                brokers.in_sync.iter_mut().enumerate().for_each(|(r, is)| *is = r == leader);
                brokers.commit();
            }
            Action::Process | Action::Reject19 | Action::Reject87 => {
                let forced = match action {
                    Action::Reject19 => Some(19),
                    Action::Reject87 => Some(87),
                    _ => None,
                };
                live.into_iter().for_each(|conn| brokers.process(conn, forced));
                if forced == Some(87) {
                    state.may_fail = true;
                    state.may_be_unknown |= state.client.queue.iter().any(|b| b.unsure);
                }
            }
            Action::TimeOut7 => {
                let answer = live.and_then(|conn| brokers.conns[conn].answers.back_mut());
                answer.into_iter().for_each(|a| a.code = Some(7));
            }
            Action::Unclean(batches) => {
                let leader = &mut brokers.replicas[brokers.leader];
                let kept = leader.log.len().saturating_sub(batches);
                let gone = leader.log.split_off(kept);
                leader.known = kept.min(1);
                brokers.high_watermark = 0;
                let leader = brokers.leader;
                brokers.in_sync.iter_mut().enumerate().for_each(|(r, is)| *is = r == leader);
                state.lose(gone.iter().flat_map(|e| e.sent.records.records()).collect());
            }
            Action::Forget => {
                brokers.replicas.iter_mut().for_each(|r| r.known = 0);
                state.lose(Vec::new());
            }
            Action::Recreate => {
                let gone = state.log_records();
                let brokers = &mut state.brokers;
                brokers.replicas.iter_mut().for_each(|r| *r = Default::default());
                brokers.high_watermark = 0;
                let leader = brokers.leader;
                brokers.elect(leader);
                state.lose(gone);
            }
            Action::Limit => {
                brokers.max_records = 1;
                state.lose(Vec::new());
            }
            Action::Client
            | Action::Answer
            | Action::Lose
            | Action::Drop
            | Action::Deadline
            | Action::Restart(_) => {}
        }
    }
}

impl State {
    /// Something happened that a producer cannot repair; these records are gone.
    fn lose(&mut self, records: Vec<i32>) {
        self.lost.extend(records);
        self.lost.sort_unstable();
        self.lost.dedup();
        self.may_be_unknown = true;
        self.may_fail = true;
    }
}
