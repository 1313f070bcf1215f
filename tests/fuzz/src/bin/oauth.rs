//! What a token endpoint answers.
#![no_main]

use auth_core::oauth::{ErrorResponse, TokenResponse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let response = TokenResponse::parse(body);
    if let Ok(response) = &response {
        assert!(!response.access_token.is_empty());
    }
    if let Some(response) = ErrorResponse::parse(body) {
        // Registered codes only, or these words in place of any other.
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        assert!(response.code == "unknown code" || response.code.split('_').all(is_word));
        // A body with an error is never taken for a token.
        assert!(TokenResponse::parse(body).is_err());
        let _ = response.into_error().to_string();
    }
});
