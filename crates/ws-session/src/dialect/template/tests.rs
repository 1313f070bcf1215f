//! What templates make of a credential, and that the other end takes it out again.

use auth_core::time::{Moment, Timestamp};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dialect::{Captured, Codec, Incoming};

const NOW: Fresh = Fresh {
    now: Now { wall: Timestamp::from_millis(1_700_000_000_999), mono: Moment::ORIGIN },
    random: [0xff; 16],
};

fn filling<'a>(credential: Option<&'a Secret>, captures: &'a Captures) -> Filling<'a> {
    Filling { credential, captures, fresh: NOW, authenticator: None }
}

fn rendered(template: &Template, credential: &str) -> Result<String, Unplaceable> {
    let credential = Secret::from(credential);
    template.render(&filling(Some(&credential), &Captures::default())).map(|text| text.expose().to_owned())
}

/// The text as it is, so that a wrong order, blank or escape shows.
fn text(template: &str, credential: &str) -> String {
    rendered(&Template::text(template), credential).unwrap()
}

fn message(template: Value, credential: &str) -> Value {
    serde_json::from_str(&rendered(&Template::json(template), credential).unwrap()).unwrap()
}

fn said(message: &Value) -> Captures {
    let mut places = Captured { session_id: Some("/sid".to_owned()), ..Captured::default() };
    for name in ["nonce", "id", "nothing", "list"] {
        places.named.insert(name.to_owned(), format!("/{name}"));
    }
    let mut captures = Captures::default();
    captures.take(NOW.now, &places, message);
    captures
}

#[test]
fn a_credential_in_json_stays_within_its_string() {
    let evil = "a\",\"admin\":true,\"b\":\"\\\n\u{1}\u{7f}é\u{2028}${uuid}";
    let form = json!({"type": "auth", "token": "${credential}", "header": "Bearer ${credential}"});
    let expected = json!({"type": "auth", "token": evil, "header": format!("Bearer {evil}")});
    assert_eq!(message(form, evil), expected);
    assert_eq!(message(json!(["${credential|raw}", 1, null, true]), evil), json!([evil, 1, null, true]));
}

#[test]
fn json_within_a_string_of_json_is_escaped_twice() {
    let form = json!({"event": "signin", "data": "{\"token\":\"${credential|json}\"}"});
    let outer = message(form, "a\"b");
    let inner: Value = serde_json::from_str(outer["data"].as_str().unwrap()).unwrap();
    assert_eq!(inner, json!({"token": "a\"b"}));
}

