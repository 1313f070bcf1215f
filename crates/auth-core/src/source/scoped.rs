//! A source that lets no token out unless it grants what the caller requires.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;

use async_trait::async_trait;

use crate::observe::{AuthEvent, Label, Observer, ScopeVerdict};
use crate::scope::Scopes;
use crate::{Demand, Error, ErrorKind, Token, TokenSource};

/// Checks each token of another source against required scopes, before it can reach a socket. Without required scopes,
/// every token passes unread.
///
/// The scopes are read from the token when it is a JWT, and from the issuer's answer otherwise: some servers
/// drop a scope that they don't grant, and then leave `scope` out of the answer.
pub struct RequireScopes<S> {
    source: S,
    required: Scopes,
    observer: Arc<dyn Observer>,
}

impl<S> RequireScopes<S> {
    /// Lets tokens of `source` through that grant all of `required`; each verdict is told to `observer`.
    #[must_use]
    pub fn new(source: S, required: Scopes, observer: Arc<dyn Observer>) -> Self {
        Self { source, required, observer }
    }
}

impl<S> core::fmt::Debug for RequireScopes<S> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("RequireScopes").field("required", &self.required).finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: TokenSource> TokenSource for RequireScopes<S> {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let token = self.source.token(demand).await?;
        if self.required.is_empty() {
            return Ok(token);
        }
        let Claimed { granted, client_id } = claimed(&token).inspect_err(|_| {
            self.tell(ScopeVerdict::Error, Scopes::default(), self.required.clone(), None);
        })?;
        let missing = granted.missing(&self.required);
        if missing.is_empty() {
            self.tell(ScopeVerdict::Allowed, granted, missing, client_id);
            return Ok(token);
        }
        let text = format!("the token lacks the scopes [{missing}]; grant them to the OAuth client");
        self.tell(ScopeVerdict::Denied, granted, missing, client_id);
        Err(Error::new(ErrorKind::InsufficientScope, text))
    }
}

impl<S> RequireScopes<S> {
    fn tell(&self, verdict: ScopeVerdict, granted: Scopes, missing: Scopes, client_id: Option<Label>) {
        let required = self.required.clone();
        self.observer.observe(&AuthEvent::ScopesChecked { verdict, required, granted, missing, client_id });
    }
}

struct Claimed {
    granted: Scopes,
    client_id: Option<Label>,
}

fn claimed(token: &Token) -> Result<Claimed, Error> {
    if !crate::jwt::looks_like_jwt(token.secret().expose()) {
        return stated(token);
    }
    let claims = crate::jwt::read(token.secret().expose())?.into_inner();
    let client_id = claims.client_id().map(Label::new);
    Ok(Claimed { granted: claims.scope().unwrap_or_default(), client_id })
}

/// What the issuer said of an opaque token.
fn stated(token: &Token) -> Result<Claimed, Error> {
    let unknown = || {
        let text = "the token's scopes are unknown: it is opaque, and its issuer named none; require none, or ask for some";
        Error::new(ErrorKind::InsufficientScope, text)
    };
    Ok(Claimed { granted: token.scope().cloned().ok_or_else(unknown)?, client_id: None })
}
