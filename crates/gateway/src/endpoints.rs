//! What the gateway answers over HTTP: the token endpoint, and those of the systems that are configured.

use auth_core::time::Now;
use auth_http::endpoint::ably::{self as ably_wire, Refusal};
use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode};

use crate::Config;
use crate::ably::{self, AblyEndpoint};
use crate::doors::{Door, Doors};
use crate::optave::Optave;
use crate::spatium::Spatium;
use crate::token_endpoint::TokenEndpoint;

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

    /// Answers a request.
    pub(crate) fn respond(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        match self {
            Self::Tokens(tokens) => tokens.respond(now, request),
            Self::Ably(ably) => ably.respond(now, request),
            Self::Optave(optave) => optave.respond(now, request),
            Self::Spatium(spatium) => spatium.respond(now, request),
        }
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
