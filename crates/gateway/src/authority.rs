//! What a token is: who makes one, and who reaches a verdict on one.

use std::fmt;
use std::time::Duration;

use crate::Refusal;
use async_trait::async_trait;
use auth_core::Secret;
use auth_core::jwt::{Draft, HmacKey, KeySet, Rejection, Verifier, WeakKey};
use auth_core::scope::Scopes;
use auth_core::time::Now;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Makes access tokens.
pub trait Issuer: Send + Sync {
    /// Makes a token for what the token endpoint has approved.
    fn issue(&self, now: Now, approved: &Approved) -> Secret;
}

/// What the token endpoint has approved.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Approved {
    /// The client that asked.
    pub client_id: String,
    /// The scopes it gets.
    pub scope: Scopes,
    /// How long the token lives.
    pub lifetime: Duration,
}

impl Approved {
    /// What a token endpoint of one's own has approved.
    #[must_use]
    pub fn new(client_id: impl Into<String>, scope: Scopes, lifetime: Duration) -> Self {
        Self { client_id: client_id.into(), scope, lifetime }
    }
}

/// Reaches a verdict on the credential of a connection.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Says whose the credential is, and how long it still lives.
    ///
    /// # Errors
    ///
    /// Why it is refused, in words that the client may read; [`Refusal::unreachable`] where no verdict can be reached.
    async fn authenticate(&self, now: Now, presented: &Presented) -> Result<Admission, Refusal>;
}

/// A credential that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever authenticates builds it")]
pub struct Admission {
    /// Whom it was issued to. A connection can be renewed by the same subject only.
    pub subject: String,
    /// How long it still lives.
    pub expires_in: Duration,
    /// Whether it serves once, and is spent now. Who presents it again is refused as [replayed](Refusal::replayed).
    pub is_consumed: bool,
}

/// A credential that a connection presents.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Presented {
    /// The credential.
    pub credential: Secret,
    /// Whether the connection is authenticated already, and renews.
    pub renewal: bool,
}

impl Presented {
    /// A credential as a connection of one's own presents it.
    #[must_use]
    pub const fn new(credential: Secret, renewal: bool) -> Self {
        Self { credential, renewal }
    }
}

/// Tokens as JWTs, signed with HS256 by a key that only this gateway has.
#[derive(Clone)]
pub struct JwtAuthority {
    key: HmacKey,
    verifier: Verifier,
}

/// Stands in every token, and is required of each.
const ISSUER: &str = "rtauth-gateway";

impl JwtAuthority {
    /// An authority with this key, which several gateways may share.
    ///
    /// # Errors
    ///
    /// [`WeakKey`] when it has fewer than 32 bytes.
    pub fn with_key(key: &[u8]) -> Result<Self, WeakKey> {
        let key = HmacKey::hs256(key)?;
        let verifier = Verifier::new(KeySet::of(key.clone())).with_issuer(ISSUER).with_required_subject();
        Ok(Self { key, verifier })
    }

    /// An authority with a fresh random key: tokens of another run are refused.
    #[must_use]
    #[expect(clippy::expect_used, reason = "32 bytes are enough")]
    pub fn with_random_key() -> Self {
        Self::with_key(&rand::random::<[u8; 32]>()).expect("32 bytes are enough")
    }
}

impl Issuer for JwtAuthority {
    fn issue(&self, now: Now, approved: &Approved) -> Secret {
        let draft = Draft::new()
            .with_issuer(ISSUER)
            .with_subject(&approved.client_id)
            .with_client_id(&approved.client_id)
            .with_scope(&approved.scope)
            .with_lifetime(now.wall, approved.lifetime)
            .with_token_id(&random_text());
        self.key.mint(&draft)
    }
}

#[async_trait]
impl Authenticator for JwtAuthority {
    async fn authenticate(&self, now: Now, presented: &Presented) -> Result<Admission, Refusal> {
        let verified = self.verifier.verify(presented.credential.expose(), now);
        let verified = verified.map_err(|rejection| match rejection {
            Rejection::IssuerMissing | Rejection::IssuerUnexpected => {
                Refusal::rejected("the token is another issuer's")
            }
            Rejection::Expired => Refusal::expired("the token has expired"),
            _ => Refusal::rejected("the token is invalid"),
        })?;
        let claims = verified.claims();
        let exp = claims.expires().ok_or(Refusal::rejected("the token never expires"))?;
        let subject = claims.subject().ok_or(Refusal::rejected("the token names no subject"))?.to_owned();
        Ok(Admission { subject, expires_in: exp.saturating_since(now.wall), is_consumed: false })
    }
}

impl fmt::Debug for JwtAuthority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JwtAuthority(…)")
    }
}

/// 128 random bits as 22 characters: for names and secrets.
pub(crate) fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>())
}
