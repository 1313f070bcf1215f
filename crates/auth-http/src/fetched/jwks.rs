//! The keys of an issuer, as a protected resource needs them (RFC 7517 §5).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::jwt::{KeySet, Rejection, SignatureBackend};
use auth_core::{Error, ErrorKind};
use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Request, Response};

use super::{Clock, Fetched, Terms};
use crate::exchange::HttpExchange;
use crate::wire::{ConfigError, EndpointUrl, failure};

/// The keys that an issuer publishes, fetched when somebody needs them.
///
/// They serve for ten minutes, and while the issuer fails for a day at most: a key that was withdrawn is believed no longer
/// than that. A token under an unknown key leads to one request a minute, however many such tokens come, and nothing that a
/// token says is kept. After a failure, nothing is fetched for 30 s, and whoever has no keys shares the failure.
pub struct JwksCache {
    url: EndpointUrl,
    keys: Fetched<KeySet>,
}

const TERMS: Terms = Terms::fresh_for(Duration::from_secs(10 * 60));

impl JwksCache {
    /// The keys at `uri`, which comes from the issuer's metadata: the `jwks_uri`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAUrl`] and [`ConfigError::Plaintext`].
    pub fn new(
        uri: &str,
        http: Arc<dyn HttpExchange>,
        backend: Arc<dyn SignatureBackend + Send + Sync>,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        let url = EndpointUrl::parse(uri)?;
        let place = url.clone();
        let keys = Fetched::new(clock, TERMS, move || {
            let (http, backend, request) = (Arc::clone(&http), Arc::clone(&backend), request(&place));
            Box::pin(async move { read(&http.exchange(request).await?, &*backend) })
        });
        Ok(Self { url, keys })
    }

    /// The keys.
    ///
    /// # Errors
    ///
    /// As for a token endpoint; [`MalformedResponse`](ErrorKind::MalformedResponse) when it is no set of public keys.
    pub async fn keys(&self) -> Result<Arc<KeySet>, Error> {
        self.keys.current().await
    }

    /// Newer keys than `seen`, in which one was missed; the same ones, if it is too early to ask again.
    ///
    /// # Errors
    ///
    /// As for [`keys`](Self::keys).
    pub async fn keys_instead_of(&self, seen: &Arc<KeySet>) -> Result<Arc<KeySet>, Error> {
        self.keys.instead_of(seen).await
    }

    /// Checks a token by `check`, and once more with newer keys where its key is unknown.
    ///
    /// ```
    /// # use auth_core::jwt::{Claims, KeySet, Rejection, Verified, Verifier};
    /// # use auth_core::time::Now;
    /// # async fn f(cache: auth_http::fetched::JwksCache, token: &str, now: Now) -> Result<(), auth_core::Error> {
    /// let verified = cache
    ///     .check(|keys| Verifier::new(keys.clone()).with_issuer("https://as.example.com").verify(token, now))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The rejection, as [`InvalidToken`](ErrorKind::InvalidToken), or as for [`keys`](Self::keys).
    pub async fn check<T>(&self, check: impl Fn(&KeySet) -> Result<T, Rejection> + Send) -> Result<T, Error> {
        let keys = self.keys().await?;
        match check(&keys) {
            Err(Rejection::KeyUnknown) => {
                let newer = self.keys_instead_of(&keys).await?;
                if Arc::ptr_eq(&keys, &newer) {
                    return Err(Rejection::KeyUnknown.into());
                }
                Ok(check(&newer)?)
            }
            checked => Ok(checked?),
        }
    }
}

fn request(url: &EndpointUrl) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = url.uri().clone();
    let types = HeaderValue::from_static("application/jwk-set+json, application/json");
    request.headers_mut().insert(ACCEPT, types);
    request
}

fn read(response: &Response<Bytes>, backend: &dyn SignatureBackend) -> Result<KeySet, Error> {
    if !response.status().is_success() {
        return Err(failure("the jwks_uri of the issuer", response));
    }
    let malformed = |error: &dyn fmt::Display| {
        let text = format!("the issuer's answer is no set of public keys ({error}); check its jwks_uri");
        Error::new(ErrorKind::MalformedResponse, text)
    };
    let text = std::str::from_utf8(response.body()).map_err(|_| malformed(&"not UTF-8"))?;
    KeySet::parse_public(text, backend).map_err(|error| malformed(&error))
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, keys: _ } = self;
        write!(formatter, "JwksCache({url:?})")
    }
}

#[cfg(test)]
mod tests;
