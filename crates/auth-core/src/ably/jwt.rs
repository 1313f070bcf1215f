//! Ably JWTs: tokens that the owner of a key mints by itself, without asking Ably.

use core::time::Duration;

use super::{ApiKey, TokenParams};
use crate::Secret;
use crate::jwt::{Draft, HmacKey, KeySet};
use crate::time::Now;

/// The lifetime of a JWT whose parameters name none: an hour, as with Ably's own tokens.
const USUAL_TTL: Duration = Duration::from_secs(3_600);

/// Mints a JWT that Ably accepts in place of a token: HS256 under the key's secret, the key's name as `kid`, and the claims
/// `x-ably-capability` and `x-ably-clientId` where the parameters ask for them. Lives an hour unless they say otherwise.
///
/// Times are whole seconds: the lifetime is rounded up. A nonce in the parameters has no meaning here.
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
    let lifetime = params.ttl().unwrap_or(USUAL_TTL).as_millis().div_ceil(1_000);
    let lifetime = Duration::from_secs(u64::try_from(lifetime).unwrap_or(u64::MAX));
    let mut draft = Draft::new().with_issued_at(issued).with_expiry(issued.saturating_add(lifetime));
    if let Some(capability) = params.capability() {
        draft = draft.with_text("x-ably-capability", capability.canonical_text());
    }
    if let Some(client_id) = params.client_id() {
        draft = draft.with_text("x-ably-clientId", client_id.as_str());
    }
    hmac_key(key).mint(&draft)
}

/// The key that Ably JWTs minted under `key` verify with, for a [`Verifier`](crate::jwt::Verifier). Its secret may be
/// shorter than an HMAC key of one's own: Ably chooses it.
#[must_use]
pub fn jwt_keys(key: &ApiKey) -> KeySet {
    KeySet::of(hmac_key(key))
}

fn hmac_key(key: &ApiKey) -> HmacKey {
    HmacKey::of_any_length(key.secret().expose().as_bytes()).with_key_id(key.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ably::ClientId;
    use crate::jwt::{Rejection, Verifier};
    use crate::time::{Moment, Timestamp};

    /// `ably.md` §1.10: accepted by the library of another author.
    const VECTOR: &str = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImFwcGlkMS5rZXlpZDEifQ.eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMCwieC1hYmx5LWNhcGFiaWxpdHkiOiJ7XCIqXCI6W1wiKlwiXX0iLCJ4LWFibHktY2xpZW50SWQiOiJhbGljZSJ9.Vx0L_O05HT5NspIRKI7RGQ5ACZgRuT_SUGUrBB0vhfc";

    fn key() -> ApiKey {
        ApiKey::parse("appid1.keyid1:SecretSecretSecret").unwrap()
    }

    fn at(millis: u64) -> Now {
        Now { wall: Timestamp::from_millis(millis), mono: Moment::ORIGIN }
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
        let verified = Verifier::new(jwt_keys(&key())).verify(VECTOR, at(1_700_003_599_999)).unwrap();
        assert_eq!(verified.claims().text("x-ably-clientId"), Some("alice"));
        assert_eq!(verified.claims().capability().unwrap().unwrap().canonical_text(), r#"{"*":["*"]}"#);
        let expired = Verifier::new(jwt_keys(&key())).verify(VECTOR, at(1_700_003_600_000));
        assert_eq!(expired.unwrap_err(), Rejection::Expired);
        let other = ApiKey::parse("appid1.keyid2:SecretSecretSecret").unwrap();
        assert_eq!(Verifier::new(jwt_keys(&other)).verify(VECTOR, at(0)).unwrap_err(), Rejection::KeyUnknown);
    }

    #[test]
    fn a_lifetime_is_rounded_up_to_a_second() {
        let params = TokenParams::new().with_ttl(Duration::from_millis(1));
        let token = mint_jwt(&key(), &params, at(10_000));
        let claims = crate::jwt::read(token.expose()).unwrap().into_inner();
        assert_eq!(claims.expires(), Some(Timestamp::from_millis(11_000)));
    }
}
