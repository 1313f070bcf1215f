//! How a session ends, and with which exit code.

use serde_json::json;

use super::*;

#[test]
fn a_refusal_is_told_once_and_exits_with_3() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    desk.put("bad-token.txt", "canary-token");
    let url = format!("ws://{}/ws", gateway.address);
    let fixed = ["connect", "--dialect", "genesys", "--url", &url, "--json"];
    let fixed = [&fixed[..], &["--source", "static", "--token-file", "bad-token.txt"]].concat();
    let wrong = gateway.genesys(&["--json"]).join("\n").replace("secret.txt", "wrong.txt");
    let wrong: Vec<_> = wrong.lines().collect();
    let unscoped = gateway.genesys(&["--json", "--require-scope", "nobody:has"]);
    for (command, kind) in
        [(fixed, "invalid_token"), (wrong, "invalid_client"), (words(&unscoped), "insufficient_scope")]
    {
        let output = desk.run(&command);
        let lines = lines(&output, 3);
        let failed = lines.last().unwrap();
        assert_eq!((&failed["event"], &failed["kind"]), (&json!("failed"), &json!(kind)), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line["event"] == "failed").count(), 1);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let message = failed["message"].as_str().unwrap();
        assert_eq!(stderr, format!("rtauth connect: {kind}: {message}\n"));
    }
}

#[test]
fn a_scope_that_is_missing_opens_no_socket() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    // Nobody listens where the session would go.
    let elsewhere = gateway.genesys(&["--json", "--require-scope", "nobody:has"]).join("\n");
    let elsewhere = elsewhere.replace(&format!("ws://{}", gateway.address), "ws://127.0.0.1:1");
    let lines = lines(&desk.run(&elsewhere.lines().collect::<Vec<_>>()), 3);
    assert_eq!(names(&lines), ["connecting", "failed", "failed"]);
}

#[test]
fn a_session_that_is_never_authenticated_exits_with_4() {
    let desk = Desk::new();
    desk.put("token.txt", "canary-token");
    let url = ["connect", "--dialect", "bearer-header", "--url", "ws://127.0.0.1:1/", "--json"];
    let nobody = [&url[..], &["--source", "static", "--token-file", "token.txt"]].concat();
    for (limit, time) in [("--timeout", "(--timeout)"), ("--for", "of --for")] {
        let output = desk.run(&[&nobody[..], &[limit, "0.7", "--send", "x"]].concat());
        let lines = lines(&output, 4);
        let failed = lines.last().unwrap();
        assert_eq!(failed["kind"], "timeout", "{lines:?}");
        assert!(failed["message"].as_str().unwrap().contains(time), "{failed}");
        let waits = lines.iter().find(|line| line["state"] == "disconnected").unwrap();
        assert_eq!(waits["reason"], "the server can't be reached");
    }
    // Nor is there a token.
    let asked =
        ["connect", "--dialect", "genesys", "--url", "ws://127.0.0.1:1/", "--json", "--timeout", "0.7"];
    let source =
        ["--token-url", "http://127.0.0.1:1/", "--client-id", "a", "--client-secret-file", "secret.txt"];
    let lines = lines(&desk.run(&[&asked[..], &source].concat()), 4);
    assert_eq!(lines.last().unwrap()["kind"], "timeout", "{lines:?}");
}

#[test]
fn an_input_that_never_had_a_line_closes_nothing() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let mut session = desk.start(&words(&gateway.genesys(&["--json", "--send", "hello"])));
    session.end_input();
    session.until(&json!({"event": "renewed"}));
    #[cfg(unix)]
    {
        session.signal("-INT");
        let (lines, code, _) = session.end();
        assert_eq!(code, Some(0), "{lines:?}");
        assert_eq!(names(&lines)[names(&lines).len() - 3..], ["closing", "closed", "closed"]);
    }
}

#[test]
fn with_a_time_to_last_the_end_of_the_input_ends_nothing() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let output = desk.run_with(&words(&gateway.genesys(&["--json", "--for", "3"])), "x\n");
    // A token lives four seconds, and is renewed after two.
    assert!(names(&lines(&output, 0)).contains(&"renewed"), "{output:?}");
}

/// A secret that came from standard input has left no messages there, and its end is not that of the session.
#[test]
fn a_secret_may_come_from_standard_input() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let command = gateway.genesys(&["--json", "--send", "hi", "--for", "1"]).join("\n");
    let command = command.replace("secret.txt", "-");
    let output = desk.run_with(&command.lines().collect::<Vec<_>>(), "canary-of-abc\n");
    let lines = lines(&output, 0);
    assert!(lines.contains(&json!({"event": "message", "text": "hi"})), "{lines:?}");
}

#[test]
fn what_could_not_be_sent_is_told_and_exits_with_1() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let mut session = desk.start(&words(&gateway.genesys(&["--json", "--for", "2"])));
    session.until(&json!({"event": "authenticated"}));
    drop(gateway);
    session.until(&json!({"event": "state", "state": "disconnected"}));
    session.type_in("too late\n");
    let (lines, code, stderr) = session.end();
    assert_eq!(code, Some(1), "{lines:?}");
    assert!(
        lines.contains(&json!({"event": "unsent", "text": "too late", "may_have_arrived": false})),
        "{lines:?}"
    );
    assert!(stderr.contains("a message was not sent"), "{stderr}");
}

#[test]
fn what_is_no_text_is_not_sent() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let mut session = desk.start(&words(&gateway.genesys(&["--json"])));
    session.type_in("fine\n");
    session.process.stdin.as_mut().unwrap().write_all(b"\xff\xfe\n").unwrap();
    let (lines, code, stderr) = session.end();
    assert_eq!(code, Some(1), "{lines:?}");
    assert!(lines.contains(&json!({"event": "message", "text": "fine"})), "{lines:?}");
    assert!(stderr.contains("a line of standard input is not UTF-8 text"), "{stderr}");
}

#[test]
fn a_reader_who_has_seen_enough_ends_the_session() {
    let desk = Desk::new();
    let gateway = Gateway::start(&desk);
    let mut session = desk.start(&words(&gateway.genesys(&["--json"])));
    session.until(&json!({"event": "authenticated"}));
    let Running { mut process, lines, .. } = session;
    drop(lines);
    process.stdin.as_mut().unwrap().write_all(b"one\ntwo\n").unwrap();
    let ended = process.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[cfg(unix)]
#[test]
fn who_interrupts_before_there_is_a_session_ends_it_with_130() {
    let desk = Desk::new();
    desk.put("token.txt", "canary-token");
    let url = ["connect", "--dialect", "bearer-header", "--url", "ws://127.0.0.1:1/", "--json"];
    let mut session = desk.start(&[&url[..], &["--source", "static", "--token-file", "token.txt"]].concat());
    session.until(&json!({"event": "state", "state": "disconnected"}));
    session.signal("-INT");
    let (lines, code, stderr) = session.end();
    assert_eq!((code, stderr.as_str()), (Some(130), "rtauth connect: interrupted\n"), "{lines:?}");
}
