//! The client of the model: rounds, what an answer settles, when to bump.

use super::World;
use super::state::{Answer, Batch, Client, Conn, Entry, Fate, Sent};

const NOT_LEADER: i16 = 6;
const TIMED_OUT: i16 = 7;
const TOO_LARGE: i16 = 10;
const OUT_OF_ORDER: i16 = 45;
const INVALID_RECORD: i16 = 87;

impl Client {
    fn find(&self, sent: Sent) -> Option<usize> {
        let same = |b: &Batch| {
            b.records == sent.records && b.epoch == sent.epoch && b.sequence == sent.sequence
        };
        self.queue.iter().position(same)
    }

    fn any_unsure(&self) -> bool {
        self.queue.iter().any(|b| b.unsure)
    }

    fn restart_round(&mut self) {
        self.cursor = 0;
        self.draining = false;
        self.failed = false;
        for batch in &mut self.queue {
            batch.result = None;
        }
    }

    /// Numbers all transmitted batches from `sequence`, in the current epoch.
    fn restamp(&mut self, mut sequence: i32) {
        for batch in self.queue.iter_mut().filter(|b| b.sent) {
            batch.sequence = sequence;
            batch.epoch = self.epoch;
            batch.unsure = false;
            batch.rejected = false;
            sequence += batch.records.count;
        }
        self.next = sequence;
    }

    /// The parts keep epoch and sequences: if the whole is in the log after all, they answer 45.
    fn split(&mut self) {
        for batch in core::mem::take(&mut self.queue) {
            if batch.result != Some(TOO_LARGE) {
                self.queue.push(batch);
                continue;
            }
            for record in batch.records.records() {
                let mut part = batch.clone();
                part.sequence = batch.sequence + record - batch.records.first;
                part.records.first = record;
                part.records.count = 1;
                self.queue.push(part);
            }
        }
    }
}

impl World {
    /// Batches that a round covers: all transmitted ones, and new ones within the window.
    fn extent(&self) -> usize {
        let client = &self.state.client;
        let new = client.queue.len().min(self.rules.window);
        let sent = client.queue.iter().filter(|b| b.sent).count();
        if self.rules.whole_round { new.max(sent) } else { new }
    }

    /// Nothing is in flight, and something is to be decided before anything is sent.
    pub fn must_decide(&self) -> bool {
        let client = &self.state.client;
        client.in_flight.is_empty()
            && (client.expire && !client.queue.is_empty()
                || client.draining
                || client.failed && client.cursor >= self.extent()
                || client.hole && !client.any_unsure())
    }

    fn window(&self) -> usize {
        let (rules, client) = (&self.rules, &self.state.client);
        let at_sent = client.queue.get(client.cursor).is_some_and(|b| b.sent);
        let alone = rules.first_alone && !client.known
            || rules.head_only && at_sent
            || rules.probe && rules.resume_probe && client.failed;
        if alone { 1 } else { rules.window }
    }

    /// Can the client do anything without hearing something?
    pub(super) fn can_client(&self) -> bool {
        let client = &self.state.client;
        if self.must_decide() {
            return true;
        }
        if client.queue.is_empty() {
            return false;
        }
        if self.state.brokers.live.is_none() {
            return true;
        }
        !client.draining && client.cursor < self.extent() && client.in_flight.len() < self.window()
    }

    /// One step of the client: a decision, a connection, or a request, which is returned.
    pub(super) fn client(&mut self) -> Option<Sent> {
        if self.must_decide() {
            self.decide();
            return None;
        }
        if self.state.client.queue.is_empty() {
            return None;
        }
        if self.state.brokers.live.is_none() {
            let brokers = &mut self.state.brokers;
            let conn = Conn {
                to: brokers.leader,
                alive: true,
                requests: Default::default(),
                answers: Default::default(),
            };
            brokers.conns.push(conn);
            brokers.live = Some(brokers.conns.len() - 1);
            let sent = self.state.client.queue.iter().filter(|b| b.sent).count();
            self.state.client.probing_last = self.rules.last_first && sent > 1;
            return None;
        }
        self.can_client().then(|| self.transmit()).flatten()
    }

