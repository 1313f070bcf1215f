//! Ably JWTs: tokens that the owner of a key mints by itself, without asking Ably.

use core::time::Duration;

use super::{ApiKey, ErrorCode, TokenClientId, TokenParams};
use crate::Secret;
use crate::capability::Capability;
use crate::jwt::{Claims, Draft, HmacKey, KeySet, Rejection, Verified, Verifier};
use crate::time::{Now, Timestamp};

const CAPABILITY: &str = "x-ably-capability";
const CLIENT_ID: &str = "x-ably-clientId";

/// The lifetime of a JWT whose parameters name none: an hour, as with Ably's own tokens.
const USUAL_TTL: Duration = Duration::from_secs(3_600);

/// How far the clock of whoever mints may be ahead, as with Ably.
const ISSUER_AHEAD: Duration = Duration::from_secs(60);

/// Mints a JWT that Ably accepts in place of a token: HS256 under the key's secret, the key's name as `kid`, and the claims
/// `x-ably-capability` and `x-ably-clientId` where the parameters ask for them. Lives an hour unless they say otherwise.
///
/// Times are whole seconds: the expiry is rounded up. A nonce in the parameters has no meaning here.
///
/// ```
/// use auth_core::ably::{ApiKey, ClientId, TokenParams, mint_jwt};
/// use auth_core::time::{Moment, Now, Timestamp};
///
/// let key = ApiKey::parse("appid1.keyid1:SecretSecretSecret")?;
/// let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
/// let params = TokenParams::new()
///     .with_capability(r#"{"*":["*"]}"#.parse()?)
///     .with_client_id(ClientId::new("alice")?);
/// let token = mint_jwt(&key, &params, now);
/// assert!(token.expose().ends_with(".Vx0L_O05HT5NspIRKI7RGQ5ACZgRuT_SUGUrBB0vhfc"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn mint_jwt(key: &ApiKey, params: &TokenParams, now: Now) -> Secret {
    let issued = params.timestamp().unwrap_or(now.wall);
    let mut draft = Draft::new().with_lifetime(issued, params.ttl().unwrap_or(USUAL_TTL));
    if let Some(capability) = params.capability() {
        draft = draft.with_text(CAPABILITY, capability.canonical_text());
    }
    if let Some(client_id) = params.client_id() {
        draft = draft.with_text(CLIENT_ID, client_id.as_str());
    }
    jwt_key(key).mint(&draft)
}

/// The key that signs Ably JWTs under `key`, and verifies them: for claims that [`mint_jwt`] does not set, such as a `jti`
/// or a revocation key. Its secret may be shorter than an HMAC key of one's own: Ably chooses it.
#[must_use]
pub fn jwt_key(key: &ApiKey) -> HmacKey {
    HmacKey::of_keyed(key.mac()).with_key_id(key.shared_name())
}

/// An Ably JWT that its key vouches for.
///
/// What it grants is the intersection of its capability with the key's, and whether it was revoked is not known here.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VerifiedJwt {
    /// Whom it speaks for; `None` for an anonymous client.
    pub client_id: Option<TokenClientId>,
    /// What it asks for; `None` for all that its key has.
    pub capability: Option<Capability>,
    /// When it was issued, by the clock of whoever minted it.
    pub issued: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// All its claims.
    pub claims: Verified<Claims>,
}

impl VerifiedJwt {
    /// The earliest time at which it may have been issued: the clock that it was minted by may be a minute ahead. What is
    /// revoked as of a time must be compared with this, or a JWT that is older would escape.
    #[must_use]
    pub const fn issued_at_the_earliest(&self) -> Timestamp {
        Timestamp::from_millis(self.issued.as_millis().saturating_sub(ISSUER_AHEAD.as_millis() as u64))
    }
}

