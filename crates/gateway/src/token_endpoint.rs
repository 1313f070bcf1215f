//! The token endpoint's policy: who the client is, how often it asks, what it gets. Pure: the time is an argument.

use std::collections::HashMap;
use std::iter;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::Secret;
use auth_core::observe::{Label, Replayed};
use auth_core::scope::Scopes;
use auth_core::time::Now;
use auth_http::endpoint::{Claimed, Decision, Decisions, Grant, Issued, Refusal, TokenCall};
use bytes::Bytes;
use http::{Request, Response};

use crate::refresh::{NotGood, RefreshTokens, Refreshes};
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
        let granted = TokenCall::read(request).map_err(Refused::from).and_then(|call| {
            let issued = self.grant(now, &call)?;
            let minted = issued.minted(call.grant.name(), &call.client_id);
            Ok((issued, minted))
        });
        match granted {
            Ok((issued, minted)) => Decisions::tell(issued.into_response(), [minted]),
            Err(Refused { refusal, reuse: None }) => {
                let claimed = Claimed::by(request, |name| self.clients.contains_key(name));
                Decisions::tell(refusal.into_response(), [claimed.denied(refusal)])
            }
            Err(Refused { refusal, reuse: Some(reuse) }) => {
                Decisions::tell(refusal.into_response(), reuse.decisions())
            }
        }
    }

    /// The answer with this refresh token never left: the one before it must still serve.
    pub(crate) fn unsent(&self, refresh_token: &Secret) {
        self.state().refresh_tokens.unsent(refresh_token);
    }

    fn grant(&self, now: Now, call: &TokenCall) -> Result<Issued, Refused> {
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
                let refused = |not_good| Refused::of(not_good, token, &client.id);
                let mut state = self.state();
                let granted = state.refresh_tokens.scope(now, token, &client.id).map_err(refused)?;
                // Before the token is spent: a refused scope must not cost the client its login.
                let scope = narrowed(granted, call.scope.as_ref())?;
                let successor = state.refresh_tokens.redeem(now, token, &client.id).map_err(refused)?;
                (scope, Some(successor))
            }
            _ => return Err(Refusal::UnsupportedGrantType.into()),
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

/// Why there is no token.
struct Refused {
    refusal: Refusal,
    reuse: Option<Reuse>,
}

/// A spent refresh token that was presented.
struct Reuse {
    token: Secret,
    client_id: Label,
    revokes: bool,
}

impl Refused {
    fn of(not_good: NotGood, token: &Secret, client_id: &str) -> Self {
        let reuse = match not_good {
            NotGood::Unknown => None,
            NotGood::Reused { revokes } => {
                Some(Reuse { token: token.clone(), client_id: Label::new(client_id), revokes })
            }
        };
        Self { refusal: Refusal::InvalidGrant, reuse }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, reuse: None }
    }
}

impl Reuse {
    fn decisions(self) -> impl Iterator<Item = Decision> {
        let target = Label::new(&format!("refresh tokens of {}", self.client_id));
        let revoked = self.revokes.then_some(Decision::Revoked { token: None, target: Some(target) });
        let replayed = Decision::Replayed {
            replayed: Replayed::RefreshToken,
            token: Some(self.token),
            client_id: Some(self.client_id),
        };
        iter::once(replayed).chain(revoked)
    }
}

/// The scopes asked for, if all of them may be granted; all that may be granted, if none were asked for.
fn narrowed(allowed: &Scopes, asked: Option<&Scopes>) -> Result<Scopes, Refusal> {
    let asked = asked.unwrap_or(allowed);
    if allowed.missing(asked).is_empty() { Ok(asked.clone()) } else { Err(Refusal::InvalidScope) }
}
