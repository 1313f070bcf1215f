//! Optave's token endpoint, its hand-out to browsers, and the door of its WebSockets, mounted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use auth_core::time::Now;
use auth_http::endpoint::optave::{BACKEND_PATH, NotOpened, Opening, TICKET_PATH, TokenServer};
use bytes::Bytes;
use http::{Request, Response};

use crate::RateLimit;
use crate::throttle::Throttles;

/// Where tokens are issued. The vendor's machine-readable description has the slash, and its client has not.
const TOKEN_PATHS: [&str; 2] = ["/auth/oauth2/token", "/auth/oauth2/token/"];

pub(crate) struct Optave {
    server: Arc<Mutex<TokenServer>>,
    throttles: Mutex<Throttles<Option<String>>>,
}

impl Optave {
    pub(crate) fn new(server: Arc<Mutex<TokenServer>>, limit: RateLimit, now: Now) -> Self {
        Self { server, throttles: Mutex::new(Throttles::new(limit, now)) }
    }

    pub(crate) fn serves(path: &str) -> bool {
        TOKEN_PATHS.contains(&path) || [TICKET_PATH, BACKEND_PATH].contains(&path)
    }

    pub(crate) fn respond(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        let mut throttles = self.throttles.lock().unwrap_or_else(PoisonError::into_inner);
        let server = self.server();
        let random = rand::random();
        let mut admit = |name: Option<&str>| throttles.admit(now, name.map(str::to_owned));
        match request.uri().path() {
            TICKET_PATH | BACKEND_PATH => server.ticket(now, random, request, &mut admit),
            _ => server.token(now, random, request, &mut admit),
        }
    }

    /// Consumes the token of an upgrade, or says why not.
    pub(crate) fn open<T>(&self, now: Now, request: &Request<T>) -> Result<Opening, NotOpened> {
        self.server().open(now, request)
    }

    fn server(&self) -> MutexGuard<'_, TokenServer> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
