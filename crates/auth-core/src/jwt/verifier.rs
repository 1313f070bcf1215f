//! What a token must be to be believed: its signature first, then each claim that decides.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::compact::Segments;
use super::header::Header;
use super::{Claims, KeySet, Rejection, Verified};
use crate::time::{Now, Timestamp};

/// Keys, and what is expected of the tokens that they sign.
///
/// The defaults are strict: `exp` is required and there is no leeway; a token that names an audience is refused until one is
/// expected; `typ` must be absent, `JWT` or `at+jwt`.
///
/// ```
/// use auth_core::jwt::{Draft, HmacKey, KeySet, Rejection, Verifier};
/// use auth_core::time::{Moment, Now, Timestamp};
///
/// let key = HmacKey::hs256(&[7; 32])?;
/// let token = key.mint(&Draft::new().with_issuer("me").with_expiry(Timestamp::from_millis(60_000)));
///
/// let verifier = Verifier::new(KeySet::of(key)).with_issuer("me");
/// let at = |millis| Now { wall: Timestamp::from_millis(millis), mono: Moment::ORIGIN };
/// assert_eq!(verifier.verify(token.expose(), at(59_999))?.claims().issuer(), Some("me"));
/// assert_eq!(verifier.verify(token.expose(), at(60_000)).unwrap_err(), Rejection::Expired);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: KeySet,
    issuer: Option<String>,
    audience: Audience,
    types: Vec<String>,
    leeway: Duration,
    ahead: Duration,
    issued_at_required: bool,
    longest_lifetime: Option<Duration>,
    subject_required: bool,
    single_use: bool,
}

#[derive(Debug, Clone)]
enum Audience {
    /// Only tokens that name none.
    None,
    Any,
    Of(String),
}

impl Verifier {
    /// The longest leeway: a minute (RFC 7519 §4.1.4 has "no more than a few minutes").
    pub const LONGEST_LEEWAY: Duration = Duration::from_secs(60);

