//! What embedded-tls needs of its surroundings: random numbers, and who is to be believed.

use core::cell::RefCell;

use embedded_tls::pki::CertVerifier;
use embedded_tls::{
    Aes128GcmSha256, Certificate, CryptoProvider, CryptoRngCore, TlsClock, TlsError, TlsVerifier,
};
use rand_core::{CryptoRng, Error, RngCore};

/// Bytes that a broker's certificates may have.
const CERTIFICATES: usize = 2_048;

pub(crate) struct Provider<'a, R, C: TlsClock> {
    random: Random<'a, R>,
    verifier: CertVerifier<'a, Aes128GcmSha256, C, CERTIFICATES>,
}

impl<'a, R, C: TlsClock> Provider<'a, R, C> {
    pub(crate) fn new(random: &'a RefCell<R>, authority: &'a [u8]) -> Self {
        let verifier = CertVerifier::new(Certificate::X509(authority));
        Self { random: Random(random), verifier }
    }
}

impl<R: RngCore + CryptoRng, C: TlsClock> CryptoProvider for Provider<'_, R, C> {
    type CipherSuite = Aes128GcmSha256;
    /// Of the device's own certificate: it has none.
    type Signature = [u8; 0];

    fn rng(&mut self) -> impl CryptoRngCore {
        Random(self.random.0)
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<Aes128GcmSha256>, TlsError> {
        Ok(&mut self.verifier)
    }
}

/// One source for all connections.
struct Random<'a, R>(&'a RefCell<R>);

impl<R: RngCore> RngCore for Random<'_, R> {
    fn next_u32(&mut self) -> u32 {
        self.0.borrow_mut().next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.borrow_mut().next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.borrow_mut().fill_bytes(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.borrow_mut().try_fill_bytes(bytes)
    }
}

impl<R: CryptoRng> CryptoRng for Random<'_, R> {}
