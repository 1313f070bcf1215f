//! Lines and messages when the other side says nothing, or nobody reads.
#![expect(clippy::disallowed_methods, reason = "servers, and who waits for a process, without a runtime")]

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use tungstenite::WebSocket;

use super::*;

/// How long something may take before it is said never to come.
const NEVER: Duration = Duration::from_secs(60);

/// A session with a server that takes one connection, and does this with it.
fn session(desk: &Desk, more: &[&str], serve: impl FnOnce(WebSocket<TcpStream>) + Send + 'static) -> Running {
    desk.put("token.txt", "canary-token");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    thread::spawn(move || serve(tungstenite::accept(listener.accept().unwrap().0).unwrap()));
    let command = ["connect", "--dialect", "bearer-header", "--url", &url, "--json"];
    desk.start(&[&command, &["--source", "static", "--token-file", "token.txt"][..], more].concat())
}

/// Passes on the text that comes, until the connection ends.
fn pass_on(mut socket: WebSocket<TcpStream>, texts: &Sender<String>) {
    while let Ok(message) = socket.read() {
        if let tungstenite::Message::Text(text) = message {
            texts.send(text.to_string()).unwrap();
        }
    }
}

#[test]
fn every_line_goes_out_to_a_server_that_only_listens() {
    let desk = Desk::new();
    let (texts, received) = channel();
    let mut session = session(&desk, &[], move |socket| pass_on(socket, &texts));
    session.until(&serde_json::json!({"event": "authenticated"}));
    let lines: Vec<_> = (0..40).map(|number| format!("line {number}")).collect();
    session.type_in(&(lines.join("\n") + "\n"));
    for line in &lines {
        assert_eq!(received.recv_timeout(NEVER).as_ref(), Ok(line));
    }
    session.end_input();
    let (lines, code, stderr) = session.end();
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{lines:?}");
}

/// Sends messages until the other side takes no more of them.
fn flood(socket: &mut WebSocket<TcpStream>) {
    let stream = socket.get_mut();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    // A text of 1000 bytes (RFC 6455 §5.2).
    let frame = [&[0x81, 126, 3, 232][..], &[b'x'; 1000]].concat();
    while stream.write_all(&frame).is_ok() {}
}

/// How a session ends whose standard output nobody reads.
#[cfg(unix)]
fn ended(session: Running) -> (Option<i32>, String) {
    let Running { mut process, lines, seen: _ } = session;
    let id = process.id().to_string();
    let (tell, told) = channel();
    let waiting = thread::spawn(move || {
        let status = process.wait().unwrap();
        tell.send(()).unwrap();
        (status.code(), std::io::read_to_string(process.stderr.take().unwrap()).unwrap())
    });
    let ended = told.recv_timeout(NEVER);
    if ended.is_err() {
        Command::new("kill").args(["-KILL", &id]).status().unwrap();
    }
    let outcome = waiting.join().unwrap();
    drop(lines);
    assert!(ended.is_ok(), "it did not end");
    outcome
}

#[cfg(unix)]
const LOST: &str = "rtauth connect: nobody reads standard output; what was left to write to it is lost\n";

#[test]
fn while_nobody_reads_the_session_goes_on() {
    let desk = Desk::new();
    let (tell, answered) = channel();
    let mut session = session(&desk, &[], move |mut socket| {
        // More than any pipe holds, and more messages than a session reads ahead.
        for _ in 0..400 {
            socket.send("x".repeat(2_500).into()).unwrap();
        }
        socket.send(tungstenite::Message::Ping(Default::default())).unwrap();
        let answer = socket.read().unwrap();
        tell.send(answer.is_pong()).unwrap();
    });
    assert_eq!(answered.recv_timeout(NEVER), Ok(true));
    session.process.kill().unwrap();
    session.process.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn while_nobody_reads_and_no_more_is_taken_lines_go_out_and_a_signal_ends_the_session() {
    let desk = Desk::new();
    let (texts, received) = channel();
    let (tell, is_full) = channel();
    let mut session = session(&desk, &[], move |mut socket| {
        flood(&mut socket);
        tell.send(()).unwrap();
        pass_on(socket, &texts);
    });
    is_full.recv_timeout(NEVER).unwrap();
    session.type_in("through\n");
    assert_eq!(received.recv_timeout(NEVER).as_deref(), Ok("through"));
    session.signal("-TERM");
    assert_eq!(ended(session), (Some(1), LOST.to_owned()));
}

#[cfg(unix)]
#[test]
fn while_nobody_reads_a_second_interrupt_ends_the_session_at_once() {
    let desk = Desk::new();
    let (texts, received) = channel();
    let (tell, is_full) = channel();
    let session = session(&desk, &[], move |mut socket| {
        flood(&mut socket);
        tell.send(()).unwrap();
        pass_on(socket, &texts);
    });
    is_full.recv_timeout(NEVER).unwrap();
    session.signal("-INT");
    // The server has read the close.
    assert!(received.recv_timeout(NEVER).is_err());
    session.signal("-INT");
    assert_eq!(ended(session), (Some(130), "rtauth connect: interrupted\n".to_owned()));
}

#[cfg(unix)]
#[test]
fn while_nobody_reads_the_time_to_last_ends_the_session() {
    let desk = Desk::new();
    let session = session(&desk, &["--for", "2"], |mut socket| flood(&mut socket));
    assert_eq!(ended(session), (Some(1), LOST.to_owned()));
}

#[test]
fn a_message_may_begin_with_a_dash_and_look_like_a_flag() {
    let desk = Desk::new();
    let (texts, received) = channel();
    let messages = ["--send", "-1", "--send", "-x", "--send", "--profile", "--for", "1"];
    let session = session(&desk, &messages, move |socket| pass_on(socket, &texts));
    let (lines, code, stderr) = session.end();
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{lines:?}");
    assert_eq!(received.iter().collect::<Vec<_>>(), ["-1", "-x", "--profile"]);
}
