//! OAuth grants: how each obtains a token from its endpoint.
//!
//! | You have | Grant | Refresh tokens |
//! | --- | --- | --- |
//! | a client that speaks for itself | [`ClientCredentials`] | none |
//! | a refresh token of an earlier login | [`RefreshToken`] | redeemed, nothing else |
//! | a code from a browser | [`AuthorizationCode`] | redeemed once the code is |
//! | a code that a person types elsewhere | [`DeviceCode`] | redeemed once the code is |
//! | a key that the server trusts | [`JwtBearer`] | none: the next token needs a new assertion only |
//! | a token of another server or user | [`TokenExchange`] | none: the next token needs the other one only |
//! | code of your own | [`Callback`] | as you say |
//! | two of these | [`FallBack`] | of whichever has them |
//!
//! # What may be tried again
//!
//! A request that certainly had no effect, whatever the grant. After a lost answer: client credentials, a JWT assertion and a
//! token exchange, because each attempt is a new one; a device code, more slowly (RFC 8628 §3.5); a refresh token, as
//! [`auth_core::renewal`] decides. Not an authorization code: a server that sees one twice revokes what it issued for it
//! (RFC 6749 §4.1.2), so after a lost answer a person must log in.

mod asking;
mod authorization_code;
mod callback;
mod client_credentials;
mod device_code;
mod fall_back;
mod jwt_bearer;
mod refresh_token;
mod revocation;
mod token_exchange;

use async_trait::async_trait;
use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::{Attempt, Refresh};
use auth_core::{Error, Secret};

pub use self::authorization_code::AuthorizationCode;
pub use self::callback::Callback;
pub use self::client_credentials::ClientCredentials;
pub use self::device_code::{Delay, DeviceCode};
pub use self::fall_back::FallBack;
pub use self::jwt_bearer::JwtBearer;
pub use self::refresh_token::RefreshToken;
pub use self::revocation::Revocation;
pub use self::token_exchange::TokenExchange;
use crate::store::CredentialKey;

/// A way to obtain one token: no caching, no retry, and no memory beyond a grant that serves once.
///
/// [`TokenManager`](crate::manager::TokenManager) calls it for whoever needs a token, one call at a time, and keeps the
/// refresh tokens that come back.
#[async_trait]
pub trait Grant: Send + Sync {
    /// Obtains a token. An implementation bounds its own time.
    ///
    /// # Errors
    ///
    /// Any kind; [`Error::retry`] decides whether and when the caller tries again, and [`Error::is_in_doubt`] whether
    /// the attempt's refresh token may have been spent.
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error>;

    /// What it does with refresh tokens: nothing by default.
    fn refresh(&self) -> Refresh {
        Refresh::Never
    }

    /// How its tokens are presented: as bearer tokens by default.
    fn token_type(&self) -> TokenType {
        TokenType::Bearer
    }

    /// The refresh token that it was configured with, the first to be redeemed: none by default.
    fn configured(&self) -> Option<Secret> {
        None
    }

    /// Whose tokens it obtains, and for what: with it, a store never hands them to another grant, or a refresh token to
    /// another server. Not known by default.
    ///
    /// Which person has logged in is not in it: give each a store of its own.
    fn credential(&self) -> Option<CredentialKey> {
        None
    }
}

/// A grant that is chosen while the program runs.
#[async_trait]
impl Grant for Box<dyn Grant> {
    async fn obtain(&self, attempt: &Attempt) -> Result<TokenResponse, Error> {
        (**self).obtain(attempt).await
    }

    fn refresh(&self) -> Refresh {
        (**self).refresh()
    }

    fn token_type(&self) -> TokenType {
        (**self).token_type()
    }

    fn configured(&self) -> Option<Secret> {
        (**self).configured()
    }

    fn credential(&self) -> Option<CredentialKey> {
        (**self).credential()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testing::{Fixed, Scripted, es256};
    use crate::wire::{ClientAuthentication, Dpop, TokenEndpoint};

    #[tokio::test]
    async fn a_boxed_grant_is_as_the_one_in_the_box() {
        let bound = crate::testing::TOKEN.replace("Bearer", "DPoP");
        let http = Scripted::new([Ok(crate::testing::reply(200, &[], &bound))]);
        let client = ClientAuthentication::none("c").unwrap();
        let endpoint = TokenEndpoint::for_client("https://a/t", client).unwrap();
        let endpoint = endpoint.with_dpop(Dpop::new(es256(), Fixed::new()).unwrap());
        let grant: Box<dyn Grant> =
            Box::new(RefreshToken::new(endpoint, Arc::clone(&http) as _, Secret::from("r0")));
        assert_eq!((grant.refresh(), grant.token_type()), (Refresh::Only, TokenType::Dpop));
        assert_eq!(grant.configured(), Some(Secret::from("r0")));
        assert!(grant.credential().is_some());
        grant.obtain(&Attempt::new(Some(Secret::from("r1")))).await.unwrap();
        assert_eq!(http.count(), 1);
    }
}
