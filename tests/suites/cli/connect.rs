//! `rtauth connect` against WebSocket servers by script: what they see of it, and what it makes of them.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

use realtime_auth_tests::authority::Authority;
use rustls::{ServerConnection, StreamOwned};
use serde_json::json;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::{Bytes, Message, WebSocket};

use super::*;

/// A server, and the thread that plays its script.
pub(super) struct Scripted<T> {
    pub(super) url: String,
    playing: JoinHandle<T>,
}

impl<T: Send + 'static> Scripted<T> {
    pub(super) fn play(script: impl FnOnce(&TcpListener) -> T + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/ws", listener.local_addr().unwrap());
        Self { url, playing: std::thread::spawn(move || script(&listener)) }
    }

    pub(super) async fn played(self) -> T {
        let playing = tokio::task::spawn_blocking(|| self.playing.join().unwrap());
        tokio::time::timeout(PATIENCE, playing).await.expect("the server hangs").unwrap()
    }
}

/// The next connection, and the head of its upgrade.
#[expect(clippy::result_large_err, reason = "the codec wants the answer of a refusal so")]
pub(super) fn accept(listener: &TcpListener) -> (WebSocket<TcpStream>, String) {
    let mut head = String::new();
    let note = |request: &Request, response: Response| {
        head = format!("{} {:?}", request.uri(), request.headers());
        Ok(response)
    };
    let (stream, _) = listener.accept().unwrap();
    let socket = tungstenite::accept_hdr(stream, note).unwrap();
    (socket, head)
}

fn bearer<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let flags = ["connect", "--dialect", "bearer-header", "--url", url, "--json"];
    [&flags[..], &["--source", "static", "--token-file", "token.txt"], more].concat()
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.put("token.txt", "canary-token");
    desk
}

/// Reads until a line is like this one.
async fn until(running: &mut Running, expected: &Value) -> Value {
    loop {
        let event = running.event().await;
        if expected.as_object().unwrap().iter().all(|(name, value)| event.get(name) == Some(value)) {
            return event;
        }
    }
}

fn typing(desk: &Desk, arguments: &[&str]) -> Running {
    let mut command = desk.rtauth(arguments);
    command.stdin(Stdio::piped());
    Running::start(command)
}

#[tokio::test]
async fn binary_messages_are_in_base64_and_a_close_is_told_with_its_code() {
    let desk = desk();
    let server = Scripted::play(|listener| {
        let (mut first, head) = accept(listener);
        first.send(Message::Binary(Bytes::from_static(b"\x00\xff\n"))).unwrap();
        first.send(Message::from("the last before the close")).unwrap();
        first.close(Some(CloseFrame { code: 1012.into(), reason: "restart".into() })).unwrap();
        while first.read().is_ok() {}
        let (mut second, _) = accept(listener);
        second.send(Message::from("again")).unwrap();
        while second.read().is_ok() {}
        head
    });
    let mut session = typing(&desk, &bearer(&server.url, &["--ws-header", "X-Team: red ${now_s}"]));
    until(&mut session, &json!({"event": "authenticated"})).await;
    assert_eq!(session.event().await, json!({"event": "message", "base64": "AP8K"}));
    assert_eq!(session.event().await, json!({"event": "message", "text": "the last before the close"}));
    assert_eq!(
        session.event().await,
        json!({"event": "closed", "code": 1012, "reason": "the server closed the connection"})
    );
    let waits = session.event().await;
    assert_eq!((&waits["state"], &waits["code"]), (&json!("disconnected"), &json!(1012)), "{waits}");
    until(&mut session, &json!({"event": "message", "text": "again"})).await;
    interrupt(&session);
    until(&mut session, &json!({"event": "state", "state": "closed"})).await;
    assert_eq!(session.end().await, (Some(0), String::new()));
    let head = server.played().await;
    // It was sent, and shown nowhere.
    assert!(head.contains("Bearer canary-token"), "{head}");
    assert!(head.contains("red ${now_s}"), "{head}");
}

#[tokio::test]
async fn an_interrupt_closes_with_1000_behind_what_was_sent() {
    let desk = desk();
    let server = Scripted::play(|listener| {
        let (mut socket, _) = accept(listener);
        let mut seen = Vec::new();
        while let Ok(message) = socket.read() {
            if let Message::Text(text) = &message {
                socket.send(Message::from("seen")).unwrap();
                seen.push(text.to_string());
            }
            if let Message::Close(frame) = &message {
                seen.push(format!("{}", frame.as_ref().unwrap().code));
            }
        }
        seen
    });
    let mut session = typing(&desk, &bearer(&server.url, &["--send", "first"]));
    until(&mut session, &json!({"event": "message", "text": "seen"})).await;
    interrupt(&session);
    until(&mut session, &json!({"event": "state", "state": "closed"})).await;
    assert_eq!(session.end().await.0, Some(0));
    assert_eq!(server.played().await, ["first", "1000"]);
}

