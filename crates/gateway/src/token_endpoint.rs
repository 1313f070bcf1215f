//! The token endpoint's policy: who the client is, how often it asks, what it gets. Pure: the time is an argument.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::Secret;
use auth_core::scope::Scopes;
use auth_core::time::Now;
use auth_http::endpoint::{Grant, Issued, Refusal, TokenCall};
use bytes::Bytes;
use http::{Request, Response};

use crate::refresh::{RefreshTokens, Refreshes};
use crate::throttle::Throttle;
use crate::{Approved, Client, Config, Issuer};

pub(crate) struct TokenEndpoint {
    clients: HashMap<String, Client>,
    issuer: Arc<dyn Issuer>,
    lifetime: Duration,
    state: Mutex<State>,
    /// What the secret of an unknown client is compared with, so that it costs a comparison as well.
    nobody: Secret,
}

struct State {
    throttles: HashMap<String, Throttle>,
    refresh_tokens: RefreshTokens,
}

impl TokenEndpoint {
    pub(crate) fn new(config: &Config, now: Now) -> Self {
        let mut refresh_tokens = RefreshTokens::new(config.refresh_grace);
        for client in &config.clients {
            if let Some(token) = &client.refresh_token {
                refresh_tokens.add(token, &client.id, client.scope.clone());
            }
        }
        let throttle = Throttle::new(config.rate_limit, now);
        let clients = config.clients.iter().map(|client| (client.id.clone(), client.clone()));
        let throttles = config.clients.iter().map(|client| (client.id.clone(), throttle)).collect();
        Self {
            clients: clients.collect(),
            issuer: Arc::clone(&config.issuer),
            lifetime: config.token_lifetime,
            state: Mutex::new(State { throttles, refresh_tokens }),
            nobody: Secret::from(crate::authority::random_text()),
        }
    }

    /// What became of the refresh tokens.
    pub(crate) fn refreshes(&self) -> Refreshes {
        self.state().refresh_tokens.refreshes()
    }

    /// Answers a request.
    pub(crate) fn respond(&self, now: Now, request: &Request<Bytes>) -> Response<Bytes> {
        match TokenCall::read(request).and_then(|call| self.grant(now, &call)) {
            Ok(issued) => issued.into_response(),
            Err(refusal) => refusal.into_response(),
        }
    }

    fn grant(&self, now: Now, call: &TokenCall) -> Result<Issued, Refusal> {
        let client = self.clients.get(&call.client_id);
        let secret = client.map_or(&self.nobody, |client| &client.secret);
        let known = *secret == call.client_secret && !secret.is_empty();
        // The limit counts after the secret is right: a stranger can't use up a client's requests.
        let client = client.filter(|_| known).ok_or(Refusal::InvalidClient)?;
        if let Some(throttle) = self.state().throttles.get_mut(&client.id) {
            throttle.admit(now).map_err(|retry_after| Refusal::RateLimited { retry_after })?;
        }
        let (scope, refresh_token) = match &call.grant {
            Grant::ClientCredentials => (narrowed(&client.scope, call.scope.as_ref())?, None),
            Grant::RefreshToken(token) => {
                let mut state = self.state();
                let granted =
                    state.refresh_tokens.scope(now, token, &client.id).ok_or(Refusal::InvalidGrant)?;
                // Before the token is spent: a refused scope must not cost the client its login.
                let scope = narrowed(granted, call.scope.as_ref())?;
                let successor =
                    state.refresh_tokens.redeem(now, token, &client.id).ok_or(Refusal::InvalidGrant)?;
                (scope, Some(successor))
            }
            _ => return Err(Refusal::UnsupportedGrantType),
        };
        let approved = Approved::new(client.id.clone(), scope, self.lifetime);
        Ok(Issued {
            access_token: self.issuer.issue(now, &approved),
            expires_in: self.lifetime,
            refresh_token,
            scope: approved.scope,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The scopes asked for, if all of them may be granted; all that may be granted, if none were asked for.
fn narrowed(allowed: &Scopes, asked: Option<&Scopes>) -> Result<Scopes, Refusal> {
    let asked = asked.unwrap_or(allowed);
    if allowed.missing(asked).is_empty() { Ok(asked.clone()) } else { Err(Refusal::InvalidScope) }
}
