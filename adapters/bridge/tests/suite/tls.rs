//! TLS towards the pages, and certificates that are renewed.

use core::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::authority::Authority;
use crate::client::{Client, SOON, hello, protocols};
use crate::common::{ORIGIN, Rig, token};

const NAME: &str = "bridge.example";

/// Where the bridge has its certificate.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("klamm-bridge-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Returns the certificate.
    fn renew(&self, authority: &Authority) -> CertificateDer<'static> {
        let (certificate, key) = authority.certify(&[NAME]);
        std::fs::write(self.file("chain.pem"), &certificate).unwrap();
        std::fs::write(self.file("key.pem"), key).unwrap();
        CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(Path::new(&self.0));
    }
}

async fn with_tls(files: &Files) -> Rig {
    Rig::with(|config| {
        config.tls.certificate = files.file("chain.pem");
        config.tls.key = files.file("key.pem");
    })
    .await
}

/// A page, and the certificate that the bridge showed it.
async fn open(
    address: SocketAddr,
    authority: &Authority,
) -> std::io::Result<(Client, CertificateDer<'static>)> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let shown = tls.get_ref().1.peer_certificates().unwrap()[0].clone();
    let headers = [("origin", ORIGIN)];
    let stream = Box::new(tls);
    let page = Client::over(stream, address, "bootstrap", &headers, &protocols(&token())).await;
    Ok((page.expect("a WebSocket"), shown))
}

async fn answers(page: &mut Client) {
    page.send(hello()).await.unwrap();
    page.answer().await.expect("an answer");
}

#[tokio::test]
async fn a_renewed_certificate_is_for_new_connections_and_the_old_ones_stay() {
    let (authority, files) = (Authority::new(), Files::new("renewed"));
    let first = files.renew(&authority);
    let rig = with_tls(&files).await;
    let (mut old, shown) = open(rig.address(), &authority).await.unwrap();
    assert_eq!(shown, first);
    answers(&mut old).await;

    let second = files.renew(&authority);
    assert_ne!(first, second);
    rig.bridge.reload();
    let (mut new, shown) = open(rig.address(), &authority).await.unwrap();
    assert_eq!(shown, second);
    answers(&mut new).await;
    answers(&mut old).await;

    // Files that are no good change nothing.
    std::fs::write(files.file("key.pem"), authority.certify(&[NAME]).1).unwrap();
    rig.bridge.reload();
    let (mut another, shown) = open(rig.address(), &authority).await.unwrap();
    assert_eq!(shown, second);
    answers(&mut another).await;
    answers(&mut old).await;
}

#[tokio::test]
async fn who_does_not_know_the_authority_does_not_get_in() {
    let (authority, files) = (Authority::new(), Files::new("unknown"));
    files.renew(&authority);
    let rig = with_tls(&files).await;
    assert!(open(rig.address(), &Authority::new()).await.is_err());
    // Nor does whoever speaks without TLS.
    let plain =
        Client::connect(rig.address(), "bootstrap", &[("origin", ORIGIN)], "klamm.v1").await;
    assert!(plain.is_err());
    open(rig.address(), &authority).await.expect("others are served");
}

/// S21: whoever begins TLS and does not go on is not waited for.
#[tokio::test]
async fn a_handshake_that_does_not_end_is_given_up() {
    let (authority, files) = (Authority::new(), Files::new("slow"));
    files.renew(&authority);
    let rig = Rig::with(|config| {
        config.tls.certificate = files.file("chain.pem");
        config.tls.key = files.file("key.pem");
        config.limits.handshake_s = 3;
    })
    .await;
    // Nothing; and the head of a record that says there are 512 bytes more.
    for beginning in [&[][..], &[0x16, 3, 1, 2, 0, 1]] {
        let mut slow = TcpStream::connect(rig.address()).await.unwrap();
        slow.write_all(beginning).await.unwrap();
        let mut rest = Vec::new();
        let _ = timeout(SOON, slow.read_to_end(&mut rest)).await.expect("it ends");
    }
    open(rig.address(), &authority).await.expect("others are served");
}
