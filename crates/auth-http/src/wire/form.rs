//! The forms that grants send to a token endpoint: one parameter for each fact, none twice, none empty.

use std::borrow::Cow;
use std::fmt;

use auth_core::Secret;
use auth_core::oauth::CodeVerifier;
use auth_core::scope::Scopes;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::ConfigError;
use super::url::is_absolute;

/// What a token is wanted for: scopes, resources, and whatever a provider asks for besides.
///
/// ```
/// use auth_http::wire::Wanted;
///
/// let wanted = Wanted::new()
///     .with_scope("calendar:read".parse()?)
///     .with_resource("https://cal.example.com/")?
///     .with_parameter("organization", "acme")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Wanted {
    scope: Scopes,
    resources: Vec<String>,
    audiences: Vec<String>,
    parameters: Vec<(String, Secret)>,
}

impl Wanted {
    /// Whatever the server grants by default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for these scopes. With a refresh token they may be fewer than were granted, never more (RFC 6749 §6).
    #[must_use]
    pub fn with_scope(self, scope: Scopes) -> Self {
        Self { scope, ..self }
    }

    /// Asks for a token for this resource (RFC 8707), besides others named before.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAResource`] when it is not an absolute URI without a fragment.
    pub fn with_resource(mut self, resource: impl Into<String>) -> Result<Self, ConfigError> {
        let resource = resource.into();
        if !is_absolute(&resource) {
            return Err(ConfigError::NotAResource);
        }
        self.resources.push(resource);
        Ok(self)
    }

    /// Asks for a token for this audience: a logical name, for token exchange (RFC 8693 §2.1) and for providers that have
    /// it instead of `resource`.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sends a parameter that a provider asks for.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Parameter`] when the grant or the client's authentication sets it, or it is set already.
    pub fn with_parameter(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, ConfigError> {
        let name = name.into();
        let is_set = self.parameters.iter().any(|(set, _)| *set == name);
        if name.is_empty() || is_set || RESERVED.contains(&name.as_str()) {
            return Err(ConfigError::Parameter);
        }
        self.parameters.push((name, Secret::from(value.into())));
        Ok(self)
    }

    /// The scopes asked for.
    #[must_use]
    pub const fn scope(&self) -> &Scopes {
        &self.scope
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = (Cow<'static, str>, Secret)> {
        let several = |name: &'static str, values: &[String]| -> Vec<_> {
            values.iter().map(|value| (Cow::Borrowed(name), Secret::from(value.as_str()))).collect()
        };
        let scope = Secret::from(self.scope.to_string());
        [(Cow::Borrowed("scope"), scope)]
            .into_iter()
            .chain(several("resource", &self.resources))
            .chain(several("audience", &self.audiences))
            .chain(self.parameters.iter().map(|(name, value)| (Cow::Owned(name.clone()), value.clone())))
    }
}

impl fmt::Debug for Wanted {
    /// Names the parameters, and leaves out what they say.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, resources, audiences, parameters } = self;
        let names: Vec<_> = parameters.iter().map(|(name, _)| name).collect();
        formatter
            .debug_struct("Wanted")
            .field("scope", scope)
            .field("resources", resources)
            .field("audiences", audiences)
            .field("parameters", &names)
            .finish()
    }
}

/// What a grant sends to the token endpoint, the client's authentication apart.
#[derive(Clone)]
pub struct TokenForm {
    parameters: Vec<(Cow<'static, str>, Secret)>,
}

impl TokenForm {
    /// The client credentials grant (RFC 6749 §4.4.2).
    #[must_use]
    pub fn client_credentials() -> Self {
        Self::of("client_credentials")
    }

    /// The refresh token grant (RFC 6749 §6).
    #[must_use]
    pub fn refresh_token(refresh_token: &Secret) -> Self {
        Self::of("refresh_token").with("refresh_token", refresh_token)
    }

