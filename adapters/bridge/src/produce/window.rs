//! Answers that are kept for their `Idempotency-Key`: who asks again gets the same answer, and
//! nothing is produced twice, as long as the window remembers it.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Subject, topic, key.
type Name = (String, String, String);

/// Records that answers have on average, at most: one of a thousand takes the room of ten.
const RECORDS: usize = 100;
/// No subject has more than this part of the room, or it would push out what others rely on.
const SHARE: usize = 8;

/// An answer that is there, or on its way.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    /// Of the body: the same key with another body is a mistake.
    pub(crate) digest: [u8; 32],
    pub(crate) answer: OnceCell<T>,
    since: Instant,
    records: usize,
}

/// A bounded number of answers, for a bounded time.
#[derive(Debug)]
pub(crate) struct Window<T> {
    most: usize,
    lifetime: Duration,
    entries: Mutex<Entries<T>>,
}

#[derive(Debug)]
struct Entries<T> {
    by_name: HashMap<Name, Arc<Entry<T>>>,
    /// The eldest first.
    order: VecDeque<Name>,
    all: Load,
    subjects: HashMap<String, Load>,
}

/// What room is taken.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    keys: usize,
    records: usize,
}

impl<T> Window<T> {
    pub(crate) fn new(most: usize, lifetime: Duration) -> Self {
        Self { most: most.max(1), lifetime, entries: Mutex::new(Entries::new()) }
    }

    /// The entry of this name: that of whoever asked first. There will be an answer about so many
    /// records.
    pub(crate) fn entry(&self, name: Name, digest: [u8; 32], records: usize) -> Arc<Entry<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while entries.eldest_is_over(now, self.lifetime) {
            entries.drop_eldest(None);
        }
        if let Some(entry) = entries.by_name.get(&name) {
            return Arc::clone(entry);
        }
        let subject = &name.0;
        while !entries.load_of(subject).fits(records, self.most.div_ceil(SHARE))
            && entries.drop_eldest(Some(subject))
        {}
        while !entries.all.fits(records, self.most) && entries.drop_eldest(None) {}
        let entry = Arc::new(Entry { digest, answer: OnceCell::new(), since: now, records });
        entries.insert(name, Arc::clone(&entry));
        entry
    }

    /// Nothing of it was stored: whoever asks again may try again.
    pub(crate) fn forget(&self, name: &Name) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = entries.order.iter().position(|other| other == name) {
            entries.remove(at);
        }
    }
}

impl<T> Entries<T> {
    fn new() -> Self {
        let (by_name, subjects) = (HashMap::new(), HashMap::new());
        Self { by_name, order: VecDeque::new(), all: Load::default(), subjects }
    }

    fn load_of(&self, subject: &str) -> Load {
        self.subjects.get(subject).copied().unwrap_or_default()
    }

    fn eldest_is_over(&self, now: Instant, lifetime: Duration) -> bool {
        let eldest = self.order.front().and_then(|name| self.by_name.get(name));
        eldest.is_some_and(|entry| entry.is_there() && now.duration_since(entry.since) >= lifetime)
    }

    fn insert(&mut self, name: Name, entry: Arc<Entry<T>>) {
        self.all.add(entry.records);
        self.subjects.entry(name.0.clone()).or_default().add(entry.records);
        self.order.push_back(name.clone());
        self.by_name.insert(name, entry);
    }

    /// Of this subject, or of all. One that is on its way stays: it would be produced twice. Was
    /// there any?
    fn drop_eldest(&mut self, subject: Option<&str>) -> bool {
        let at = self.order.iter().position(|name| {
            subject.is_none_or(|subject| subject == name.0)
                && self.by_name.get(name).is_none_or(|entry| entry.is_there())
        });
        at.is_some_and(|at| self.remove(at))
    }

    fn remove(&mut self, at: usize) -> bool {
        let Some(name) = self.order.remove(at) else { return false };
        let Some(entry) = self.by_name.remove(&name) else { return true };
        self.all.take(entry.records);
        if let Some(load) = self.subjects.get_mut(&name.0) {
            load.take(entry.records);
            if load.keys == 0 {
                self.subjects.remove(&name.0);
            }
        }
        true
    }
}

impl<T> Entry<T> {
    fn is_there(&self) -> bool {
        self.answer.initialized()
    }
}

impl Load {
    /// One more, where there is room for so many?
    fn fits(self, records: usize, most: usize) -> bool {
        self.keys < most && self.records + records <= most.saturating_mul(RECORDS)
    }

    fn add(&mut self, records: usize) {
        self.keys += 1;
        self.records += records;
    }

    fn take(&mut self, records: usize) {
        self.keys -= 1;
        self.records -= records;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(subject: &str, key: &str) -> Name {
        (subject.to_owned(), "events".to_owned(), key.to_owned())
    }

    /// An answer is there.
    fn keep(window: &Window<u64>, subject: &str, key: u64, records: usize) {
        let entry = window.entry(name(subject, &key.to_string()), [0; 32], records);
        entry.answer.set(key).expect("first");
    }

    fn knows(window: &Window<u64>, subject: &str, key: u64) -> bool {
        let entries = window.entries.lock().expect("entries");
        entries.by_name.contains_key(&name(subject, &key.to_string()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_a_while() {
        let window = Window::new(2, Duration::from_secs(10));
        window.entry(name("alice", "a"), [1; 32], 1).answer.set(7).expect("first");
        assert_eq!(window.entry(name("alice", "a"), [2; 32], 1).answer.get(), Some(&7));
        assert_eq!(window.entry(name("alice", "a"), [2; 32], 1).digest, [1; 32]);
        window.forget(&name("alice", "a"));
        assert_eq!(window.entry(name("alice", "a"), [1; 32], 1).answer.get(), None);
        window.entry(name("alice", "a"), [1; 32], 1).answer.set(8).expect("again");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(window.entry(name("alice", "a"), [1; 32], 1).answer.get(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_eldest_makes_room() {
        let window = Window::new(2, Duration::from_secs(10));
        for (key, subject) in (0..).zip(["alice", "bob", "carol"]) {
            keep(&window, subject, key, 1);
        }
        assert!(!knows(&window, "alice", 0));
        assert!(knows(&window, "bob", 1) && knows(&window, "carol", 2));
    }

    #[tokio::test(start_paused = true)]
    async fn one_subject_pushes_out_its_own_answers_only() {
        let window = Window::new(80, Duration::from_secs(10));
        keep(&window, "bob", 0, 1);
        for key in 0..1_000 {
            keep(&window, "alice", key, 1);
        }
        assert!(knows(&window, "bob", 0));
        assert!(knows(&window, "alice", 990) && !knows(&window, "alice", 989));
        // Long answers count for what they take.
        for key in 1_000..1_010 {
            keep(&window, "alice", key, 500);
        }
        assert!(knows(&window, "alice", 1_008) && !knows(&window, "alice", 1_007));
        assert!(knows(&window, "bob", 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_on_its_way_stays() {
        let window = Window::<u64>::new(8, Duration::from_secs(10));
        let first = window.entry(name("alice", "0"), [0; 32], 1);
        tokio::time::advance(Duration::from_secs(100)).await;
        for key in 1..100 {
            keep(&window, "alice", key, 1);
        }
        assert!(Arc::ptr_eq(&first, &window.entry(name("alice", "0"), [0; 32], 1)));
        first.answer.set(0).expect("first");
        keep(&window, "alice", 100, 1);
        assert!(!knows(&window, "alice", 0));
        let entries = window.entries.lock().expect("entries");
        assert!(entries.order.len() <= 2 && entries.all.keys == entries.order.len());
    }
}
