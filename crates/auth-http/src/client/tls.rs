//! Whom the client trusts, and who it is: roots, its own certificate, and the TLS that both make.

use std::fmt;
use std::sync::Arc;

use auth_core::Secret;
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use super::builder::ConfigError;

/// The certificate authorities that a client trusts.
///
/// ```
/// use auth_http::client::Roots;
///
/// # fn example(pem: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// let ours_only = Roots::none().with_pem(pem)?;
/// let ours_as_well = Roots::platform().with_pem(pem)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Roots {
    platform: bool,
    given: RootCertStore,
}

impl Roots {
    /// Those of the platform, read when the client is built.
    #[must_use]
    pub fn platform() -> Self {
        Self { platform: true, given: RootCertStore::empty() }
    }

    /// None yet: only those that are added will be trusted.
    #[must_use]
    pub fn none() -> Self {
        Self { platform: false, given: RootCertStore::empty() }
    }

    /// Trusts every certificate of a PEM file as well.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Roots`] when there is none in it, or one that is no authority's.
    pub fn with_pem(mut self, pem: &[u8]) -> Result<Self, ConfigError> {
        let certificates = certificates(pem).map_err(|()| ConfigError::Roots)?;
        for certificate in certificates {
            self.given.add(certificate).map_err(|_| ConfigError::Roots)?;
        }
        Ok(self)
    }

    /// Trusts one certificate in DER as well.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Roots`] when it is none.
    pub fn with_der(mut self, der: &[u8]) -> Result<Self, ConfigError> {
        self.given.add(CertificateDer::from(der.to_vec())).map_err(|_| ConfigError::Roots)?;
        Ok(self)
    }

    /// The TLS of a client that trusts these, and shows this certificate to a server that asks for one. It offers no application
    /// protocol: it is for what is not HTTP, such as syslog (RFC 5425).
    ///
    /// ```
    /// use auth_http::client::Roots;
    ///
    /// # fn example(pem: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    /// let tls = Roots::none().with_pem(pem)?.client_config(None)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoRoots`].
    pub fn client_config(&self, identity: Option<Identity>) -> Result<Arc<ClientConfig>, ConfigError> {
        Ok(Arc::new(identified(trusting(self)?, identity)))
    }

    /// All of them, read from the platform where that is wanted.
    fn store(&self) -> Result<RootCertStore, ConfigError> {
        let mut store = self.given.clone();
        if self.platform {
            // Platforms hold some that are too old to be read; those that can be are enough.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if store.is_empty() { Err(ConfigError::NoRoots) } else { Ok(store) }
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { platform, given } = self;
        formatter.debug_struct("Roots").field("platform", platform).field("given", &given.len()).finish()
    }
}

/// A client's own certificate, for servers that ask who it is (mutual TLS). It is never shown to a proxy.
#[derive(Clone)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// The chain, the client's own certificate first, and its key, both in PEM; the key as PKCS #8, PKCS #1 or SEC 1,
    /// not encrypted.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Identity`] when either is missing or can't be read, or the key is another certificate's.
    pub fn from_pem(chain: &[u8], key: &Secret) -> Result<Self, ConfigError> {
        let chain = certificates(chain).map_err(|()| ConfigError::Identity)?;
        let key =
            PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| ConfigError::Identity)?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|_| ConfigError::Identity)?;
        Ok(Self(Arc::new(certified)))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identity({} certificates)", self.0.cert.len())
    }
}

/// The TLS of servers, and of proxies.
pub(super) fn configs(
    roots: &Roots,
    identity: Option<Identity>,
    with_proxy: bool,
) -> Result<(Arc<ClientConfig>, Option<Arc<ClientConfig>>), ConfigError> {
    let builder = trusting(roots)?;
    let proxy = with_proxy.then(|| {
        let mut config = builder.clone().with_no_client_auth();
        // CONNECT is spoken by hand, in HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A proxy may have the name of a server; their sessions must not mix.
        config.resumption = Resumption::in_memory_sessions(8);
        Arc::new(config)
    });
    let mut config = identified(builder, identity);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((Arc::new(config), proxy))
}

fn trusting(roots: &Roots) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, ConfigError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| ConfigError::NoRoots)?;
    Ok(builder.with_root_certificates(roots.store()?))
}

fn identified(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    identity: Option<Identity>,
) -> ClientConfig {
    match identity {
        Some(Identity(certified)) => {
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        None => builder.with_no_client_auth(),
    }
}

/// Named here, so that a second provider elsewhere in the program can't make the choice ambiguous.
fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ()> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| ())?;
    if certificates.is_empty() { Err(()) } else { Ok(certificates) }
}