    /// The authorization code grant (RFC 6749 §4.1.3) with its proof key (RFC 7636 §4.5).
    #[must_use]
    pub fn authorization_code(code: &Secret, redirect_uri: &str, verifier: &CodeVerifier) -> Self {
        Self::of("authorization_code")
            .with("code", code)
            .with("redirect_uri", &Secret::from(redirect_uri))
            .with("code_verifier", verifier.secret())
    }

    /// The JWT bearer grant (RFC 7523 §2.1).
    #[must_use]
    pub fn jwt_bearer(assertion: &Secret) -> Self {
        Self::of("urn:ietf:params:oauth:grant-type:jwt-bearer").with("assertion", assertion)
    }

    /// Token exchange (RFC 8693 §2.1), for an access token. The types are those of RFC 8693 §3, such as
    /// `urn:ietf:params:oauth:token-type:access_token`.
    #[must_use]
    pub fn token_exchange(subject: (&Secret, &str), actor: Option<(&Secret, &str)>) -> Self {
        let form = Self::of("urn:ietf:params:oauth:grant-type:token-exchange")
            .with("subject_token", subject.0)
            .with("subject_token_type", &Secret::from(subject.1));
        match actor {
            Some((token, kind)) => {
                form.with("actor_token", token).with("actor_token_type", &Secret::from(kind))
            }
            None => form,
        }
    }

    /// The device code grant (RFC 8628 §3.4).
    #[must_use]
    pub fn device_code(device_code: &Secret) -> Self {
        Self::of("urn:ietf:params:oauth:grant-type:device_code").with("device_code", device_code)
    }

    /// The same form, asking for what is wanted.
    #[must_use]
    pub fn with_wanted(mut self, wanted: &Wanted) -> Self {
        self.parameters.extend(wanted.pairs());
        self
    }

    fn of(grant_type: &'static str) -> Self {
        Self { parameters: vec![(Cow::Borrowed("grant_type"), Secret::from(grant_type))] }
    }

    pub(super) fn with(mut self, name: &'static str, value: &Secret) -> Self {
        self.parameters.push((Cow::Borrowed(name), value.clone()));
        self
    }

    /// What distinguishes the tokens that it asks for: scopes in alphabetical order, and the hash of what may be secret.
    /// Grants that serve once are left out.
    pub(super) fn facts(&self) -> impl Iterator<Item = (&str, String)> {
        self.pairs().filter_map(|(name, value)| match name {
            "assertion" | "code" | "code_verifier" | "device_code" | "redirect_uri" | "refresh_token" => None,
            "grant_type" | "resource" | "audience" => Some((name, value.to_owned())),
            "scope" => {
                let mut scopes: Vec<_> = value.split(' ').collect();
                scopes.sort_unstable();
                Some((name, scopes.join(" ")))
            }
            _ => Some((name, URL_SAFE_NO_PAD.encode(Sha256::digest(value)))),
        })
    }

    /// A form of no grant, for the other endpoints.
    pub(super) const fn empty() -> Self {
        Self { parameters: Vec::new() }
    }

    /// The parameters that have a value: those without are left out (RFC 6749 §3.2).
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.parameters.iter().map(|(name, value)| (&**name, value.expose()));
        pairs.filter(|(_, value)| !value.is_empty())
    }
}

impl fmt::Debug for TokenForm {
    /// Names the parameters, and leaves out what they say.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.parameters.iter().map(|(name, _)| name)).finish()
    }
}

/// Parameters that a grant, a login or the client's authentication sets.
const RESERVED: [&str; 27] = [
    "actor_token",
    "actor_token_type",
    "assertion",
    "audience",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "device_code",
    "grant_type",
    "password",
    "redirect_uri",
    "refresh_token",
    "requested_token_type",
    "resource",
    "response_type",
    "scope",
    "state",
    "subject_token",
    "subject_token_type",
    "token",
    "token_type_hint",
    "username",
];
