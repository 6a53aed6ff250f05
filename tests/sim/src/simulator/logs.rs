//! Do the logs agree with the reports: is nothing lost, twice, out of order or altered?

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::ledger::{Checked, Entry, Fate, Ledger, Place};
use super::observer::Observer;
use super::record::Sample;
use crate::cluster::{Cluster, LoggedRecord};

/// What the options promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guarantee {
    /// Every record once, in order.
    ExactlyOnce,
    /// Brokers answer; a record may be stored once per transmission that may have stored it, and
    /// what is delivered is in order.
    Acknowledged,
    /// Brokers do not answer: a record is stored once at most, and what went over one connection is
    /// in order. What an old connection still carries may arrive behind what a new one does.
    Written,
}

/// What was seen of a record's transmissions.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    /// How many may have stored it.
    chances: usize,
    /// The connection of the last one.
    connection: u64,
}

/// The logs at the end of a run, and how the records came there.
pub(super) struct Logs {
    logs: BTreeMap<Place, Vec<(u64, LoggedRecord)>>,
    sent: HashMap<u64, Sent>,
    /// Topics that were sent to by name.
    by_name: BTreeSet<String>,
    guarantee: Guarantee,
}

impl Logs {
    /// Reads all logs.
    pub(super) fn new(cluster: &Cluster, observer: &Observer, guarantee: Guarantee) -> Self {
        let mut logs = BTreeMap::new();
        for topic in cluster.topics() {
            for partition in 0..cluster.partitions(topic) {
                let log = cluster.log(topic, partition);
                let numbered = log.map(|r| (Sample::number(&r), r)).collect();
                logs.insert((topic.to_owned(), partition), numbered);
            }
        }
        let mut sent: HashMap<u64, Sent> = HashMap::new();
        let mut by_name = BTreeSet::new();
        for exchange in &observer.exchanges {
            if exchange.is_by_name() {
                by_name.insert(exchange.place.0.clone());
            }
            for number in &exchange.batch.numbers {
                let sent = sent.entry(*number).or_default();
                sent.chances += usize::from(exchange.may_be_stored());
                sent.connection = exchange.connection;
            }
        }
        Self { logs, sent, by_name, guarantee }
    }

    /// Compares them with what was reported.
    ///
    /// # Errors
    /// When something is lost, twice, out of order or altered.
    pub(super) fn check(&self, ledger: &Ledger) -> Checked {
        let mut found: HashMap<u64, Vec<(&Place, &LoggedRecord)>> = HashMap::new();
        for (place, log) in &self.logs {
            self.check_log(ledger, place, log).map_err(|what| format!("{place:?}: {what}"))?;
            for (number, record) in log {
                found.entry(*number).or_default().push((place, record));
            }
        }
        for (number, entry) in (0..).zip(ledger.entries()) {
            let copies = found.get(&number).map_or(&[][..], Vec::as_slice);
            self.check_entry(ledger, number, entry, copies)?;
        }
        Ok(())
    }

    fn check_log(&self, ledger: &Ledger, place: &Place, log: &[(u64, LoggedRecord)]) -> Checked {
        let mut seen = BTreeSet::new();
        let mut order = Order::default();
        let mut acknowledged = Order::default();
        let again = self.may_be_stored_again(ledger, place);
        for (number, record) in log {
            let entry = ledger.entry(*number).ok_or("a record nobody sent")?;
            entry.sample.check(record).map_err(|what| format!("{number}: {what}"))?;
            let delivered = matches!(entry.fate, Some(Fate::Delivered(_)));
            if entry.fate == Some(Fate::Delivered(Some(record.offset)))
                && !self.is_other(ledger, place)
            {
                acknowledged.next(0, *number)?;
            }
            if !seen.insert(*number) {
                let once = match self.guarantee {
                    Guarantee::ExactlyOnce => !again,
                    Guarantee::Acknowledged => false,
                    Guarantee::Written => true,
                };
                if once {
                    return Err(format!("record {number} is in the log twice"));
                }
                continue;
            }
            match self.guarantee {
                Guarantee::ExactlyOnce if !again => order.next(0, *number)?,
                Guarantee::Acknowledged if !again && delivered => order.next(0, *number)?,
                Guarantee::Written => {
                    let sent = self.sent.get(number).copied().unwrap_or_default();
                    order.next(sent.connection, *number)?;
                }
                Guarantee::ExactlyOnce | Guarantee::Acknowledged => {}
            }
        }
        Ok(())
    }

    /// May a broker store what it, or another with the same log, had stored before? Not a broken
    /// promise, for nobody can know: a batch in flight while its producer is forgotten is taken for
    /// a first one, and by name it may have been meant for the log of the topic that was before.
    fn may_be_stored_again(&self, ledger: &Ledger, place: &Place) -> bool {
        ledger.excuses.forgotten.contains(place) || self.is_other(ledger, place)
    }

    /// May the log hold what was meant for that of a topic of the same name before? By topic id
    /// never.
    fn is_other(&self, ledger: &Ledger, place: &Place) -> bool {
        ledger.excuses.recreated.contains(&place.0) && self.by_name.contains(&place.0)
    }

    fn check_entry(
        &self,
        ledger: &Ledger,
        number: u64,
        entry: &Entry,
        copies: &[(&Place, &LoggedRecord)],
    ) -> Checked {
        let place = (entry.topic.clone(), entry.partition.unwrap_or(-1));
        if let Some((stray, _)) = copies.iter().find(|(at, _)| **at != place) {
            return Err(format!("record {number} for {place:?} is in the log of {stray:?}"));
        }
        // Where it stands, and where it stood before a broker lost it.
        let mut offsets = ledger.excuses.lost.get(&number).cloned().unwrap_or_default();
        offsets.extend(copies.iter().map(|(_, record)| record.offset));
        if self.guarantee != Guarantee::ExactlyOnce {
            let sent = self.sent.get(&number).copied().unwrap_or_default();
            if offsets.len() > sent.chances {
                return Err(format!("record {number} is at {offsets:?}, yet {sent:?}"));
            }
        }
        match entry.fate {
            Some(Fate::Delivered(_)) if self.guarantee == Guarantee::Written => Ok(()),
            Some(Fate::Delivered(_)) if offsets.is_empty() => {
                Err(format!("LOSS: record {number} was delivered: {entry:?}"))
            }
            Some(Fate::Delivered(Some(offset))) if !offsets.contains(&offset) => {
                Err(format!("record {number} is not at {offset}, but at {offsets:?}: {copies:?}"))
            }
            // What was stored in a log that is no more went with it (protocol.md 4.7).
            Some(Fate::NotPersisted(_) | Fate::Dropped)
                if !copies.is_empty()
                    || !offsets.is_empty() && !ledger.excuses.recreated.contains(&entry.topic) =>
            {
                Err(format!("record {number} is or was at {offsets:?}, yet was {:?}", entry.fate))
            }
            _ => Ok(()),
        }
    }
}

/// Numbers that have to grow, on each connection by itself.
#[derive(Default)]
struct Order(BTreeMap<u64, u64>);

impl Order {
    fn next(&mut self, connection: u64, number: u64) -> Checked {
        match self.0.insert(connection, number) {
            Some(before) if before > number => {
                Err(format!("record {number} stands behind {before}"))
            }
            _ => Ok(()),
        }
    }
}