#[tokio::test]
async fn a_second_interrupt_does_not_wait_for_a_server_that_says_nothing() {
    let desk = desk();
    let (ended, wait) = std::sync::mpsc::channel::<()>();
    let server = Scripted::play(move |listener| {
        let (mut socket, _) = accept(listener);
        socket.send(Message::from("hello")).unwrap();
        // It neither reads nor goes.
        let _ = wait.recv();
    });
    let mut session = typing(&desk, &bearer(&server.url, &[]));
    until(&mut session, &json!({"event": "message"})).await;
    interrupt(&session);
    until(&mut session, &json!({"event": "state", "state": "closing"})).await;
    interrupt(&session);
    assert_eq!(session.end().await, (Some(130), "rtauth connect: interrupted\n".to_owned()));
    drop(ended);
    server.played().await;
}

/// `timeout` signals a process and its group: that is one request to end, not two.
#[tokio::test]
async fn who_is_told_to_end_twice_at_once_still_closes_gracefully() {
    let desk = desk();
    for name in ["-TERM", "-HUP"] {
        let (told, wait) = std::sync::mpsc::channel::<()>();
        let server = Scripted::play(move |listener| {
            let (mut socket, _) = accept(listener);
            socket.send(Message::from("hello")).unwrap();
            let _ = wait.recv();
            while socket.read().is_ok() {}
        });
        let mut session = typing(&desk, &bearer(&server.url, &[]));
        until(&mut session, &json!({"event": "message"})).await;
        signal(&session, name);
        until(&mut session, &json!({"event": "state", "state": "closing"})).await;
        signal(&session, name);
        drop(told);
        until(&mut session, &json!({"event": "state", "state": "closed"})).await;
        assert_eq!(session.end().await, (Some(0), String::new()), "{name}");
        server.played().await;
    }
}

#[tokio::test]
async fn a_refused_upgrade_exits_with_3_and_one_without_an_answer_with_4() {
    let desk = desk();
    for (answer, code, kind) in [
        (Answer::http(404, "", "canary-body"), 3, "connection_refused"),
        (Answer::http(401, "", "canary-body"), 3, "invalid_token"),
        (Answer::Silence, 4, "timeout"),
    ] {
        let server = Script::serve(vec![answer; 5]).await.unwrap();
        let url = server.url().replace("http://", "ws://");
        let output = desk.run(&bearer(&url, &["--timeout", "2"])).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        let last: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
        assert_eq!((&last["event"], &last["kind"]), (&json!("failed"), &json!(kind)), "{stdout}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stdout.contains("canary") && !stderr.contains("canary"), "{stdout}{stderr}");
        assert!(server.requests().iter().all(|request| request.contains("Bearer canary-token")));
    }
}

/// What a session prints waits for its reader, and the session does not.
#[tokio::test]
async fn a_reader_who_is_slow_gets_every_message_in_order() {
    const MESSAGES: usize = 20_000;
    let desk = desk();
    let server = Scripted::play(|listener| {
        let (mut socket, _) = accept(listener);
        for number in 0..MESSAGES {
            socket.send(Message::from(format!("{number}:{}", "x".repeat(200)))).unwrap();
        }
        while socket.read().is_ok() {}
    });
    let mut session = typing(&desk, &bearer(&server.url, &[]));
    until(&mut session, &json!({"event": "authenticated"})).await;
    // More than a pipe holds has come by now, or never will.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for number in 0..MESSAGES {
        let message = until(&mut session, &json!({"event": "message"})).await;
        assert!(message["text"].as_str().unwrap().starts_with(&format!("{number}:")), "{number}: {message}");
    }
    interrupt(&session);
    assert_eq!(session.end().await.0, Some(0));
    server.played().await;
}

/// An authority that the platform does not know is trusted where a flag names it, and nowhere else.
#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_by_its_flag_alone() {
    let desk = desk();
    let authority = Authority::new().unwrap();
    desk.put("authority.pem", &authority.pem());
    desk.put("other.pem", &Authority::new().unwrap().pem());
    for (file, code) in [("authority.pem", 0), ("other.pem", 3)] {
        let config = Arc::clone(authority.acceptor("127.0.0.1", &[], None).unwrap().config());
        let server = Scripted::play(move |listener| {
            let (stream, _) = listener.accept().unwrap();
            let stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            let Ok(mut socket) = tungstenite::accept(stream) else { return };
            while let Ok(message) = socket.read() {
                if message.is_text() {
                    socket.send(message).unwrap();
                }
            }
        });
        let url = server.url.replace("ws://", "wss://");
        let flags = ["--ws-ca-file", file, "--send", "over TLS", "--for", "2"];
        let output = desk.run(&bearer(&url, &flags)).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let echoed =
            String::from_utf8(output.stdout).unwrap().contains(r#"{"event":"message","text":"over TLS"}"#);
        assert_eq!(echoed, code == 0);
        server.played().await;
    }
}
