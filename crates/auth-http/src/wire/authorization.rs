//! Logins in a browser (RFC 6749 §4.1): the URL to open, and what comes back to the redirect URI.

use std::fmt;

use auth_core::loopback::is_loopback;
use auth_core::oauth::{CodeVerifier, ErrorResponse};
use auth_core::{Error, ErrorKind, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;

use super::url::{EndpointUrl, is_absolute, with_query};
use super::{ConfigError, Wanted};
use crate::freshness::Freshness;

/// An authorization endpoint, and the client that logs people in there. There is no implicit grant here, and no code without
/// a proof key.
#[derive(Debug, Clone)]
pub struct AuthorizationEndpoint {
    url: EndpointUrl,
    client_id: String,
    redirect_uri: String,
    issuer: Option<String>,
    states_issuer: bool,
}

impl AuthorizationEndpoint {
    /// The endpoint at `uri`, and where its answers go: an `https` URL, one on loopback (with the feature `tokio`, a
    /// `RedirectListener` hears them), or one of a scheme of the program's own.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when a URL is not such, or the id is empty.
    pub fn new(uri: &str, client_id: &str, redirect_uri: &str) -> Result<Self, ConfigError> {
        let url = EndpointUrl::parse(uri)?;
        if client_id.is_empty() {
            return Err(ConfigError::NoClientId);
        }
        let elsewhere = redirect_uri
            .parse()
            .is_ok_and(|uri: Uri| uri.scheme_str() == Some("http") && !uri.host().is_some_and(is_loopback));
        if !is_absolute(redirect_uri) || elsewhere {
            return Err(ConfigError::NotARedirectUri);
        }
        let (client_id, redirect_uri) = (client_id.to_owned(), redirect_uri.to_owned());
        Ok(Self { url, client_id, redirect_uri, issuer: None, states_issuer: false })
    }

    /// Names the server's issuer: an answer that names another is refused (RFC 9207). With one server only, that
    /// matters little; with several, it keeps one from passing itself off as another.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Refuses answers that name no issuer: for servers whose metadata has `authorization_response_iss_parameter_supported`.
    #[must_use]
    pub fn with_required_issuer(self, issuer: impl Into<String>) -> Self {
        Self { states_issuer: true, ..self.with_issuer(issuer) }
    }

    /// Begins a login. What it draws from `freshness` protects it: only its own answer is read, and only it can redeem
    /// the code.
    #[must_use]
    pub fn begin(&self, wanted: Wanted, freshness: &dyn Freshness) -> PendingLogin {
        PendingLogin {
            endpoint: self.clone(),
            wanted,
            state: Secret::from(URL_SAFE_NO_PAD.encode(freshness.random())),
            verifier: CodeVerifier::from_random(freshness.random()),
        }
    }
}

/// A login that a person has begun, and not ended.
#[derive(Clone)]
pub struct PendingLogin {
    endpoint: AuthorizationEndpoint,
    wanted: Wanted,
    state: Secret,
    verifier: CodeVerifier,
}

impl PendingLogin {
    /// The URL to open in a browser (RFC 6749 §4.1.1, RFC 7636 §4.3).
    #[must_use]
    pub fn url(&self) -> String {
        let challenge = self.verifier.challenge();
        let fixed = [
            ("response_type", "code"),
            ("client_id", &self.endpoint.client_id),
            ("redirect_uri", &self.endpoint.redirect_uri),
            ("state", self.state.expose()),
            ("code_challenge", &challenge),
            ("code_challenge_method", CodeVerifier::METHOD),
        ];
        let wanted: Vec<_> = self.wanted.pairs().collect();
        let wanted = wanted.iter().map(|(name, value)| (&**name, value.expose()));
        let pairs = fixed.into_iter().chain(wanted).filter(|(_, value)| !value.is_empty());
        with_query(self.endpoint.url.uri(), pairs)
    }

    /// Whether what the browser was redirected to is an answer to this login, be it a code or an error: it has its state, once.
    /// What is not can be of anybody, and says nothing about this login.
    #[must_use]
    pub fn recognizes(&self, redirected: &str) -> bool {
        let pairs = form_urlencoded::parse(query(redirected).as_bytes());
        let mut states = pairs.filter(|(name, _)| name == "state").map(|(_, state)| state.into_owned());
        // The comparison takes constant time.
        states.next().map(Secret::from).as_ref() == Some(&self.state) && states.next().is_none()
    }

    /// Reads what the browser was redirected to: the whole URL, its path and query, or the query alone.
    ///
    /// # Errors
    ///
    /// [`Refused`](ErrorKind::Refused) when the state or the issuer is not of this login, or whoever was asked said no;
    /// [`MalformedResponse`](ErrorKind::MalformedResponse) when there is no code in it, or a parameter stands twice.
    pub fn read(&self, redirected: &str) -> Result<AuthorizationCode, Error> {
        let mut answer = Answer::default();
        for (name, value) in form_urlencoded::parse(query(redirected).as_bytes()) {
            let member = match &*name {
                "state" => &mut answer.state,
                "iss" => &mut answer.issuer,
                "error" => &mut answer.error,
                "code" => &mut answer.code,
                _ => continue,
            };
            if member.replace(Secret::from(value.into_owned())).is_some() {
                return Err(malformed("the answer to the login states a parameter twice; begin it again"));
            }
        }
        // The comparison takes constant time.
        if answer.state.as_ref() != Some(&self.state) {
            return Err(refused("the answer is not one to this login (state); begin it again, and here"));
        }
        self.check_issuer(answer.issuer.as_ref())?;
        if let Some(code) = answer.error {
            return Err(ErrorResponse::of(code.expose()).into_error());
        }
        let code = answer.code.filter(|code| !code.is_empty());
        let code = code.ok_or_else(|| malformed("the answer to the login has no code; begin it again"))?;
        Ok(AuthorizationCode {
            code,
            redirect_uri: self.endpoint.redirect_uri.clone(),
            verifier: self.verifier.clone(),
        })
    }

    fn check_issuer(&self, stated: Option<&Secret>) -> Result<(), Error> {
        match (&self.endpoint.issuer, stated) {
            (Some(expected), Some(stated)) if stated.expose() == expected => Ok(()),
            (Some(_), Some(_)) => {
                Err(refused("the answer to the login is of another issuer (iss); do not use its code"))
            }
            (Some(_), None) if self.endpoint.states_issuer => {
                Err(refused("the answer to the login names no issuer (iss), though its server always does"))
            }
            (Some(_) | None, None) | (None, Some(_)) => Ok(()),
        }
    }
}

#[derive(Default)]
struct Answer {
    state: Option<Secret>,
    issuer: Option<Secret>,
    error: Option<Secret>,
    code: Option<Secret>,
}

/// A code, with what it takes to redeem it: once, and soon.
#[derive(Clone)]
pub struct AuthorizationCode {
    code: Secret,
    redirect_uri: String,
    verifier: CodeVerifier,
}

impl AuthorizationCode {
    /// A code that came by another way than [`PendingLogin::read`].
    #[must_use]
    pub fn new(code: Secret, redirect_uri: impl Into<String>, verifier: CodeVerifier) -> Self {
        Self { code, redirect_uri: redirect_uri.into(), verifier }
    }

    /// The form that redeems it.
    #[must_use]
    pub fn form(&self) -> super::TokenForm {
        super::TokenForm::authorization_code(&self.code, &self.redirect_uri, &self.verifier)
    }
}

impl fmt::Debug for PendingLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, wanted, state: _, verifier: _ } = self;
        formatter
            .debug_struct("PendingLogin")
            .field("endpoint", endpoint)
            .field("wanted", wanted)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code: _, redirect_uri, verifier: _ } = self;
        formatter
            .debug_struct("AuthorizationCode")
            .field("redirect_uri", redirect_uri)
            .finish_non_exhaustive()
    }
}

/// The query of a URL, or of what is left of one.
fn query(redirected: &str) -> &str {
    let query = redirected.split_once('?').map_or(redirected, |(_, query)| query);
    query.split_once('#').map_or(query, |(query, _)| query)
}

fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::Refused, message)
}

fn malformed(message: &'static str) -> Error {
    Error::new(ErrorKind::MalformedResponse, message).with_retry(auth_core::Retry::Never).without_effect()
}

#[cfg(test)]
mod tests;
