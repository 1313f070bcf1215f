//! How a client says who it is: exactly one way for each request (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2).

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::jwt::{Draft, HmacKey, SignJws};
use auth_core::time::Timestamp;
use auth_core::{Error, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};

use super::url::EndpointUrl;
use super::{ConfigError, TokenForm, server_time};
use crate::freshness::{Corrected, Freshness};

/// A client, and the one way in which it authenticates. The way is configured, never tried out: a wrong guess would spend a
/// grant that serves once.
#[derive(Clone)]
pub struct ClientAuthentication {
    client_id: Arc<str>,
    method: Method,
}

#[derive(Clone)]
enum Method {
    None,
    Basic(HeaderValue),
    Post(Secret),
    Query(Secret),
    Assertion(Assertion),
}

#[derive(Clone)]
struct Assertion {
    key: Arc<dyn SignJws>,
    freshness: Corrected,
    audience: Option<Arc<str>>,
    token_type: Arc<str>,
}

/// What authentication adds to a request.
#[derive(Default)]
pub(super) struct Added {
    pub(super) authorization: Option<HeaderValue>,
    pub(super) query: Vec<(&'static str, Secret)>,
    pub(super) form: Vec<(&'static str, Secret)>,
}

/// How long an assertion lives: long enough for a slow request, too short for whoever finds it.
const LIFETIME: Duration = Duration::from_secs(60);

impl ClientAuthentication {
    /// A public client: it says its id, and proves nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoClientId`] when the id is empty.
    pub fn none(client_id: &str) -> Result<Self, ConfigError> {
        Self::new(client_id, Method::None)
    }

    /// HTTP Basic, id and secret form-encoded before base64 (RFC 6749 §2.3.1), a space as `%20`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoClientId`] and [`ConfigError::NoClientSecret`] when one is empty.
    pub fn basic(client_id: &str, secret: &Secret) -> Result<Self, ConfigError> {
        // A form may have a space in either way; some servers decode only what begins with a percent sign.
        let encode = |text: &str| {
            form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
        };
        let pair = Secret::from(format!("{}:{}", encode(client_id), encode(secret.expose())));
        Self::new(client_id, Method::Basic(basic(&pair)))?.with_checked(secret)
    }

    /// HTTP Basic with id and secret as they are (RFC 7617), for servers that forget to decode them.
    ///
    /// # Errors
    ///
    /// As for [`basic`](Self::basic), and [`ConfigError::ColonInClientId`].
    pub fn basic_raw(client_id: &str, secret: &Secret) -> Result<Self, ConfigError> {
        if client_id.contains(':') {
            return Err(ConfigError::ColonInClientId);
        }
        let pair = Secret::from(format!("{client_id}:{}", secret.expose()));
        Self::new(client_id, Method::Basic(basic(&pair)))?.with_checked(secret)
    }

    /// Id and secret in the form.
    ///
    /// # Errors
    ///
    /// As for [`basic`](Self::basic).
    pub fn post(client_id: &str, secret: &Secret) -> Result<Self, ConfigError> {
        Self::new(client_id, Method::Post(secret.clone()))?.with_checked(secret)
    }

    /// Id and secret in the URL, which RFC 6749 §2.3.1 forbids: URLs end in the logs of servers and proxies. Only for a
    /// server that takes nothing else.
    ///
    /// # Errors
    ///
    /// As for [`basic`](Self::basic).
    pub fn query(client_id: &str, secret: &Secret) -> Result<Self, ConfigError> {
        Self::new(client_id, Method::Query(secret.clone()))?.with_checked(secret)
    }

    /// An assertion signed with a private key, fresh for each request (`private_key_jwt`, RFC 7523 §2.2).
    ///
    /// Name the issuer by [`with_audience`](Self::with_audience) where it is known.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoClientId`], and [`ConfigError::NoPublicKey`] when the key is a shared secret.
    pub fn private_key_jwt(
        client_id: &str,
        key: Arc<dyn SignJws>,
        freshness: Arc<dyn Freshness>,
    ) -> Result<Self, ConfigError> {
        if key.algorithm().name().starts_with("HS") {
            return Err(ConfigError::NoPublicKey);
        }
        Self::assertion(client_id, key, freshness)
    }

    /// An assertion signed with the client's secret by HS256 (`client_secret_jwt`): the secret itself is not sent.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoClientId`], and [`ConfigError::WeakClientSecret`] below 32 bytes.
    pub fn client_secret_jwt(
        client_id: &str,
        secret: &Secret,
        freshness: Arc<dyn Freshness>,
    ) -> Result<Self, ConfigError> {
        let key = HmacKey::hs256(secret.expose().as_bytes()).map_err(|_| ConfigError::WeakClientSecret)?;
        Self::assertion(client_id, Arc::new(key), freshness)
    }

    /// A certificate in the TLS handshake (RFC 8705 §2), which the [`HttpExchange`](crate::exchange::HttpExchange) must
    /// present; the request says only whose it is.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoClientId`] when the id is empty.
    pub fn mutual_tls(client_id: &str) -> Result<Self, ConfigError> {
        Self::none(client_id)
    }

    /// The audience of assertions: the server's issuer identifier, one string. Without it they are meant for the URL of the
    /// endpoint, which servers take too, and which a malicious server can choose (CVE-2025-27370).
    #[must_use]
    pub fn with_audience(mut self, issuer: &str) -> Self {
        if let Method::Assertion(assertion) = &mut self.method {
            assertion.audience = Some(Arc::from(issuer));
        }
        self
    }

    /// The `typ` of assertions: `client-authentication+jwt` by default, as rfc7523bis has it; `JWT` for a server that
    /// refuses what it does not know.
    #[must_use]
    pub fn with_assertion_type(mut self, token_type: &str) -> Self {
        if let Method::Assertion(assertion) = &mut self.method {
            assertion.token_type = Arc::from(token_type);
        }
        self
    }

    /// The id of the client.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    fn new(client_id: &str, method: Method) -> Result<Self, ConfigError> {
        if client_id.is_empty() {
            return Err(ConfigError::NoClientId);
        }
        Ok(Self { client_id: Arc::from(client_id), method })
    }

    fn with_checked(self, secret: &Secret) -> Result<Self, ConfigError> {
        if secret.is_empty() { Err(ConfigError::NoClientSecret) } else { Ok(self) }
    }

    fn assertion(
        client_id: &str,
        key: Arc<dyn SignJws>,
        freshness: Arc<dyn Freshness>,
    ) -> Result<Self, ConfigError> {
        let token_type = Arc::from("client-authentication+jwt");
        let freshness = Corrected::new(freshness);
        Self::new(client_id, Method::Assertion(Assertion { key, freshness, audience: None, token_type }))
    }

    /// Takes in what a reply says of the server's time, if that is ever signed.
    pub(super) fn heard(&self, headers: &HeaderMap) {
        if let Method::Assertion(assertion) = &self.method {
            assertion.freshness.heard(server_time(headers));
        }
    }

    /// What to add to a request to the endpoint at `url`.
    pub(super) fn added(&self, url: &EndpointUrl, server_time: Option<Timestamp>) -> Result<Added, Error> {
        let id = || ("client_id", Secret::from(&*self.client_id));
        let pair = |secret: &Secret| vec![id(), ("client_secret", secret.clone())];
        Ok(match &self.method {
            Method::None => Added { form: vec![id()], ..Added::default() },
            Method::Basic(header) => Added { authorization: Some(header.clone()), ..Added::default() },
            Method::Post(secret) => Added { form: pair(secret), ..Added::default() },
            Method::Query(secret) => Added { query: pair(secret), ..Added::default() },
            Method::Assertion(assertion) => {
                let token = assertion.mint(&self.client_id, url, server_time)?;
                let kind = Secret::from("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                let form = vec![id(), ("client_assertion_type", kind), ("client_assertion", token)];
                Added { form, ..Added::default() }
            }
        })
    }

    /// The form with what authentication adds to it.
    pub(super) fn complete(form: &TokenForm, added: &Added) -> String {
        let added = added.form.iter().map(|(name, value)| (*name, value.expose()));
        let pairs = || form.pairs().chain(added.clone());
        // Exact where nothing has to be encoded, which is most of the time.
        let length = pairs().map(|(name, value)| name.len() + value.len() + "=&".len()).sum::<usize>();
        let form = String::with_capacity(length.saturating_sub("&".len()));
        form_urlencoded::Serializer::new(form).extend_pairs(pairs()).finish()
    }
}

impl Assertion {
    fn mint(
        &self,
        client_id: &str,
        url: &EndpointUrl,
        server_time: Option<Timestamp>,
    ) -> Result<Secret, Error> {
        let now = self.freshness.now(server_time);
        Draft::new()
            .with_type(&*self.token_type)
            .with_issuer(client_id)
            .with_subject(client_id)
            .with_audience(&self.audience.as_deref().map_or_else(|| Cow::from(url.to_string()), Cow::from))
            .with_issued_at(now)
            .with_expiry(now.saturating_add(LIFETIME))
            .with_token_id(&self.freshness.token_id())
            .signed_by(&*self.key)
    }
}

impl fmt::Debug for ClientAuthentication {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client_id, method } = self;
        let method = match method {
            Method::None => "none",
            Method::Basic(_) => "basic",
            Method::Post(_) => "post",
            Method::Query(_) => "query",
            Method::Assertion(_) => "assertion",
        };
        write!(formatter, "ClientAuthentication({client_id}, {method})")
    }
}

/// The credentials of HTTP Basic (RFC 7617) for a name and a password with a colon between them.
pub(crate) fn basic_credentials(pair: &Secret) -> Secret {
    Secret::from(format!("Basic {}", STANDARD.encode(pair.expose())))
}

#[expect(clippy::expect_used, reason = "base64 has only characters that a header may have")]
fn basic(pair: &Secret) -> HeaderValue {
    let header = HeaderValue::try_from(basic_credentials(pair).expose());
    let mut header = header.expect("base64 fits a header");
    header.set_sensitive(true);
    header
}

#[cfg(test)]
mod tests;
