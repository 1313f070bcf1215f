//! A token request of a stranger, and one of ours for the parameters that a stranger asked for.
#![no_main]

use auth_core::ably::{ApiKey, Nonce, TokenParams, TokenRequest};
use auth_core::time::{Moment, Now, Timestamp};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let Ok(request) = TokenRequest::parse(json) else { return };
    assert_eq!(TokenRequest::parse(request.to_json().expose().as_bytes()).as_ref(), Ok(&request));

    let Ok(key) = ApiKey::parse("appid1.keyid1:SecretSecretSecret") else { unreachable!("it is a key") };
    let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
    // The corpus has requests that this key signed: what is granted can be signed again, and is the same.
    let Ok(granted) = request.verify(&key, now) else { return };
    let mut params = TokenParams::new().with_timestamp(granted.timestamp).with_nonce(granted.nonce.clone());
    if let Some(ttl) = granted.ttl {
        params = params.with_ttl(ttl);
    }
    if let Some(capability) = granted.capability.clone() {
        params = params.with_capability(capability);
    }
    if let Some(client_id) = granted.client_id.clone() {
        params = params.with_client_id(client_id);
    }
    let Ok(unused) = Nonce::new("0123456789abcdef") else { unreachable!("it is a nonce") };
    let signed = TokenRequest::sign(&key, &params, now, unused);
    assert_eq!(signed.verify(&key, now), Ok(granted));
});
