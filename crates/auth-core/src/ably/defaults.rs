//! What a client stores between calls, and how a call's own parameters and options replace it (RSA8e, RSA9h, RSA10).
//!
//! | Given to a call | Used | Stored afterwards |
//! | --- | --- | --- |
//! | nothing | what is stored | what was stored |
//! | parameters | these alone: none of the stored ones | by `authorize`: these, without timestamp and nonce |
//! | options | these alone: not even the stored key | by `authorize`: these, without `query_time` |

use super::{ApiKey, AuthOptions, ClientId, ErrorCode, Means, TokenDetails, TokenParams};
use crate::Error;

/// The stored parameters and options of one client.
///
/// ```
/// use core::time::Duration;
/// use auth_core::ably::{ApiKey, AuthDefaults, AuthOptions, TokenParams};
///
/// let options = AuthOptions::new().with_key(ApiKey::parse("a.b:c")?);
/// let mut auth = AuthDefaults::new(options, None, TokenParams::new().with_ttl(Duration::from_secs(222)))?;
///
/// let stored = auth.signing_plan(None, None)?;
/// assert_eq!(stored.params.ttl(), Some(Duration::from_secs(222)));
/// let replaced = auth.signing_plan(Some(TokenParams::new()), None)?;
/// assert_eq!(replaced.params.ttl(), None, "replaced as a whole, not merged");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AuthDefaults {
    params: TokenParams,
    options: AuthOptions,
    /// The identity of the client, whatever the parameters of a call say.
    client_id: Option<ClientId>,
    /// The first key that the client has had: `authorize` may not change it.
    key: Option<ApiKey>,
    token_auth: bool,
}

/// What to sign, and with what.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SigningPlan {
    /// The key.
    pub key: ApiKey,
    /// The parameters.
    pub params: TokenParams,
    /// Whether to ask the server for its time first.
    pub query_time: bool,
}

/// How to get a token.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TokenPlan {
    /// Whom to ask.
    pub means: Means,
    /// What to ask for.
    pub params: TokenParams,
    /// Whether to ask the server for its time first, should a token request be signed.
    pub query_time: bool,
}

/// What `authorize` must do.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_enums, reason = "a client must do either")]
pub enum Authorization {
    /// Use this token: it was given (RSA10e).
    Use(TokenDetails),
    /// Get one.
    Get(TokenPlan),
}

impl AuthDefaults {
    /// What a client stores when it is made. Its own `client_id` wins over the one in the default parameters (RSA7a4).
    ///
    /// # Errors
    ///
    /// Code 40106 when no way to authenticate is configured, or none that fits `use_token_auth`; code 40102 when the token
    /// given is another client's.
    pub fn new(
        options: AuthOptions,
        client_id: Option<ClientId>,
        params: TokenParams,
    ) -> Result<Self, Error> {
        let token_auth = options.wants_token();
        let usable = if token_auth { options.can_authenticate() } else { options.key.is_some() };
        if !usable {
            return Err(no_means());
        }
        let token_client = options.token.as_ref().and_then(TokenDetails::client_id);
        super::check_identity(client_id.as_ref(), token_client)?;
        let params = match &client_id {
            Some(client_id) => params.with_client_id(client_id.clone()),
            None => params,
        };
        Ok(Self { params: params.lasting(), client_id, key: options.key.clone(), options, token_auth })
    }

    /// Whether requests carry a token rather than the key itself (RSA2, RSA4, RSA10a).
    #[must_use]
    pub const fn uses_token_auth(&self) -> bool {
        self.token_auth
    }

    /// The stored parameters.
    #[must_use]
    pub const fn params(&self) -> &TokenParams {
        &self.params
    }

    /// The stored options.
    #[must_use]
    pub const fn options(&self) -> &AuthOptions {
        &self.options
    }

    /// What `createTokenRequest` signs (RSA9).
    ///
    /// # Errors
    ///
    /// Code 40101 when the options in use have no key.
    pub fn signing_plan(
        &self,
        params: Option<TokenParams>,
        options: Option<AuthOptions>,
    ) -> Result<SigningPlan, Error> {
        let (params, options) = self.effective(params, options);
        let key = options.key.ok_or_else(|| {
            let text = "signing a token request needs an API key; pass one, or ask the backend that has it";
            ErrorCode::INVALID_CREDENTIALS.error(text)
        })?;
        Ok(SigningPlan { key, params, query_time: options.query_time })
    }

    /// What `requestToken` asks for, and whom (RSA8). Nothing is stored.
    ///
    /// # Errors
    ///
    /// Code 40171 when the options in use name no way to a token.
    pub fn token_plan(
        &self,
        params: Option<TokenParams>,
        options: Option<AuthOptions>,
    ) -> Result<TokenPlan, Error> {
        let (params, options) = self.effective(params, options);
        plan(params, &options)
    }

    /// What `authorize` does (RSA10), and stores: from then on the client uses tokens.
    ///
    /// # Errors
    ///
    /// Code 40106 when the options given name no way to authenticate; 40102 when they name another key than the client's,
    /// or a token of another client; 40171 when nothing was given and there is no way to another token. Nothing is stored
    /// then.
    pub fn authorize(
        &mut self,
        params: Option<TokenParams>,
        options: Option<AuthOptions>,
    ) -> Result<Authorization, Error> {
        if let Some(given) = &options {
            if !given.can_authenticate() {
                return Err(no_means());
            }
            if let (Some(given), Some(own)) = (&given.key, &self.key)
                && given != own
            {
                let text =
                    "the key differs from the one that this client was made with; make another client for it";
                return Err(ErrorCode::INCOMPATIBLE_CREDENTIALS.error(text));
            }
        }
        let given_token = options.as_ref().and_then(|options| options.token.clone());
        let (params, options) = self.effective(params, options);
        let authorization = match given_token {
            Some(token) => {
                super::check_identity(self.client_id.as_ref(), token.client_id())?;
                Authorization::Use(token)
            }
            None => Authorization::Get(plan(params.clone(), &options)?),
        };
        self.key = self.key.take().or_else(|| options.key.clone());
        self.params = params.lasting();
        self.options = options.lasting();
        self.token_auth = true;
        Ok(authorization)
    }

    fn effective(
        &self,
        params: Option<TokenParams>,
        options: Option<AuthOptions>,
    ) -> (TokenParams, AuthOptions) {
        (params.unwrap_or_else(|| self.params.clone()), options.unwrap_or_else(|| self.options.clone()))
    }
}

fn plan(params: TokenParams, options: &AuthOptions) -> Result<TokenPlan, Error> {
    let means = options.means().ok_or_else(|| {
        let text = "there is no way to get a token; configure a key, an auth URL or an auth callback";
        ErrorCode::CANNOT_RENEW.error(text)
    })?;
    Ok(TokenPlan { means, params, query_time: options.query_time })
}

fn no_means() -> Error {
    let text = "no way to authenticate is configured; pass a key, a token, an auth URL or an auth callback";
    ErrorCode::NO_MEANS.error(text)
}

#[cfg(test)]
mod tests;
