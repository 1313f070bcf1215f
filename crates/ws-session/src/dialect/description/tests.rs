//! Descriptions that are read, refused and written.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::InvalidDescription;
use crate::dialect::{
    Acceptance, Authenticator, Codes, Condition, Dialect, Farewell, InForm, InUnit, Matcher, On, Phase, Ping,
    Placement, Renewal, RenewalTime, Rule, Step, SubprotocolEntry, Template, TimeForm, Trigger, Unit,
    Verdict,
};

mod refused;

/// A description that says no more than it must.
const LEAST: &str = "name = \"least\"\nplace.query.token = \"${credential}\"\n";

fn read(text: &str) -> Dialect {
    Dialect::from_toml(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refusal(text: &str) -> InvalidDescription {
    match Dialect::from_toml(text) {
        Ok(dialect) => panic!("{text}\nwas read as {dialect:?}"),
        Err(error) => error,
    }
}

/// Reads [`LEAST`] with more behind it.
fn with(more: &str) -> Dialect {
    read(&format!("{LEAST}{more}"))
}

#[test]
fn requests_and_what_is_taken_up_are_said_and_written() {
    let text = r#"
        name = "mine"
        place.query.resume = "${last.key}"
        login.send = { token = "${credential}", session = "${last.session_id}" }
        accept.message = { "/ok" = true }
        capture = { session_id = "/session", resumed = { "/recovered" = true }, named = { key = "/key" } }
        [request]
        id = "/headers/id"
        reply_id = ["/headers/id", "/id"]
        error = { "/state" = "error" }
        interim = { "/state" = "started" }
    "#;
    let dialect = Dialect::from_toml(text).unwrap();
    let requests = dialect.requests.as_ref().unwrap();
    assert_eq!((requests.id.as_str(), requests.reply_id.len(), requests.errors.len()), ("/headers/id", 2, 1));
    assert!(requests.is_interim(&json!({"state": "started"})));
    assert_eq!(Dialect::from_toml(&dialect.to_toml().unwrap()).unwrap(), dialect);
    let same = text.replace(r#"{ "/recovered" = true }"#, r#""same_session""#);
    let same = Dialect::from_toml(&same).unwrap();
    assert_eq!(Dialect::from_toml(&same.to_toml().unwrap()).unwrap(), same);
    assert_ne!(same, dialect);
    for (from, to) in [
        ("${last.key}", "${last.name}"),
        ("${last.key}", "${key}"),
        ("{ \"/recovered\" = true }", "\"other_session\""),
        ("reply_id = [\"/headers/id\", \"/id\"]", "reply_id = []"),
        ("id = \"/headers/id\"", "id = \"id\""),
    ] {
        let wrong = text.replace(from, to);
        assert_ne!(wrong, text);
        assert!(Dialect::from_toml(&wrong).is_err(), "{to}");
    }
}

#[test]
fn a_farewell_and_how_long_a_session_is_kept_are_said_and_written() {
    let first =
        "name = \"first\"\nlogin.send = { token = \"${credential}\" }\naccept.message = { \"/ok\" = true }\n";
    let described = read(&format!(
        "{first}capture.kept_s = \"/kept\"\nfarewell.send = {{ bye = true }}\n\
         farewell.answered = [{{ \"/bye\" = true }}, {{ \"/gone\" = 1 }}]\n"
    ));
    let kept = InUnit { at: "/kept".to_owned(), unit: Unit::Seconds };
    let answered = vec![Matcher::of([("/bye", json!(true))]), Matcher::of([("/gone", json!(1))])];
    let farewell = Farewell { send: Template::json(json!({"bye": true})), answered };
    assert_eq!((&described.captured.kept, &described.farewell), (&Some(kept), &Some(farewell)));
    assert_eq!(described.to_toml().map(|text| read(&text)), Ok(described));
    let unanswered = read(&format!("{first}farewell.send = \"QUIT\"\n"));
    assert!(unanswered.farewell.as_ref().unwrap().answered.is_empty());
    assert_eq!(unanswered.to_toml().map(|text| read(&text)), Ok(unanswered));
    for (wrong, place) in [
        ("farewell = {}", "farewell"),
        ("farewell.send = \"\"", "farewell.send"),
        ("farewell.send = { token = \"${credential}\" }", "farewell.send"),
        ("farewell.send = { session = \"${session_id}\" }", "farewell.send"),
        ("farewell = { send = \"QUIT\", answered = {} }", "farewell.answered"),
        ("farewell = { send = \"QUIT\", within_s = 5 }", "farewell.within_s"),
        ("capture = { kept_s = \"/kept\", kept_ms = \"/kept\" }", "capture.kept_ms"),
    ] {
        assert_eq!(refusal(&format!("{first}{wrong}\n")).place(), place, "{wrong}");
    }
}

#[test]
fn the_least_description_has_every_default() {
    let query = vec![("token".to_owned(), Template::text("${credential}"))];
    let expected =
        Dialect { placement: Placement { query, ..Placement::default() }, ..Dialect::new("least") };
    assert_eq!(read(LEAST), expected);
    assert_eq!(
        expected.to_toml().as_deref(),
        Ok("name = \"least\"\n\n[place]\nquery = { token = \"${credential}\" }\n")
    );
}

#[test]
fn a_file_may_come_from_windows() {
    let text = format!("\u{feff}{}", LEAST.replace('\n', "\r\n"));
    assert_eq!(read(&text), read(LEAST));
    let error = refusal(&format!("{text}codec = \"x\"\r\n"));
    assert_eq!((error.line(), error.place()), (Some(3), "codec"));
}

#[test]
fn a_first_message_needs_three_lines() {
    let dialect = read(
        r#"
        name = "first"
        login.send = { type = "auth", token = "${credential}" }
        accept.message = { "/type" = "auth_ok" }
        "#,
    );
    let send = Template::json(json!({"type": "auth", "token": "${credential}"}));
    let any_of = vec![Matcher::of([("/type", json!("auth_ok"))])];
    let expected = Dialect {
        login: vec![Step { on: Trigger::Open, send }],
        acceptance: Acceptance::Message { any_of, within: None },
        ..Dialect::new("first")
    };
    assert_eq!(dialect, expected);
}

#[test]
fn a_renewal_in_band_repeats_the_login_unless_it_says_otherwise() {
    let first =
        "name = \"first\"\nlogin.send = { token = \"${credential}\" }\naccept.message = { \"/ok\" = true }\n";
    let send = Template::json(json!({"token": "${credential}"}));
    let accepted = vec![Matcher::of([("/ok", json!(true))])];
    let when = RenewalTime::Early;
    let renewal = read(&format!("{first}renew.how = \"in_band\"")).renewal;
    assert_eq!(renewal, Renewal::InBand { send: send.clone(), accepted, asked_by: Vec::new(), when });
    let silent = read(&format!("{first}renew = {{ how = \"in_band\", accepted = [] }}")).renewal;
    assert_eq!(silent, Renewal::InBand { send, accepted: Vec::new(), asked_by: Vec::new(), when });
}

#[test]
fn what_any_message_accepts_must_say_what_accepts_a_renewal() {
    let text = "name = \"x\"\nlogin.send = { token = \"${credential}\" }\naccept.message = {}\n";
    let refused = refusal(&[text, "renew.how = \"in_band\"\n"].concat()).to_string();
    assert!(refused.contains("`accepted` is missing"), "{refused}");
    let said = read(&[text, "renew = { how = \"in_band\", accepted = { \"/ok\" = true } }\n"].concat());
    assert!(matches!(said.renewal, Renewal::InBand { accepted, .. } if accepted.len() == 1));
}

#[test]
fn every_condition_of_a_matcher_is_read_in_its_order() {
    let dialect = with(
        r#"
        [heartbeat]
        "/z" = "text"
        "/a" = [4, "nine", { json = "null" }, true]
        "" = { json = "{}" }
        "/a~1b/0" = { between = [-3, 0x10] }
        "/error/message" = { contains = "Expired" }
        "/channel" = { exists = false }
        "/half" = 0.5
        "#,
    );
    let expected = Matcher::of([("/z", json!("text"))])
        .and("/a", Condition::OneOf(vec![json!(4), json!("nine"), json!(null), json!(true)]))
        .and("", Condition::Equals(json!({})))
        .and("/a~1b/0", Condition::Between(-3, 16))
        .and("/error/message", Condition::Contains("Expired".to_owned()))
        .and("/channel", Condition::Exists(false))
        .and("/half", Condition::Equals(json!(0.5)));
    assert_eq!(dialect.heartbeats, [expected]);
}

#[test]
fn every_part_of_a_rule_is_read() {
    let dialect = with(
        r#"
        accept.message = {}
        [[rule]]
        status = [401, "500-599"]
        means = "rejected"
        [[rule]]
        close = ["none", 4401, "4500-4999"]
        phase = ["login", "live"]
        after_s = 10
        means = "authentication_timeout"
        [[rule]]
        close = 4000
        reason = "kicked"
        phase = "live"
        after_ms = 1_500
        means = "forbidden"
        [[rule]]
        message = { "/type" = "bye" }
        means = "reconnect_now"
        [[rule]]
        timeout = true
        means = "rate_limited"
        [[rule]]
        transport = true
        means = "misuse"
        "#,
    );
    let close = |codes, reason| On::Close { codes, reason };
    let some = Codes { or_none: true, ..Codes::of([4401..=4401, 4500..=4999]) };
    let expected = [
        Rule::new(On::Status(Codes::of([401..=401, 500..=599])), Verdict::Rejected),
        Rule::new(close(some, None), Verdict::AuthenticationTimeout)
            .in_phases([Phase::Login, Phase::Live])
            .after(Duration::from_secs(10)),
        Rule::new(close(Codes::only(4000), Some("kicked".to_owned())), Verdict::Forbidden)
            .in_phases([Phase::Live])
            .after(Duration::from_millis(1500)),
        Rule::new(On::Message(Matcher::of([("/type", json!("bye"))])), Verdict::ReconnectNow),
        Rule::new(On::Timeout, Verdict::RateLimited),
        Rule::new(On::Transport, Verdict::Misuse),
    ];
    assert_eq!(dialect.rules, expected);
}

#[test]
fn a_subprotocol_may_be_a_name_a_text_or_an_object() {
    // AWS AppSync's events, whose object names the host.
    let dialect = read(
        r#"
        name = "appsync-events"
        [place]
        subprotocols = [
            "aws-appsync-event-ws",
            { prefix = "header-", form = { host = "abc.appsync-api.eu-west-1.amazonaws.com", Authorization = "${credential}" } },
        ]
        [login]
        send = { type = "connection_init" }
        [accept]
        message = { "/type" = "connection_ack" }
        [capture]
        idle_ms = "/connectionTimeoutMs"
        [heartbeat]
        "/type" = "ka"
        "#,
    );
    let form = json!({"host": "abc.appsync-api.eu-west-1.amazonaws.com", "Authorization": "${credential}"});
    assert_eq!(
        dialect.placement.subprotocols,
        [
            SubprotocolEntry::Name("aws-appsync-event-ws".to_owned()),
            SubprotocolEntry::Json { prefix: "header-".to_owned(), form: Template::json(form) },
        ]
    );
    let idle = InUnit { at: "/connectionTimeoutMs".to_owned(), unit: Unit::Milliseconds };
    assert_eq!(dialect.captured.idle, Some(idle));
    let again = dialect.to_toml().map(|text| read(&text));
    assert_eq!(again, Ok(dialect));
}

#[test]
fn the_end_of_a_credential_is_read_and_written_in_each_form() {
    for (key, form) in [
        ("expires_at_s", TimeForm::EpochSeconds),
        ("expires_at_ms", TimeForm::EpochMilliseconds),
        ("expires_at_rfc3339", TimeForm::Rfc3339),
    ] {
        let dialect = with(&format!("accept.message = {{}}\ncapture.{key} = \"/token/ends\"\n"));
        let expected = InForm { at: "/token/ends".to_owned(), form };
        assert_eq!((&dialect.captured.expires_at, &dialect.captured.expires_in), (&Some(expected), &None));
        assert_eq!(dialect.to_toml().map(|text| read(&text)), Ok(dialect), "{key}");
    }
}

#[test]
fn a_message_may_be_a_table_an_array_a_text_or_the_text_of_json() {
    for (ping, expected) in [
        (r#"send = { a = [1, { b = false }] }"#, Template::json(json!({"a": [1, {"b": false}]}))),
        (r#"send = ["1", "2"]"#, Template::json(json!(["1", "2"]))),
        (r#"send = '{"a":1}'"#, Template::text(r#"{"a":1}"#)),
        (r#"send_json = '{"a":null}'"#, Template::json(json!({"a": null}))),
        (r#"send_json = '18446744073709551615'"#, Template::json(json!(u64::MAX))),
    ] {
        let dialect = with(&format!("[ping]\n{ping}"));
        assert_eq!(dialect.ping, Ping::Message(expected), "{ping}");
        assert_eq!(dialect.to_toml().map(|text| read(&text)), Ok(dialect), "{ping}");
    }
}

#[test]
fn what_is_read_can_be_written_however_a_file_was_damaged() {
    let mut read = 0;
    for (nth, name) in Dialect::names().enumerate() {
        let text = Dialect::named(name).and_then(|dialect| dialect.to_toml().ok()).unwrap_or_default();
        let bytes = text.as_bytes();
        let damages = [&b""[..], b"\"", b"9", b"-", b"[", b"}", b"\n", b"${", b"\xff", b"."];
        for (at, by) in (nth % 3..bytes.len()).step_by(3).zip(damages.iter().cycle().skip(nth)) {
            let damaged = [&bytes[..at], by, &bytes[at + 1..]].concat();
            let Ok(damaged) = String::from_utf8(damaged) else { continue };
            if let Ok(dialect) = Dialect::from_toml(&damaged) {
                read += 1;
                let again = dialect.to_toml().and_then(|text| Dialect::from_toml(&text));
                assert_eq!(again, Ok(dialect), "{damaged}");
            }
        }
    }
    assert!(read > 500, "only {read} of the damaged ones were read");
}

#[derive(Debug)]
struct Code;

impl Authenticator for Code {}

#[test]
fn code_can_not_be_written_down() {
    let dialect = Dialect { authenticator: Some(Arc::new(Code)), ..Dialect::genesys() };
    let error = dialect.to_toml().unwrap_err();
    assert_eq!((error.line(), error.place()), (None, "authenticator"));
    assert_eq!(dialect, dialect.clone());
    let other = Dialect { authenticator: Some(Arc::new(Code)), ..Dialect::genesys() };
    assert_ne!(dialect, other, "two pieces of code may do different things");
}

/// A value may have both, and then what leaves less counts.
fn both_ends() -> Dialect {
    let mut dialect = Dialect::centrifugo();
    dialect.captured.expires_at = Some(InForm { at: "/end".to_owned(), form: TimeForm::EpochSeconds });
    dialect
}

#[test]
fn a_value_that_no_description_can_say_is_not_written() {
    let at_one_place_twice = Matcher::of([("/a", json!(1)), ("/a", json!(1))]);
    let placed =
        |template| Placement { headers: vec![("X-Token".to_owned(), template)], ..Placement::default() };
    for (dialect, place) in [
        (Dialect { heartbeats: vec![at_one_place_twice], ..Dialect::bearer_query() }, "heartbeat"),
        (
            Dialect {
                placement: placed(Template::json(json!([null, "${credential}"]))),
                ..Dialect::new("x")
            },
            "place",
        ),
        (Dialect { name: "two words".into(), ..Dialect::bearer_query() }, "name"),
        (both_ends(), "capture.expires_at_s"),
        (
            Dialect {
                rules: vec![Rule::new(On::Status(Codes::none()), Verdict::Misuse)],
                ..Dialect::bearer_query()
            },
            "rule[0].status",
        ),
        (Dialect::new("nothing is placed"), "name"),
        (Dialect::new("nothing-is-placed"), "place"),
    ] {
        let error = dialect.to_toml().unwrap_err();
        assert_eq!((error.line(), error.place()), (None, place), "{error}");
    }
}
