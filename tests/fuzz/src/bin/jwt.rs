//! A JSON Web Token of a stranger.
#![no_main]

use auth_core::jwt::{HmacKey, KeySet, LONGEST_TOKEN, Verifier, looks_like_jwt, read, read_header};
use auth_core::time::{Moment, Now, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|token: &str| {
    let _ = read_header(token);
    let unverified = read(token);
    if unverified.is_ok() {
        assert!(looks_like_jwt(token) && token.len() <= LONGEST_TOKEN);
        assert!(read_header(token).is_ok());
    }
    let Ok(key) = HmacKey::hs256(&[7; 32]) else { unreachable!("it is long enough") };
    let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
    // The corpus has tokens of this key.
    if Verifier::new(KeySet::of(key)).dangerous().with_any_audience().verify(token, now).is_ok() {
        assert!(unverified.is_ok(), "what is verified can be read");
    }
});
