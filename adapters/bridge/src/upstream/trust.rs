//! Whom the bridge believes that they are a broker.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// TLS with the system's authorities, or with those of a PEM file alone. Names are always checked.
pub(crate) fn trust(ca: &str) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    if ca.is_empty() {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
    } else {
        let certificates = CertificateDer::pem_file_iter(Path::new(ca))
            .map_err(|error| format!("kafka.ca: {ca}: {error}"))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| format!("kafka.ca: {ca}: {error}"))?;
            roots.add(certificate).map_err(|error| format!("kafka.ca: {ca}: {error}"))?;
        }
    }
    if roots.is_empty() {
        return Err("kafka.tls: there is no authority to believe; set kafka.ca".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
