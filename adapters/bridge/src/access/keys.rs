//! The keys that tokens are signed with. A key has one algorithm, whatever a token says.

use core::fmt;
use std::path::Path;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::{Deserialize, Serialize};

use crate::config::Secret;

/// Shortest secret of HS256: what its hash is long.
const MIN_SECRET: usize = 32;

/// A key as it is configured.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyConfig {
    /// The `kid` of the tokens signed with it; empty: theirs is not looked at.
    pub id: String,
    /// `HS256`, `ES256`, `EdDSA` or `RS256`.
    pub algorithm: String,
    /// The secret of HS256, at least 32 bytes.
    pub secret: Secret,
    /// A file with it; line ends behind it do not count.
    pub secret_file: String,
    /// A PEM file with the public key of the others.
    pub public_key_file: String,
}

/// One key, ready for use.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) algorithm: Algorithm,
    pub(crate) decoding: DecodingKey,
}

/// All of them.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    keys: Vec<Key>,
    /// What tickets are signed with, if nothing else is configured: a secret that all bridges with
    /// this configuration have.
    shared_secret: Option<Secret>,
}

impl Keys {
    /// # Errors
    /// A key is not complete, cannot be read, or is too weak.
    pub(crate) fn new(configured: &[KeyConfig]) -> Result<Self, String> {
        let mut keys = Self::default();
        for (number, config) in configured.iter().enumerate() {
            let named = |problem: String| format!("auth.keys, number {}: {problem}", number + 1);
            let key = keys.load(config).map_err(named)?;
            keys.keys.push(key);
        }
        Ok(keys)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) const fn shared_secret(&self) -> Option<&Secret> {
        self.shared_secret.as_ref()
    }

    /// The keys that a token may be signed with.
    pub(crate) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |key| {
            key.algorithm == algorithm && (key.id.is_empty() || id.is_none_or(|id| id == key.id))
        })
    }

    fn load(&mut self, config: &KeyConfig) -> Result<Key, String> {
        let key = |algorithm, decoding| Key { id: config.id.clone(), algorithm, decoding };
        let pem = || read(&config.public_key_file, "public_key_file");
        let bad = |error| format!("{}: no such key: {error}", config.public_key_file);
        Ok(match config.algorithm.as_str() {
            "HS256" => {
                let secret = secret(&config.secret, &config.secret_file)?;
                if secret.expose().len() < MIN_SECRET {
                    return Err(format!("the secret has less than {MIN_SECRET} bytes"));
                }
                let decoding = DecodingKey::from_secret(secret.expose().as_bytes());
                self.shared_secret.get_or_insert(secret);
                key(Algorithm::HS256, decoding)
            }
            "ES256" => key(Algorithm::ES256, DecodingKey::from_ec_pem(&pem()?).map_err(bad)?),
            "EdDSA" => key(Algorithm::EdDSA, DecodingKey::from_ed_pem(&pem()?).map_err(bad)?),
            "RS256" => key(Algorithm::RS256, DecodingKey::from_rsa_pem(&pem()?).map_err(bad)?),
            other => {
                return Err(format!("algorithm {other:?} is none of HS256, ES256, EdDSA, RS256"));
            }
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.keys.iter().map(|key| (&key.id, key.algorithm));
        f.debug_list().entries(names).finish()
    }
}

/// A secret given as such, or by a file.
pub(crate) fn secret(given: &Secret, file: &str) -> Result<Secret, String> {
    match (given.is_empty(), file.is_empty()) {
        (false, true) => Ok(given.clone()),
        (true, false) => {
            let bytes = read(file, "secret_file")?;
            let text = String::from_utf8(bytes).map_err(|_| format!("{file}: it is no text"))?;
            Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        (true, true) => Err("no secret".to_owned()),
        (false, false) => Err("a secret and a file with one: which?".to_owned()),
    }
}

fn read(file: &str, option: &str) -> Result<Vec<u8>, String> {
    if file.is_empty() {
        return Err(format!("{option} is missing"));
    }
    std::fs::read(Path::new(file)).map_err(|error| format!("{file}: {error}"))
}
