//! Spatium's authorization service, mounted.

use std::sync::{Arc, Mutex, PoisonError};

use auth_core::time::Now;
use auth_http::endpoint::spatium::AuthorizationServer;
use bytes::Bytes;
use http::{Request, Response};

use crate::RateLimit;
use crate::throttle::Throttles;

/// Where the calls are.
const BASE: &str = "/authorization/v1";

pub(crate) struct Spatium {
    server: Arc<Mutex<AuthorizationServer>>,
    throttles: Mutex<Throttles>,
}

impl Spatium {
    pub(crate) fn new(server: Arc<Mutex<AuthorizationServer>>, limit: RateLimit, now: Now) -> Self {
        Self { server, throttles: Mutex::new(Throttles::new(limit, now)) }
    }

    pub(crate) fn serves(path: &str) -> bool {
        path.strip_prefix(BASE).is_some_and(AuthorizationServer::serves)
    }

    pub(crate) fn respond(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().strip_prefix(BASE).unwrap_or_default();
        let mut throttles = self.throttles.lock().unwrap_or_else(PoisonError::into_inner);
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        server.respond(now, rand::random(), path, request, &mut |name| throttles.admit(now, name))
    }
}
