//! Tokens: signing a request near what its HMAC costs, and verifying a JWT in half of what jsonwebtoken takes.

use std::time::Duration;

use auth_core::ably::{ApiKey, ClientId, Nonce, TokenParams, TokenRequest};
use auth_core::jwt::{Draft, HmacKey, KeySet, Verifier};
use auth_core::time::{Moment, Now, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use sha2::Sha256;

use crate::case::{Bar, Case, Work, routine};

pub(crate) fn cases() -> Vec<Case> {
    vec![sign(), verify_request(), verify_jwt()]
}

const NOW: Now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
const SECRET: &str = "a secret of some forty characters, as Ably's";
const NONCE: &str = "0123456789abcdef0123456789abcdef";
const CAPABILITY: &str = r#"{"chat:*":["history","publish","subscribe"],"news":["subscribe"]}"#;

/// The text that is signed, as the specification has it.
fn signing_text() -> String {
    format!("appid1.keyid1\n3600000\n{CAPABILITY}\nalice\n1700000000000\n{NONCE}\n")
}

fn bare_hmac() -> impl FnMut() -> [u8; 32] {
    let text = signing_text();
    move || {
        let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes());
        mac.map(|mac| mac.chain_update(text.as_bytes()).finalize().into_bytes().into()).unwrap_or_default()
    }
}

#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
fn request() -> (ApiKey, TokenParams, Nonce) {
    let key =
        ApiKey::parse(&format!("appid1.keyid1:{}", SECRET.replace([' ', '\'', ','], "_"))).expect("a key");
    let params = TokenParams::new()
        .with_ttl(Duration::from_secs(3_600))
        .with_capability(CAPABILITY.parse().expect("a capability"))
        .with_client_id(ClientId::new("alice").expect("a client id"));
    (key, params, Nonce::new(NONCE).expect("a nonce"))
}

/// From parameters to a signed request.
fn sign() -> Case {
    let (key, params, nonce) = request();
    Case {
        subject: "token_request_sign",
        size: None,
        work: Work::Timed {
            ours: routine(move || TokenRequest::sign(&key, &params, NOW, nonce.clone())),
            baseline: routine(bare_hmac()),
        },
        baseline_name: "the bare HMAC-SHA-256 of the same bytes",
        bar: Bar::Ratio(1.5),
    }
}

/// From the JSON of a request to a verdict, the capability read.
fn verify_request() -> Case {
    let (key, params, nonce) = request();
    let json = TokenRequest::sign(&key, &params, NOW, nonce).to_json();
    Case {
        subject: "token_request_verify",
        size: None,
        work: Work::Timed {
            ours: routine(move || {
                TokenRequest::parse(json.expose().as_bytes())
                    .and_then(|request| request.verify(&key, NOW))
                    .is_ok()
            }),
            baseline: routine(bare_hmac()),
        },
        baseline_name: "the bare HMAC-SHA-256 of the same bytes",
        bar: Bar::Most(10_000.0),
    }
}

/// What jsonwebtoken reads the claims into.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read, not looked at: as much as ours reads")]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    scope: String,
    iat: u64,
    exp: u64,
    jti: String,
}

/// From the text of a token with 8 claims to verified claims: signature, `exp`, `iss` and `aud`.
#[expect(clippy::expect_used, reason = "a bench without its input measures nothing")]
fn verify_jwt() -> Case {
    let far = Timestamp::from_millis(4_102_444_800_000);
    let key = HmacKey::hs256(SECRET.as_bytes()).expect("a strong key");
    let scope = "conversation:read user:read analytics:read".parse().expect("scopes");
    let draft = Draft::new()
        .with_issuer("https://login.example.com")
        .with_subject("6d1b1c0e-3d5a-4a9e-9a53-6d0b2f6f1f0a")
        .with_audience("https://api.example.com")
        .with_client_id("f47ac10b-58cc-4372-a567-0e02b2c3d479")
        .with_scope(&scope)
        .with_issued_at(NOW.wall)
        .with_expiry(far)
        .with_token_id("b0e5f6de-4b7a-4c39-8a3f-1d2c3b4a5968");
    let token = key.mint(&draft).expose().to_owned();
    let verifier = Verifier::new(KeySet::of(key))
        .with_issuer("https://login.example.com")
        .with_audience("https://api.example.com");
    verifier.verify(&token, NOW).expect("our own token verifies");

    let theirs = DecodingKey::from_secret(SECRET.as_bytes());
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&["https://login.example.com"]);
    validation.set_audience(&["https://api.example.com"]);
    let same = token.clone();
    jsonwebtoken::decode::<Claims>(&same, &theirs, &validation).expect("it verifies for them too");
    Case {
        subject: "jwt_verify",
        size: None,
        work: Work::Timed {
            ours: routine(move || verifier.verify(&token, NOW).is_ok()),
            baseline: routine(move || jsonwebtoken::decode::<Claims>(&same, &theirs, &validation).is_ok()),
        },
        baseline_name: "jsonwebtoken's decode",
        bar: Bar::Ratio(0.5),
    }
}
