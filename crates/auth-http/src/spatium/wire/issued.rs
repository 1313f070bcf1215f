//! The tokens that a session is made of, with their doubled names.

use std::time::Duration;

use auth_core::oauth::TokenResponse;
use auth_core::time::Timestamp;
use auth_core::{Error, Secret, jwt};

use super::reply::Reply;

/// A permission token, and the refresh token for the next.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct IssuedTokens {
    /// The permission (access) token.
    pub permission_token: Secret,
    /// When it expires, by the clock of the service; `None` when it did not say.
    pub expires_at: Option<Timestamp>,
    /// The refresh token; `None` leaves the one in use as it is.
    pub refresh_token: Option<Secret>,
    /// When that expires, as it says itself where the reply does not.
    pub refresh_expires_at: Option<Timestamp>,
    /// What the clock of the service said when it answered (`Date`).
    pub server_time: Option<Timestamp>,
}

impl IssuedTokens {
    pub(super) fn read(mut reply: Reply) -> Result<Self, Error> {
        let expires_at = reply.time("/data/permissionToken/expiresAt");
        let refresh_expires_at = reply.time("/data/permissionRefreshToken/expiresAt");
        let permission_token = reply
            .secret("/data/permissionToken/permissionToken")
            .ok_or_else(|| reply.lacks("permission token"))?;
        let refresh_token = reply.secret("/data/permissionRefreshToken/permissionRefreshToken");
        let stated = || jwt::read(refresh_token.as_ref()?.expose()).ok()?.claims().expires();
        Ok(Self {
            permission_token,
            expires_at,
            refresh_expires_at: refresh_expires_at.or_else(stated),
            refresh_token,
            server_time: reply.server_time,
        })
    }

    /// How long the permission token lives: by the clock of the service where that is known, from its `Date` or the token's
    /// `iat`, else by `now`. `None` when nobody says when it expires.
    ///
    /// Those two have whole seconds, rounded down, so that the service may be up to a second ahead of them: that much is
    /// left off, of a short life half.
    #[must_use]
    pub fn expires_in(&self, now: Timestamp) -> Option<Duration> {
        let claims = jwt::read(self.permission_token.expose()).ok().map(jwt::Unverified::into_inner);
        let stated = claims.as_ref().and_then(jwt::Claims::expires);
        let expires = match (self.expires_at, stated) {
            (Some(said), Some(stated)) => said.min(stated),
            (said, stated) => said.or(stated)?,
        };
        let issued = claims.as_ref().and_then(jwt::Claims::issued_at);
        let life = expires.saturating_since(issued.max(self.server_time).unwrap_or(now));
        Some(life.saturating_sub(Duration::from_secs(1).min(life / 2)))
    }

    /// The same in the terms of the renewal.
    #[must_use]
    pub fn into_response(self, now: Timestamp) -> TokenResponse {
        let expires_in = self.expires_in(now);
        let mut response = TokenResponse::new(self.permission_token).with_server_time(self.server_time);
        response.expires_in = expires_in;
        response.refresh_token = self.refresh_token;
        response
    }
}
