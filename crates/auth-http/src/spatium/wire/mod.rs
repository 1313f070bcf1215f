//! Requests to Spatium's authorization service and their replies, as values: no socket, no clock, no randomness.

mod issued;
mod reply;
mod request_id;
mod wanted;

use std::fmt;

use auth_core::{Error, ErrorKind, Secret};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use serde::Serialize;

pub use self::issued::IssuedTokens;
use self::reply::Reply;
pub use self::request_id::RequestId;
pub(crate) use self::wanted::LONGEST_TOKEN_ID;
pub use self::wanted::WantedPermissions;
use super::ConfigError;
use crate::wire::EndpointUrl;

/// Where a refresh goes by default, below the URL of the service. An assumption: the vendor documents no path.
pub const REFRESH_PATH: &str = "/api/permission/refresh";

pub(crate) const CREDENTIALS_PATH: &str = "/api/security-factor/credentials";
pub(crate) const BY_FACTORS_PATH: &str = "/api/permission/issue-by-factors";
pub(crate) const BY_KEY_PATH: &str = "/api/permission/issue-by-key";

/// The header that names a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");

/// An authorization service, by its URL.
#[derive(Clone)]
pub struct AuthorizationService {
    base: EndpointUrl,
    credentials: Uri,
    by_factors: Uri,
    by_key: Uri,
    refresh: Uri,
}

impl AuthorizationService {
    /// The service at `url`, such as `https://cloud.spatium.net/authorization/v1`; plain `http` is accepted on loopback
    /// only.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Url`] and [`ConfigError::Query`].
    pub fn new(url: &str) -> Result<Self, ConfigError> {
        let base = EndpointUrl::parse(url)?;
        if base.uri().query().is_some() {
            return Err(ConfigError::Query);
        }
        Ok(Self {
            credentials: below(&base, CREDENTIALS_PATH)?,
            by_factors: below(&base, BY_FACTORS_PATH)?,
            by_key: below(&base, BY_KEY_PATH)?,
            refresh: below(&base, REFRESH_PATH)?,
            base,
        })
    }

    /// The same service, which refreshes at this path below its URL: [`REFRESH_PATH`] by default.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Path`].
    pub fn with_refresh_path(self, path: &str) -> Result<Self, ConfigError> {
        Ok(Self { refresh: below(&self.base, path)?, ..self })
    }

    /// Whether the service is reached without TLS, which happens on loopback only.
    #[must_use]
    pub fn is_plaintext(&self) -> bool {
        self.base.is_plaintext()
    }

    /// Asks for a security token by user name and password.
    #[must_use]
    pub fn security_factor_credentials(
        &self,
        id: &RequestId,
        username: &str,
        password: &Secret,
    ) -> Request<Bytes> {
        #[derive(Serialize)]
        struct Body<'a> {
            username: &'a str,
            password: &'a str,
        }
        post(&self.credentials, id, &Body { username, password: password.expose() })
    }

    /// Asks for the tokens of a session by the security tokens that were gathered.
    #[must_use]
    pub fn issue_by_factors(
        &self,
        id: &RequestId,
        wanted: &WantedPermissions,
        security_tokens: &[Secret],
    ) -> Request<Bytes> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            token_id: &'a str,
            permissions: &'a [String],
            security_tokens: Vec<&'a str>,
        }
        let security_tokens = security_tokens.iter().map(Secret::expose).collect();
        let (token_id, permissions) = (wanted.token_id(), wanted.permissions());
        post(&self.by_factors, id, &Body { token_id, permissions, security_tokens })
    }

    /// Asks for the tokens of a service by its merchant key.
    #[must_use]
    pub fn issue_by_key(
        &self,
        id: &RequestId,
        wanted: &WantedPermissions,
        merchant_key: &Secret,
    ) -> Request<Bytes> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            token_id: &'a str,
            permissions: &'a [String],
            merchant_key: &'a str,
        }
        let (token_id, permissions) = (wanted.token_id(), wanted.permissions());
        post(&self.by_key, id, &Body { token_id, permissions, merchant_key: merchant_key.expose() })
    }

    /// Redeems a refresh token.
    #[must_use]
    pub fn refresh(&self, id: &RequestId, refresh_token: &Secret) -> Request<Bytes> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            permission_refresh_token: &'a str,
        }
        post(&self.refresh, id, &Body { permission_refresh_token: refresh_token.expose() })
    }

    /// Reads the reply to [`security_factor_credentials`](Self::security_factor_credentials).
    ///
    /// # Errors
    ///
    /// [`InvalidClient`](ErrorKind::InvalidClient) when name or password are wrong;
    /// [`MalformedResponse`](ErrorKind::MalformedResponse) when it is no such reply, or one to another request; otherwise as
    /// for a token endpoint.
    pub fn read_security_token(&self, id: &RequestId, response: &Response<Bytes>) -> Result<Secret, Error> {
        let refused =
            (ErrorKind::InvalidClient, "refused the user name or the password; see that they are right");
        let mut reply = Reply::read(id, response, refused)?;
        reply.secret("/data/securityToken").ok_or_else(|| reply.lacks("security token"))
    }

    /// Reads the reply to [`issue_by_factors`](Self::issue_by_factors).
    ///
    /// # Errors
    ///
    /// [`InvalidGrant`](ErrorKind::InvalidGrant) when the security tokens are refused; otherwise as for
    /// [`read_security_token`](Self::read_security_token).
    pub fn read_by_factors(&self, id: &RequestId, response: &Response<Bytes>) -> Result<IssuedTokens, Error> {
        let refused =
            (ErrorKind::InvalidGrant, "refused the security tokens; gather new ones and establish again");
        IssuedTokens::read(Reply::read(id, response, refused)?)
    }

    /// Reads the reply to [`issue_by_key`](Self::issue_by_key).
    ///
    /// # Errors
    ///
    /// [`InvalidClient`](ErrorKind::InvalidClient) when the key is refused; otherwise as for
    /// [`read_security_token`](Self::read_security_token).
    pub fn read_by_key(&self, id: &RequestId, response: &Response<Bytes>) -> Result<IssuedTokens, Error> {
        let refused =
            (ErrorKind::InvalidClient, "refused the merchant key; copy it from the service's settings");
        IssuedTokens::read(Reply::read(id, response, refused)?)
    }

    /// Reads the reply to [`refresh`](Self::refresh).
    ///
    /// # Errors
    ///
    /// [`InvalidGrant`](ErrorKind::InvalidGrant) when the refresh token is refused, which ends the session; otherwise as for
    /// [`read_security_token`](Self::read_security_token).
    pub fn read_refresh(&self, id: &RequestId, response: &Response<Bytes>) -> Result<IssuedTokens, Error> {
        let refused = (
            ErrorKind::InvalidGrant,
            "refused the refresh token, which has expired or was replaced; establish the session again",
        );
        IssuedTokens::read(Reply::read(id, response, refused)?)
    }
}

impl fmt::Display for AuthorizationService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.base.fmt(formatter)
    }
}

impl fmt::Debug for AuthorizationService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "AuthorizationService({:?})", self.base)
    }
}

fn below(base: &EndpointUrl, path: &str) -> Result<Uri, ConfigError> {
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(ConfigError::Path);
    }
    let base = base.to_string();
    format!("{}{path}", base.trim_end_matches('/')).parse().map_err(|_| ConfigError::Path)
}

fn post(uri: &Uri, id: &RequestId, body: &impl Serialize) -> Request<Bytes> {
    // Texts and lists of texts always serialize.
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert(REQUEST_ID, id.header());
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

#[cfg(test)]
mod tests;
