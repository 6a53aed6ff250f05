//! TLS for the pages, with certificates that can be renewed while the bridge runs.

use core::time::Duration;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsConfig;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// The certificate of the moment. Connections keep the one that they began with.
pub(crate) struct Tls {
    config: TlsConfig,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// `None`: no TLS is configured.
    pub(crate) fn new(config: &TlsConfig) -> Result<Option<Arc<Self>>, String> {
        if config.certificate.is_empty() && config.key.is_empty() {
            return Ok(None);
        }
        let current = RwLock::new(load(config)?);
        Ok(Some(Arc::new(Self { config: config.clone(), current })))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }

    /// Reads the files again. If they are no good, what there is stays.
    pub(crate) fn reload(&self) {
        match load(&self.config) {
            Ok(config) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
                tracing::info!("read the certificate again");
            }
            Err(error) => tracing::error!(%error, "the old certificate stays"),
        }
    }

    /// Reloads when the files change.
    pub(crate) async fn watch(self: Arc<Self>) {
        let mut last = self.changed();
        loop {
            tokio::time::sleep(LOOK).await;
            let now = self.changed();
            if now != last {
                last = now;
                self.reload();
            }
        }
    }

    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.config.certificate, &self.config.key]
            .map(|file| std::fs::metadata(file).and_then(|data| data.modified()).ok())
    }
}

fn load(config: &TlsConfig) -> Result<Arc<ServerConfig>, String> {
    let file = Path::new(&config.certificate);
    let bad = |error| format!("tls.certificate: {}: {error}", config.certificate);
    let chain = CertificateDer::pem_file_iter(file).map_err(bad)?;
    let chain: Vec<_> = chain.collect::<Result<_, _>>().map_err(bad)?;
    let key = PrivateKeyDer::from_pem_file(Path::new(&config.key))
        .map_err(|error| format!("tls.key: {}: {error}", config.key))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| format!("tls: {error}"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
