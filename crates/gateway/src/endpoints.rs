//! What the gateway answers over HTTP: the token endpoint, and those of the systems that are configured.

use std::net::SocketAddr;

use auth_core::Secret;
use auth_core::time::Now;
use auth_http::endpoint::ably::{self as ably_wire, Refusal};
use auth_http::endpoint::spatium::AuthorizationServer;
use auth_http::endpoint::{self, Decision, Decisions};
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode};

use crate::Config;
use crate::ably::{self, AblyEndpoint};
use crate::doors::{Door, Doors};
use crate::optave::Optave;
use crate::spatium::Spatium;
use crate::token_endpoint::TokenEndpoint;
use crate::websocket::Shared;

pub(crate) struct Endpoints {
    pub(crate) tokens: TokenEndpoint,
    /// Each of these is `None` where it is not configured.
    pub(crate) ably: Option<AblyEndpoint>,
    optave: Option<Optave>,
    spatium: Option<Spatium>,
    /// Where WebSockets are accepted.
    pub(crate) doors: Doors,
}

/// What answers at one path.
pub(crate) enum Endpoint<'a> {
    Tokens(&'a TokenEndpoint),
    Ably(&'a AblyEndpoint),
    Optave(&'a Optave),
    Spatium(&'a Spatium),
}

impl Endpoints {
    pub(crate) fn new(config: &Config, now: Now) -> Self {
        let limit = config.rate_limit;
        Self {
            tokens: TokenEndpoint::new(config, now),
            ably: AblyEndpoint::new(config, now),
            optave: config.optave.clone().map(|server| Optave::new(server, limit, now)),
            spatium: config.spatium.clone().map(|server| Spatium::new(server, limit, now)),
            doors: Doors(config.doors()),
        }
    }

    /// Checks that each WebSocket is at a path by which it can be reached.
    ///
    /// # Errors
    ///
    /// What is wrong with the first that is not.
    pub(crate) fn check(&self) -> Result<(), String> {
        for Door { path, .. } in &self.doors.0 {
            let is_path = path.starts_with('/')
                && PathAndQuery::try_from(path.as_str()).is_ok_and(|parsed| parsed.path() == path);
            if !is_path {
                return Err(format!("{path:?} is no path for a WebSocket: write one such as /ws"));
            }
            if self.at(path).is_some() {
                return Err(format!(
                    "an HTTP endpoint is at {path} already: choose another path for the WebSocket"
                ));
            }
        }
        Ok(())
    }

    /// What there is at this path.
    pub(crate) fn at(&self, path: &str) -> Option<Endpoint<'_>> {
        match path {
            "/oauth/token" => Some(Endpoint::Tokens(&self.tokens)),
            _ if ably::serves(path) => self.ably.as_ref().map(Endpoint::Ably),
            _ if Optave::serves(path) => self.optave.as_ref().map(Endpoint::Optave),
            _ if Spatium::serves(path) => self.spatium.as_ref().map(Endpoint::Spatium),
            _ => None,
        }
    }
}

impl Endpoint<'_> {
    /// The largest body that is read, in bytes.
    pub(crate) const fn largest_body(&self) -> usize {
        match self {
            Self::Ably(_) => ably_wire::LARGEST_BODY,
            // Such a request is a few hundred bytes.
            Self::Tokens(_) | Self::Optave(_) | Self::Spatium(_) => 16 * 1_024,
        }
    }

    /// Answers a request, once what it decides is on record.
    pub(crate) async fn respond(
        &self,
        shared: &Shared,
        peer: SocketAddr,
        request: &Request<Bytes>,
    ) -> Response<Bytes> {
        let now = shared.clock.now();
        let mut response = match self {
            Self::Tokens(tokens) => tokens.respond(now, request),
            Self::Ably(ably) => ably.respond(now, request),
            Self::Optave(optave) => optave.respond(now, request),
            Self::Spatium(spatium) => spatium.respond(now, request),
        };
        let decisions = Decisions::take(&mut response);
        let mut unsent = Unsent { endpoint: self, now, refresh_token: refresh_token(&decisions) };
        if shared.ledger.settle(now, peer, decisions).await.is_err() {
            return self.unavailable();
        }
        unsent.refresh_token = None;
        response
    }

    /// The answer in its own shape to a request that can't be recorded.
    fn unavailable(&self) -> Response<Bytes> {
        let mut response = match self {
            Self::Tokens(_) | Self::Optave(_) => endpoint::Refusal::Unavailable.into_response(),
            Self::Ably(_) => Refusal::unrecorded().into_response(),
            Self::Spatium(_) => AuthorizationServer::unavailable(),
        };
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        response
    }

    /// The answer in its own shape, if it has one, to a request whose body did not come as it should.
    pub(crate) fn refuse(&self, status: StatusCode) -> Option<Response<Bytes>> {
        let Self::Ably(_) = self else { return None };
        let refusal = match status {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::body_too_large(),
            status => Refusal::body_incomplete(status == StatusCode::REQUEST_TIMEOUT),
        };
        Some(refusal.into_response())
    }
}

/// A refresh token that is in a reply, and has not left with it: until it does, nobody has it.
struct Unsent<'a> {
    endpoint: &'a Endpoint<'a>,
    now: Now,
    refresh_token: Option<Secret>,
}

impl Drop for Unsent<'_> {
    /// Whether it was not recorded or its client did not wait for that: the token before it must still serve.
    fn drop(&mut self) {
        let Some(refresh_token) = &self.refresh_token else { return };
        match self.endpoint {
            Endpoint::Tokens(tokens) => tokens.unsent(refresh_token),
            Endpoint::Spatium(spatium) => spatium.unsent(self.now, refresh_token),
            Endpoint::Ably(_) | Endpoint::Optave(_) => {}
        }
    }
}

fn refresh_token(decisions: &[Decision]) -> Option<Secret> {
    decisions.iter().find_map(|decision| match decision {
        Decision::Minted { refresh_token, .. } => refresh_token.clone(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use ws_session::dialect::Dialect;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_websocket_needs_a_path_of_its_own() {
        let at = |path: &str| {
            let config = Config::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            let config = config.with_websocket(path, Dialect::bearer_header());
            Endpoints::new(&config, Clock::start().now()).check()
        };
        for good in ["/", "/ws", "/a/b-c%20d"] {
            assert_eq!(at(good), Ok(()), "{good}");
        }
        for bad in ["", "ws", "/ws?a=b", "/a b", "/ws#a", "https://a.example/ws"] {
            assert!(at(bad).unwrap_err().contains("is no path"), "{bad}");
        }
        assert!(at("/oauth/token").unwrap_err().contains("an HTTP endpoint"));
    }
}
