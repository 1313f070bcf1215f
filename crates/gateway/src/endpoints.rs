//! What the gateway answers over HTTP: the token endpoint, and those of the systems that are configured.

use auth_core::time::Now;
use auth_http::endpoint::ably::{self as ably_wire, Refusal};
use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::Config;
use crate::ably::{self, AblyEndpoint};
use crate::doors::Doors;
use crate::optave::Optave;
use crate::spatium::Spatium;
use crate::token_endpoint::TokenEndpoint;

pub(crate) struct Endpoints {
    pub(crate) tokens: TokenEndpoint,
    /// Each of these is `None` where it is not configured.
    ably: Option<AblyEndpoint>,
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
