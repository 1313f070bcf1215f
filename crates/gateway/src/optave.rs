//! Optave's token endpoint, its hand-out to browsers, and the doors of its WebSockets, mounted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_core::Secret;
use auth_core::time::Now;
use auth_http::endpoint::optave::{BACKEND_PATH, NotOpened, TICKET_PATH, TokenServer};
use bytes::Bytes;
use http::{Request, Response};

use ws_session::dialect::Dialect;

use crate::doors::Door;
use crate::throttle::Throttles;
use crate::{Admission, Authenticator, Presented, RateLimit, Refusal};

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

    fn server(&self) -> MutexGuard<'_, TokenServer> {
        lock(&self.server)
    }
}

/// Each token opens one connection, by subprotocol or by query.
pub(crate) fn doors(server: &Arc<Mutex<TokenServer>>) -> [Door; 2] {
    let authenticator = Arc::new(Tokens(Arc::clone(server)));
    [Dialect::optave(), Dialect::optave_query()].map(|dialect| Door {
        path: "/".to_owned(),
        dialect: Arc::new(dialect),
        authenticator: Arc::clone(&authenticator) as Arc<dyn Authenticator>,
    })
}

struct Tokens(Arc<Mutex<TokenServer>>);

#[async_trait]
impl Authenticator for Tokens {
    async fn authenticate(&self, now: Now, presented: &Presented) -> Result<Admission, Refusal> {
        let token = presented.credential.expose();
        let token = Secret::from(token.strip_prefix("Bearer ").unwrap_or(token));
        match lock(&self.0).redeem(now, &token) {
            Ok(opening) => {
                Ok(Admission { subject: opening.subject, expires_in: opening.expires_in, is_consumed: true })
            }
            Err(NotOpened::AlreadyUsed) => Err(Refusal::replayed("token_already_used")),
            Err(NotOpened::NoRoom) => Err(Refusal::unreachable("unavailable")),
            Err(_) => Err(Refusal::rejected("invalid_token")),
        }
    }
}

fn lock(server: &Mutex<TokenServer>) -> MutexGuard<'_, TokenServer> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}
