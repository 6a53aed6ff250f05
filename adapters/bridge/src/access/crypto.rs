//! The cryptography of tokens: `jsonwebtoken` asks, `ring` answers, which is here for TLS anyway.

use core::ops::Deref;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use ring::hmac;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
    VerificationAlgorithm,
};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};

/// Has to come before the first token.
pub(crate) fn install() {
    // An error says that it was done before.
    let _ = PROVIDER.install_default();
}

/// The bridge signs no tokens by this way.
fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(ErrorKind::InvalidAlgorithm.into())
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let check = match algorithm {
        Algorithm::HS256 => Check::Hmac,
        Algorithm::ES256 => Check::Public(&ECDSA_P256_SHA256_FIXED),
        Algorithm::EdDSA => Check::Public(&ED25519),
        Algorithm::RS256 => Check::Public(&RSA_PKCS1_2048_8192_SHA256),
        _ => return Err(ErrorKind::InvalidAlgorithm.into()),
    };
    let key = key.try_get_as_bytes()?.to_vec();
    Ok(Box::new(Ring { algorithm: *algorithm, check, key }))
}

struct Ring {
    algorithm: Algorithm,
    check: Check,
    key: Vec<u8>,
}

enum Check {
    Hmac,
    Public(&'static dyn VerificationAlgorithm),
}

impl Verifier<Vec<u8>> for Ring {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let key = self.key.deref();
        let good = match self.check {
            // In constant time.
            Check::Hmac => {
                hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, signature).is_ok()
            }
            Check::Public(algorithm) => {
                UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
            }
        };
        if good { Ok(()) } else { Err(signature::Error::new()) }
    }
}

impl JwtVerifier for Ring {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
