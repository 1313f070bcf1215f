//! How events are written and read.

use super::*;
use crate::observe::FailedRequest;
use crate::{Error, Retry};

#[test]
fn events_serialize_flat_under_their_names() {
    let event = AuthEvent::RateLimited {
        attempt: 1,
        took: None,
        retry_after: Some(Duration::from_secs(1)),
        retry_in: None,
        valid_for: None,
    };
    assert_eq!(
        serde_json::to_string(&event).unwrap(),
        r#"{"event":"rate_limited","attempt":1,"took_ms":null,"retry_after_ms":1000,"retry_in_ms":null,"valid_for_ms":null}"#
    );
}

#[test]
fn an_event_is_read_back_as_it_was_written() {
    let event = AuthEvent::TokenMinted {
        token: crate::fingerprint::FingerprintKey::new([1; 32]).fingerprint(&crate::Secret::from("token")),
        grant: Label::new("client_credentials"),
        client_id: None,
        scope: Scopes::of(["conversation:read"]).unwrap(),
        expires_in: Duration::from_secs(60),
        peer: Some("[::1]:80".parse().unwrap()),
    };
    let json = serde_json::to_string(&event).unwrap();
    assert_eq!(serde_json::from_str::<AuthEvent>(&json).unwrap(), event, "{json}");
    assert!(json.starts_with(&std::format!(r#"{{"event":"{}","#, event.name())), "{json}");
}

#[test]
fn a_failed_request_is_told_by_whether_the_server_asked_to_slow_down() {
    let second = Duration::from_secs(1);
    let request =
        FailedRequest { attempt: 2, took: Some(second), retry_in: Some(3 * second), valid_for: None };
    let told = |kind, retry| AuthEvent::of_failure(&Error::new(kind, "why").with_retry(retry), request);
    for (advice, retry_after) in [(Retry::After(second), Some(second)), (Retry::Backoff, None)] {
        let (took, retry_in) = (request.took, request.retry_in);
        let slower = AuthEvent::RateLimited { attempt: 2, took, retry_after, retry_in, valid_for: None };
        assert_eq!(told(ErrorKind::RateLimited, advice), slower);
        let failed = AuthEvent::TokenRequestFailed {
            attempt: 2,
            kind: ErrorKind::ServerFailed,
            code: None,
            took,
            retry_in,
            valid_for: None,
        };
        assert_eq!(told(ErrorKind::ServerFailed, advice), failed);
    }
}

#[test]
fn a_record_from_before_stores_and_revocations_were_timed_is_read_and_written_as_it_was() {
    for record in [
        r#"{"event":"token_requested","attempt":1,"redeems":true,"valid_for_ms":null}"#,
        r#"{"event":"token_adopted","token":"00112233445566aa","generation":3,"expires_in_ms":1,"renews_in_ms":1}"#,
        r#"{"event":"refresh_token_saved","revision":9}"#,
        r#"{"event":"store_failed","step":"lock","kind":"store_failed","retry_in_ms":null,"valid_for_ms":null}"#,
        r#"{"event":"token_consumed","token":"00112233445566aa","client_id":null,"peer":null}"#,
        r#"{"event":"token_consumed","token":"00112233445566aa","client_id":null,"peer":null,"repeated":2}"#,
        r#"{"event":"client_rejected","connection":9,"dialect":"ably","reason":"r","code":null,"token":null,"peer":null,"repeated":0}"#,
        r#"{"event":"client_disconnected","connection":9,"reason":"revoked","code":4001,"lasted_ms":60000}"#,
    ] {
        let event: AuthEvent = serde_json::from_str(record).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), record);
    }
}

#[test]
fn how_a_revocation_came_is_one_of_a_closed_list() {
    for (path, text) in [
        (RevocationPath::Local, r#""local""#),
        (RevocationPath::Stream, r#""stream""#),
        (RevocationPath::PubSub, r#""pubsub""#),
        (RevocationPath::Poll, r#""poll""#),
    ] {
        assert_eq!(serde_json::to_string(&path).unwrap(), text);
        assert_eq!(serde_json::from_str::<RevocationPath>(text).unwrap(), path);
    }
}
