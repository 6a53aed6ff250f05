//! SCRAM (RFC 5802, 7677): the client's side. The broker has to prove that it knows the password,
//! too.

use core::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

/// Fewer iterations are too weak; more are an attack on the client (CVE-2026-42198 was one).
const ITERATIONS: core::ops::RangeInclusive<u32> = 4_096..=100_000;
/// Longest salt.
const MAX_SALT: usize = 1_024;

/// SCRAM-SHA-256 or -512.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// An exchange that has begun.
#[derive(Debug)]
pub(crate) struct Exchange {
    hash: Hash,
    nonce: String,
    bare: String,
}

/// One that waits for the broker's proof.
pub(crate) struct Proof {
    key: hmac::Key,
    signed: String,
}

impl Exchange {
    /// `nonce` is at least 128 random bits, in Base64.
    pub(crate) fn new(hash: Hash, user: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        let bare = format!("n={user},r={nonce}");
        Self { hash, nonce, bare }
    }

    pub(crate) fn first(&self) -> String {
        format!("n,,{}", self.bare)
    }

    /// The answer to the broker's first message. It computes for up to some 100 ms.
    pub(crate) fn last(
        &self,
        password: &str,
        server: &str,
    ) -> Result<(String, Proof), &'static str> {
        let (nonce, salt, iterations) = parse(server).ok_or("its first message is malformed")?;
        let ours = nonce.strip_prefix(self.nonce.as_str());
        if ours.is_none_or(str::is_empty) {
            return Err("its nonce does not continue ours");
        }
        if salt.is_empty() || salt.len() > MAX_SALT {
            return Err("its salt has no length that a salt has");
        }
        if !ITERATIONS.contains(&iterations) {
            return Err("its iterations are below 4,096 or above 100,000");
        }
        let iterations = NonZeroU32::new(iterations).ok_or("no iterations")?;
        let mut salted = vec![0; self.hash.digest().output_len()];
        pbkdf2::derive(self.hash.pbkdf2(), iterations, &salt, password.as_bytes(), &mut salted);
        let salted = hmac::Key::new(self.hash.hmac(), &salted);
        let client = hmac::sign(&salted, b"Client Key");
        let stored = digest::digest(self.hash.digest(), client.as_ref());
        let unproven = format!("c=biws,r={nonce}");
        let signed = format!("{},{server},{unproven}", self.bare);
        let signature =
            hmac::sign(&hmac::Key::new(self.hash.hmac(), stored.as_ref()), signed.as_bytes());
        let proof: Vec<u8> =
            client.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let server_key = hmac::sign(&salted, b"Server Key");
        let key = hmac::Key::new(self.hash.hmac(), server_key.as_ref());
        Ok((format!("{unproven},p={}", STANDARD.encode(proof)), Proof { key, signed }))
    }
}

impl Proof {
    /// Has the broker proved that it knows the password?
    pub(crate) fn check(&self, server: &str) -> bool {
        let tag = server.strip_prefix("v=").and_then(|tag| STANDARD.decode(tag).ok());
        tag.is_some_and(|tag| hmac::verify(&self.key, self.signed.as_bytes(), &tag).is_ok())
    }
}

/// Nonce, salt, iterations.
fn parse(server: &str) -> Option<(&str, Vec<u8>, u32)> {
    let mut fields = server.split(',');
    let nonce = fields.next()?.strip_prefix("r=")?;
    let salt = STANDARD.decode(fields.next()?.strip_prefix("s=")?).ok()?;
    let iterations = fields.next()?.strip_prefix("i=")?.parse().ok()?;
    Some((nonce, salt, iterations))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
    const SERVER: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                          s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    fn exchange(hash: Hash) -> Exchange {
        Exchange::new(hash, "user", NONCE.to_owned())
    }

    #[test]
    fn the_vector_of_rfc_7677() {
        let exchange = exchange(Hash::Sha256);
        assert_eq!(exchange.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (last, proof) = exchange.last("pencil", SERVER).expect("last");
        assert!(last.ends_with(",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="), "{last}");
        assert!(proof.check("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!proof.check("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert!(!proof.check("e=other-error") && !proof.check("v=") && !proof.check(""));
    }

    #[test]
    fn sha_512_too() {
        let (last, proof) = exchange(Hash::Sha512).last("pencil", SERVER).expect("last");
        let expected = "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDY\
                        XYTxwnYPJQ==";
        assert!(last.ends_with(expected), "{last}");
        assert!(proof.check(
            "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="
        ));
    }

    #[test]
    fn a_hostile_first_message_is_refused_before_anything_is_computed() {
        let exchange = exchange(Hash::Sha256);
        let refused = |server: &str| exchange.last("pencil", server).err();
        for server in [
            "",
            "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=2147483647",
            "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1",
            "e=unknown-user",
        ] {
            assert!(refused(server).is_some(), "{server}");
        }
    }

    #[test]
    fn names_are_escaped() {
        let exchange = Exchange::new(Hash::Sha256, "a=b,c", "x".to_owned());
        assert_eq!(exchange.first(), "n,,n=a=3Db=2Cc,r=x");
    }
}
