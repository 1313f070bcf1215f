//! What the built-in dialects make of refusals.

use super::*;

const PHASES: [Phase; 4] = [Phase::Upgrade, Phase::Login, Phase::Live, Phase::Renewing];

fn verdict(dialect: &Dialect, phase: Phase, seconds: u64, failure: &Failure) -> Verdict {
    dialect.verdict(&Occurrence { phase, elapsed: Duration::from_secs(seconds), failure })
}

fn closed(code: impl Into<Option<u16>>, reason: &str) -> Failure {
    Failure::Closed { code: code.into(), reason: reason.to_owned() }
}

/// Whether a rule of the dialect ends the connection over this message.
fn ends(dialect: &Dialect, phase: Phase, message: &Failure) -> bool {
    let occurrence = Occurrence { phase, elapsed: Duration::ZERO, failure: message };
    dialect.rules.iter().any(|rule| rule.matches(&occurrence))
}

#[test]
fn every_refusal_by_a_message_has_the_verdict_of_its_service() {
    let ably = |action, code, status| {
        format!(r#"{{"action":{action},"error":{{"code":{code},"statusCode":{status},"message":"m"}}}}"#)
    };
    let directus = |code| format!(r#"{{"type":"auth","status":"error","error":{{"code":"{code}"}}}}"#);
    let cable = |reason| format!(r#"{{"type":"disconnect","reason":"{reason}","reconnect":false}}"#);
    let centrifugo = |code| format!(r#"{{"id":1,"error":{{"code":{code},"message":"m"}}}}"#);
    for (name, phase, wire, expected) in [
        (
            "genesys",
            Phase::Login,
            r#"{"type":"auth","status":"error","message":"no"}"#.to_owned(),
            Verdict::Expired,
        ),
        ("genesys", Phase::Renewing, r#"{"type":"auth","status":"error"}"#.to_owned(), Verdict::Expired),
        (
            "genesys-notifications",
            Phase::Live,
            r#"{"result":"404","message":"no"}"#.to_owned(),
            Verdict::Expired,
        ),
        (
            "home-assistant",
            Phase::Login,
            r#"{"type":"auth_invalid","message":"no"}"#.to_owned(),
            Verdict::Expired,
        ),
        (
            "hasura",
            Phase::Login,
            r#"{"type":"connection_error","payload":"JWTExpired"}"#.to_owned(),
            Verdict::Expired,
        ),
        (
            "socket.io",
            Phase::Login,
            r#"44{"message":"not authorized","data":{}}"#.to_owned(),
            Verdict::Expired,
        ),
        ("socket.io", Phase::Live, "41".to_owned(), Verdict::Expired),
        ("nats", Phase::Login, "-ERR 'Authorization Violation'\r\n".to_owned(), Verdict::Expired),
        (
            "nats",
            Phase::Login,
            "-ERR 'Authentication Timeout'\r\n".to_owned(),
            Verdict::AuthenticationTimeout,
        ),
        ("nats", Phase::Live, "-ERR 'User Authentication Expired'\r\n".to_owned(), Verdict::Expired),
        ("ably", Phase::Login, ably(9, 40_142, 401), Verdict::Expired),
        ("ably", Phase::Live, ably(6, 40_141, 401), Verdict::Expired),
        ("ably", Phase::Renewing, ably(9, 40_140, 401), Verdict::Expired),
        ("ably", Phase::Login, ably(9, 40_149, 401), Verdict::Expired),
        ("ably", Phase::Login, ably(9, 40_101, 401), Verdict::Rejected),
        ("ably", Phase::Renewing, ably(9, 40_102, 401), Verdict::Rejected),
        ("ably", Phase::Login, ably(9, 40_113, 401), Verdict::Rejected),
        ("ably", Phase::Login, ably(9, 40_111, 401), Verdict::RateLimited),
        ("ably", Phase::Login, ably(6, 40_151, 401), Verdict::RateLimited),
        ("ably", Phase::Login, ably(9, 40_300, 403), Verdict::Forbidden),
        ("ably", Phase::Login, ably(9, 40_330, 403), Verdict::Forbidden),
        ("ably", Phase::Login, ably(9, 40_400, 404), Verdict::Misuse),
        ("ably", Phase::Live, ably(9, 50_000, 500), Verdict::Misuse),
        ("ably", Phase::Live, ably(6, 50_003, 500), Verdict::Transient),
        ("ably", Phase::Live, r#"{"action":6}"#.to_owned(), Verdict::Transient),
        ("directus", Phase::Login, directus("AUTH_FAILED"), Verdict::Expired),
        ("directus", Phase::Login, directus("AUTH_TIMEOUT"), Verdict::AuthenticationTimeout),
        ("directus", Phase::Live, directus("AUTH_TIMEOUT"), Verdict::Expired),
        ("directus", Phase::Renewing, directus("AUTH_FAILED"), Verdict::Expired),
        ("anycable", Phase::Login, cable("token_expired"), Verdict::Expired),
        ("anycable", Phase::Login, cable("unauthorized"), Verdict::Rejected),
        (
            "anycable",
            Phase::Live,
            r#"{"type":"disconnect","reconnect":true}"#.to_owned(),
            Verdict::ReconnectNow,
        ),
        ("anycable", Phase::Live, cable("remote"), Verdict::Rejected),
        ("centrifugo", Phase::Login, centrifugo(109), Verdict::Expired),
        ("centrifugo", Phase::Login, centrifugo(101), Verdict::Rejected),
        ("centrifugo", Phase::Login, centrifugo(103), Verdict::Forbidden),
        ("centrifugo", Phase::Login, centrifugo(100), Verdict::Transient),
        (
            "openai-realtime",
            Phase::Login,
            r#"{"type":"error","error":{"code":"invalid_api_key"}}"#.to_owned(),
            Verdict::Expired,
        ),
        ("signalr", Phase::Login, "{\"error\":\"no such protocol\"}\x1e".to_owned(), Verdict::Misuse),
        (
            "signalr",
            Phase::Live,
            "{\"type\":7,\"allowReconnect\":true}\x1e".to_owned(),
            Verdict::ReconnectNow,
        ),
    ] {
        let dialect = named(name);
        let message = Failure::Message(said(&dialect, &wire));
        assert!(ends(&dialect, phase, &message), "{name}: {wire} ends the connection");
        assert_eq!(verdict(&dialect, phase, 1, &message), expected, "{name}: {wire}");
    }
}

#[test]
fn no_message_of_a_users_own_ends_a_connection() {
    for (name, phase, wire) in [
        ("ably", Phase::Live, r#"{"action":9,"channel":"a","error":{"code":40160,"statusCode":401}}"#),
        ("ably", Phase::Live, r#"{"action":9,"channel":null,"error":{"code":40142,"statusCode":401}}"#),
        ("ably", Phase::Live, r#"{"action":2,"msgSerial":1,"error":{"code":40160,"statusCode":401}}"#),
        ("genesys", Phase::Live, r#"{"type":"auth","status":"error"}"#),
        ("genesys-notifications", Phase::Live, r#"{"result":"400","status":"failure"}"#),
        // The server asks for a fresh credential, by what looks like an error.
        ("directus", Phase::Live, r#"{"type":"auth","status":"error","error":{"code":"TOKEN_EXPIRED"}}"#),
        ("directus", Phase::Renewing, r#"{"type":"auth","status":"error","error":{"code":"TOKEN_EXPIRED"}}"#),
        // An answer to the user's own second login, which leaves the first as it was.
        ("directus", Phase::Live, r#"{"type":"auth","status":"error","error":{"code":"AUTH_FAILED"}}"#),
        ("centrifugo", Phase::Live, r#"{"id":7,"error":{"code":103,"message":"permission denied"}}"#),
        ("centrifugo", Phase::Renewing, r#"{"id":7,"error":{"code":109,"message":"of a subscription"}}"#),
        ("socket.io", Phase::Live, r#"42["44"]"#),
        ("nats", Phase::Live, "-ERR 'Permissions Violation for Publish to \"a\"'\r\n"),
        ("openai-realtime", Phase::Live, r#"{"type":"error","error":{"code":"invalid_api_key"}}"#),
    ] {
        let dialect = named(name);
        let message = Failure::Message(said(&dialect, wire));
        assert!(!ends(&dialect, phase, &message), "{name}: {wire}");
    }
}

#[test]
fn no_message_that_lets_in_asks_or_beats_also_ends_the_connection() {
    for name in Dialect::names() {
        let dialect = named(name);
        let accepting = match &dialect.acceptance {
            Acceptance::Upgrade => &[][..],
            Acceptance::Message { any_of, .. } => any_of,
        };
        let asking = match &dialect.renewal {
            Renewal::Never => &[][..],
            Renewal::InBand { asked_by, .. } | Renewal::Reconnect { asked_by, .. } => asked_by,
        };
        let replies = dialect.replies.iter().map(|reply| &reply.on);
        for matcher in accepting.iter().chain(&dialect.heartbeats).chain(replies) {
            let message = Failure::Message(matcher.message());
            for phase in PHASES {
                assert!(!ends(&dialect, phase, &message), "{name}: {message:?} in {phase:?}");
            }
        }
        for matcher in asking {
            let message = Failure::Message(matcher.message());
            for phase in [Phase::Live, Phase::Renewing] {
                assert!(!ends(&dialect, phase, &message), "{name}: {message:?} in {phase:?}");
            }
        }
    }
}

#[test]
fn every_close_has_the_verdict_of_its_service_with_and_without_a_reason() {
    for (name, phase, code, expected) in [
        ("graphql-transport-ws", Phase::Login, 4403, Verdict::Expired),
        ("graphql-transport-ws", Phase::Live, 4403, Verdict::Expired),
        // async-graphql refuses so; live, it is a fault of the protocol.
        ("graphql-transport-ws", Phase::Login, 1002, Verdict::Expired),
        ("graphql-transport-ws", Phase::Live, 1002, Verdict::Misuse),
        ("graphql-transport-ws", Phase::Login, 4500, Verdict::Expired),
        ("graphql-transport-ws", Phase::Live, 4500, Verdict::Rejected),
        ("graphql-transport-ws", Phase::Login, 4408, Verdict::AuthenticationTimeout),
        ("graphql-transport-ws", Phase::Login, 4400, Verdict::Misuse),
        ("graphql-transport-ws", Phase::Login, 4401, Verdict::Misuse),
        ("graphql-transport-ws", Phase::Login, 4406, Verdict::Misuse),
        ("graphql-transport-ws", Phase::Login, 4429, Verdict::Misuse),
        ("hasura", Phase::Login, 4403, Verdict::Expired),
        ("nats", Phase::Login, 1008, Verdict::Expired),
        ("azure-web-pubsub", Phase::Live, 1008, Verdict::Expired),
        ("optave", Phase::Live, 4401, Verdict::Expired),
        ("centrifugo", Phase::Live, 3000, Verdict::Transient),
        ("centrifugo", Phase::Live, 3003, Verdict::Transient),
        ("centrifugo", Phase::Live, 3005, Verdict::Expired),
        ("centrifugo", Phase::Live, 3013, Verdict::RateLimited),
        ("centrifugo", Phase::Live, 3499, Verdict::Transient),
        ("centrifugo", Phase::Login, 3500, Verdict::Rejected),
        ("centrifugo", Phase::Login, 3501, Verdict::Misuse),
        ("centrifugo", Phase::Login, 3502, Verdict::AuthenticationTimeout),
        ("centrifugo", Phase::Live, 3503, Verdict::Rejected),
        ("centrifugo", Phase::Live, 3507, Verdict::Forbidden),
        ("centrifugo", Phase::Live, 4001, Verdict::Transient),
        ("centrifugo", Phase::Live, 4403, Verdict::Transient),
        ("centrifugo", Phase::Live, 4999, Verdict::Rejected),
    ] {
        for reason in ["", "because"] {
            let found = verdict(&named(name), phase, 1, &closed(code, reason));
            assert_eq!(found, expected, "{name}: {code} {reason:?} in {phase:?}");
        }
    }
}

#[test]
fn centrifugo_never_returns_after_a_terminal_close_and_always_after_another() {
    let dialect = named("centrifugo");
    for code in (3000..=4999).filter(|code| ![3005, 3013, 3014, 3501, 3502, 3507].contains(code)) {
        let expected = if code % 1000 < 500 { Verdict::Transient } else { Verdict::Rejected };
        for reason in ["", "because"] {
            assert_eq!(verdict(&dialect, Phase::Live, 1, &closed(code, reason)), expected, "{code}");
        }
    }
}

#[test]
fn silence_before_the_end_of_a_login_is_told_from_other_ends() {
    for (name, limit) in [("home-assistant", 10), ("socket.io", 45)] {
        let dialect = named(name);
        for failure in [Failure::Transport, closed(None, ""), closed(1005, ""), closed(1006, "")] {
            for (phase, seconds, expected) in [
                (Phase::Login, limit, Verdict::AuthenticationTimeout),
                (Phase::Login, limit - 2, Verdict::Transient),
                (Phase::Live, limit, Verdict::Transient),
            ] {
                let found = verdict(&dialect, phase, seconds, &failure);
                assert_eq!(found, expected, "{name}: {failure:?} in {phase:?} after {seconds} s");
            }
        }
    }
}

#[test]
fn every_status_of_a_refused_upgrade_has_the_verdict_of_its_service() {
    for name in Dialect::names() {
        let dialect = named(name);
        for (status, expected) in [
            (401, Verdict::Expired),
            (403, if name == "kubernetes" { Verdict::Forbidden } else { Verdict::Expired }),
            (404, Verdict::Misuse),
            (429, Verdict::RateLimited),
            (503, Verdict::Transient),
        ] {
            let found = verdict(&dialect, Phase::Upgrade, 1, &Failure::Status(status));
            assert_eq!(found, expected, "{name}: {status}");
        }
    }
}
