//! The client as the source of a live connection's tokens.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::ably::{AuthUrl, ErrorCode, Means, TokenDetails};
use auth_core::oauth::TokenResponse;
use auth_core::renewal::Attempt;
use auth_core::time::Now;
use auth_core::{Demand, Error, ErrorKind, Retry, Secret, Token, TokenSource};

use super::Auth;
use super::core::is_refusal;
use super::obtaining::Purpose;
use super::state::Held;
use super::told;
use crate::grant::Grant;
use crate::store::CredentialKey;

/// A source is to be ready within a minute, whatever others ask for meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(55);

#[async_trait]
impl TokenSource for Auth {
    /// The token in use, or another as demanded. Errors are those of a connection: see [`connection_error`].
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let newest = self.state().generation();
        let demand = match demand {
            Demand::InsteadOf(refused) if refused > newest => {
                let text = "the refused token is newer than any of this client; the refusal names another source's token";
                return Err(Error::new(ErrorKind::InvalidToken, text));
            }
            // One that is from another source is no reason to ask for more than there is.
            Demand::NewerThan(seen) if seen > newest => Demand::Current,
            demand => demand,
        };
        let late = || Error::new(ErrorKind::Timeout, "no token came within 55 s; it may recover");
        let obtained = self.core().within(LONGEST_WAIT, self.obtain(demand, Purpose::Connection), late).await;
        let held = match demand {
            // One that is still alive will do when none that is newer can be had.
            Demand::NewerThan(_) => obtained.or_else(|error| {
                // Whoever refuses is not asked again and again (RSA4d).
                let alive = if is_refusal(&error) { None } else { self.still_alive() };
                alive.ok_or(error)
            }),
            Demand::Current | Demand::InsteadOf(_) => obtained,
        };
        let own = self.signs_its_requests();
        let held =
            held.map_err(|error| if own && is_verdict(&error) { error } else { connection_error(error) })?;
        let (now, renewable) = (self.core().now(), self.can_renew());
        let name = told::name(self.core().told.as_ref(), held.details.token());
        let token = if !renewable && !held.is_alive(now) {
            // The service knows the time, and there is no other token: it has the last word (RSA4a2).
            held.undated()
        } else {
            held.token(now, renewable)
        };
        Ok(match name {
            Some(name) => token.with_fingerprint(name),
            None => token,
        })
    }
}

/// What the service said of a key is as final as if it had been told to a connection with that key (RTN14a); RSA4c is about
/// callbacks and auth URLs.
fn is_verdict(error: &Error) -> bool {
    error.retry() == Retry::Never && error.code().is_some_and(|code| code >= 40_000) && !is_refusal(error)
}

impl Auth {
    fn signs_its_requests(&self) -> bool {
        matches!(self.state().defaults.options().means(), Some(Means::Key(_)))
    }

    fn still_alive(&self) -> Option<Arc<Held>> {
        let (now, server_now) = (self.core().now(), self.core().server_now());
        self.state().usable(now, server_now).filter(|held| held.is_alive(now)).cloned()
    }
}

/// What a failure to get a token means to a connection: code 80019 with the failure as its
/// [`source`](std::error::Error::source), to be tried again (RSA4c), or for good where somebody refused (RSA4d). What
/// only a human can change is left as it is: no way to a token (40171), the wrong client's (40102), or a setting that
/// can't be ([`Misconfigured`](ErrorKind::Misconfigured)).
#[must_use]
pub fn connection_error(cause: Error) -> Error {
    let code = cause.code().map(ErrorCode::new);
    let is_final = matches!(
        code,
        Some(ErrorCode::CANNOT_RENEW | ErrorCode::INCOMPATIBLE_CREDENTIALS | ErrorCode::NO_MEANS)
    );
    if is_final || matches!(cause.kind(), ErrorKind::Closed | ErrorKind::Misconfigured) {
        return cause;
    }
    let failed = ErrorCode::AUTHENTICATION_FAILED;
    if is_refusal(&cause) {
        let text = "whoever gives this client its tokens refused; allow it there";
        return Error::new(failed.kind(403), text)
            .with_retry(failed.action(403).retry())
            .with_code(failed.number())
            .with_source(cause);
    }
    let retry = match cause.retry() {
        Retry::After(wait) => Retry::After(wait),
        Retry::Never | Retry::Backoff | Retry::Reauthorize => Retry::Backoff,
    };
    failed
        .error("this client got no token; the cause of this error says why")
        .with_retry(retry)
        .with_source(cause)
}

/// A token manager can keep the tokens of an [`Auth`], in a store too, with what is known of them. Give it a client of its
/// own: the manager's tokens are not those of [`Auth::token_details`], and an observer of both would hear of each token twice. A store is for one service and one key, or one auth
/// URL with its method, headers and parameters, which say who asks.
#[async_trait]
impl Grant for Auth {
    async fn obtain(&self, _attempt: &Attempt) -> Result<TokenResponse, Error> {
        let begun = self.core().now();
        let details = self.request_token(None, None).await?;
        auth_core::ably::check_identity(self.core().client_id.as_ref(), details.client_id())?;
        Ok(self.response(&details, begun))
    }

    fn credential(&self) -> Option<CredentialKey> {
        let state = self.state();
        let (options, params) = (state.defaults.options(), state.defaults.params());
        let (holder, asking) = match options.means()? {
            Means::Key(key) => (format!("key {}", key.name()), None),
            Means::Url(url) => (format!("auth URL {}", url.url), Some(asking(&url))),
            Means::Callback(_) => return None,
        };
        let holder = format!("ably {holder} at {}", self.core().service.url());
        let client_id = params.client_id().map(|client_id| client_id.as_str());
        let capability = params.capability().map(|capability| capability.canonical_text());
        let wanted = format!("{client_id:?} {capability:?} {:?}", params.ttl());
        Some(CredentialKey::new(&holder, &wanted).of_subject(asking.as_ref()))
    }
}

/// What tells an auth URL who asks: a session in a header, or a user among the parameters.
fn asking(url: &AuthUrl) -> Secret {
    let shown = |(name, value): &(String, Secret)| format!("{name:?}: {:?}", value.expose());
    let list = |pairs: &[(String, Secret)]| pairs.iter().map(shown).collect::<Vec<_>>().join(", ");
    Secret::from(format!("{:?} [{}] [{}]", url.method, list(&url.headers), list(&url.params)))
}

impl Auth {
    fn response(&self, details: &TokenDetails, begun: Now) -> TokenResponse {
        let response = TokenResponse::new(details.token().clone());
        let about = details.to_json_without_token();
        let response = if about.len() <= LONGEST_DETAILS { response.with_details(about) } else { response };
        let held = Held::arrived(details.clone(), self.arrival(begun));
        match held.token(self.core().now(), false).expires_in() {
            Some(left) => response.with_expires_in(left),
            None => response,
        }
    }
}

/// What is known of a token is kept in a store if it is no longer, in bytes, so that a record has room for it.
const LONGEST_DETAILS: usize = 16 * 1_024;
