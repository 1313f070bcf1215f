//! The small texts of headers, forms and configuration: the first character chooses which.
#![no_main]

use auth_core::ably::{ApiKey, ClientId, KeyOrToken, Nonce, TokenClientId};
use auth_core::retry_after;
use auth_core::scope::Scopes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let Some((kind, text)) = input.split_at_checked(1) else { return };
    match kind {
        "c" => client_id(text),
        "k" => api_key(text),
        "n" => assert!(Nonce::new(text).map_or(true, |nonce| nonce.as_str() == text)),
        "r" => {
            let (value, date) =
                text.split_once('\n').map_or((text, None), |(value, date)| (value, Some(date)));
            let _ = retry_after::parse(value, date);
        }
        "s" => scopes(text),
        _ => {}
    }
});

fn api_key(text: &str) {
    let key = ApiKey::parse(text);
    if let Ok(key) = &key {
        assert_eq!(format!("{}:{}", key.name(), key.secret().expose()), text);
        assert_eq!(format!("{key:?}"), format!("ApiKey({}:…)", key.name()));
    }
    let names_neither = text.is_empty() || (text.contains(':') && key.is_err());
    assert_eq!(KeyOrToken::parse(text).is_err(), names_neither);
}

fn client_id(text: &str) {
    let client_id = ClientId::new(text);
    if let Ok(client_id) = &client_id {
        assert_eq!(client_id.as_str(), text);
    }
    assert_eq!(TokenClientId::new(text).is_ok(), client_id.is_ok() || text == "*");
}

fn scopes(text: &str) {
    if let Ok(scopes) = text.parse::<Scopes>() {
        assert_eq!(scopes.to_string().parse::<Scopes>().as_ref(), Ok(&scopes));
        assert!(scopes.missing(&scopes).is_empty());
    }
}
