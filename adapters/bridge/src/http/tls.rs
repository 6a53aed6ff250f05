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

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use std::fs::{File, write};
    use std::path::PathBuf;
    use tokio::time::{advance, sleep};

    struct Files(PathBuf);

    impl Files {
        fn config(&self) -> TlsConfig {
            let [certificate, key] = ["chain.pem", "key.pem"]
                .map(|name| self.0.join(name).to_str().expect("path").to_owned());
            TlsConfig { certificate, key }
        }

        /// Another certificate and its key, or one of the two; changed at this second.
        fn renew(&self, second: u64, which: &[&str]) {
            let CertifiedKey { cert, signing_key } =
                generate_simple_self_signed(["bridge.example".to_owned()]).expect("a certificate");
            for (name, pem) in [("chain.pem", cert.pem()), ("key.pem", signing_key.serialize_pem())]
            {
                if which.contains(&name) {
                    let path = self.0.join(name);
                    write(&path, pem).expect("write");
                    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
                    let file = File::options().append(true).open(path).expect("open");
                    file.set_modified(at).expect("time");
                }
            }
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn current(tls: &Tls) -> Arc<ServerConfig> {
        Arc::clone(&tls.current.read().expect("current"))
    }

    /// The watcher looks once.
    async fn a_look_later() {
        advance(LOOK).await;
        sleep(Duration::from_millis(1)).await;
    }

    const BOTH: &[&str] = &["chain.pem", "key.pem"];

    #[tokio::test(start_paused = true)]
    async fn files_that_change_are_read_again_by_themselves() {
        let name = format!("klamm-bridge-{}-watched", std::process::id());
        let files = Files(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&files.0).expect("folder");
        files.renew(1_000, BOTH);
        let tls = Tls::new(&files.config()).expect("tls").expect("configured");
        let watcher = tokio::spawn(Arc::clone(&tls).watch());
        let first = current(&tls);
        a_look_later().await;
        assert!(Arc::ptr_eq(&first, &current(&tls)), "nothing has changed");

        files.renew(1_001, BOTH);
        a_look_later().await;
        let second = current(&tls);
        assert!(!Arc::ptr_eq(&first, &second), "both have changed");

        // One after the other, and they do not fit.
        for (at, which) in [(1_002, "chain.pem"), (1_003, "key.pem")] {
            files.renew(at, &[which]);
            a_look_later().await;
            assert!(Arc::ptr_eq(&second, &current(&tls)), "{which} alone");
        }
        std::fs::remove_file(files.0.join("key.pem")).expect("remove");
        a_look_later().await;
        assert!(Arc::ptr_eq(&second, &current(&tls)), "there is no key");
        files.renew(1_004, BOTH);
        a_look_later().await;
        let third = current(&tls);
        assert!(!Arc::ptr_eq(&second, &third), "there is a key again");

        // A key alone, renewed with its certificate's old time: that of the key tells.
        files.renew(1_005, BOTH);
        let path = files.0.join("chain.pem");
        let file = File::options().append(true).open(path).expect("open");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_004)).expect("time");
        a_look_later().await;
        assert!(!Arc::ptr_eq(&third, &current(&tls)));
        watcher.abort();
    }
}