/// Verifies an Ably JWT as Ably does: `iat` and `exp` are required, `exp` is exact, and `iat` may be a minute ahead.
///
/// # Errors
///
/// The first [`Rejection`] that applies; [`jwt_rejection_code`] has Ably's number for it.
pub fn verify_jwt(key: &ApiKey, token: &str, now: Now) -> Result<VerifiedJwt, Rejection> {
    // Ably knows no audience: a key belongs to one application, and `aud` is a claim like any other.
    let verifier = Verifier::new(KeySet::of(jwt_key(key)))
        .dangerous()
        .with_any_audience()
        .with_required_issued_at()
        .with_issuer_ahead(ISSUER_AHEAD);
    let claims = verifier.verify(token, now)?;
    let held = claims.claims();
    Ok(VerifiedJwt {
        client_id: claimed_client_id(held)?,
        capability: claimed_capability(held)?,
        issued: held.issued_at().ok_or(Rejection::IssuedAtMissing)?,
        expires: held.expires().ok_or(Rejection::ExpiryMissing)?,
        claims,
    })
}

/// The capability that the claims of an Ably JWT ask for, verified or not; `None` for all that its key has.
///
/// # Errors
///
/// [`Rejection::CapabilityInvalid`] when it is there and can't be read.
pub fn claimed_capability(claims: &Claims) -> Result<Option<Capability>, Rejection> {
    let text = text_of(claims, CAPABILITY, Rejection::CapabilityInvalid)?;
    text.map(str::parse).transpose().map_err(|_| Rejection::CapabilityInvalid)
}

/// Whom the claims of an Ably JWT speak for, verified or not; `None` for an anonymous client.
///
/// # Errors
///
/// [`Rejection::SubjectInvalid`] when it is no string, [`Rejection::SubjectUnusable`] when it can't be a clientId.
pub fn claimed_client_id(claims: &Claims) -> Result<Option<TokenClientId>, Rejection> {
    let text = text_of(claims, CLIENT_ID, Rejection::SubjectInvalid)?;
    text.map(TokenClientId::new).transpose().map_err(|_| Rejection::SubjectUnusable)
}

/// Ably's number and HTTP status for a JWT that is rejected: 40142 when it has expired, else 40144, with status 400 rather
/// than 401 when it lacks `iat` or `exp`.
#[must_use]
pub const fn jwt_rejection_code(rejection: Rejection) -> (ErrorCode, u16) {
    match rejection {
        Rejection::Expired => (ErrorCode::TOKEN_EXPIRED, 401),
        Rejection::IssuedAtMissing | Rejection::ExpiryMissing => (ErrorCode::INVALID_JWT, 400),
        _ => (ErrorCode::INVALID_JWT, 401),
    }
}

