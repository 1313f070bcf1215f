//! Tests of records: what is written, what is read, and what neither gives away.

use std::string::{String, ToString as _};
use std::{format, vec};

use proptest::prelude::*;

use super::*;

fn record() -> Record {
    Record {
        revision: 7,
        refresh_token: Some(Secret::from("refresh-canary")),
        origin: Some(Record::origin_of(&Secret::from("abc"))),
        access_token: Some(StoredToken {
            secret: Secret::from("access-canary"),
            issued: Timestamp::from_millis(1_700_000_000_000),
            expires: Timestamp::from_millis(1_700_003_600_000),
            scope: Some("a b".parse().unwrap()),
            details: Some(r#"{"clientId":"alice"}"#.into()),
        }),
        intent: Some(Timestamp::from_millis(1_700_003_480_000)),
        credential: Some("one client at one server".into()),
        wanted: Some("one scope".into()),
    }
}

/// As `to_json` writes it. A release that no longer reads this loses people's logins.
const GOLDEN: &str = concat!(
    r#"{"version":1,"revision":7,"refresh_token":"refresh-canary","origin":"ba7816bf8f01cfea414140de5dae2223","#,
    r#""access_token":{"token":"access-canary","issued_ms":1700000000000,"expires_ms":1700003600000,"scope":"a b","#,
    r#""details":"{\"clientId\":\"alice\"}"},"#,
    r#""intent_ms":1700003480000,"credential":"one client at one server","wanted":"one scope"}"#,
);

#[test]
fn the_golden_record_is_written_and_read() {
    assert_eq!(record().to_json().expose(), GOLDEN);
    assert_eq!(Record::parse(GOLDEN.as_bytes()), Ok(record()));
}

#[test]
fn what_is_absent_may_be_left_out_or_null() {
    let empty = Record { revision: 1, ..Record::default() };
    assert_eq!(empty.to_json().expose(), r#"{"version":1,"revision":1}"#);
    for text in [
        r#"{"version":1,"revision":1}"#,
        r#" { "revision": 1, "version": 1, "refresh_token": null, "origin": null, "access_token": null, "intent_ms": null,
            "credential": null, "wanted": null } "#,
    ] {
        assert_eq!(Record::parse(text.as_bytes()), Ok(empty.clone()), "{text}");
    }
    let unscoped = GOLDEN.replace(r#","scope":"a b""#, "");
    assert_eq!(Record::parse(unscoped.as_bytes()).unwrap().access_token.unwrap().scope, None);
}

#[test]
fn an_origin_is_the_first_half_of_sha_256() {
    // FIPS 180-2, appendix B.1.
    assert_eq!(Record::origin_of(&Secret::from("abc")), "ba7816bf8f01cfea414140de5dae2223");
}

#[test]
fn what_is_no_record_is_refused() {
    for text in [
        "",
        "null",
        "[1,7]",
        "{}",
        r#"{"version":1}"#,
        r#"{"revision":1}"#,
        r#"{"version":0,"revision":1}"#,
        r#"{"version":-1,"revision":1}"#,
        r#"{"version":"1","revision":1}"#,
        r#"{"version":1.0,"revision":1}"#,
        r#"{"version":1,"version":1,"revision":1}"#,
        r#"{"version":1,"revision":1,"revision":1}"#,
        r#"{"version":1,"revision":1,"origin":"a","\u006frigin":"a"}"#,
        r#"{"version":1,"revision":1,"unknown":1}"#,
        r#"{"version":1,"revision":1,"refresh_token":5}"#,
        r#"{"version":1,"revision":1,"intent_ms":-5}"#,
        r#"{"version":1,"revision":1,"access_token":"t"}"#,
        r#"{"version":1,"revision":1,"access_token":["t",1,2,"a"]}"#,
        r#"{"version":1,"revision":1,"access_token":{"token":"t","issued_ms":1}}"#,
        r#"{"version":1,"revision":1,"access_token":{"token":"t","issued_ms":1,"expires_ms":2,"more":3}}"#,
        r#"{"version":1,"revision":1,"access_token":{"token":"t","issued_ms":1,"expires_ms":2,"token":"t"}}"#,
        r#"{"version":1,"revision":1,"access_token":{"token":"t","issued_ms":1,"expires_ms":2,"scope":"\""}}"#,
        r#"{"version":1,"revision":1,"access_token":{"token":"t","issued_ms":1,"expires_ms":2,"scope":["a"]}}"#,
        r#"{"version":1,"revision":1}{"#,
        &GOLDEN[..GOLDEN.len() - 1],
    ] {
        let found = Record::parse(text.as_bytes());
        assert!(matches!(found, Err(InvalidRecord::Malformed { .. })), "{text}: {found:?}");
    }
    // The control: without its mistake, the nested one is read.
    let whole =
        r#"{"version":1,"revision":1,"access_token":{"token":"t","issued_ms":1,"expires_ms":2,"scope":"a"}}"#;
    assert!(Record::parse(whole.as_bytes()).is_ok());
}

#[test]
fn a_newer_version_is_told_from_damage_whatever_else_it_holds() {
    for text in [
        r#"{"version":2}"#,
        r#"{"keys":[{"a":1},{"a":2}],"version":2,"revision":"seven","refresh_token":{"sealed":"x"}}"#,
    ] {
        assert_eq!(Record::parse(text.as_bytes()), Err(InvalidRecord::NewerVersion { version: 2 }), "{text}");
    }
    let damaged = Record::parse(br#"{"version":2"#);
    assert!(matches!(damaged, Err(InvalidRecord::Malformed { .. })), "{damaged:?}");
}

#[test]
fn a_text_is_read_up_to_its_bound() {
    let mut text = GOLDEN.as_bytes().to_vec();
    text.resize(Record::LARGEST, b' ');
    assert_eq!(Record::parse(&text), Ok(record()));
    text.push(b' ');
    assert_eq!(Record::parse(&text), Err(InvalidRecord::TooLarge));
}

#[test]
fn no_way_of_formatting_shows_a_token() {
    let invalid =
        Record::parse(GOLDEN.replace("\"revision\":7", "\"revision\":\"refresh-canary\"").as_bytes());
    for text in [
        format!("{:?}", record()),
        format!("{:#?}", record()),
        format!("{:?}", record().to_json()),
        format!("{invalid:?}"),
        invalid.unwrap_err().to_string(),
    ] {
        assert!(!text.contains("canary"), "{text}");
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[ -~]{0,40}", "[\\\\\"\0-\u{1f}/]{0,20}"]
}

prop_compose! {
    fn token()(
        token in text(), issued in any::<u64>(), expires in any::<u64>(),
        scopes in proptest::option::of(proptest::collection::vec("[!#-\\[\\]-~]{1,12}", 0..8)),
        details in proptest::option::of(text()),
    ) -> StoredToken {
        StoredToken {
            secret: Secret::from(token),
            issued: Timestamp::from_millis(issued),
            expires: Timestamp::from_millis(expires),
            scope: scopes.map(|scopes| Scopes::of(scopes).unwrap()),
            details,
        }
    }
}

prop_compose! {
    fn any_record()(
        revision in any::<u64>(), refresh_token in proptest::option::of(text()), origin in proptest::option::of(text()),
        access_token in proptest::option::of(token()), intent in proptest::option::of(any::<u64>()),
        credential in proptest::option::of(text()), wanted in proptest::option::of(text()),
    ) -> Record {
        Record {
            revision,
            refresh_token: refresh_token.map(Secret::from),
            origin,
            access_token,
            intent: intent.map(Timestamp::from_millis),
            credential,
            wanted,
        }
    }
}

proptest! {
    #[test]
    fn any_record_is_read_back_as_it_was(record in any_record()) {
        let text = record.to_json();
        // Someone else's reader agrees that it is JSON.
        prop_assert!(serde_json::from_str::<serde_json::Value>(text.expose()).is_ok());
        prop_assert_eq!(Record::parse(text.expose().as_bytes()), Ok(record));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = Record::parse(&bytes);
    }

    #[test]
    fn a_damaged_record_is_refused_or_another_record(place in 0..GOLDEN.len(), byte in any::<u8>(), length in 0..=GOLDEN.len()) {
        let mut bytes = vec![0; GOLDEN.len()];
        bytes.copy_from_slice(GOLDEN.as_bytes());
        bytes[place] = byte;
        let _ = Record::parse(&bytes);
        // No beginning of a record is a record: a write cut short never passes for a whole one.
        prop_assert_eq!(Record::parse(&GOLDEN.as_bytes()[..length]).is_ok(), length == GOLDEN.len());
    }
}
