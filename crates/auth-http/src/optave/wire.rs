//! Requests for Optave's tokens and their replies, as values.

use std::fmt;
use std::time::Duration;

use auth_core::oauth::TokenResponse;
use auth_core::{Error, ErrorKind, Secret};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use serde_json::Value;

use super::ConfigError;
use crate::wire::{self, ClientAuthentication, EndpointUrl, TokenForm, failure, server_time, with_query};

/// Where the vendor's pages ask for a token by default, at the backend that they came from.
pub const TICKET_PATH: &str = "/api/optave/ws-ticket";

/// Where client id and secret go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the three places that there are in a request")]
pub enum CredentialPlacement {
    /// HTTP Basic (RFC 6749 §2.3.1): the safest, and the default.
    #[default]
    Basic,
    /// The body.
    Post,
    /// The URL, as the vendor's own client has it, with an empty body. URLs get into the logs of servers and proxies: only
    /// for a server that takes nothing else.
    Query,
}

/// Where tokens are had by client credentials.
#[derive(Clone)]
pub struct AuthenticationEndpoint {
    endpoint: wire::TokenEndpoint,
    placement: CredentialPlacement,
}

impl AuthenticationEndpoint {
    /// The endpoint at `authentication_url`, an absolute `https` URL; plain `http` is accepted on loopback only. As with the
    /// vendor's client, `/token` is appended where the path does not end so; one that ends in `/token/` is left as it is.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Url`], also when id or secret are empty.
    pub fn new(
        authentication_url: &str,
        client_id: &str,
        client_secret: &Secret,
        placement: CredentialPlacement,
    ) -> Result<Self, ConfigError> {
        let url = token_url(authentication_url);
        let client = match placement {
            CredentialPlacement::Basic => ClientAuthentication::basic(client_id, client_secret),
            CredentialPlacement::Post => ClientAuthentication::post(client_id, client_secret),
            CredentialPlacement::Query => ClientAuthentication::query(client_id, client_secret),
        }?;
        let url = match placement {
            CredentialPlacement::Query => with_query(EndpointUrl::parse(&url)?.uri(), [GRANT]),
            CredentialPlacement::Basic | CredentialPlacement::Post => url,
        };
        Ok(Self { endpoint: wire::TokenEndpoint::for_client(&url, client)?, placement })
    }

    /// Whether the endpoint is reached without TLS, which happens on loopback only.
    #[must_use]
    pub fn is_plaintext(&self) -> bool {
        self.endpoint.is_plaintext()
    }

    /// The request for a token.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](ErrorKind::Misconfigured) when the secret is too long for a URL and has to go there.
    pub fn request(&self) -> Result<Request<Bytes>, Error> {
        let mut request = self.endpoint.request(&TokenForm::client_credentials(), None)?;
        if self.placement == CredentialPlacement::Query {
            empty(&mut request);
        }
        Ok(request)
    }

    /// Reads the reply. Only `access_token` is needed.
    ///
    /// # Errors
    ///
    /// As for any token endpoint.
    pub fn read(&self, response: &Response<Bytes>) -> Result<TokenResponse, Error> {
        read("the token endpoint", response, &["access_token"])
    }
}

impl fmt::Debug for AuthenticationEndpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, placement: _ } = self;
        endpoint.fmt(formatter)
    }
}

/// A backend that hands out tokens.
#[derive(Clone)]
pub struct TicketEndpoint {
    url: EndpointUrl,
    method: Method,
    publishable_key: Option<HeaderValue>,
}

impl TicketEndpoint {
    /// The endpoint at `url`; of a URL without a path, at its [`TICKET_PATH`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Url`].
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let parsed = EndpointUrl::parse(url)?;
        let url = match parsed.uri().path_and_query().map_or("/", |path| path.as_str()) {
            "/" => EndpointUrl::parse(&format!("{}{TICKET_PATH}", url.trim_end_matches('/')))?,
            _ => parsed,
        };
        Ok(Self { url, method: Method::POST, publishable_key: None })
    }

    /// Asks by GET, as the vendor's example of a backend has it; by POST otherwise.
    #[must_use]
    pub fn with_get(self) -> Self {
        Self { method: Method::GET, ..self }
    }

    /// Sends this key in `X-Optave-Publishable-Key`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::PublishableKey`].
    pub fn with_publishable_key(self, key: &str) -> Result<Self, ConfigError> {
        let key = HeaderValue::from_str(key).map_err(|_| ConfigError::PublishableKey)?;
        Ok(Self { publishable_key: Some(key), ..self })
    }

    /// Whether the endpoint is reached without TLS, which happens on loopback only.
    #[must_use]
    pub fn is_plaintext(&self) -> bool {
        self.url.is_plaintext()
    }

    /// The request for a token.
    #[must_use]
    pub fn request(&self) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.uri().clone();
        if self.method == Method::POST {
            empty(&mut request);
        }
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.publishable_key {
            headers.insert(PUBLISHABLE_KEY, key.clone());
        }
        request
    }

    /// Reads the reply: `token`, or `access_token`.
    ///
    /// # Errors
    ///
    /// As for any token endpoint.
    pub fn read(&self, response: &Response<Bytes>) -> Result<TokenResponse, Error> {
        read("the ticket endpoint", response, &["token", "access_token"])
    }
}

impl fmt::Debug for TicketEndpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, method: _, publishable_key: _ } = self;
        write!(formatter, "TicketEndpoint({url:?})")
    }
}

const PUBLISHABLE_KEY: HeaderName = HeaderName::from_static("x-optave-publishable-key");

/// The URL of the token endpoint that an authentication URL stands for.
fn token_url(authentication_url: &str) -> String {
    let (path, query) = match authentication_url.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (authentication_url, String::new()),
    };
    if path.ends_with("/token") || path.ends_with("/token/") {
        return authentication_url.to_owned();
    }
    format!("{}/token{query}", path.trim_end_matches('/'))
}

/// What the form says, where it is in the URL.
const GRANT: (&str, &str) = ("grant_type", "client_credentials");

/// Leaves the body out, and says so: some servers refuse a POST that doesn't (RFC 9110 §15.5.12).
fn empty(request: &mut Request<Bytes>) {
    *request.body_mut() = Bytes::new();
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
}

/// Reads the first of these members that is a text. What else stands there may say how long the token lives.
fn read(place: &str, response: &Response<Bytes>, names: &[&str]) -> Result<TokenResponse, Error> {
    let status = response.status();
    if !status.is_success() {
        return Err(failure(place, response));
    }
    let mut body: Value = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
    let life = body.get("expires_in").and_then(Value::as_f64);
    let token = names.iter().find_map(|name| match body.get_mut(name).map(Value::take) {
        Some(Value::String(token)) if !token.is_empty() => Some(Secret::from(token)),
        _ => None,
    });
    let token = token.ok_or_else(|| {
        let name = names.first().copied().unwrap_or_default();
        let text = format!("{place} answered without a token in {name}; check its URL");
        Error::new(ErrorKind::MalformedResponse, text).with_code(status.as_u16().into())
    })?;
    let mut issued = TokenResponse::new(token).with_server_time(server_time(response.headers()));
    issued.expires_in = life.and_then(|life| Duration::try_from_secs_f64(life).ok());
    Ok(issued)
}

#[cfg(test)]
mod tests;
