//! Signs a token request inside a WebAssembly module.
//!
//! The host writes six lines into the buffer byte by byte (the key, then ttl, capability, client id, timestamp and
//! nonce, an absent one empty), calls [`sign`], and reads the token request byte by byte. So there is no pointer to
//! trust, and no unsafe code but the attributes that export the functions.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::ably::{ApiKey, Nonce, TokenClientId, TokenParams, TokenRequest};
use auth_core::time::{Moment, Now, Timestamp};

/// What the host has written, then what it shall read.
static BUFFER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Empties the buffer.
#[expect(unsafe_code, reason = "the host finds it by this name, which nothing else in the module has")]
#[unsafe(no_mangle)]
pub extern "C" fn clear() {
    buffer().clear();
}

/// Appends a byte to the buffer.
#[expect(unsafe_code, reason = "the host finds it by this name, which nothing else in the module has")]
#[unsafe(no_mangle)]
pub extern "C" fn push(byte: u8) {
    buffer().push(byte);
}

/// Replaces the lines in the buffer by the token request that they ask for, or, if they are wrong, by nothing.
/// Returns the length of what is there now.
#[expect(unsafe_code, reason = "the host finds it by this name, which nothing else in the module has")]
#[unsafe(no_mangle)]
pub extern "C" fn sign() -> usize {
    let mut buffer = buffer();
    let request = str::from_utf8(&buffer).ok().and_then(token_request);
    *buffer = request.unwrap_or_default().into_bytes();
    buffer.len()
}

/// The byte of the buffer at this index, zero beyond its end.
#[expect(unsafe_code, reason = "the host finds it by this name, which nothing else in the module has")]
#[unsafe(no_mangle)]
pub extern "C" fn at(index: usize) -> u8 {
    buffer().get(index).copied().unwrap_or_default()
}

fn token_request(lines: &str) -> Option<String> {
    let [key, ttl, capability, client_id, timestamp, nonce] =
        lines.split('\n').collect::<Vec<_>>().try_into().ok()?;
    let mut params = TokenParams::new();
    if !ttl.is_empty() {
        params = params.with_ttl(Duration::from_millis(ttl.parse().ok()?));
    }
    if !capability.is_empty() {
        params = params.with_capability(capability.parse().ok()?);
    }
    if !client_id.is_empty() {
        params = params.with_client_id(TokenClientId::new(client_id).ok()?);
    }
    // The host's clock, as an argument: the module has none.
    let now = Now { wall: Timestamp::from_millis(timestamp.parse().ok()?), mono: Moment::ORIGIN };
    let request = TokenRequest::sign(&ApiKey::parse(key).ok()?, &params, now, Nonce::new(nonce).ok()?);
    Some(request.to_json().expose().to_owned())
}

fn buffer() -> MutexGuard<'static, Vec<u8>> {
    // A panic aborts here, so nothing poisons it.
    BUFFER.lock().unwrap_or_else(PoisonError::into_inner)
}
