//! Requests for Optave's tokens and their replies, as values.

use std::fmt;
use std::time::Duration;

use auth_core::oauth::TokenResponse;
use auth_core::{Error, ErrorKind, Secret};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
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
    /// The whole request, where it is the vendor's own.
    by_query: Option<(Uri, Secret)>,
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
        let endpoint = wire::TokenEndpoint::for_client(&url, client)?;
        let by_query = match placement {
            CredentialPlacement::Query => {
                Some((EndpointUrl::parse(&url)?.uri().clone(), client_secret.clone()))
            }
            CredentialPlacement::Basic | CredentialPlacement::Post => None,
        };
        Ok(Self { endpoint, by_query })
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
        let Some((uri, secret)) = &self.by_query else {
            return self.endpoint.request(&TokenForm::client_credentials(), None);
        };
        let target = with_query(
            uri,
            [
                ("grant_type", "client_credentials"),
                ("client_id", self.endpoint.client().client_id()),
                ("client_secret", secret.expose()),
            ],
        );
        let mut request = empty_post();
        *request.uri_mut() = target.parse().map_err(|_| {
            let text = "the client's secret is too long for a URL; send it another way";
            Error::new(ErrorKind::Misconfigured, text)
        })?;
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(CONTENT_TYPE, form);
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
        let Self { endpoint, by_query: _ } = self;
        endpoint.fmt(formatter)
    }
}

/// A backend that hands out tokens.
#[derive(Clone)]
pub struct TicketEndpoint {
    url: EndpointUrl,
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
        Ok(Self { url, publishable_key: None })
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
        let mut request = empty_post();
        *request.uri_mut() = self.url.uri().clone();
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
        let Self { url, publishable_key: _ } = self;
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

/// A POST without a body, which says so: some servers refuse one that doesn't (RFC 9110 §15.5.12).
fn empty_post() -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::POST;
    request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    request
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
