//! Every event, with as few and with as many fields as it can have, and text that wants to be more than text.

use auth_core::time::Timestamp;
use serde_json::Value;

use crate::entry::{Entry, Event};
use crate::format::fields::is_unsafe;
use crate::format::{Format, Origin, Renderer};

/// Each event with as much as it can have; `$` stands for text from a stranger.
pub(super) const FULL: &[&str] = &[
    r#"{"event":"renewal_started","reason":"due","valid_for_ms":60000}"#,
    r#"{"event":"renewal_delayed","reason":"store_locked","retry_in_ms":250,"valid_for_ms":60000}"#,
    r#"{"event":"renewal_paused","kind":"server_failed","failures":2,"retry_in_ms":2000,"valid_for_ms":60000}"#,
    r#"{"event":"token_requested","attempt":1,"redeems":true,"noted_ms":4,"valid_for_ms":60000}"#,
    r#"{"event":"rate_limited","attempt":1,"retry_after_ms":1000,"took_ms":120,"retry_in_ms":1500,"valid_for_ms":60000}"#,
    r#"{"event":"token_request_failed","attempt":1,"kind":"server_failed","code":503,"took_ms":80,"retry_in_ms":1500,"valid_for_ms":60000}"#,
    r#"{"event":"token_issued","token":"00112233445566aa","generation":3,"expires_in_ms":3600000,"renews_in_ms":3000000,"took_ms":80}"#,
    r#"{"event":"token_adopted","token":"00112233445566aa","generation":3,"expires_in_ms":3600000,"renews_in_ms":3000000,"took_ms":2}"#,
    r#"{"event":"token_unused","token":"00112233445566aa","generation":3,"valid_for_ms":60000}"#,
    r#"{"event":"token_expired","token":"00112233445566aa","generation":3}"#,
    r#"{"event":"refresh_in_doubt","kind":"timeout","retry_in_ms":1500,"valid_for_ms":60000}"#,
    r#"{"event":"refresh_token_refused","token":"00112233445566aa","valid_for_ms":60000}"#,
    r#"{"event":"refresh_token_saved","revision":9,"took_ms":3}"#,
    r#"{"event":"store_failed","step":"save_intent","kind":"store_failed","took_ms":5000,"retry_in_ms":1500,"valid_for_ms":60000}"#,
    r#"{"event":"server_clock_learned","offset_ms":-2500}"#,
    r#"{"event":"clock_set_back","behind_ms":3600000}"#,
    r#"{"event":"token_rejected","token":"00112233445566aa","generation":3,"valid_for_ms":60000}"#,
    r#"{"event":"scopes_checked","verdict":"allowed","required":["a"],"granted":["a","b"],"missing":[],"client_id":"$"}"#,
    r#"{"event":"scopes_checked","verdict":"denied","required":["a","c"],"granted":["a","b"],"missing":["c"],"client_id":"$"}"#,
    r#"{"event":"scopes_checked","verdict":"error","required":[],"granted":[],"missing":[],"client_id":null}"#,
    r#"{"event":"connecting","connection":2,"failures":1}"#,
    r#"{"event":"authenticated","connection":2,"token":"00112233445566aa","session_id":"$","latency_ms":142}"#,
    r#"{"event":"token_renewed","connection":2,"token":"00112233445566aa","session_id":"$","in_band":true}"#,
    r#"{"event":"renewal_failed","connection":2,"reason":"$","retry_in_ms":1500,"valid_for_ms":60000}"#,
    r#"{"event":"connection_delayed","reason":"$","failures":1,"retry_in_ms":1500}"#,
    r#"{"event":"connection_lost","connection":2,"reason":"$","code":1006,"lasted_ms":60000,"retry_in_ms":1500}"#,
    r#"{"event":"connection_lost","connection":2,"reason":"$","code":4401,"lasted_ms":null,"retry_in_ms":1500}"#,
    r#"{"event":"session_suspended","failures":12}"#,
    r#"{"event":"session_failed","connection":9,"reason":"$","code":4403}"#,
    r#"{"event":"session_closed","lasted_ms":60000}"#,
    r#"{"event":"token_released","token":"00112233445566aa","generation":3}"#,
    r#"{"event":"token_request_signed","key_name":"$","client_id":"$"}"#,
    r#"{"event":"token_revoked","token":"00112233445566aa","target":"$","peer":"192.0.2.7:50000"}"#,
    r#"{"event":"revocation_failed","token":"00112233445566aa","target":"$","kind":"transport","code":503}"#,
    r#"{"event":"token_minted","token":"00112233445566aa","grant":"$","client_id":"$","scope":["a","b"],"expires_in_ms":60000,"peer":"[2001:db8::7]:50000"}"#,
    r#"{"event":"token_denied","grant":"$","reason":"$","client_id":"$","peer":"[fe80::1%3]:50000","repeated":3}"#,
    r#"{"event":"token_consumed","token":"00112233445566aa","client_id":"$","peer":"[::ffff:192.0.2.7]:50000","took_ms":2}"#,
    r#"{"event":"replay_rejected","replayed":"nonce","token":"00112233445566aa","client_id":"$","peer":"192.0.2.7:50000","repeated":2}"#,
    r#"{"event":"client_authenticated","connection":9,"dialect":"$","token":"00112233445566aa","client_id":"$","latency_ms":12,"peer":"192.0.2.7:50000"}"#,
    r#"{"event":"client_reauthenticated","connection":9,"token":"00112233445566aa","client_id":"$"}"#,
    r#"{"event":"client_rejected","connection":9,"dialect":"$","reason":"$","code":4401,"token":"00112233445566aa","latency_ms":12,"peer":"192.0.2.7:50000","repeated":1}"#,
    r#"{"event":"client_disconnected","connection":9,"reason":"$","code":4001,"lasted_ms":60000,"revoked_for_ms":7,"revoked_via":"local"}"#,
    r#"{"event":"segment_opened","origin":"$","reason":"created","first":1,"peaks":[],"verifier_key":null}"#,
    r#"{"event":"segment_opened","origin":"$","reason":"rotated","first":8,"peaks":["00ff","ee11"],"verifier_key":"log.example+00112233+AQID"}"#,
    // What a log holds in these is the log's own, but whoever may write the file may write anything.
    r#"{"event":"segment_opened","origin":"$","reason":"reopened","first":8,"peaks":["$","$"],"verifier_key":"$"}"#,
    r#"{"event":"records_dropped","count":3,"reason":"disk_full"}"#,
    r#"{"event":"log_recovered","dropped_bytes":77}"#,
    r#"{"event":"log_fault","step":"sync","code":5}"#,
    r#"{"event":"events_dropped","from_seq":3,"to_seq":9,"count":7}"#,
    r#"{"event":"events_in_doubt","from_seq":3,"to_seq":9,"count":7}"#,
    r#"{"event":"event_oversized","name":"$","bytes":300000}"#,
    r#"{"event":"checkpoint_signed","size":8,"note":"log.example\n8\nAQID=\nhead 00ff\n\n— log.example AQIDBA==\n"}"#,
    r#"{"event":"checkpoint_signed","size":8,"note":"$"}"#,
    // Behind those that were there before it, whose vectors name their numbers.
    r#"{"event":"expiry_ignored","connection":2,"reason":"$"}"#,
    r#"{"event":"segment_opened","origin":"$","reason":"fault","first":8,"peaks":["00ff"],"verifier_key":null,"library_version":"0.1.0"}"#,
    r#"{"event":"trail_opened","host":"$","application":"$","version":"$","process_id":4711,"library_version":"0.1.0","previous_end":"clean","dropped_bytes":0}"#,
    r#"{"event":"trail_opened","host":"$","application":"$","version":"$","process_id":4711,"library_version":"$","previous_end":"broken_off","dropped_bytes":77}"#,
    r#"{"event":"trail_closed","observed":1000,"written":990,"dropped":9,"failed":1,"best_effort_written":700,"best_effort_lost":8,"durable_written":200,"durable_lost":2,"strict_written":90,"strict_lost":0}"#,
];

