//! Spatium's authorization service, mounted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth_core::Secret;
use auth_core::time::Now;
use auth_http::endpoint::spatium::{Asking, AuthorizationServer};
use bytes::Bytes;
use http::{Request, Response};

use crate::RateLimit;
use crate::throttle::{HashedThrottles, Throttles};

/// Where the calls are.
const BASE: &str = "/authorization/v1";

pub(crate) struct Spatium {
    server: Arc<Mutex<AuthorizationServer>>,
    limits: Mutex<Limits>,
}

struct Limits {
    known: Throttles<Name>,
    guesses: HashedThrottles,
}

/// Whom there is a limit for.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Name {
    Account(String),
    Merchant(String),
    /// All strangers with something other than a user name.
    Stranger,
}

impl Limits {
    fn admit(&mut self, now: Now, asking: Asking<'_>) -> Result<(), Duration> {
        let name = match asking {
            Asking::Password(username) => return self.guesses.admit(now, username),
            Asking::Account(username) => Name::Account(username.to_owned()),
            Asking::Merchant(id) => Name::Merchant(id.to_owned()),
            _ => Name::Stranger,
        };
        self.known.admit(now, name)
    }
}

impl Spatium {
    pub(crate) fn new(server: Arc<Mutex<AuthorizationServer>>, limit: RateLimit, now: Now) -> Self {
        let limits = Limits { known: Throttles::new(limit, now), guesses: HashedThrottles::new(limit, now) };
        Self { server, limits: Mutex::new(limits) }
    }

    pub(crate) fn serves(path: &str) -> bool {
        path.strip_prefix(BASE).is_some_and(AuthorizationServer::serves)
    }

    pub(crate) fn respond(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().strip_prefix(BASE).unwrap_or_default();
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.respond(now, rand::random(), path, request, &mut |asking| limits.admit(now, asking))
    }

    /// The reply with this refresh token never left.
    pub(crate) fn unsent(&self, now: Now, refresh_token: &Secret) {
        self.server.lock().unwrap_or_else(PoisonError::into_inner).unsent(now, refresh_token);
    }
}