    /// Expects a signature of one of these keys and an `exp` that has not passed.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        Self {
            keys,
            issuer: None,
            audience: Audience::None,
            types: Vec::new(),
            leeway: Duration::ZERO,
            ahead: Duration::ZERO,
            issued_at_required: false,
            longest_lifetime: None,
            subject_required: false,
            single_use: false,
        }
    }

    /// Expects this issuer (`iss`), to the letter.
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Expects this audience, to the letter: `aud`, or one of its elements.
    #[must_use]
    pub fn with_audience(self, audience: impl Into<String>) -> Self {
        Self { audience: Audience::Of(audience.into()), ..self }
    }

    /// Settings that open a door.
    #[must_use]
    pub const fn dangerous(self) -> DangerousVerifier {
        DangerousVerifier(self)
    }

    /// Expects this `typ`, such as `at+jwt` (RFC 9068 §4) or `dpop+jwt`, in any case, with or without `application/` before
    /// it, and none other. May be called for several.
    #[must_use]
    pub fn with_type(mut self, token_type: &str) -> Self {
        self.types.push(String::from(without_prefix(token_type)));
        self
    }

    /// Forgives clocks that differ this much, in `exp`, `nbf` and `iat`; at most [`LONGEST_LEEWAY`](Self::LONGEST_LEEWAY).
    /// None by default: a token that outlives its `exp` is a surprise for whoever revokes by expiry.
    #[must_use]
    pub fn with_leeway(self, leeway: Duration) -> Self {
        Self { leeway: leeway.min(Self::LONGEST_LEEWAY), ..self }
    }

    /// Forgives an issuer whose clock is ahead by this much, in `nbf` and `iat` alone; at most
    /// [`LONGEST_LEEWAY`](Self::LONGEST_LEEWAY).
    #[must_use]
    pub fn with_issuer_ahead(self, ahead: Duration) -> Self {
        Self { ahead: ahead.min(Self::LONGEST_LEEWAY), ..self }
    }

    /// Requires an `iat`.
    #[must_use]
    pub fn with_required_issued_at(self) -> Self {
        Self { issued_at_required: true, ..self }
    }

    /// Refuses tokens that live longer than this from `iat` to `exp`, and those without an `iat`.
    #[must_use]
    pub fn with_longest_lifetime(self, longest: Duration) -> Self {
        Self { longest_lifetime: Some(longest), ..self }
    }

    /// Requires a `sub`.
    #[must_use]
    pub fn with_required_subject(self) -> Self {
        Self { subject_required: true, ..self }
    }

    /// Requires a `jti`, by which whoever calls this must consume the token: verifying keeps no memory.
    #[must_use]
    pub fn with_single_use(self) -> Self {
        Self { single_use: true, ..self }
    }

    /// Verifies a token: its form, its signature, then its claims.
    ///
    /// # Errors
    ///
    /// The first [`Rejection`] that applies. It is for logs; a stranger should learn only that the token was rejected.
    pub fn verify(&self, token: &str, now: Now) -> Result<Verified<Claims>, Rejection> {
        let segments = Segments::split_token(token)?;
        let header = Header::read(&segments)?;
        self.check_type(header.token_type())?;
        self.keys.check_signature(&segments, &header)?;
        let claims = Claims::read(&segments)?;
        self.check_times(&claims, now)?;
        self.check_parties(&claims)?;
        Ok(Verified(claims))
    }

    fn check_type(&self, token_type: Option<&str>) -> Result<(), Rejection> {
        let short = token_type.map(without_prefix);
        let expected = match short {
            _ if self.types.is_empty() => short
                .is_none_or(|name| name.eq_ignore_ascii_case("JWT") || name.eq_ignore_ascii_case("at+jwt")),
            Some(name) => self.types.iter().any(|expected| expected.eq_ignore_ascii_case(name)),
            None => false,
        };
        if expected { Ok(()) } else { Err(Rejection::TypeUnexpected) }
    }

    fn check_times(&self, claims: &Claims, now: Now) -> Result<(), Rejection> {
        let latest = now.wall.saturating_add(self.leeway.max(self.ahead));
        let in_the_future = |time: Option<Timestamp>| time.is_some_and(|time| time > latest);
        let expires = claims.expires().ok_or(Rejection::ExpiryMissing)?;
        if expires.saturating_add(self.leeway) <= now.wall {
            return Err(Rejection::Expired);
        }
        if in_the_future(claims.not_before()) {
            return Err(Rejection::NotYetValid);
        }
        if in_the_future(claims.issued_at()) {
            return Err(Rejection::IssuedInTheFuture);
        }
        if self.issued_at_required && claims.issued_at().is_none() {
            return Err(Rejection::IssuedAtMissing);
        }
        match (self.longest_lifetime, claims.lifetime()) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Rejection::IssuedAtMissing),
            (Some(longest), Some(lifetime)) if lifetime > longest => Err(Rejection::LifetimeTooLong),
            (Some(_), Some(_)) => Ok(()),
        }
    }

    fn check_parties(&self, claims: &Claims) -> Result<(), Rejection> {
        match (&self.issuer, claims.issuer()) {
            (Some(_), None) => return Err(Rejection::IssuerMissing),
            (Some(expected), Some(issuer)) if expected != issuer => return Err(Rejection::IssuerUnexpected),
            _ => {}
        }
        match &self.audience {
            Audience::None if claims.has_audience() => return Err(Rejection::AudienceUnexpected),
            Audience::Of(expected) => match claims.is_for(expected) {
                None => return Err(Rejection::AudienceMissing),
                Some(false) => return Err(Rejection::AudienceUnexpected),
                Some(true) => {}
            },
            Audience::None | Audience::Any => {}
        }
        // Each byte is looked at, without a branch: compilers make vector instructions of that.
        let special = |byte: u8| !(0x20..=0x7e).contains(&byte);
        let printable = |text: &str| !text.bytes().fold(false, |found, byte| found | special(byte));
        let usable = |text: &str| {
            let safe = printable(text) || !text.contains(char::is_control);
            safe && !matches!(text, "" | "*") && text.len() <= 1_024
        };
        if [claims.subject(), claims.client_id()].into_iter().flatten().any(|text| !usable(text)) {
            return Err(Rejection::SubjectUnusable);
        }
        if self.subject_required && claims.subject().is_none() {
            return Err(Rejection::SubjectMissing);
        }
        match claims.token_id() {
            None if self.single_use => Err(Rejection::TokenIdMissing),
            Some(token_id) if token_id.is_empty() || token_id.len() > 256 => Err(Rejection::TokenIdInvalid),
            _ => Ok(()),
        }
    }
}

/// A media type without `application/` (RFC 7515 §4.1.9).
fn without_prefix(token_type: &str) -> &str {
    let prefix = token_type.get(..12).filter(|prefix| prefix.eq_ignore_ascii_case("application/"));
    prefix.and_then(|_| token_type.get(12..)).unwrap_or(token_type)
}

/// What a verifier can be told at one's own risk.
#[derive(Debug, Clone)]
pub struct DangerousVerifier(Verifier);

impl DangerousVerifier {
    /// Takes tokens for any audience: whoever holds another service's token gets in with it.
    #[must_use]
    pub fn with_any_audience(self) -> Verifier {
        Verifier { audience: Audience::Any, ..self.0 }
    }
}