/// Text that wants to be more than text.
pub(super) const HOSTILE: &[&str] = &[
    "plain",
    "",
    " spaces  around ",
    "x\n<85>1 2026-11-22T05:00:00Z evil app - - - forged",
    "x\r\n{\"event\":\"forged\"}",
    "x\"] forged [rtauth@32473 forged=\"1\" x=\"",
    "x forged=1 act=forged",
    "CEF:0|a|b|c|d|e|9|forged=1",
    "a|b\\c=d]e\"f",
    "ends in a backslash \\",
    "\\n \\] \\\" \\= \\|",
    "\0\t\u{7f}\u{85}\u{2028}\u{2029}\u{202e}",
    "\u{feff}byte order mark",
    "'; DROP TABLE audit; -- <script>${jndi:ldap://x}</script>",
];

/// Each event that can be made from [`FULL`], with `text` where a stranger's stands: with all fields, and with as few as it can have.
pub(super) fn events(text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    for sample in FULL {
        let mut full: Value = serde_json::from_str(sample).unwrap();
        for value in full.as_object_mut().unwrap().values_mut() {
            replace(value, text);
        }
        events.push(event(&full));
        let least = least(full);
        let event = event(&least);
        if events.last() != Some(&event) {
            events.push(event);
        }
    }
    events
}

fn replace(value: &mut Value, text: &str) {
    match value {
        Value::String(place) if place == "$" => *place = text.to_owned(),
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, text)),
        _ => {}
    }
}

