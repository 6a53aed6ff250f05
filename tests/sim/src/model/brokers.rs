//! The brokers: appending, replication, elections, restarts, and what of it a producer can see.

use super::state::{Answer, Brokers, Conn, Entry, Replica, Sent};

const NOT_LEADER: i16 = 6;
const TOO_LARGE: i16 = 10;
const OUT_OF_ORDER: i16 = 45;
const OLD_EPOCH: i16 = 47;

impl Brokers {
    /// The log of the leader.
    pub fn leader_log(&self) -> &[Entry] {
        &self.replicas[self.leader].log
    }

    /// The records before this entry in the leader's log; 0 if it is not there.
    pub fn offset_of(&self, entry: &Entry) -> i32 {
        let log = self.leader_log();
        let place = log.iter().position(|e| e == entry).unwrap_or(0);
        log[..place].iter().map(|e| e.sent.records.count).sum()
    }

    /// The client's connection.
    pub fn live(&self) -> Option<&Conn> {
        self.live.map(|i| &self.conns[i])
    }

    /// The broker reads the next request of a connection; `forced` makes it refuse with this code.
    pub fn process(&mut self, conn: usize, forced: Option<i16>) {
        let to = self.conns[conn].to;
        let Some(request) = self.conns[conn].requests.pop_front() else { return };
        let answer = if self.leader != to {
            Answer { code: Some(NOT_LEADER), entry: None }
        } else if forced.is_some() || request.records.count > self.max_records {
            Answer { code: forced.or(Some(TOO_LARGE)), entry: None }
        } else {
            match self.replicas[to].append(request, self.term, self.reject_unknown) {
                Ok(entry) => Answer { code: None, entry: Some(entry) },
                Err(code) => Answer { code: Some(code), entry: None },
            }
        };
        self.conns[conn].answers.push_back(answer);
        self.commit();
    }

    /// Moves the high watermark, and answers what waited for it.
    pub fn commit(&mut self) {
        let leader = &self.replicas[self.leader].log;
        let in_sync = self.replicas.iter().zip(&self.in_sync).filter(|(_, is)| **is);
        let common = in_sync.map(|(r, _)| common_prefix(leader, &r.log)).min().unwrap_or(0);
        self.high_watermark = self.high_watermark.max(common);
        let committed = &leader[..self.high_watermark.min(leader.len())];
        for conn in self.conns.iter_mut().filter(|c| c.to == self.leader) {
            for answer in conn.answers.iter_mut().filter(|a| a.code.is_none()) {
                if answer.entry.is_some_and(|e| committed.contains(&e)) {
                    answer.code = Some(0);
                }
            }
        }
    }

    /// One step of replication: a follower cuts what the leader has not, or fetches one batch.
    pub fn replicate(&mut self, follower: usize) {
        let leader = self.replicas[self.leader].log.clone();
        let replica = &mut self.replicas[follower];
        let same = common_prefix(&leader, &replica.log);
        if same < replica.log.len() {
            replica.log.truncate(same);
            replica.known = same.min(1);
        } else if same < leader.len() {
            replica.log.push(leader[same]);
            replica.known = (replica.known + 1).min(5);
        }
        if replica.log == leader {
            self.in_sync[follower] = true;
        }
        self.commit();
    }

    /// Does this follower lag, or is it not in sync?
    pub fn lags(&self, replica: usize) -> bool {
        replica != self.leader
            && (self.replicas[replica].log != self.leader_log() || !self.in_sync[replica])
    }

    /// Makes `replica` the leader. Appends that waited on the old one are answered 6, with their
    /// offset.
    pub fn elect(&mut self, replica: usize) {
        let old = self.leader;
        self.leader = replica;
        self.term += 1;
        for conn in self.conns.iter_mut().filter(|c| c.to == old) {
            for answer in conn.answers.iter_mut().filter(|a| a.code.is_none()) {
                answer.code = Some(NOT_LEADER);
            }
        }
        self.commit();
    }

    /// A restart keeps the log, and of the producer's state only the last batch.
    pub fn restart(&mut self, replica: usize) {
        let r = &mut self.replicas[replica];
        r.known = r.known.min(r.log.len()).min(1);
        for conn in self.conns.iter_mut().filter(|c| c.to == replica) {
            conn.requests.clear();
        }
    }

    /// Forgets dead connections without requests.
    pub fn tidy(&mut self) {
        let live = self.live;
        let mut kept = Vec::new();
        self.live = None;
        for (i, conn) in core::mem::take(&mut self.conns).into_iter().enumerate() {
            if live == Some(i) {
                self.live = Some(kept.len());
            } else if conn.requests.is_empty() {
                continue;
            }
            kept.push(conn);
        }
        self.conns = kept;
    }
}

impl Replica {
    /// What `ProducerStateEntry` does: a known duplicate is a success; otherwise the epoch, then
    /// the sequence.
    fn append(&mut self, request: Sent, term: u32, reject_unknown: bool) -> Result<Entry, i16> {
        let remembered = &self.log[self.log.len() - self.known..];
        if let Some(last) = remembered.last() {
            let same = |e: &&Entry| {
                e.sent.epoch == request.epoch
                    && e.sent.sequence == request.sequence
                    && e.sent.records.count == request.records.count
            };
            if let Some(entry) = remembered.iter().find(same) {
                return Ok(*entry);
            }
            if request.epoch < last.sent.epoch {
                return Err(OLD_EPOCH);
            }
            let next = last.sent.sequence + last.sent.records.count;
            if request.sequence != if request.epoch == last.sent.epoch { next } else { 0 } {
                return Err(OUT_OF_ORDER);
            }
        } else if reject_unknown && request.sequence != 0 {
            return Err(OUT_OF_ORDER);
        }
        let entry = Entry { term, sent: request };
        self.log.push(entry);
        self.known = (self.known + 1).min(5);
        Ok(entry)
    }
}

fn common_prefix(a: &[Entry], b: &[Entry]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}
