//! The Genesys document's entry and SIEM event, and Splunk's event object.

use auth_core::AuthEvent;
use auth_core::scope::{Scopes, validate, validate_token};
use auth_core::time::Timestamp;
use serde_json::{Value, json};

use super::samples::{self, AT};
use crate::Entry;
use crate::format::{Format, Origin, Renderer};

fn entry(sample: &str) -> Entry {
    Entry::new(1, AT, None, serde_json::from_str(sample).unwrap())
}

fn rendered(renderer: &Renderer, sample: &str) -> Value {
    serde_json::from_str(&renderer.render(&entry(sample))).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

const AUTHENTICATED: &str =
    r#"{"event":"authenticated","connection":1,"token":null,"session_id":null,"latency_ms":142}"#;
const REJECTED: &str = r#"{"event":"client_rejected","connection":1,"dialect":"genesys","reason":"expired","code":null,"token":null,"peer":null}"#;
const FAILED: &str = r#"{"event":"connection_lost","connection":1,"reason":"refused","code":null,"lasted_ms":null,"retry_in_ms":null}"#;
const LOST: &str = r#"{"event":"connection_lost","connection":1,"reason":"reset","code":null,"lasted_ms":5,"retry_in_ms":null}"#;

#[test]
fn an_entry_has_exactly_the_documents_keys_and_the_siem_event_two_more_and_who_speaks() {
    let documented = [
        "avg_latency_ms",
        "event_type",
        "id",
        "latency_ms",
        "metadata",
        "status",
        "success_rate",
        "timestamp",
    ];
    let (generic, siem) = (samples::renderer(Format::Generic), samples::renderer(Format::Siem));
    for entry in samples::entries("x") {
        let mut audit: Value = serde_json::from_str(&generic.render(&entry)).unwrap();
        assert_eq!(keys(&audit), documented);
        let mut event: Value = serde_json::from_str(&siem.render(&entry)).unwrap();
        let failed = event["status"] == "failure";
        let members = event.as_object_mut().unwrap();
        assert_eq!(members.remove("severity"), Some(json!(if failed { "warning" } else { "info" })));
        assert_eq!(members.remove("source"), Some(json!("gateway")));
        // Beside what a `trail_opened` says itself.
        let is_said = |name: &str| !audit["metadata"][name].is_null();
        let origin = siem.origin();
        let speaker = [("host", json!(origin.host())), ("process_id", json!(origin.process()))];
        let speaker = speaker.into_iter().filter(|(name, _)| !is_said(name)).collect::<Vec<_>>();
        assert_eq!(speaker.len(), if is_said("host") { 0 } else { 2 }, "{audit}");
        audit["metadata"]
            .as_object_mut()
            .unwrap()
            .extend(speaker.into_iter().map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(event, audit, "the rest is a copy");
    }
}

#[test]
fn a_trail_that_says_where_it_was_opened_is_believed_by_whoever_exports_it() {
    let siem = samples::renderer(Format::Siem);
    let opened = |host: Value, process: Value| {
        let event = json!({"event": "trail_opened", "host": host, "application": null, "version": null, "process_id": process,
            "library_version": "0.1.0", "previous_end": "none", "dropped_bytes": 0});
        let metadata = rendered(&siem, &event.to_string())["metadata"].take();
        (metadata["host"].clone(), metadata["process_id"].clone())
    };
    assert_eq!(opened(json!("gw-9"), json!(7)), (json!("gw-9"), json!(7)));
    assert_eq!(opened(json!("gw-9"), Value::Null), (json!("gw-9"), json!(4_711)));
    assert_eq!(opened(Value::Null, Value::Null), (json!("gw-1.example"), json!(4_711)));
}

#[test]
fn the_documents_example_is_rendered_as_the_document_shows_it() {
    let mut entry = rendered(&samples::renderer(Format::Generic), AUTHENTICATED);
    let id = entry["id"].take();
    let expected = json!({
        "id": null,
        "timestamp": AT.to_string(),
        "event_type": "authentication_attempt",
        "status": "success",
        "latency_ms": 142,
        "success_rate": 100.0,
        "avg_latency_ms": 142.0,
        "metadata": {"event": "authenticated", "connection": 1, "token": null, "session_id": null, "latency_ms": 142},
    });
    assert_eq!(entry, expected);
    let id = id.as_str().unwrap();
    assert_eq!((id.len(), &id[14..15]), (36, "8"), "RFC 9562 version 8: {id}");
    assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
}

#[test]
fn totals_count_attempts_and_nothing_else() {
    let renderer = samples::renderer(Format::Generic);
    let none = rendered(&renderer, LOST);
    assert_eq!((&none["success_rate"], &none["avg_latency_ms"]), (&json!(100.0), &json!(null)));
    assert_eq!((&none["event_type"], &none["status"]), (&json!("connection_lost"), &json!("failure")));
    rendered(&renderer, AUTHENTICATED);
    for failed in
        [REJECTED, FAILED, r#"{"event":"connection_delayed","reason":"x","failures":1,"retry_in_ms":5}"#]
    {
        let attempt = rendered(&renderer, failed);
        assert_eq!(attempt["event_type"], "authentication_attempt");
        assert_eq!((&attempt["status"], &attempt["latency_ms"]), (&json!("failure"), &json!(null)));
    }
    let slower = AUTHENTICATED.replace("142", "242");
    let last = rendered(&renderer, &slower);
    assert_eq!((&last["success_rate"], &last["avg_latency_ms"]), (&json!(40.0), &json!(192.0)));
    let other = rendered(&samples::renderer(Format::Generic), FAILED);
    assert_eq!(other["success_rate"], 0.0, "each renderer has totals of its own");
}

#[test]
fn a_scope_check_has_the_documents_payload() {
    let required: Scopes = "a c".parse().unwrap();
    let granted: Scopes = "a b".parse().unwrap();
    let check = |required: &Scopes, client_id: Option<&str>| {
        let payload = validate(granted.clone(), client_id, required, AT).audit_payload;
        let event = AuthEvent::ScopesChecked {
            verdict: payload.result,
            required: required.clone(),
            granted: granted.clone(),
            missing: granted.missing(required),
            client_id: client_id.map(auth_core::observe::Label::new),
        };
        (event, serde_json::to_value(payload).unwrap())
    };
    let unreadable = validate_token("opaque", &required, AT).audit_payload;
    let unreadable = (
        AuthEvent::ScopesChecked {
            verdict: unreadable.result,
            required: required.clone(),
            granted: Scopes::default(),
            missing: required.clone(),
            client_id: None,
        },
        serde_json::to_value(unreadable).unwrap(),
    );
    for (event, payload) in [check(&required, Some("abc123")), check(&granted, None), unreadable] {
        let entry = Entry::new(1, AT, None, crate::Event::Auth(event));
        let text = samples::renderer(Format::Generic).render(&entry);
        let rendered: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(rendered["metadata"], payload);
        assert_eq!(rendered["event_type"], "scopes_checked");
    }
}

#[test]
fn an_id_is_the_records_own_and_tells_apart_whatever_differs() {
    let id = |host: &str, sequence: u64, text: &str| {
        let event = serde_json::from_str(&FAILED.replace("refused", text)).unwrap();
        let renderer = Renderer::new(Format::Generic, Origin::new(host, "gateway"));
        let rendered = renderer.render(&Entry::new(sequence, AT, None, event));
        serde_json::from_str::<Value>(&rendered).unwrap()["id"].clone()
    };
    assert_eq!(id("a", 1, "x"), id("a", 1, "x"));
    let different = [id("a", 1, "x"), id("b", 1, "x"), id("a", 2, "x"), id("a", 1, "y")];
    for (index, id) in different.iter().enumerate() {
        assert!(!different[..index].contains(id));
    }
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Json) {
        let text = samples::renderer(format).render(&entry(FAILED));
        let generic = rendered(&samples::renderer(Format::Generic), FAILED);
        assert!(text.contains(generic["id"].as_str().unwrap()), "{format} has another id: {text}");
    }
}

#[test]
fn splunk_gets_seconds_with_a_fraction_and_flat_text_fields() {
    samples::for_each_rendering(Format::Hec, |entry, text| {
        let event: Value = serde_json::from_str(text).unwrap();
        assert_eq!(keys(&event), ["event", "fields", "host", "source", "sourcetype", "time"], "{text}");
        assert!(text.starts_with("{\"time\":1795323600.123,\"host\":"), "{text}");
        assert!(event["fields"].as_object().unwrap().values().all(Value::is_string), "{text}");
        assert_eq!(event["event"]["seq"], entry.sequence);
    });
    let early = Entry::new(1, Timestamp::from_millis(1_002), None, entry(FAILED).event);
    let text = samples::renderer(Format::Hec).render(&early);
    assert!(text.starts_with("{\"time\":1.002,"), "{text}");
}
