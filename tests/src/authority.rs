//! A certificate authority of a test's own, so that no certificate in the repository can expire.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate in PEM.
    pub pem: String,
    /// Its key in PEM.
    pub key_pem: String,
    der: CertificateDer<'static>,
    key_der: Vec<u8>,
}

impl Authority {
    /// A new one; all of them have the same name.
    ///
    /// # Errors
    ///
    /// When it can't be made.
    pub fn new() -> io::Result<Self> {
        Self::named("Test Authority")
    }

    /// A new one by this name.
    ///
    /// # Errors
    ///
    /// When it can't be made.
    pub fn named(name: &str) -> io::Result<Self> {
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        Ok(Self(CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?))
    }

    /// Its own certificate, for whoever trusts it.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The same in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        self.0.der()
    }

    /// A certificate for a name or address.
    ///
    /// # Errors
    ///
    /// When it can't be made.
    pub fn certify(&self, name: &str) -> io::Result<Certificate> {
        self.sign(&CertificateParams::new([name.to_owned()]).map_err(io::Error::other)?)
    }

    fn sign(&self, params: &CertificateParams) -> io::Result<Certificate> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok(Certificate {
            pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            der: certificate.der().clone(),
            key_der: key.serialize_der(),
        })
    }

    /// The TLS of a server with the certificate of `name`, which speaks `protocols`, and if `clients` is given asks for a
    /// certificate of theirs.
    ///
    /// # Errors
    ///
    /// When it can't be made.
    pub fn acceptor(
        &self,
        name: &str,
        protocols: &[&str],
        clients: Option<&Self>,
    ) -> io::Result<TlsAcceptor> {
        self.acceptor_of(rustls::ALL_VERSIONS, name, protocols, clients)
    }

    /// The same, for these versions of TLS only.
    ///
    /// # Errors
    ///
    /// When it can't be made.
    pub fn acceptor_of(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        name: &str,
        protocols: &[&str],
        clients: Option<&Self>,
    ) -> io::Result<TlsAcceptor> {
        serve(self.certify(name)?, versions, protocols, clients)
    }

    /// The TLS of a server whose certificate, of this name, was good in the year 2000.
    ///
    /// # Errors
    ///
    /// When it can't be made.
    pub fn expired_acceptor(&self, name: &str) -> io::Result<TlsAcceptor> {
        let mut params = CertificateParams::new([name.to_owned()]).map_err(io::Error::other)?;
        (params.not_before, params.not_after) = (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1));
        serve(self.sign(&params)?, rustls::ALL_VERSIONS, &[], None)
    }
}

/// The TLS of a server with this certificate.
fn serve(
    certificate: Certificate,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
    clients: Option<&Authority>,
) -> io::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?;
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(clients.0.der().clone()).map_err(io::Error::other)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().map_err(io::Error::other)?)
        }
    };
    let key = PrivateKeyDer::try_from(certificate.key_der).map_err(io::Error::other)?;
    let mut config = builder.with_single_cert(vec![certificate.der], key).map_err(io::Error::other)?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authority")
    }
}

/// The server's half of a handshake. One that fails is brought to a proper end: the alert is sent, and what the client has
/// sent is read, so that no reset overtakes the alert.
///
/// # Errors
///
/// When the handshake fails.
pub async fn accept<T: AsyncRead + AsyncWrite + Unpin>(
    acceptor: &TlsAcceptor,
    stream: T,
) -> io::Result<TlsStream<T>> {
    match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => Ok(stream),
        Err((error, mut stream)) => {
            // The test is about what the client makes of it; it may have gone.
            let _ = stream.shutdown().await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
            Err(error)
        }
    }
}
