//! The token endpoint (RFC 6749 §3.2) as a server sees it.

use std::collections::BTreeMap;
use std::time::Duration;

use auth_core::Secret;
use auth_core::observe::Label;
use auth_core::scope::Scopes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;

use super::Decision;

/// A well-formed request to the token endpoint. Nothing about it has been checked against any record yet.
#[derive(Debug)]
#[non_exhaustive]
pub struct TokenCall {
    /// The client that the request claims to come from.
    pub client_id: String,
    /// The secret by which it claims so.
    pub client_secret: Secret,
    /// The grant.
    pub grant: Grant,
    /// The scopes asked for; `None` when the request leaves them to the server.
    pub scope: Option<Scopes>,
}

/// The grant of a [`TokenCall`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Grant {
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §6.
    RefreshToken(Secret),
}

impl Grant {
    /// Its `grant_type`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken(_) => "refresh_token",
        }
    }
}

impl TokenCall {
    /// Reads a request: a form POST with the client's credentials in HTTP Basic (form-encoded, RFC 6749 §2.3.1)
    /// or in the body, never in both, and no parameter twice.
    ///
    /// # Errors
    ///
    /// The [`Refusal`] to answer with.
    pub fn read(request: &Request<Bytes>) -> Result<Self, Refusal> {
        if request.method() != Method::POST {
            return Err(Refusal::MethodNotAllowed);
        }
        if !is_form(request) {
            return Err(Refusal::InvalidRequest);
        }
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(request.body()) {
            // RFC 6749 §3.2: without a value means left out, and none may be repeated.
            if !value.is_empty() && parameters.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(Refusal::InvalidRequest);
            }
        }
        let mut take = |name: &str| parameters.remove(name);
        let (client_id, client_secret) = match (basic(request)?, take("client_id"), take("client_secret")) {
            (Some(credentials), None, None) => credentials,
            (None, Some(client_id), Some(secret)) => (client_id, Secret::from(secret)),
            (None, _, None) => return Err(Refusal::InvalidClient),
            _ => return Err(Refusal::InvalidRequest),
        };
        let grant = match take("grant_type").as_deref() {
            Some("client_credentials") => Grant::ClientCredentials,
            Some("refresh_token") => {
                Grant::RefreshToken(Secret::from(take("refresh_token").ok_or(Refusal::InvalidRequest)?))
            }
            Some(_) => return Err(Refusal::UnsupportedGrantType),
            None => return Err(Refusal::InvalidRequest),
        };
        let scope =
            take("scope").map(|scope| scope.parse().map_err(|_| Refusal::InvalidScope)).transpose()?;
        Ok(Self { client_id, client_secret, grant, scope })
    }
}

fn is_form(request: &Request<Bytes>) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The credentials of HTTP Basic (RFC 7617), if the request has any.
pub(super) fn basic(request: &Request<Bytes>) -> Result<Option<(String, Secret)>, Refusal> {
    let mut headers = request.headers().get_all(AUTHORIZATION).into_iter();
    let Some(header) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(Refusal::InvalidRequest);
    }
    let pair = header
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok())
        .ok_or(Refusal::InvalidClient)?;
    let (client_id, secret) = pair.split_once(':').ok_or(Refusal::InvalidClient)?;
    Ok(Some((form_decoded(client_id), Secret::from(form_decoded(secret)))))
}

/// Undoes the form-encoding of one value: the value is escaped so that it can't be taken for two parameters.
fn form_decoded(value: &str) -> String {
    let parameter = format!("v={}", value.replace('&', "%26"));
    form_urlencoded::parse(parameter.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}

/// What a token endpoint hands out.
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "the server that issues builds it")]
pub struct Issued {
    /// The token.
    pub access_token: Secret,
    /// How long it lives; sent in whole seconds, rounded down, so that no client believes in more.
    pub expires_in: Duration,
    /// The refresh token that goes with it, if any.
    pub refresh_token: Option<Secret>,
    /// The scopes it grants.
    pub scope: Scopes,
}

impl Issued {
    /// The record of it.
    #[must_use]
    pub fn minted(&self, grant: &'static str, client_id: &str) -> Decision {
        Decision::Minted {
            token: self.access_token.clone(),
            refresh_token: self.refresh_token.clone(),
            grant,
            client_id: Some(Label::new(client_id)),
            scope: self.scope.clone(),
            expires_in: self.expires_in,
        }
    }

    /// The reply (RFC 6749 §5.1).
    #[must_use]
    pub fn into_response(self) -> Response<Bytes> {
        #[derive(Serialize)]
        struct Wire<'a> {
            access_token: &'a str,
            token_type: &'static str,
            expires_in: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            refresh_token: Option<&'a str>,
            scope: String,
        }
        json(
            StatusCode::OK,
            &Wire {
                access_token: self.access_token.expose(),
                token_type: "bearer",
                expires_in: self.expires_in.as_secs(),
                refresh_token: self.refresh_token.as_ref().map(Secret::expose),
                scope: self.scope.to_string(),
            },
        )
    }
}

/// Why a token endpoint hands out nothing (RFC 6749 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The client is unknown, or its secret is wrong.
    InvalidClient,
    /// The refresh token is unknown, expired, revoked or already used.
    InvalidGrant,
    /// The request is malformed.
    InvalidRequest,
    /// A scope is malformed, or not granted to the client.
    InvalidScope,
    /// Only POST is allowed.
    MethodNotAllowed,
    /// The client asks too often; the next request is welcome after this long.
    RateLimited {
        /// The wait, sent in whole seconds, rounded up.
        retry_after: Duration,
    },
    /// The endpoint can't make a token at the moment.
    Unavailable,
    /// The endpoint has no such grant.
    UnsupportedGrantType,
}

