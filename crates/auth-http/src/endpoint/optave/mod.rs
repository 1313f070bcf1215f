//! Optave's token endpoint as a server sees it, and what hands tokens to browsers: each token opens one connection.
//!
//! A token is a JWT with a `jti`, and lives for minutes. Whoever opens a connection with it [consumes](TokenServer::redeem) it,
//! and a second time it is refused. Client credentials are taken by HTTP Basic, in the body, and in the query, where the
//! vendor's client puts them: keep query strings out of the logs.

mod browsers;
mod spent;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::jwt::{Draft, KeySet, SignJws, Verifier};
use auth_core::observe::Label;
use auth_core::time::Now;
use auth_core::{Error, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::json;

pub use self::browsers::Browsers;
use self::spent::{Spent, Verdict};
use super::token::{json as json_reply, whole_seconds};
use super::{Claimed, Decision, Decisions, Grant, Issued, Refusal, TokenCall, hs256, verifier};
pub use crate::optave::wire::TICKET_PATH;

/// Where the vendor's example has a backend hand out tokens: GET.
pub const BACKEND_PATH: &str = "/api/optave-token";

/// The longest life of a token: 15 minutes, as the vendor advises.
pub const LONGEST_LIFETIME: Duration = Duration::from_secs(900);

/// The scope that the vendor's service has.
const SCOPE: &str = "client";
const ISSUER: &str = "optave-gateway";

/// Whom a token is for that was handed to a page.
const BROWSER: &str = "browser";

/// What records call the way in which pages get theirs.
const TICKET: &str = "optave_ticket";

/// The issuer of tokens for one connection each, and the memory of those that were used.
pub struct TokenServer {
    key: Arc<dyn SignJws>,
    verifier: Verifier,
    clients: Vec<(String, Secret)>,
    browsers: Option<Browsers>,
    lifetime: Duration,
    spent: Spent,
}

/// Says whether somebody may ask now, or else how long to wait: a client by name, and all browsers as `None`.
pub type Admit<'a> = &'a mut dyn FnMut(Option<&str>) -> Result<(), Duration>;

/// A connection that may be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// Whom the token was issued to: the id of a client, or `browser`.
    pub subject: String,
    /// How long the token still lives.
    pub expires_in: Duration,
}

impl TokenServer {
    /// An issuer without clients that signs by `key`, the public half of which is in `keys`.
    #[must_use]
    pub fn new(key: Arc<dyn SignJws>, keys: KeySet) -> Self {
        Self {
            key,
            verifier: verifier(keys, ISSUER).with_required_subject(),
            clients: Vec::new(),
            browsers: None,
            lifetime: Duration::from_secs(300),
            spent: Spent::new(100_000),
        }
    }

    /// An issuer without clients whose tokens are signed by HS256 with this key, which must be random, and secret.
    #[must_use]
    pub fn hs256(key: [u8; 32]) -> Self {
        let (key, keys) = hs256(key);
        Self::new(key, keys)
    }

    /// Adds a client. With an empty secret it is refused whatever it presents.
    #[must_use]
    pub fn with_client(mut self, id: impl Into<String>, secret: Secret) -> Self {
        self.clients.push((id.into(), secret));
        self
    }

    /// Hands tokens to browsers too. Whoever reaches the endpoint gets one: put it behind the login of your own site.
    #[must_use]
    pub fn with_browsers(self, browsers: Browsers) -> Self {
        Self { browsers: Some(browsers), ..self }
    }

