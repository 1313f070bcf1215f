//! Dialects to test with, each another point of the model.

use std::time::Duration;

use serde_json::json;

use crate::dialect::*;

/// The credential in a header; accepted by the upgrade.
pub(super) fn bearer() -> Dialect {
    let mut dialect = Dialect::new("bearer");
    dialect.placement.headers = vec![("Authorization".to_owned(), Template::text("Bearer ${credential}"))];
    dialect
}

/// The credential as a subprotocol, beside a name that is to be selected.
pub(super) fn subprotocol() -> Dialect {
    let mut dialect = Dialect::new("subprotocol");
    dialect.placement.subprotocols = vec![
        SubprotocolEntry::Name("optave-v1".to_owned()),
        SubprotocolEntry::Credential(Template::text("${credential}")),
    ];
    dialect
}

/// The server speaks first; it refuses by a message and a close without an error code.
pub(super) fn home_assistant() -> Dialect {
    let message = |kind: &str| Matcher::of([("/type", json!(kind))]);
    let mut dialect = Dialect::new("home-assistant");
    dialect.login = vec![Step {
        on: Trigger::Message(message("auth_required")),
        send: Template::json(json!({"type": "auth", "access_token": "${credential}"})),
    }];
    dialect.acceptance = Acceptance::Message { any_of: vec![message("auth_ok")], within: None };
    dialect.rules = vec![
        Rule::new(On::Message(message("auth_invalid")), Verdict::Rejected).in_phases([Phase::Login]),
        Rule::new(On::Close { codes: Codes::none(), reason: None }, Verdict::AuthenticationTimeout)
            .in_phases([Phase::Login])
            .after(Duration::from_secs(9)),
    ];
    dialect
}

/// Lines of JSON; the client renews when the credential has expired.
pub(super) fn centrifugo() -> Dialect {
    let mut dialect = Dialect::new("centrifugo");
    dialect.codec = Codec::JsonLines;
    dialect.login = vec![Step {
        on: Trigger::Open,
        send: Template::json(json!({"id": 1, "connect": {"token": "${credential}"}})),
    }];
    let answer = |to: &str| Matcher::default().and(format!("/{to}"), Condition::Exists(true));
    dialect.acceptance = Acceptance::Message { any_of: vec![answer("connect")], within: None };
    dialect.captured.session_id = Some("/connect/client".to_owned());
    dialect.captured.expires_in = Some(InUnit { at: "/connect/ttl".to_owned(), unit: Unit::Seconds });
    dialect.captured.idle = Some(InUnit { at: "/connect/ping".to_owned(), unit: Unit::Seconds });
    dialect.replies = vec![Reply { on: Matcher::default(), send: Template::json(json!({})) }];
    dialect.renewal = Renewal::InBand {
        send: Template::json(json!({"refresh": {"token": "${credential}"}})),
        accepted: vec![answer("refresh")],
        asked_by: Vec::new(),
        when: RenewalTime::AtExpiry,
    };
    let error = |code: u16| Matcher::of([("/error/code", json!(code))]);
    dialect.rules = vec![
        Rule::new(On::Message(error(109)), Verdict::Expired),
        Rule::new(On::Message(error(101)), Verdict::Rejected),
        Rule::new(On::Close { codes: Codes::of([3005..=3005]), reason: None }, Verdict::Expired),
        Rule::new(On::Close { codes: Codes::of([3500..=3999]), reason: None }, Verdict::Rejected),
    ];
    dialect
}

/// The server asks for a fresh credential.
pub(super) fn directus() -> Dialect {
    let status = |status: &str| Matcher::of([("/type", json!("auth")), ("/status", json!(status))]);
    let error = |code: &str| status("error").and("/error/code", Condition::Equals(json!(code)));
    let send = Template::json(json!({"type": "auth", "access_token": "${credential}"}));
    let mut dialect = Dialect::new("directus");
    dialect.login = vec![Step { on: Trigger::Open, send: send.clone() }];
    dialect.acceptance = Acceptance::Message { any_of: vec![status("ok")], within: None };
    dialect.renewal = Renewal::InBand {
        send,
        accepted: vec![status("ok")],
        asked_by: vec![error("TOKEN_EXPIRED")],
        when: RenewalTime::Early,
    };
    dialect.ping = Ping::Message(Template::json(json!({"type": "ping"})));
    dialect.rules = vec![
        Rule::new(On::Message(error("AUTH_TIMEOUT")), Verdict::AuthenticationTimeout),
        Rule::new(On::Message(error("AUTH_FAILED")), Verdict::Rejected),
    ];
    dialect
}

/// Lines of NATS: a nonce first, two messages of the client's, a reason in the close.
pub(super) fn nats() -> Dialect {
    let verb = |verb: &str| Matcher::of([("/verb", json!(verb))]);
    let mut dialect = Dialect::new("nats");
    dialect.codec = Codec::Nats;
    dialect.login = vec![
        Step {
            on: Trigger::Message(verb("INFO")),
            send: Template::text(r#"CONNECT {"auth_token":"${credential|json}"}"#),
        },
        Step { on: Trigger::Open, send: Template::text("PING") },
    ];
    dialect.acceptance = Acceptance::Message { any_of: vec![verb("PONG")], within: None };
    dialect.captured.named.insert("nonce".to_owned(), "/data/nonce".to_owned());
    dialect.rules = vec![
        Rule::new(
            On::Message(verb("-ERR").and("/text", Condition::Contains("Authorization Violation".to_owned()))),
            Verdict::Rejected,
        ),
        Rule::new(
            On::Close { codes: Codes::of([1008..=1008]), reason: Some("Authentication Failure".to_owned()) },
            Verdict::Rejected,
        ),
    ];
    dialect
}