fn text_of<'a>(claims: &'a Claims, name: &str, otherwise: Rejection) -> Result<Option<&'a str>, Rejection> {
    match claims.text(name) {
        None if claims.has(name) => Err(otherwise),
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ably::ClientId;
    use crate::time::Moment;

    /// A JWT that a library of another author accepts.
    const VECTOR: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImFwcGlkMS5rZXlpZDEifQ.eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMCwieC1hYmx5LWNhcGFiaWxpdHkiOiJ7XCIqXCI6W1wiKlwiXX0iLCJ4LWFibHktY2xpZW50SWQiOiJhbGljZSJ9.Vx0L_O05HT5NspIRKI7RGQ5ACZgRuT_SUGUrBB0vhfc";

    fn key() -> ApiKey {
        ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap()
    }

    fn at(millis: u64) -> Now {
        Now { wall: Timestamp::from_millis(millis), mono: Moment::ORIGIN }
    }

    fn rejection(draft: Draft) -> Rejection {
        let token = jwt_key(&key()).mint(&draft);
        verify_jwt(&key(), token.expose(), at(10_000)).unwrap_err()
    }

    fn lasting() -> Draft {
        Draft::new().with_lifetime(Timestamp::from_millis(10_000), USUAL_TTL)
    }

    #[test]
    fn the_vector_is_minted_byte_for_byte() {
        let params = TokenParams::new()
            .with_capability(r#"{"*":["*"]}"#.parse().unwrap())
            .with_client_id(ClientId::new("alice").unwrap());
        assert_eq!(mint_jwt(&key(), &params, at(1_700_000_000_000)).expose(), VECTOR);
    }

    #[test]
    fn the_vector_verifies_until_its_expiry_and_under_its_own_key_only() {
        let verified = verify_jwt(&key(), VECTOR, at(1_700_003_599_999)).unwrap();
        assert_eq!(verified.client_id.unwrap().as_str(), "alice");
        assert_eq!(verified.capability.unwrap().canonical_text(), r#"{"*":["*"]}"#);
        assert_eq!(verified.expires, Timestamp::from_millis(1_700_003_600_000));
        let expired = verify_jwt(&key(), VECTOR, at(1_700_003_600_000)).unwrap_err();
        assert_eq!(
            (expired, jwt_rejection_code(expired)),
            (Rejection::Expired, (ErrorCode::new(40_142), 401))
        );
        let other = ApiKey::parse("appid1.keyid2:SecretSecretSecret").unwrap();
        assert_eq!(verify_jwt(&other, VECTOR, at(0)).unwrap_err(), Rejection::KeyUnknown);
    }

    #[test]
    fn a_clock_a_minute_ahead_is_forgiven_and_a_missing_time_is_not() {
        let issued = |millis| Draft::new().with_lifetime(Timestamp::from_millis(millis), USUAL_TTL);
        let token = jwt_key(&key()).mint(&issued(70_000));
        let verified = verify_jwt(&key(), token.expose(), at(10_000)).unwrap();
        assert_eq!(verified.issued_at_the_earliest(), Timestamp::from_millis(10_000));
        assert_eq!(rejection(issued(71_000)), Rejection::IssuedInTheFuture);
        assert_eq!(
            rejection(Draft::new().with_expiry(Timestamp::from_millis(20_000))),
            Rejection::IssuedAtMissing
        );
        assert_eq!(jwt_rejection_code(Rejection::IssuedAtMissing), (ErrorCode::new(40_144), 400));
    }

    #[test]
    fn an_identity_or_a_capability_that_cannot_be_is_rejected() {
        for (client_id, expected) in [("", Rejection::SubjectUnusable), ("a\nb", Rejection::SubjectUnusable)]
        {
            assert_eq!(rejection(lasting().with_text(CLIENT_ID, client_id)), expected, "{client_id:?}");
        }
        let deep = "[".repeat(10_000);
        for capability in ["", "{", r#"{"a":["fly"]}"#, deep.as_str()] {
            let draft = lasting().with_text(CAPABILITY, capability);
            assert_eq!(rejection(draft), Rejection::CapabilityInvalid);
        }
        let wildcard = jwt_key(&key()).mint(&lasting().with_text(CLIENT_ID, "*").with_audience("whoever"));
        let verified = verify_jwt(&key(), wildcard.expose(), at(10_000)).unwrap();
        assert_eq!((verified.client_id, verified.capability), (Some(TokenClientId::Wildcard), None));
    }

    #[test]
    fn a_claim_of_the_wrong_type_is_rejected_rather_than_taken_for_absent() {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        for claims in [r#"{"x-ably-clientId":5}"#, r#"{"x-ably-capability":{}}"#] {
            let token = alloc::format!("eyJhbGciOiJIUzI1NiJ9.{}.AAAA", URL_SAFE_NO_PAD.encode(claims));
            let read = crate::jwt::read(&token).unwrap();
            assert!(
                claimed_client_id(read.claims()).is_err() || claimed_capability(read.claims()).is_err(),
                "{claims}"
            );
        }
    }

    #[test]
    fn a_token_never_dies_earlier_than_its_lifetime() {
        let params = TokenParams::new().with_ttl(Duration::from_secs(1));
        let token = mint_jwt(&key(), &params, at(10_500));
        let read = crate::jwt::read(token.expose()).unwrap();
        assert_eq!(read.claims().expires(), Some(Timestamp::from_millis(12_000)));
    }
}
