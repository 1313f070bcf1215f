//! The token endpoint (RFC 6749 §3.2) as a client sees it: its request, and what a reply means.

use std::fmt;

use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Secret};
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, Uri};

use super::reply::{failure, server_time, verdict};
use super::url::{EndpointUrl, with_query};
use super::{ClientAuthentication, ConfigError, Dpop, TokenForm};
use crate::store::CredentialKey;

/// A token endpoint and the client that is registered there.
#[derive(Clone)]
pub struct TokenEndpoint {
    url: EndpointUrl,
    client: ClientAuthentication,
    dpop: Option<Dpop>,
}

impl TokenEndpoint {
    /// The endpoint at `uri`, an absolute `https` URL; plain `http` is accepted on loopback only. The client authenticates
    /// by HTTP Basic, its id and secret form-encoded before base64 (RFC 6749 §2.3.1).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when the URL is not such, or the id or the secret is empty.
    pub fn new(uri: &str, client_id: &str, client_secret: Secret) -> Result<Self, ConfigError> {
        let url = EndpointUrl::parse(uri)?;
        let client = ClientAuthentication::basic(client_id, &client_secret)?;
        Ok(Self { url, client, dpop: None })
    }

    /// The endpoint at `uri`, where the client authenticates in this way.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAUrl`] and [`ConfigError::Plaintext`], as for [`new`](Self::new).
    pub fn for_client(uri: &str, client: ClientAuthentication) -> Result<Self, ConfigError> {
        Ok(Self { url: EndpointUrl::parse(uri)?, client, dpop: None })
    }

    /// Asks for tokens that are bound to a key (RFC 9449), and takes no others.
    #[must_use]
    pub fn with_dpop(self, dpop: Dpop) -> Self {
        Self { dpop: Some(dpop), ..self }
    }

    /// Whether the endpoint is reached without TLS, which happens on loopback only.
    #[must_use]
    pub fn is_plaintext(&self) -> bool {
        self.url.is_plaintext()
    }

    /// The client that asks.
    #[must_use]
    pub const fn client(&self) -> &ClientAuthentication {
        &self.client
    }

    /// The key that tokens are bound to, if they are.
    #[must_use]
    pub const fn dpop(&self) -> Option<&Dpop> {
        self.dpop.as_ref()
    }

    /// Whose tokens this endpoint's are, and what those are for that this form asks for: a store is told so, and keeps them
    /// apart from any others. No secret is in it, and nothing of a grant that serves once.
    #[must_use]
    pub fn credential_key(&self, form: &TokenForm) -> CredentialKey {
        let url = self.url.to_string();
        let thumbprint = self.dpop.as_ref().map(Dpop::thumbprint);
        let holder = [("endpoint", &*url), ("client_id", self.client.client_id())];
        let holder = holder.into_iter().chain(thumbprint.as_deref().map(|thumbprint| ("jkt", thumbprint)));
        CredentialKey::new(&encoded(holder), &encoded(form.facts()))
    }

    /// The request of a grant. What is signed in it carries `server_time`, or the local time where that is not known.
    ///
    /// # Errors
    ///
    /// Those of the key that signs, if one does.
    pub fn request(&self, form: &TokenForm, server_time: Option<Timestamp>) -> Result<Request<Bytes>, Error> {
        let mut request = post(&self.url, &self.client, form, server_time)?;
        if let Some(dpop) = &self.dpop {
            let proof = dpop.proof(&Method::POST, self.url.uri(), None, server_time)?;
            request.headers_mut().insert("dpop", proof);
        }
        Ok(request)
    }

    /// Whether a reply asks for the same request with another proof, because this one lacked the server's nonce
    /// (RFC 9449 §8). It does so once: a second request that is answered so has failed. Nothing was done at the server.
    #[must_use]
    pub fn wants_nonce(&self, response: &Response<Bytes>) -> bool {
        self.client.heard(response.headers());
        let Some(dpop) = &self.dpop else { return false };
        let told = dpop.heard(self.url.uri(), response.headers());
        told && verdict(response).is_some_and(|verdict| verdict.code == "use_dpop_nonce")
    }

    /// What a reply of the endpoint means.
    ///
    /// A code inside the body of a 5xx reply is no verdict: a proxy may have written it.
    ///
    /// # Errors
    ///
    /// The kind says what to do: [`RateLimited`](ErrorKind::RateLimited) and
    /// [`ServerFailed`](ErrorKind::ServerFailed) pass with time, the others need a change.
    pub fn read(&self, response: &Response<Bytes>) -> Result<TokenResponse, Error> {
        self.client.heard(response.headers());
        let expected = match &self.dpop {
            Some(dpop) => {
                dpop.heard(self.url.uri(), response.headers());
                TokenType::Dpop
            }
            None => TokenType::Bearer,
        };
        let status = response.status();
        if !status.is_success() {
            return Err(failure("the token endpoint", response));
        }
        TokenResponse::parse_as(response.body(), expected)
            .map(|issued| issued.with_server_time(server_time(response.headers())))
            .map_err(|error| error.with_code(status.as_u16().into()))
    }
}

fn encoded(facts: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(facts).finish()
}

/// A form POST in the name of a client.
pub(super) fn post(
    url: &EndpointUrl,
    client: &ClientAuthentication,
    form: &TokenForm,
    server_time: Option<Timestamp>,
) -> Result<Request<Bytes>, Error> {
    let added = client.added(url, server_time)?;
    let mut request = Request::new(Bytes::from(ClientAuthentication::complete(form, &added)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target(url, &added.query)?;
    let headers = request.headers_mut();
    if let Some(authorization) = added.authorization {
        headers.insert(AUTHORIZATION, authorization);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Ok(request)
}

fn target(url: &EndpointUrl, query: &[(&'static str, Secret)]) -> Result<Uri, Error> {
    if query.is_empty() {
        return Ok(url.uri().clone());
    }
    let target = with_query(url.uri(), query.iter().map(|(name, value)| (*name, value.expose())));
    target.parse().map_err(|_| {
        Error::new(ErrorKind::Misconfigured, "the client's secret is too long for a URL; send it another way")
    })
}

impl fmt::Debug for TokenEndpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, client: _, dpop: _ } = self;
        write!(formatter, "TokenEndpoint({url:?})")
    }
}

#[cfg(test)]
mod tests;