    fn decide(&mut self) {
        let client = &mut self.state.client;
        if client.expire && !client.queue.is_empty() {
            client.expire = false;
            if client.queue[0].unsure {
                self.fail_unsure_head();
            } else {
                self.fail_absent_head();
            }
        } else if client.draining || client.failed && client.cursor >= self.extent() {
            self.conclude();
            return;
        } else {
            self.bump();
        }
        self.state.client.restart_round();
    }

    fn transmit(&mut self) -> Option<Sent> {
        let client = &mut self.state.client;
        let mut place = client.cursor;
        if client.probing_last {
            place = client.queue.iter().rposition(|b| b.sent).unwrap_or(place);
        } else if self.rules.resume_probe && client.failed && !client.queue[place].sent {
            client.draining = true; // that probe uses transmitted batches only
            return None;
        } else {
            client.cursor += 1;
        }
        let batch = &mut client.queue[place];
        if !batch.sent {
            batch.sent = true;
            batch.sequence = client.next;
            batch.epoch = client.epoch;
            client.next += batch.records.count;
        }
        let sent = Sent { epoch: batch.epoch, sequence: batch.sequence, records: batch.records };
        client.in_flight.push_back(sent);
        let brokers = &mut self.state.brokers;
        brokers.conns[brokers.live?].requests.push_back(sent);
        Some(sent)
    }

    /// The client reads the next answer.
    pub(super) fn answer(&mut self) {
        let Some(live) = self.state.brokers.live else { return };
        let Some(answer) = self.state.brokers.conns[live].answers.pop_front() else { return };
        let client = &mut self.state.client;
        let Some(sent) = client.in_flight.pop_front() else { return };
        let was_last = core::mem::take(&mut client.probing_last);
        let Some(place) = client.find(sent) else { return };
        let code = answer.code.unwrap_or(0);
        if code == 0 {
            client.known = true;
            client.silent_rounds = 0;
            self.success(place, answer.entry);
        } else if !(was_last && code == OUT_OF_ORDER) {
            self.error(place, code, answer);
        }
    }

    fn error(&mut self, place: usize, code: i16, answer: Answer) {
        let rules = self.rules;
        let client = &mut self.state.client;
        let batch = &mut client.queue[place];
        batch.result = Some(code);
        client.failed = true;
        if code == OUT_OF_ORDER {
            client.known = true;
            let given_up = rules.resume_probe && client.hole && place == 0;
            client.draining |= !batch.unsure || !rules.probe || given_up;
            return;
        }
        let appended = answer.entry.is_some() && rules.base_offset_unsure;
        if code == TIMED_OUT || code == NOT_LEADER && appended {
            batch.unsure = true;
        }
        if code == INVALID_RECORD && batch.unsure {
            batch.rejected = true; // the following batches may still prove it
            return;
        }
        client.draining = true;
        if code == NOT_LEADER {
            self.disconnect(false);
        }
    }

    fn success(&mut self, place: usize, entry: Option<Entry>) {
        let offset = entry.map_or(0, |e| self.state.brokers.offset_of(&e));
        let client = &mut self.state.client;
        let batch = client.queue.remove(place);
        client.cursor = client.cursor.saturating_sub(1);
        if self.rules.cumulative {
            let earlier: Vec<Batch> = client.queue.drain(..place).collect();
            client.cursor = client.cursor.saturating_sub(place);
            client.hole = false;
            let between: i32 = earlier.iter().map(|b| b.records.count).sum();
            let room = offset - client.last_offset > between;
            for batch in earlier {
                let fate = match batch.unsure {
                    false => Fate::NotPersisted, // impossible unless the broker lost its state
                    true if self.rules.offset_guard && !room => Fate::Unknown,
                    true => Fate::Delivered,
                };
                self.report(&batch, fate);
            }
        }
        self.report(&batch, Fate::Delivered);
        let client = &mut self.state.client;
        client.last_acked = client.last_acked.max(batch.sequence + batch.records.count - 1);
        client.last_offset = offset + batch.records.count - 1;
        if client.queue.is_empty() {
            client.restart_round();
        }
    }

