//! The lines of `--json`, in the order in which things happen.

use serde_json::json;

use super::*;

#[test]
fn a_session_tells_its_life_in_lines() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let command = gateway.genesys(&["--json", "--send", "hello", "--send", "{\"a\":1}", "--for", "1"]);
    let lines = lines(&desk.run(&words(&command)), 0);
    assert_eq!(
        names(&lines),
        ["connecting", "connected", "authenticated", "message", "message", "closing", "closed", "closed"]
    );
    assert_eq!(lines[0], json!({"event": "state", "state": "connecting", "attempt": 1}));
    assert!(lines[2]["session_id"].is_string() && lines[2]["latency_ms"].is_u64(), "{}", lines[2]);
    assert_eq!(lines[3], json!({"event": "message", "text": "hello"}));
    assert_eq!(lines[4], json!({"event": "message", "text": "{\"a\":1}"}));
    assert_eq!(lines[6], json!({"event": "closed", "code": 1000, "reason": "closed by us"}));
    assert_eq!(lines[7], json!({"event": "state", "state": "closed"}));
}

/// All of it may happen at once: the input has ended before there is a connection.
#[test]
fn a_session_of_one_line_tells_its_life_in_order_too() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    for _ in 0..5 {
        let lines = lines(&desk.run_with(&words(&gateway.genesys(&["--json"])), "one\n"), 0);
        let told: Vec<_> = names(&lines).into_iter().filter(|name| *name != "message").collect();
        assert_eq!(told, ["connecting", "connected", "authenticated", "closing", "closed", "closed"]);
    }
}

#[test]
fn what_is_typed_is_sent_while_the_session_goes_on() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let mut session = desk.start(&words(&gateway.genesys(&["--json"])));
    for text in ["one", "two words", ""] {
        session.type_in(&format!("{text}\n"));
        session.until(&json!({"event": "message", "text": text}));
    }
    session.type_in("the last has no line end");
    session.end_input();
    session.until(&json!({"event": "message", "text": "the last has no line end"}));
    let (lines, code, stderr) = session.end();
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{lines:?}");
    assert_eq!(names(&lines).iter().filter(|name| **name == "connected").count(), 1);
}

#[test]
fn a_token_is_renewed_in_band_and_the_session_outlives_it() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let mut session = desk.start(&words(&gateway.genesys(&["--json", "--keep-open"])));
    session.end_input();
    let authenticated = session.until(&json!({"event": "authenticated"}));
    // A token lives four seconds.
    for _ in 0..3 {
        session.until(&json!({"event": "renewed", "in_band": true}));
    }
    #[cfg(unix)]
    {
        session.signal("-TERM");
        let (lines, code, _) = session.end();
        assert_eq!(code, Some(0), "{lines:?}");
        assert_eq!(
            lines.iter().filter(|line| line["event"] == "authenticated").count(),
            1,
            "{authenticated}"
        );
    }
}

#[test]
fn a_session_comes_back_when_its_server_does() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let mut session = desk.start(&words(&gateway.genesys(&["--json"])));
    session.type_in("before\n");
    session.until(&json!({"event": "message", "text": "before"}));
    let address = gateway.address.clone();
    drop(gateway);
    let closed = session.until(&json!({"event": "closed"}));
    assert!(closed["code"].is_null() && closed["reason"].is_string(), "{closed}");
    let waits = session.until(&json!({"event": "state", "state": "disconnected"}));
    assert!(waits["reason"].is_string() && waits["retry_in_ms"].is_u64(), "{waits}");
    // Another key signs its tokens: the old one is worth nothing.
    let _gateway = Gateway::at(&desk, &address);
    let connecting = session.until(&json!({"event": "state", "state": "connecting"}));
    assert!(connecting["attempt"].as_u64().unwrap() > 1, "{connecting}");
    session.until(&json!({"event": "state", "state": "connected"}));
    session.type_in("after\n");
    session.until(&json!({"event": "message", "text": "after"}));
    session.end_input();
    let (lines, code, _) = session.end();
    assert_eq!(code, Some(0), "{lines:?}");
}

#[test]
fn each_optave_connection_gets_a_token_of_its_own() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let url = format!("ws://{}/", gateway.address);
    let token_url = format!("http://{}/auth/oauth2", gateway.address);
    for dialect in ["optave", "optave-query"] {
        let output = desk.run_with(
            &[
                "connect",
                "--dialect",
                dialect,
                "--url",
                &url,
                "--source",
                "optave",
                "--token-url",
                &token_url,
                "--client-id",
                "cid",
                "--client-secret-file",
                "optave.txt",
                "--json",
            ],
            "hi\n",
        );
        let lines = lines(&output, 0);
        assert!(lines.contains(&json!({"event": "message", "text": "hi"})), "{lines:?}");
    }
}

#[test]
fn without_json_messages_are_lines_and_the_rest_is_told_beside_them() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let output = desk.run_with(&words(&gateway.genesys(&["--send", "zero"])), "one\ntwo\n");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "zero\none\ntwo\n");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("rtauth connect: connected, session "), "{stderr}");
    assert!(!stderr.contains('\u{1b}') && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn the_audit_log_has_every_step_and_no_secret() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let command = gateway.genesys(&["--json", "--for", "3", "--audit", "audit"]);
    lines(&desk.run(&words(&command)), 0);
    let log = fs::read_to_string(desk.path("audit/00000000000000000001.jsonl")).unwrap();
    for event in ["token_issued", "connecting", "authenticated", "token_renewed", "session_closed"] {
        assert!(log.contains(&format!("\"{event}\"")), "{event}: {log}");
    }
    assert!(!log.contains(CANARY) && !log.contains("eyJ"), "{log}");
    // It goes on where it ended.
    let before = log.lines().count();
    lines(&desk.run(&words(&command)), 0);
    let log = fs::read_to_string(desk.path("audit/00000000000000000001.jsonl")).unwrap();
    assert!(log.lines().count() > before && log.contains("authenticated"), "{log}");
}