impl Refusal {
    /// The `error` in the reply (RFC 6749 §5.2).
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest | Self::MethodNotAllowed => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::RateLimited { .. } | Self::Unavailable => "temporarily_unavailable",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }

    /// The reply.
    #[must_use]
    pub fn into_response(self) -> Response<Bytes> {
        #[derive(Serialize)]
        struct Wire {
            error: &'static str,
        }
        let status = match self {
            Self::InvalidClient => StatusCode::UNAUTHORIZED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::InvalidGrant | Self::InvalidRequest | Self::InvalidScope | Self::UnsupportedGrantType => {
                StatusCode::BAD_REQUEST
            }
        };
        let mut response = json(status, &Wire { error: self.code() });
        let headers = response.headers_mut();
        match self {
            Self::InvalidClient => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"token\""));
            }
            Self::MethodNotAllowed => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            Self::RateLimited { retry_after } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(retry_after)));
            }
            Self::InvalidGrant
            | Self::InvalidRequest
            | Self::InvalidScope
            | Self::Unavailable
            | Self::UnsupportedGrantType => {}
        }
        response
    }
}

pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

/// A JSON reply that nobody may cache (RFC 6749 §5.1).
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response<Bytes> {
    let body = serde_json::to_vec(body).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use auth_core::oauth::TokenResponse;

    use super::*;
    use crate::wire::{TokenEndpoint, TokenForm, Wanted};

    fn endpoint() -> TokenEndpoint {
        TokenEndpoint::new("https://gateway/oauth/token", "a:b", Secret::from("c%d é&=+")).unwrap()
    }

    fn form(body: &'static str) -> Request<Bytes> {
        Request::post("/oauth/token")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from_static(body.as_bytes()))
            .unwrap()
    }

    #[test]
    fn what_our_client_sends_is_read_back() {
        let scopes: Scopes = "conversation:read user:read".parse().unwrap();
        let form = TokenForm::client_credentials().with_wanted(&Wanted::new().with_scope(scopes.clone()));
        let call = TokenCall::read(&endpoint().request(&form, None).unwrap()).unwrap();
        assert_eq!((call.client_id.as_str(), call.client_secret.expose()), ("a:b", "c%d é&=+"));
        assert_eq!(call.scope, Some(scopes));
        assert!(matches!(call.grant, Grant::ClientCredentials));

        let refresh = TokenForm::refresh_token(&Secret::from("r+/="));
        let call = TokenCall::read(&endpoint().request(&refresh, None).unwrap()).unwrap();
        assert!(matches!(call.grant, Grant::RefreshToken(token) if token.expose() == "r+/="));
    }

    #[test]
    fn what_we_issue_is_read_back_by_our_client() {
        let issued = Issued {
            access_token: Secret::from("t"),
            expires_in: Duration::from_millis(59_900),
            refresh_token: Some(Secret::from("r")),
            scope: "a b".parse().unwrap(),
        };
        let response: TokenResponse = endpoint().read(&issued.into_response()).unwrap();
        assert_eq!(response.expires_in, Some(Duration::from_secs(59)));
        assert_eq!(response.refresh_token.unwrap().expose(), "r");
    }

    #[test]
    fn credentials_in_the_body_are_read() {
        let call =
            TokenCall::read(&form("grant_type=client_credentials&client_id=i&client_secret=s%2B")).unwrap();
        assert_eq!((call.client_id.as_str(), call.client_secret.expose()), ("i", "s+"));
    }

    #[test]
    fn malformed_requests_are_refused_by_kind() {
        for (body, refusal) in [
            ("", Refusal::InvalidClient),
            ("grant_type=client_credentials", Refusal::InvalidClient),
            ("client_id=i&client_secret=s", Refusal::InvalidRequest),
            ("client_id=i&client_secret=s&grant_type=password", Refusal::UnsupportedGrantType),
            ("client_id=i&client_secret=s&grant_type=refresh_token", Refusal::InvalidRequest),
            ("client_id=i&client_secret=s&grant_type=x&grant_type=x", Refusal::InvalidRequest),
            ("client_id=i&client_secret=s&grant_type=client_credentials&scope=%22", Refusal::InvalidScope),
        ] {
            assert_eq!(TokenCall::read(&form(body)).unwrap_err(), refusal, "{body}");
        }
    }

    #[test]
    fn two_ways_of_authenticating_are_one_too_many() {
        let mut request = form("grant_type=client_credentials&client_id=i&client_secret=s");
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Basic aTpz"));
        assert_eq!(TokenCall::read(&request).unwrap_err(), Refusal::InvalidRequest);
    }

    #[test]
    fn malformed_basic_credentials_are_an_invalid_client() {
        for header in ["Basic", "Basic !", "Basic aQ==", "Bearer aTpz", "Basic /w=="] {
            let mut request = form("grant_type=client_credentials");
            request.headers_mut().insert(AUTHORIZATION, header.parse().unwrap());
            assert_eq!(TokenCall::read(&request).unwrap_err(), Refusal::InvalidClient, "{header}");
        }
    }

    #[test]
    fn only_a_form_post_is_read() {
        let mut get = form("grant_type=client_credentials&client_id=i&client_secret=s");
        *get.method_mut() = Method::GET;
        assert_eq!(TokenCall::read(&get).unwrap_err(), Refusal::MethodNotAllowed);
        let mut json = form("{}");
        json.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert_eq!(TokenCall::read(&json).unwrap_err(), Refusal::InvalidRequest);
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_rounded_up() {
        let refusal = Refusal::RateLimited { retry_after: Duration::from_millis(300) };
        let response = refusal.into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[RETRY_AFTER]),
            (429, &HeaderValue::from(1))
        );
    }
}