    /// The round is over and brought no success for the head.
    fn conclude(&mut self) {
        let rules = self.rules;
        let client = &mut self.state.client;
        let Some(head) = client.queue.first().cloned() else {
            client.restart_round();
            return;
        };
        if client.queue.iter().any(|b| b.result == Some(TOO_LARGE)) {
            client.split();
        } else if rules.bump_on_45 {
            let next = head.sequence == client.last_acked + 1 || client.hole;
            if head.result == Some(OUT_OF_ORDER) && next {
                self.bump();
            }
        } else if head.unsure {
            self.conclude_unsure(&head);
        } else if head.result == Some(OUT_OF_ORDER) {
            self.bump(); // the broker lost data or state: nothing of it was appended
        } else if head.result == Some(INVALID_RECORD) {
            self.fail_absent_head();
        }
        self.state.client.restart_round();
    }

    fn conclude_unsure(&mut self, head: &Batch) {
        let rules = self.rules;
        let client = &mut self.state.client;
        let silent = |b: &Batch| matches!(b.result, Some(OUT_OF_ORDER | INVALID_RECORD));
        let ambiguous = client.queue.iter().take_while(|b| b.unsure).count();
        let first_sure = client.queue.get(ambiguous);
        let all_silent = client.queue[..ambiguous].iter().all(silent)
            && first_sure.is_none_or(|b| !b.sent || silent(b));
        if head.rejected && all_silent {
            self.fail_unsure_head();
        } else if rules.resume_probe && client.hole && head.result == Some(OUT_OF_ORDER) {
            self.bump(); // "the expired batch never arrived"
        } else if all_silent {
            client.silent_rounds = client.silent_rounds.saturating_add(1);
            if client.silent_rounds >= rules.rounds {
                for _ in 0..if rules.renumber_unsure { 0 } else { ambiguous } {
                    self.fail_unsure_head();
                }
                self.bump();
            }
        } else {
            client.silent_rounds = 0;
        }
    }

    /// A new epoch fences the old one on this partition: nothing stamped with it can be appended
    /// any more.
    fn bump(&mut self) {
        self.bumps += 1;
        let client = &mut self.state.client;
        client.epoch += 1;
        client.restamp(0);
        client.last_acked = -1;
        client.hole = false;
        client.known = false;
        client.silent_rounds = 0;
    }

    /// The head is certainly not in the log: so is all that follows it.
    fn fail_absent_head(&mut self) {
        let head = self.state.client.queue.remove(0);
        self.report(&head, Fate::NotPersisted);
        if head.sent {
            let client = &mut self.state.client;
            if client.any_unsure() && self.rules.fence || client.hole {
                self.bump();
            } else {
                client.restamp(head.sequence);
            }
        }
    }

    fn fail_unsure_head(&mut self) {
        let head = self.state.client.queue.remove(0);
        self.report(&head, Fate::Unknown);
        self.state.client.hole = true;
    }

    /// The connection dies. `lose_requests`: what the broker has not read is lost, otherwise it is
    /// read later.
    pub(super) fn disconnect(&mut self, lose_requests: bool) {
        let Some(live) = self.state.brokers.live.take() else { return };
        let conn = &mut self.state.brokers.conns[live];
        conn.alive = false;
        conn.answers.clear();
        if lose_requests {
            conn.requests.clear();
        }
        let client = &mut self.state.client;
        for sent in core::mem::take(&mut client.in_flight) {
            if let Some(place) = client.find(sent) {
                client.queue[place].unsure = true;
            }
        }
        client.known = false;
        client.silent_rounds = 0;
        client.draining = false;
        client.failed = false;
        if self.rules.resume_probe && client.queue.iter().any(|b| b.result == Some(OUT_OF_ORDER)) {
            let open = client.queue.iter().position(|b| b.result != Some(OUT_OF_ORDER));
            client.cursor = open.unwrap_or(0);
        } else {
            client.restart_round();
        }
        self.state.brokers.tidy();
    }
}
