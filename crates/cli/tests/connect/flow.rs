//! Lines and messages when the other side says nothing, or nobody reads.

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
