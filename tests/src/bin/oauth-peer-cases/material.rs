//! Certificates for one run, so that none in the repository can expire.

use std::io;

use auth_core::Secret;
use auth_http::client::{ConfigError, HyperClient, Identity, Roots};
use realtime_auth_tests::authority::{Authority, Certificate};
use serde::{Deserialize, Serialize};

/// What a server over TLS and its clients have.
#[derive(Serialize, Deserialize)]
pub(crate) struct Material {
    /// Who certified the server and the client.
    authority: String,
    server: Pair,
    pub(crate) client: Pair,
    /// Certified by another authority.
    pub(crate) stranger: Pair,
}

/// A certificate and its key, in PEM.
#[derive(Serialize, Deserialize)]
pub(crate) struct Pair {
    certificate: String,
    key: String,
}

impl Material {
    pub(crate) fn draw() -> io::Result<Self> {
        let authority = Authority::new()?;
        let stranger = Authority::named("Stranger")?;
        Ok(Self {
            authority: authority.pem(),
            server: authority.certify("127.0.0.1")?.into(),
            client: authority.certify("client.example")?.into(),
            stranger: stranger.certify("client.example")?.into(),
        })
    }

    /// A client that trusts the authority, and shows this certificate to who asks.
    pub(crate) fn client(&self, identity: Option<&Pair>) -> Result<HyperClient, ConfigError> {
        let builder = HyperClient::builder().with_roots(Roots::none().with_pem(self.authority.as_bytes())?);
        let Some(Pair { certificate, key }) = identity else { return builder.build() };
        builder
            .with_identity(Identity::from_pem(certificate.as_bytes(), &Secret::from(key.as_str()))?)
            .build()
    }
}

impl From<Certificate> for Pair {
    fn from(certificate: Certificate) -> Self {
        Self { certificate: certificate.pem, key: certificate.key_pem }
    }
}
