//! How many connections there are: in all, from one address, of one subject.

use core::net::IpAddr;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Rate;

/// More subjects than this are looked through for those that are gone.
const SWEEP: usize = 1_024;

/// Producer ids a second of one subject. Brokers keep each for a day, and the bridge remembers so many.
const IDS_PER_S: u64 = 20;

/// The counts that all connections share.
#[derive(Debug)]
pub(crate) struct Counts {
    max: usize,
    max_per_address: usize,
    max_per_subject: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    total: usize,
    addresses: HashMap<IpAddr, usize>,
    subjects: HashMap<String, Arc<Subject>>,
    sweep_at: usize,
}

/// What the connections of one subject share.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) bytes: Rate,
    pub(crate) records: Rate,
    /// Producer ids.
    pub(crate) ids: Rate,
}

/// Which bound is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    Total,
    Address,
}

/// A connection that is counted until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    counts: Arc<Counts>,
    address: IpAddr,
}

impl Counts {
    /// 0: no bound.
    pub(crate) fn new(max: usize, max_per_address: usize, max_per_subject: usize) -> Self {
        let table = Mutex::new(Table { sweep_at: SWEEP, ..Table::default() });
        Self { max, max_per_address, max_per_subject, table }
    }

    pub(crate) fn connect(self: &Arc<Self>, address: IpAddr) -> Result<Held, Refused> {
        let address = network(address);
        let mut table = self.table();
        if is_reached(table.total, self.max) {
            return Err(Refused::Total);
        }
        let count = table.addresses.get(&address).copied().unwrap_or(0);
        if is_reached(count, self.max_per_address) {
            return Err(Refused::Address);
        }
        table.addresses.insert(address, count + 1);
        table.total += 1;
        drop(table);
        Ok(Held { counts: Arc::clone(self), address })
    }

    /// One more WebSocket of this subject, which is counted as long as the answer is kept. `None`:
    /// it has too many.
    pub(crate) fn join(&self, subject: &str, bytes: u64, records: u64) -> Option<Arc<Subject>> {
        let mut table = self.table();
        if table.subjects.len() >= table.sweep_at {
            table.subjects.retain(|_, subject| subject.is_of_interest());
            table.sweep_at = SWEEP.max(2 * table.subjects.len());
        }
        let entry = table.subjects.entry(subject.to_owned()).or_insert_with(|| {
            let ids = Rate::new(IDS_PER_S);
            Arc::new(Subject { bytes: Rate::new(bytes), records: Rate::new(records), ids })
        });
        // One of the owners is the table.
        if is_reached(Arc::strong_count(entry) - 1, self.max_per_subject) {
            return None;
        }
        entry.bytes.set(bytes);
        entry.records.set(records);
        Some(Arc::clone(entry))
    }

    pub(crate) fn total(&self) -> usize {
        self.table().total
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subject {
    /// Somebody is connected, or went away in debt.
    fn is_of_interest(self: &Arc<Self>) -> bool {
        let rates = [&self.bytes, &self.records, &self.ids];
        Arc::strong_count(self) > 1 || rates.iter().any(|rate| !rate.is_even())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut table = self.counts.table();
        table.total = table.total.saturating_sub(1);
        match table.addresses.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(table.addresses.remove(&self.address)),
        }
    }
}

fn is_reached(count: usize, max: usize) -> bool {
    max > 0 && count >= max
}

/// Whoever has one IPv6 address has all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let bits = address.to_bits() >> 64 << 64;
            IpAddr::V6(core::net::Ipv6Addr::from_bits(bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_by_address_and_in_all() {
        let counts = Arc::new(Counts::new(3, 2, 0));
        let one = IpAddr::from([10, 0, 0, 1]);
        let first = counts.connect(one).expect("first");
        let _second = counts.connect(one).expect("second");
        assert_eq!(counts.connect(one).err(), Some(Refused::Address));
        let _third = counts.connect(IpAddr::from([10, 0, 0, 2])).expect("third");
        assert_eq!(counts.connect(IpAddr::from([10, 0, 0, 3])).err(), Some(Refused::Total));
        drop(first);
        let _again = counts.connect(one).expect("again");
        assert_eq!(counts.total(), 3);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let counts = Arc::new(Counts::new(0, 1, 0));
        let _held = counts.connect("2001:db8::1".parse().expect("address")).expect("first");
        let neighbour = "2001:db8::ffff:1".parse().expect("address");
        assert_eq!(counts.connect(neighbour).err(), Some(Refused::Address));
        assert!(counts.connect("2001:db8:0:1::1".parse().expect("address")).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_subject_that_is_in_debt_is_not_forgotten() {
        let counts = Counts::new(0, 0, 2);
        let first = counts.join("alice", 10, 10).expect("first");
        let second = counts.join("alice", 10, 10).expect("second");
        assert!(counts.join("alice", 10, 10).is_none());
        first.bytes.take(1_000);
        drop((first, second));
        for number in 0..2 * SWEEP {
            assert!(counts.join(&number.to_string(), 10, 10).is_some());
        }
        assert!(!counts.join("alice", 10, 10).expect("again").bytes.is_even());
        assert!(counts.table().subjects.len() <= SWEEP);
    }
}