/// The sample without every field that it can be read without.
fn least(mut sample: Value) -> Value {
    let names: Vec<String> = sample.as_object().unwrap().keys().cloned().collect();
    for name in names {
        let mut without = sample.clone();
        without.as_object_mut().unwrap().insert(name, Value::Null);
        if serde_json::from_value::<Event>(without.clone()).is_ok() {
            sample = without;
        }
    }
    sample
}

fn event(sample: &Value) -> Event {
    serde_json::from_value(sample.clone()).unwrap_or_else(|error| panic!("{error}: {sample}"))
}

/// An entry of each event.
pub(super) fn entries(text: &str) -> Vec<Entry> {
    let session = Some(auth_core::observe::Label::new(text));
    let numbered = events(text).into_iter().zip(1..);
    numbered.map(|(event, sequence)| Entry::new(sequence, AT, session.clone(), event)).collect()
}

/// 2026-11-22T05:00:00.123Z.
pub(super) const AT: Timestamp = Timestamp::from_millis(1_795_323_600_123);

pub(super) fn origin() -> Origin {
    Origin::new("gw-1.example", "gateway").with_process(4_711).with_version("1.2.3").with_service("orders")
}

/// An origin that was configured by somebody who means no good.
pub(super) fn hostile_origin(text: &str) -> Origin {
    Origin::new(text, text).with_version(text).with_service(text)
}

pub(super) fn renderer(format: Format) -> Renderer {
    Renderer::new(format, origin())
}

/// Each rendering of each event with each hostile text, as two origins.
pub(super) fn for_each_rendering(format: Format, mut check: impl FnMut(&Entry, &str)) {
    let long: Vec<String> =
        ["\"", "\\", "]", "=", "😀", "é", "x\n"].iter().map(|text| text.repeat(128)).collect();
    for text in HOSTILE.iter().copied().chain(long.iter().map(String::as_str)) {
        for renderer in [renderer(format), Renderer::new(format, hostile_origin(text))] {
            for entry in entries(text) {
                check(&entry, &renderer.render(&entry));
            }
        }
    }
}

#[test]
fn every_event_has_a_sample_and_a_meaning_of_its_own() {
    // An unknown name is answered with all that are known.
    let unknown = r#"{"event":"?"}"#;
    let of_credentials = serde_json::from_str::<auth_core::AuthEvent>(unknown).unwrap_err().to_string();
    let of_trails = serde_json::from_str::<crate::entry::TrailEvent>(unknown).unwrap_err().to_string();
    let names = |error: &str| -> Vec<String> {
        let (_, known) = error.split_once("expected one of ").unwrap();
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let known = [names(&of_credentials), names(&of_trails)].concat();
    assert!(known.len() >= 39 + 6, "{known:?}");
    let sampled = events("x");
    for name in known {
        assert!(sampled.iter().any(|event| event.name() == name), "{name} has no sample");
    }
    for event in sampled {
        let meaning = crate::format::meaning::Meaning::of(&event);
        assert_ne!(meaning, crate::format::meaning::Meaning::UNMAPPED, "{event:?} means nothing yet");
        assert!(meaning.caption.is_ascii() && meaning.caption.len() <= 40, "{event:?}");
    }
}

#[test]
fn no_rendering_holds_a_control_character_or_a_line_end() {
    for format in Format::ALL {
        for_each_rendering(format, |_, text| {
            let bad = text.chars().find(|character| is_unsafe(*character));
            assert_eq!(bad, None, "{format}: {text:?}");
            assert_eq!(text.lines().count(), 1, "{format}: {text:?}");
        });
    }
}

#[test]
fn a_record_of_json_is_one_object_and_the_same_event_as_was_given() {
    for format in [Format::Json, Format::Hec] {
        for_each_rendering(format, |entry, text| {
            let value: Value = serde_json::from_str(text).unwrap();
            let record = if format == Format::Hec { value["event"].clone() } else { value };
            assert_eq!(serde_json::from_value::<Entry>(record).unwrap(), *entry, "{text}");
        });
    }
}

#[test]
fn records_for_receivers_of_lines_stay_below_two_kibibytes_and_say_when_something_is_missing() {
    for (format, mark) in [(Format::Syslog, "truncated=\"1\""), (Format::Cef, "rtauthTruncated=1")] {
        let (mut cut, mut whole) = (0, 0);
        for_each_rendering(format, |_, text| {
            assert!(text.len() < 2_048, "{format}: {} bytes: {text}", text.len());
            if text.contains(mark) { cut += 1 } else { whole += 1 }
        });
        assert!(cut > 0 && whole > 10 * cut, "{format}: {cut} cut, {whole} whole");
    }
}