#[test]
fn a_text_is_filled_as_it_stands() {
    assert_eq!(text("Bearer ${credential}", "a b+/="), "Bearer a b+/=");
    assert_eq!(text("40{\"token\":\"${credential|json}\"}", "a\"b"), r#"40{"token":"a\"b"}"#);
    assert_eq!(text("${credential|base64}.${credential|base64url}", "a+b/c=="), "YStiL2M9PQ==.YStiL2M9PQ");
    assert_eq!(text("?t=${credential|url}", "a b/c=\u{e9}"), "?t=a%20b%2Fc%3D%C3%A9");
    assert_eq!(text("$${credential} costs $5", "x"), "${credential} costs $5");
}

#[test]
fn what_goes_with_a_credential_is_filled_in_too() {
    let wanted = "${uuid} ${now_ms} ${now_s}";
    assert_eq!(text(wanted, "x"), "ffffffff-ffff-4fff-bfff-ffffffffffff 1700000000999 1700000000");
    let whole = json!({"ms": "${now_ms}", "s": "${now_s}", "text": "${now_s|raw}", "within": "t=${now_s}"});
    let expected = json!({"ms": 1_700_000_000_999_u64, "s": 1_700_000_000, "text": "1700000000", "within": "t=1700000000"});
    assert_eq!(message(whole, "x"), expected);
}

#[test]
fn what_the_server_said_is_repeated_as_it_said_it() {
    let captures = said(&json!({"sid": "s-1", "nonce": "n\"1", "id": 7, "nothing": null, "list": [1, "a"]}));
    let form = Template::json(json!({
        "session": "${session_id}", "nonce": "${nonce}", "id": "${id}", "text": "${id|raw}/${list}", "none": "${nothing}",
    }));
    let text = form.render(&filling(None, &captures)).unwrap();
    let expected = json!({"session": "s-1", "nonce": "n\"1", "id": 7, "text": "7/[1,\"a\"]", "none": null});
    assert_eq!(serde_json::from_str::<Value>(text.expose()).unwrap(), expected);
}

#[test]
fn what_is_not_known_yet_is_not_invented() {
    let captures = said(&json!({}));
    let credential = Secret::from("x");
    for wanted in ["${session_id}", "${nonce}", "${other}"] {
        for template in [Template::text(wanted), Template::json(json!({"a": [wanted]}))] {
            let refused = template.render(&filling(Some(&credential), &captures));
            assert_eq!(refused, Err(UNKNOWN_CAPTURE), "{template:?}");
        }
    }
}

#[test]
fn a_credential_that_is_missing_or_empty_is_not_placed() {
    let template = Template::text("${credential}");
    assert!(template.render(&filling(None, &Captures::default())).is_err());
    assert!(rendered(&template, "").is_err());
    assert!(Template::text("PING").render(&filling(None, &Captures::default())).is_ok());
}

#[test]
fn a_credential_begins_no_line_of_its_own() {
    for evil in ["a\r\nPUB x 0", "a\nb", "a\0", "a\u{7f}b", "a\u{85}b", "a\tb", "a\x1e{}"] {
        let refused = rendered(&Template::text("CONNECT ${credential}\r\nPING"), evil).unwrap_err();
        assert!(refused.to_string().contains("control character"), "{refused}");
        assert!(!text("CONNECT ${credential|json}", evil).contains(['\r', '\n', '\0', '\x1e']), "{evil:?}");
        assert!(rendered(&Template::text("${credential|base64}"), evil).is_ok());
    }
    assert_eq!(text("CONNECT ${credential}\r\nPING", "a"), "CONNECT a\r\nPING");
}

#[test]
fn an_authenticator_fills_what_nobody_else_knows() {
    #[derive(Debug)]
    struct Signs;
    impl Authenticator for Signs {
        fn fill(
            &self,
            placeholder: &str,
            credential: &Secret,
            captures: &Captures,
            fresh: Fresh,
        ) -> Option<Secret> {
            let nonce = captures.named("nonce")?.as_str()?;
            let at = fresh.now.wall.as_secs();
            (placeholder != "unknown")
                .then(|| Secret::from(format!("{placeholder}({}{nonce}{at})", credential.expose())))
        }
    }
    let captures = said(&json!({"nonce": "n"}));
    let credential = Secret::from("key");
    let filling = Filling { authenticator: Some(&Signs), ..filling(Some(&credential), &captures) };
    let text = Template::text("${signature} ${nonce}").render(&filling).unwrap();
    assert_eq!(
        text.expose(),
        format!("signature(keyn{}) n", filling.fresh.now.wall.as_secs()),
        "a capture comes before the authenticator"
    );
    assert_eq!(Template::text("${unknown}").render(&filling), Err(UNFILLED));
}

#[test]
fn a_template_is_checked_before_it_is_used() {
    let check = |template: Template| template.check(|name| name == "nonce");
    assert_eq!(
        check(Template::text("${credential} ${uuid} ${now_ms} ${now_s} ${session_id} ${nonce|url}")),
        Ok(())
    );
    let unknown = InvalidTemplate::Unknown("token".to_owned());
    assert_eq!(check(Template::text("${token}")), Err(unknown.clone()));
    assert_eq!(check(Template::json(json!({"a": [{"b": "x${token}"}]}))), Err(unknown));
    assert_eq!(
        check(Template::json(json!({"${nonce}": 1}))),
        Err(InvalidTemplate::InName("${nonce}".to_owned()))
    );
    assert_eq!(check(Template::json(json!("${nonce"))), Err(InvalidTemplate::Unclosed));
    assert!(rendered(&Template::text("${credential"), "x").is_err(), "nor does it pass unchecked");
}

#[test]
fn a_template_knows_whether_it_holds_the_credential() {
    assert!(Template::json(json!([{"a": "x${credential|url}"}])).has_credential());
    for without in ["", "credential", "$${credential}", "${nonce}", "${credential"] {
        assert!(!Template::text(without).has_credential(), "{without}");
    }
}

#[test]
fn the_other_end_ignores_members_that_the_template_does_not_name() {
    let template = Template::json(
        json!({"type": "auth", "payload": {"token": "Bearer ${credential}"}, "id": "${uuid}"}),
    );
    let read = |message: Value| template.read(&message.to_string()).map(|found| found.expose().to_owned());
    let good = json!({"type": "auth", "payload": {"token": "Bearer x", "more": 1}, "id": 5, "uid": "u"});
    assert_eq!(read(good).as_deref(), Some("x"));
    for other in [
        json!({"type": "ping", "payload": {"token": "Bearer x"}, "id": 5}),
        json!({"type": "auth", "payload": {"token": "Basic x"}, "id": 5}),
        json!({"type": "auth", "payload": {"token": 7}, "id": 5}),
        json!({"type": "auth", "payload": {"token": "Bearer "}, "id": 5}),
        json!({"type": "auth", "payload": {}, "id": 5}),
        json!({"type": "auth", "payload": {"token": "Bearer x"}}),
        json!([]),
        json!("Bearer x"),
    ] {
        assert_eq!(read(other.clone()), None, "{other}");
    }
    assert_eq!(template.read("not json"), None);
    let phoenix = Template::json(json!(["1", "${uuid}", {"token": "${credential}"}]));
    assert_eq!(phoenix.read(r#"["1", 7, {"token":"x"}]"#).unwrap().expose(), "x");
    for other in [r#"["1", 7, {"token":"x"}, 8]"#, r#"["1", 7]"#, r#"["1", {"token":"x"}, 7]"#] {
        assert_eq!(phoenix.read(other), None, "{other}");
    }
}

#[test]
fn the_other_end_takes_a_text_only_if_all_its_pieces_are_there() {
    let read = |template: &str, text: &str| {
        Template::text(template).read(text).map(|found| found.expose().to_owned())
    };
    assert_eq!(read("Bearer ${credential}", "Bearer x y").as_deref(), Some("x y"));
    assert_eq!(read("${uuid}:${credential};", "u:x:y;;").as_deref(), Some("x:y;"));
    assert_eq!(read("${credential}&${credential|url}", "a b&a%20b").as_deref(), Some("a b"));
    assert_eq!(read("${credential}\r\n", "x\n").as_deref(), Some("x"), "what ends a text is not compared");
    for (template, other) in [
        ("Bearer ${credential}", "bearer x"),
        ("Bearer ${credential}", "Bearer "),
        ("Bearer ${credential}", "Bearer x\r\ny"),
        ("a${credential}a", "a"),
        ("${credential|base64url}", "YQ=="),
        ("${credential}&${credential}", "a&b"),
        ("${uuid}${credential}", "ux"),
        ("PING", "PING"),
        ("${credential", "${credential"),
    ] {
        assert_eq!(read(template, other), None, "{template} {other}");
    }
}

#[test]
fn a_template_of_several_lines_is_known_by_the_line_with_the_credential() {
    let template = Template::text("CONNECT {\"auth_token\":\"${credential|json}\"}\r\nPING\r\n");
    let frame = rendered(&template, "s\"cret").unwrap();
    assert_eq!(template.read(&frame).unwrap().expose(), "s\"cret");
    let messages: Vec<_> = Codec::Nats.read(Incoming::Text(&frame)).collect();
    assert_eq!(template.read_message(&messages[0]).unwrap().expose(), "s\"cret");
    assert_eq!(template.read_message(&messages[1]), None);
}

#[test]
fn a_template_of_json_is_a_view_where_the_wire_has_more_than_json() {
    let view = Template::json(json!({"verb": "CONNECT", "data": {"auth_token": "${credential}"}}));
    let sent = Codec::Nats.write(Secret::from(rendered(&view, "s\"cret").unwrap()));
    assert_eq!(sent.text.expose(), "CONNECT {\"auth_token\":\"s\\\"cret\"}\r\n");
    let real = "CONNECT {\"verbose\":false,\"auth_token\":\"t\",\"lang\":\"node\"}\r\nPING\r\n";
    let read: Vec<_> = Codec::Nats.read(Incoming::Binary(real.as_bytes())).collect();
    assert_eq!(view.read_message(&read[0]).unwrap().expose(), "t", "a real client says more than we do");
}

proptest! {
    #[test]
    fn what_is_rendered_is_read_again(
        credential in any::<String>().prop_filter("an empty one is refused", |text| !text.is_empty()),
        encoding in prop_oneof![
            Just(""), Just("|raw"), Just("|json"), Just("|base64"), Just("|base64url"), Just("|url")
        ],
    ) {
        let placeholder = format!("${{credential{encoding}}}");
        let json = Template::json(json!({"a": [{"b": format!("<{placeholder}>")}, placeholder], "id": "${uuid}"}));
        let text = rendered(&json, &credential).unwrap();
        prop_assert_eq!(json.read(&text).unwrap(), Secret::from(credential.as_str()));
        let words = Template::text(format!("AUTH {placeholder}!"));
        match rendered(&words, &credential) {
            Ok(text) => prop_assert_eq!(words.read(&text).unwrap(), Secret::from(credential.as_str())),
            Err(_) => prop_assert!(credential.contains(char::is_control)),
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(template in "[a${}|redntilcs\n]{0,24}", text in any::<String>()) {
        let template = Template::text(template);
        let _ = (template.check(|_| true), template.read(&text), rendered(&template, &text));
        let _ = Template::json(json!({"a": "${credential|url}"})).read(&text);
    }
}
