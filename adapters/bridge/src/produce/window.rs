//! Answers that are kept for their `Idempotency-Key`: who asks again gets the same answer, and
//! nothing is produced twice, as long as the window remembers it.

use core::time::Duration;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio::time::Instant;

/// Subject, topic, key.
type Name = (String, String, String);

/// An answer that is there, or on its way.
#[derive(Debug)]
pub(crate) struct Entry<T> {
    /// Of the body: the same key with another body is a mistake.
    pub(crate) digest: [u8; 32],
    pub(crate) answer: OnceCell<T>,
    since: Instant,
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
}

impl<T> Window<T> {
    pub(crate) fn new(most: usize, lifetime: Duration) -> Self {
        let entries = Entries { by_name: HashMap::new(), order: VecDeque::new() };
        Self { most: most.max(1), lifetime, entries: Mutex::new(entries) }
    }

    /// The entry of this name: that of whoever asked first.
    pub(crate) fn entry(&self, name: Name, digest: [u8; 32]) -> Arc<Entry<T>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while let Some(eldest) = entries.order.front() {
            let is_old = entries
                .by_name
                .get(eldest)
                .is_none_or(|entry| now.duration_since(entry.since) >= self.lifetime);
            if !is_old && entries.order.len() < self.most {
                break;
            }
            if let Some(eldest) = entries.order.pop_front() {
                entries.by_name.remove(&eldest);
            }
        }
        if let Some(entry) = entries.by_name.get(&name) {
            return Arc::clone(entry);
        }
        let entry = Arc::new(Entry { digest, answer: OnceCell::new(), since: now });
        entries.order.push_back(name.clone());
        entries.by_name.insert(name, Arc::clone(&entry));
        entry
    }

    /// Nothing of it was stored: whoever asks again may try again.
    pub(crate) fn forget(&self, name: &Name) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.by_name.remove(name);
        entries.order.retain(|other| other != name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(key: &str) -> Name {
        ("alice".to_owned(), "events".to_owned(), key.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_a_while() {
        let window = Window::new(2, Duration::from_secs(10));
        window.entry(name("a"), [1; 32]).answer.set(7).expect("first");
        assert_eq!(window.entry(name("a"), [2; 32]).answer.get(), Some(&7));
        assert_eq!(window.entry(name("a"), [2; 32]).digest, [1; 32]);
        window.forget(&name("a"));
        assert_eq!(window.entry(name("a"), [1; 32]).answer.get(), None);
        window.entry(name("a"), [1; 32]).answer.set(8).expect("again");
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(window.entry(name("a"), [1; 32]).answer.get(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_eldest_makes_room() {
        let window = Window::new(2, Duration::from_secs(10));
        for key in ["a", "b", "c"] {
            window.entry(name(key), [0; 32]).answer.set(key).expect("first");
        }
        let entries = window.entries.lock().expect("entries");
        assert_eq!(entries.by_name.len(), 2);
        assert!(!entries.by_name.contains_key(&name("a")));
    }
}
