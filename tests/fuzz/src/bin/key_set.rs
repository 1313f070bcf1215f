//! A JWK set, as a stranger's server may publish it.
#![no_main]

use auth_core::jwt::{KeySet, SymmetricOnly};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| {
    if let Ok(keys) = KeySet::parse(json, &SymmetricOnly) {
        assert!(!keys.is_empty());
    }
    // All that this back end knows is secrets, which nobody publishes.
    assert!(KeySet::parse_public(json, &SymmetricOnly).is_err());
});