    /// How long a token lives: five minutes by default, [`LONGEST_LIFETIME`] at most, which is what a longer one is cut to.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Duration) -> Self {
        Self { lifetime: lifetime.min(LONGEST_LIFETIME), ..self }
    }

    /// How many tokens that were used and have not expired are remembered: 100,000 by default, a few megabytes. When there
    /// is no room, connections are refused rather than tokens forgotten.
    #[must_use]
    pub fn with_most_remembered(self, most: usize) -> Self {
        Self { spent: Spent::new(most), ..self }
    }

    /// Makes a token for `subject`: for a backend that knows who its visitor is. `random` must be fresh.
    ///
    /// # Errors
    ///
    /// Those of the key.
    pub fn mint(&self, now: Now, random: [u8; 32], subject: &str) -> Result<Secret, Error> {
        Draft::new()
            .with_issuer(ISSUER)
            .with_subject(subject)
            .with_text("scope", SCOPE)
            .with_lifetime(now.wall, self.lifetime)
            .with_token_id(&URL_SAFE_NO_PAD.encode(random))
            .signed_by(&*self.key)
    }

    /// Answers a request to the token endpoint. `random` must be fresh.
    #[must_use]
    pub fn token(
        &self,
        now: Now,
        random: [u8; 32],
        request: &Request<Bytes>,
        admit: Admit<'_>,
    ) -> Response<Bytes> {
        match self.grant(now, random, request, admit) {
            Ok((issued, client_id)) => {
                let minted = issued.minted(Grant::ClientCredentials.name(), client_id);
                Decisions::tell(issued.into_response(), [minted])
            }
            Err(refusal) => {
                let is_known = |name: &str| self.clients.iter().any(|(id, _)| id == name);
                let denied = Claimed::by(&gathered(request), is_known).denied(refusal);
                Decisions::tell(refusal.into_response(), [denied])
            }
        }
    }

    /// Answers the page of a browser, at [`TICKET_PATH`] or [`BACKEND_PATH`]. `random` must be fresh.
    #[must_use]
    pub fn ticket(
        &self,
        now: Now,
        random: [u8; 32],
        request: &Request<Bytes>,
        admit: Admit<'_>,
    ) -> Response<Bytes> {
        let Some(browsers) = &self.browsers else { return refused(StatusCode::NOT_FOUND, "not_found") };
        let method = if request.uri().path() == BACKEND_PATH { Method::GET } else { Method::POST };
        if request.method() != method {
            let mut response = refused(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
            let allowed = if method == Method::GET { "GET" } else { "POST" };
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            return response;
        }
        if let Err(code) = browsers.check(request.headers()) {
            return refused(StatusCode::FORBIDDEN, code);
        }
        if let Err(wait) = admit(None) {
            let mut response = refused(StatusCode::TOO_MANY_REQUESTS, "too_many_requests");
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
            return response;
        }
        match self.mint(now, random, BROWSER) {
            Ok(token) => {
                let reply = json_reply(
                    StatusCode::OK,
                    &json!({ "token": token.expose(), "expires_in": self.lifetime.as_secs() }),
                );
                let minted = Decision::Minted {
                    token,
                    refresh_token: None,
                    grant: TICKET,
                    client_id: Some(Label::new(BROWSER)),
                    scope: SCOPE.parse().unwrap_or_default(),
                    expires_in: self.lifetime,
                };
                Decisions::tell(reply, [minted])
            }
            Err(_) => refused(StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        }
    }

    /// Consumes the token of a request to open a WebSocket, wherever it stood there. The request should be a well-formed upgrade, so that no
    /// other costs a token.
    ///
    /// # Errors
    ///
    /// Why the connection must not be opened.
    pub fn redeem(&mut self, now: Now, token: &Secret) -> Result<Opening, NotOpened> {
        let claims = self.verifier.verify(token.expose(), now).map_err(|_| NotOpened::InvalidToken)?;
        let claims = claims.claims();
        let ((subject, token_id), expires) =
            claims.subject().zip(claims.token_id()).zip(claims.expires()).ok_or(NotOpened::InvalidToken)?;
        match self.spent.consume(now, token_id, expires) {
            Verdict::First => {
                let expires_in = expires.saturating_since(now.wall);
                Ok(Opening { subject: subject.to_owned(), expires_in })
            }
            Verdict::Again => Err(NotOpened::AlreadyUsed),
            Verdict::NoRoom => Err(NotOpened::NoRoom),
        }
    }

    fn grant(
        &self,
        now: Now,
        random: [u8; 32],
        request: &Request<Bytes>,
        admit: Admit<'_>,
    ) -> Result<(Issued, &str), Refusal> {
        let call = TokenCall::read(&gathered(request))?;
        let mut found = None;
        for (id, secret) in &self.clients {
            // An unknown client costs as many comparisons.
            if *secret == call.client_secret && *id == call.client_id && !secret.is_empty() {
                found = Some(id);
            }
        }
        let id = found.ok_or(Refusal::InvalidClient)?;
        // The limit counts after the secret is right: a stranger can't use up a client's requests.
        admit(Some(id)).map_err(|retry_after| Refusal::RateLimited { retry_after })?;
        if !matches!(call.grant, Grant::ClientCredentials) {
            return Err(Refusal::UnsupportedGrantType);
        }
        let scope = SCOPE.parse().map_err(|_| Refusal::InvalidScope)?;
        if call.scope.is_some_and(|asked| asked != scope) {
            return Err(Refusal::InvalidScope);
        }
        let access_token = self.mint(now, random, id).map_err(|_| Refusal::Unavailable)?;
        Ok((Issued { access_token, expires_in: self.lifetime, refresh_token: None, scope }, id))
    }
}

/// Why a connection is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotOpened {
    /// The token is none of ours, or has expired.
    InvalidToken,
    /// The token has opened a connection already.
    AlreadyUsed,
    /// There is no room to remember that the token is used now.
    NoRoom,
}

/// The request with the parameters of its query in the body, where there may be others: none may stand twice.
fn gathered(request: &Request<Bytes>) -> Request<Bytes> {
    let mut gathered = Request::new(request.body().clone());
    *gathered.method_mut() = request.method().clone();
    gathered.headers_mut().clone_from(request.headers());
    if let Some(query) = request.uri().query().filter(|query| !query.is_empty()) {
        let body = [query.as_bytes(), request.body()].join(&b'&');
        if request.body().is_empty() {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            gathered.headers_mut().insert(CONTENT_TYPE, form);
        }
        *gathered.body_mut() = Bytes::from(body);
    }
    gathered
}

/// The refusal of a page.
fn refused(status: StatusCode, error: &'static str) -> Response<Bytes> {
    #[derive(Serialize)]
    struct Wire {
        error: &'static str,
    }
    let denied = Decision::Denied { grant: TICKET, reason: Label::new(error), client_id: None };
    Decisions::tell(json_reply(status, &Wire { error }), [denied])
}

impl fmt::Debug for TokenServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key: _, verifier: _, clients, browsers, lifetime, spent: _ } = self;
        formatter
            .debug_struct("TokenServer")
            .field("clients", clients)
            .field("browsers", browsers)
            .field("lifetime", lifetime)
            .finish_non_exhaustive()
    }
}
