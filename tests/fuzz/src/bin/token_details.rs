//! What an Ably server or a token provider answers.
#![no_main]

use auth_core::ably::{ErrorInfo, TokenDetails, TokenReply};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(details) = TokenDetails::parse(body) {
        assert!(!details.token().is_empty());
        let again = TokenDetails::parse(details.to_json().expose().as_bytes());
        assert!(again.is_ok_and(|again| again == details));
    }
    if let Ok(text) = str::from_utf8(body) {
        let _ = TokenReply::from_text(text);
    }
    match TokenReply::from_json(body) {
        Ok(TokenReply::Details(details)) => {
            assert!(TokenDetails::parse(body).is_ok_and(|same| same == details))
        }
        Ok(TokenReply::Token(_)) => unreachable!("a JSON object is no token string"),
        Ok(TokenReply::Request(_)) | Err(_) => {}
    }
    if let Some(info) = ErrorInfo::parse(body) {
        assert!(ErrorInfo::parse(info.to_json().as_bytes()).is_some());
        let _ = info.to_error().to_string();
    }
});
