//! The server's half of [`wire`](crate::wire): requests read and replies built as values, without I/O.

pub mod ably;
mod claimed;
mod decision;
mod grace;
pub mod optave;
pub mod spatium;
mod token;

use std::sync::Arc;
use std::time::Duration;

use auth_core::jwt::{HmacKey, KeySet, SignJws, Verifier};

pub use self::claimed::Claimed;
pub use self::decision::{Decision, Decisions};
pub use self::grace::Grace;
pub use self::token::{Grant, Issued, Refusal, TokenCall};

/// A key that signs, and the keys that verify what it has signed.
#[expect(clippy::expect_used, reason = "32 bytes are enough")]
fn hs256(key: [u8; 32]) -> (Arc<dyn SignJws>, KeySet) {
    let key = HmacKey::hs256(&key).expect("32 bytes are enough");
    (Arc::new(key.clone()), KeySet::of(key))
}

/// Verifies what this server has issued itself. Its clock may have been stepped back since.
fn verifier(keys: KeySet, issuer: &str) -> Verifier {
    Verifier::new(keys).with_issuer(issuer).with_single_use().with_issuer_ahead(Duration::from_secs(60))
}
