//! What goes out on the wire, and which messages log in, are asked for, are answered and are nobody's.

use super::*;
use crate::dialect::template::Filling;
use crate::dialect::{Fresh, Ping, Template};
use auth_core::Secret;
use auth_core::time::{Moment, Now, Timestamp};

const NOW: Now = Now { wall: Timestamp::from_millis(0), mono: Moment::ORIGIN };

/// Has a template filled with `a.b.c` as the credential.
fn filled<T>(then: impl FnOnce(&Filling<'_>) -> T) -> T {
    then(&Filling {
        credential: Some(&Secret::from("a.b.c")),
        captures: &Captures::default(),
        fresh: Fresh { now: NOW, random: [0; 16] },
        authenticator: None,
    })
}

/// A message as it goes out, and whether in a binary frame.
fn written(dialect: &Dialect, message: &Template) -> (String, bool) {
    let rendered = filled(|filling| message.render(filling));
    let rendered = dialect.codec.write(rendered.unwrap_or_else(|error| panic!("{error}")));
    (rendered.text.expose().to_owned(), rendered.binary)
}

fn is_accepted(dialect: &Dialect, message: &Value) -> bool {
    match &dialect.acceptance {
        Acceptance::Upgrade => false,
        Acceptance::Message { any_of, .. } => any_of.iter().any(|matcher| matcher.matches(message)),
    }
}

#[test]
fn each_credential_goes_out_where_its_service_looks_for_it() {
    let base64url = "YS5iLmM";
    for (name, query, header, subprotocols) in [
        ("ably", "?access_token=a.b.c&format=json&heartbeats=true&v=6", None, String::new()),
        ("anycable", "", None, "actioncable-v1-json, anycable-token.a.b.c".to_owned()),
        ("bearer-header", "", Some("Bearer a.b.c"), String::new()),
        ("bearer-query", "?access_token=a.b.c", None, String::new()),
        ("bearer-subprotocol", "", None, "bearer, a.b.c".to_owned()),
        ("centrifugo", "", None, String::new()),
        ("deepgram", "", None, "token, a.b.c".to_owned()),
        ("directus", "", None, String::new()),
        ("genesys", "", None, String::new()),
        ("graphql-transport-ws", "", None, "graphql-transport-ws".to_owned()),
        ("hasura", "", None, "graphql-transport-ws".to_owned()),
        ("home-assistant", "", None, String::new()),
        ("jupyter", "", Some("token a.b.c"), String::new()),
        (
            "kubernetes",
            "",
            None,
            format!(
                "v5.channel.k8s.io, v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.{base64url}"
            ),
        ),
        ("nats", "", None, String::new()),
        ("openai-realtime", "", None, "realtime, openai-insecure-api-key.a.b.c".to_owned()),
        ("optave", "", None, "optave-v1, a.b.c".to_owned()),
        ("optave-query", "?Authorization=a.b.c", None, String::new()),
        ("phoenix", "?vsn=2.0.0", None, format!("phoenix, base64url.bearer.phx.{base64url}")),
        ("signalr", "?access_token=a.b.c", None, String::new()),
        ("socket.io", "?EIO=4&transport=websocket", None, String::new()),
    ] {
        let request = filled(|filling| named(name).upgrade("wss://example.com/ws", filling));
        let request = request.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(request.url().expose(), format!("wss://example.com/ws{query}"), "{name}");
        let headers: Vec<_> =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        let expected: Vec<_> = header.map(|value| ("Authorization", value)).into_iter().collect();
        assert_eq!(headers, expected, "{name}");
        let offered: Vec<_> = request.subprotocols().iter().map(Secret::expose).collect();
        assert_eq!(offered.join(", "), subprotocols, "{name}");
        assert!(request.check_selected(Some("a.b.c")).is_err(), "{name}");
    }
}

#[test]
fn a_url_that_is_the_credential_takes_the_place_of_the_configured_one() {
    let url = Secret::from("wss://streaming.mypurecloud.com/channels/streaming-1");
    for name in ["azure-web-pubsub", "genesys-notifications", "slack-socket-mode"] {
        let request = filled(|filling| {
            named(name).upgrade("wss://example.com/", &Filling { credential: Some(&url), ..*filling })
        });
        assert_eq!(request.map(|request| request.url().clone()), Ok(url.clone()), "{name}");
    }
}

#[test]
fn each_login_goes_out_as_its_service_reads_it_once_the_server_has_said_what_it_waits_for() {
    let graphql = r#"{"payload":{"Authorization":"Bearer a.b.c"},"type":"connection_init"}"#;
    let hasura = r#"{"payload":{"headers":{"Authorization":"Bearer a.b.c"}},"type":"connection_init"}"#;
    let required = r#"{"type":"auth_required","ha_version":"2024.3.3"}"#;
    let engine =
        r#"0{"sid":"e1","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let info = "INFO {\"server_id\":\"S\",\"client_id\":7,\"auth_required\":true,\"nonce\":\"n\"}\r\n";
    let connect = concat!(
        r#"CONNECT {"auth_token":"a.b.c","lang":"rust","pedantic":false,"protocol":1,"verbose":false,"version":"1"}"#,
        "\r\n"
    );
    for (name, steps) in [
        ("genesys", vec![(None, r#"{"token":"a.b.c","type":"auth"}"#)]),
        ("directus", vec![(None, r#"{"access_token":"a.b.c","type":"auth"}"#)]),
        ("graphql-transport-ws", vec![(None, graphql)]),
        ("hasura", vec![(None, hasura)]),
        ("home-assistant", vec![(Some(required), r#"{"access_token":"a.b.c","type":"auth"}"#)]),
        ("socket.io", vec![(Some(engine), r#"40{"token":"a.b.c"}"#)]),
        ("nats", vec![(Some(info), connect), (None, "PING\r\n")]),
        ("centrifugo", vec![(None, r#"{"connect":{"name":"rust","token":"a.b.c"},"id":1}"#)]),
        ("signalr", vec![(None, "{\"protocol\":\"json\",\"version\":1}\x1e")]),
    ] {
        let dialect = named(name);
        assert_eq!(dialect.login.len(), steps.len(), "{name}");
        for (step, (on, expected)) in dialect.login.iter().zip(steps) {
            match (&step.on, on) {
                (Trigger::Open, None) => {}
                (Trigger::Message(matcher), Some(wire)) => {
                    assert!(matcher.matches(&said(&dialect, wire)), "{name}");
                    assert!(!matcher.matches(&json!({"type": "other"})), "{name}");
                }
                found => panic!("{name} waits for {found:?}"),
            }
            assert_eq!(written(&dialect, &step.send), (expected.to_owned(), name == "nats"), "{name}");
        }
    }
}

#[test]
fn each_service_lets_in_by_the_message_of_its_own_and_by_no_other() {
    let ably = r#"{"action":4,"connectionId":"x","connectionDetails":{"connectionKey":"k"}}"#;
    for (name, accepts, does_not) in [
        ("ably", ably, r#"{"action":4,"connectionId":"x"}"#),
        ("anycable", r#"{"type":"welcome","sid":"s1"}"#, r#"{"type":"ping","message":1}"#),
        (
            "azure-web-pubsub",
            r#"{"type":"system","event":"connected","connectionId":"c"}"#,
            r#"{"type":"system","event":"disconnected"}"#,
        ),
        ("centrifugo", r#"{"id":1,"connect":{"client":"c"}}"#, r#"{"id":1,"error":{"code":109}}"#),
        ("directus", r#"{"type":"auth","status":"ok"}"#, r#"{"type":"auth","status":"error"}"#),
        (
            "genesys",
            r#"{"type":"auth","status":"ok","sessionId":"a1"}"#,
            r#"{"type":"auth","status":"error"}"#,
        ),
        ("graphql-transport-ws", r#"{"type":"connection_ack"}"#, r#"{"type":"ping"}"#),
        ("hasura", r#"{"type":"connection_ack","payload":{}}"#, r#"{"type":"connection_error"}"#),
        ("home-assistant", r#"{"type":"auth_ok"}"#, r#"{"type":"auth_required"}"#),
        ("nats", "PONG\r\n", "PING\r\n"),
        ("openai-realtime", r#"{"type":"session.created","session":{"id":"s"}}"#, r#"{"type":"error"}"#),
        ("signalr", "{}\x1e", "{\"error\":\"no such protocol\"}\x1e"),
        ("slack-socket-mode", r#"{"type":"hello"}"#, r#"{"type":"disconnect"}"#),
        ("socket.io", r#"40{"sid":"s"}"#, r#"44{"message":"no"}"#),
    ] {
        let dialect = named(name);
        assert!(is_accepted(&dialect, &said(&dialect, accepts)), "{name}");
        assert!(!is_accepted(&dialect, &said(&dialect, does_not)), "{name}");
        assert!(!is_accepted(&dialect, &Value::Null), "{name}: what can't be read");
    }
}

#[test]
fn what_a_service_says_at_its_login_is_captured() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let details = r#"{"action":4,"connectionId":"x","connectionDetails":{"connectionKey":"k","maxIdleInterval":15000}}"#;
    let connected =
        r#"{"id":1,"connect":{"client":"c","version":"5","expires":true,"ttl":600,"ping":25,"pong":true}}"#;
    for (name, wire, session_id, expires_in, idle) in [
        ("genesys", &[r#"{"type":"auth","status":"ok","sessionId":"a1"}"#][..], "a1", None, None),
        ("ably", &[details], "x", None, seconds(15)),
        ("centrifugo", &[connected], "c", seconds(600), seconds(25)),
        (
            "socket.io",
            &[r#"0{"sid":"e1","pingInterval":25000}"#, r#"40{"sid":"s1"}"#],
            "s1",
            None,
            seconds(25),
        ),
        ("nats", &["INFO {\"client_id\":7}\r\n"], "7", None, None),
        ("anycable", &[r#"{"type":"welcome","sid":"s1"}"#], "s1", None, None),
        (
            "openai-realtime",
            &[r#"{"type":"session.created","session":{"id":"sess_1"}}"#],
            "sess_1",
            None,
            None,
        ),
        (
            "azure-web-pubsub",
            &[r#"{"type":"system","event":"connected","connectionId":"c1"}"#],
            "c1",
            None,
            None,
        ),
    ] {
        let dialect = named(name);
        let mut captures = Captures::default();
        for wire in wire {
            captures.take(NOW, &dialect.captured, &said(&dialect, wire));
        }
        assert_eq!(captures.session_id().map(|label| label.as_str()), Some(session_id), "{name}");
        assert_eq!((captures.expires_in(), captures.idle()), (expires_in, idle), "{name}");
    }
}

#[test]
fn ably_says_how_long_it_keeps_a_lost_connection_and_wants_to_be_told_of_the_end() {
    let dialect = named("ably");
    let mut captures = Captures::default();
    let details = r#"{"action":4,"connectionId":"x","connectionDetails":{"connectionStateTtl":120000}}"#;
    captures.take(NOW, &dialect.captured, &said(&dialect, details));
    assert_eq!(captures.kept(), Some(Duration::from_secs(120)));
    let farewell = dialect.farewell.as_ref().unwrap();
    assert_eq!(written(&dialect, &farewell.send).0, r#"{"action":7}"#);
    assert!(dialect.answers_farewell(&said(&dialect, r#"{"action":8}"#)));
    assert!(!dialect.answers_farewell(&said(&dialect, r#"{"action":6}"#)));
    assert!(Dialect::names().filter(|name| *name != "ably").all(|name| named(name).farewell.is_none()));
}

#[test]
fn genesys_names_the_session_of_the_connection_before() {
    let dialect = named("genesys");
    let mut before = Captures::default();
    before.take(NOW, &dialect.captured, &json!({"type": "auth", "status": "ok", "sessionId": "a1"}));
    let captures = Captures::following(Some(&before));
    let rendered =
        filled(|filling| dialect.login[0].send.render(&Filling { captures: &captures, ..*filling }));
    assert_eq!(rendered.unwrap().expose(), r#"{"sessionId":"a1","token":"a.b.c","type":"auth"}"#);
}

#[test]
fn each_renewal_goes_out_and_is_answered_as_its_service_has_it() {
    let ably = r#"{"action":4,"connectionId":"x","connectionDetails":{"connectionKey":"k"}}"#;
    for (name, expected, answer, asks) in [
        ("genesys", r#"{"token":"a.b.c","type":"auth"}"#, r#"{"type":"auth","status":"ok"}"#, None),
        ("ably", r#"{"action":17,"auth":{"accessToken":"a.b.c"}}"#, ably, Some(r#"{"action":17}"#)),
        (
            "directus",
            r#"{"access_token":"a.b.c","type":"auth"}"#,
            r#"{"type":"auth","status":"ok"}"#,
            Some(r#"{"type":"auth","status":"error","error":{"code":"TOKEN_EXPIRED"}}"#),
        ),
        (
            "centrifugo",
            r#"{"id":2147483647,"refresh":{"token":"a.b.c"}}"#,
            r#"{"id":2147483647,"refresh":{"expires":true,"ttl":600}}"#,
            None,
        ),
    ] {
        let dialect = named(name);
        let Renewal::InBand { send, accepted, asked_by, .. } = &dialect.renewal else {
            panic!("{name} renews in band")
        };
        assert_eq!(written(&dialect, send), (expected.to_owned(), false), "{name}");
        let answer = said(&dialect, answer);
        assert!(accepted.iter().any(|matcher| matcher.matches(&answer)), "{name}");
        assert!(!asked_by.iter().any(|matcher| matcher.matches(&answer)), "{name}");
        let asks = asks.map(|wire| said(&dialect, wire));
        let found = asks.map(|message| asked_by.iter().any(|matcher| matcher.matches(&message)));
        assert_eq!(found, (!asked_by.is_empty()).then_some(true), "{name}");
    }
    for (name, asks) in [
        ("genesys-notifications", r#"{"topicName":"v2.system.socket_closing","eventBody":{}}"#),
        ("slack-socket-mode", r#"{"type":"disconnect","reason":"warning"}"#),
    ] {
        let dialect = named(name);
        let Renewal::Reconnect { overlap: true, asked_by, .. } = &dialect.renewal else {
            panic!("{name} makes the new connection first")
        };
        assert!(asked_by.iter().any(|matcher| matcher.matches(&said(&dialect, asks))), "{name}");
        assert!(!asked_by.iter().any(|matcher| matcher.matches(&json!({"type": "hello"}))), "{name}");
    }
}

#[test]
fn each_service_hears_the_answers_that_it_wants_and_the_user_no_heartbeat() {
    for (name, wire, answer) in [
        ("socket.io", "2", "3"),
        ("nats", "PING\r\n", "PONG\r\n"),
        ("graphql-transport-ws", r#"{"type":"ping"}"#, r#"{"type":"pong"}"#),
        ("directus", r#"{"type":"ping"}"#, r#"{"type":"pong"}"#),
        ("centrifugo", "{}", "{}"),
        ("signalr", "{\"type\":6}\x1e", "{\"type\":6}\x1e"),
    ] {
        let dialect = named(name);
        let message = said(&dialect, wire);
        let reply = dialect.replies.iter().find(|reply| reply.on.matches(&message));
        let reply = reply.unwrap_or_else(|| panic!("{name} answers"));
        assert_eq!(written(&dialect, &reply.send).0, answer, "{name}");
    }
    let metadata = |text| format!(r#"{{"topicName":"channel.metadata","eventBody":{{"message":"{text}"}}}}"#);
    for (name, wire, is_one) in [
        ("ably", r#"{"action":0}"#.to_owned(), true),
        ("ably", r#"{"action":0,"id":"of the user's own ping"}"#.to_owned(), false),
        ("ably", r#"{"action":15,"channel":"a"}"#.to_owned(), false),
        ("anycable", r#"{"type":"ping","message":1}"#.to_owned(), true),
        ("genesys-notifications", metadata("WebSocket Heartbeat"), true),
        ("genesys-notifications", metadata("pong"), true),
        ("genesys-notifications", r#"{"topicName":"v2.users.1.presence"}"#.to_owned(), false),
        ("graphql-transport-ws", r#"{"type":"pong"}"#.to_owned(), true),
        ("graphql-transport-ws", r#"{"type":"next","id":"1"}"#.to_owned(), false),
        (
            "phoenix",
            r#"[null,"heartbeat","phoenix","phx_reply",{"response":{},"status":"ok"}]"#.to_owned(),
            true,
        ),
        ("phoenix", r#"[null,"1","room:1","phx_reply",{"response":{},"status":"ok"}]"#.to_owned(), false),
    ] {
        let dialect = named(name);
        let message = said(&dialect, &wire);
        assert_eq!(dialect.heartbeats.iter().any(|matcher| matcher.matches(&message)), is_one, "{wire}");
    }
}

#[test]
fn each_ping_of_a_services_own_is_the_one_that_it_knows() {
    for (name, expected) in [
        ("genesys-notifications", r#"{"message":"ping"}"#),
        ("graphql-transport-ws", r#"{"type":"ping"}"#),
        ("phoenix", r#"[null,"heartbeat","phoenix","heartbeat",{}]"#),
    ] {
        let dialect = named(name);
        let Ping::Message(message) = &dialect.ping else { panic!("{name} has a ping of its own") };
        assert_eq!(written(&dialect, message).0, expected, "{name}");
    }
}

#[test]
fn what_serves_once_is_never_presented_again() {
    let once: Vec<_> =
        Dialect::names().filter(|name| named(name).credential_use == CredentialUse::Once).collect();
    assert_eq!(once, ["optave", "optave-query", "slack-socket-mode"]);
    for name in once {
        assert_eq!(named(name).reconnection, Reconnection::Fresh, "{name}");
    }
}

#[test]
fn a_server_that_may_have_ended_a_connection_with_its_token_is_shown_another() {
    for name in ["bearer-header", "bearer-query", "bearer-subprotocol"] {
        assert_eq!(named(name).renewal, Renewal::Never, "{name}");
        assert_eq!(named(name).reconnection, Reconnection::Fresh, "{name}");
    }
}
