//! Producer ids belong to whoever got them. Who comes back (after a reload, or to another bridge)
//! shows the ticket that it was given with the id.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::Keys;
use crate::config::Secret;

/// Separates these from other uses of a secret.
const LABEL: &[u8] = b"klamm-bridge ticket 1";
/// Owners that are remembered: at least one half of this, at most all.
const REMEMBERED: usize = 100_000;
const BODY: usize = 16;

/// Whose producer ids are.
pub(crate) struct Producers {
    key: hmac::Key,
    lifetime_ms: i64,
    owners: Mutex<Owners>,
}

/// Two generations: the elder is forgotten when the younger is full.
#[derive(Default)]
struct Owners {
    young: HashMap<i64, Box<str>>,
    old: HashMap<i64, Box<str>>,
}

impl Producers {
    /// Tickets are signed with `secret`, else with the secret of the tokens, else with a key of this
    /// process, which does not outlive it.
    pub(crate) fn new(secret: &Secret, keys: &Keys, lifetime_s: u64) -> Result<Self, String> {
        let key = match (secret.is_empty(), keys.shared_secret()) {
            (false, _) => derive(secret),
            (true, Some(shared)) => derive(shared),
            (true, None) => {
                hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new())
                    .map_err(|_| "the system has no random numbers".to_owned())?
            }
        };
        let lifetime_ms = i64::try_from(lifetime_s.saturating_mul(1_000)).unwrap_or(i64::MAX);
        Ok(Self { key, lifetime_ms, owners: Mutex::default() })
    }

    /// A broker gave this id to this subject: its ticket.
    pub(crate) fn bind(&self, id: i64, subject: &str, now_ms: i64) -> String {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        if owners.young.len() >= REMEMBERED / 2 {
            owners.old = core::mem::take(&mut owners.young);
        }
        owners.young.insert(id, subject.into());
        drop(owners);
        let end = now_ms.saturating_add(self.lifetime_ms);
        let mut ticket = Vec::from(body(id, end));
        ticket.extend_from_slice(self.sign(id, end, subject).as_ref());
        URL_SAFE_NO_PAD.encode(ticket)
    }

    /// Is the id known to be this subject's?
    pub(crate) fn is_owner(&self, id: i64, subject: &str) -> bool {
        let owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = owners.young.get(&id).or_else(|| owners.old.get(&id));
        owner.is_some_and(|owner| **owner == *subject)
    }

    /// The id that a ticket of this subject is for.
    pub(crate) fn admit(&self, ticket: &str, subject: &str, now_ms: i64) -> Option<i64> {
        let ticket = URL_SAFE_NO_PAD.decode(ticket).ok()?;
        let (head, tag) = ticket.split_at_checked(BODY)?;
        let (id, end) = head.split_at_checked(8)?;
        let id = i64::from_be_bytes(id.try_into().ok()?);
        let end = i64::from_be_bytes(end.try_into().ok()?);
        hmac::verify(&self.key, &signed(id, end, subject), tag).ok()?;
        (end > now_ms).then_some(id)
    }

    fn sign(&self, id: i64, end: i64, subject: &str) -> hmac::Tag {
        hmac::sign(&self.key, &signed(id, end, subject))
    }
}

fn body(id: i64, end: i64) -> [u8; BODY] {
    let mut body = [0; BODY];
    let (first, second) = body.split_at_mut(8);
    first.copy_from_slice(&id.to_be_bytes());
    second.copy_from_slice(&end.to_be_bytes());
    body
}

fn signed(id: i64, end: i64, subject: &str) -> Vec<u8> {
    [LABEL, &body(id, end), subject.as_bytes()].concat()
}

fn derive(secret: &Secret) -> hmac::Key {
    let from = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&from, LABEL).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producers(secret: &str) -> Producers {
        Producers::new(&Secret::new(secret.to_owned()), &Keys::default(), 60).expect("producers")
    }

    #[test]
    fn a_ticket_is_for_one_id_one_subject_and_a_while() {
        let bridge = producers("one");
        let ticket = bridge.bind(7, "alice", 1_000);
        assert!(bridge.is_owner(7, "alice"));
        assert!(!bridge.is_owner(7, "bob") && !bridge.is_owner(8, "alice"));
        // Another bridge of the same configuration, which has never heard of it.
        let other = producers("one");
        assert!(!other.is_owner(7, "alice"));
        assert_eq!(other.admit(&ticket, "alice", 2_000), Some(7));
        assert_eq!(other.admit(&ticket, "bob", 2_000), None);
        assert_eq!(other.admit(&ticket, "alice", 61_000), None);
        assert_eq!(producers("two").admit(&ticket, "alice", 2_000), None);
    }

    #[test]
    fn a_ticket_with_any_bit_changed_is_none() {
        let bridge = producers("one");
        let ticket = bridge.bind(7, "alice", 1_000);
        let bytes = URL_SAFE_NO_PAD.decode(ticket).expect("base64");
        for at in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            let forged = URL_SAFE_NO_PAD.encode(bytes);
            assert_eq!(bridge.admit(&forged, "alice", 2_000), None, "bit {at}");
        }
        for forged in ["", "AAAA", "%%%"] {
            assert_eq!(bridge.admit(forged, "alice", 2_000), None);
        }
    }

    #[test]
    fn owners_are_forgotten_in_the_end_but_not_soon() {
        let bridge = producers("one");
        for id in 0..100_000 {
            bridge.bind(id, "alice", 0);
        }
        assert!(bridge.is_owner(99_999, "alice") && bridge.is_owner(50_000, "alice"));
        bridge.bind(100_000, "alice", 0);
        let owners = bridge.owners.lock().expect("owners");
        assert!(owners.young.len() + owners.old.len() <= REMEMBERED);
    }
}
