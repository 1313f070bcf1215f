//! Taking up the session of the connection before.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use super::peer::{CLOSE, Numbered, Peer, TEXT};
use super::session_of;
use crate::ErrorKind;
use crate::dialect::{Dialect, Resumed, SubprotocolEntry, Template};
use crate::driver::tokio::{Events, Session, SessionEvent};
use crate::machine::Config;

/// The key of the last connection in the query; the name of its session goes into the first message by itself.
fn dialect() -> Dialect {
    let mut dialect = Dialect::genesys();
    dialect.placement.query = vec![("resume".to_owned(), Template::text("${last.key}"))];
    dialect.captured.named.insert("key".to_owned(), "/key".to_owned());
    dialect
}

fn resuming(dialect: Dialect, config: Config) -> (Session, Events, UnboundedReceiver<Peer>) {
    let (builder, peers, _) = session_of(dialect, 64 * 1024, Numbered::for_ever());
    let session = builder.with_config(config.with_keep_alive(None)).spawn();
    let events = session.events();
    (session, events, peers)
}

/// The next attempt to connect, within a minute.
async fn next(peers: &mut UnboundedReceiver<Peer>) -> Peer {
    timeout(Duration::from_secs(60), peers.recv()).await.expect("another attempt").unwrap()
}

/// What the next connection asks for: its query, and its first message; it is told the name of its session.
async fn asked(peers: &mut UnboundedReceiver<Peer>, session_id: &str) -> (Peer, bool, Option<String>) {
    let mut peer = next(peers).await;
    peer.upgrade().await;
    let resumes = peer.request.starts_with("GET /ws?resume=k%2F1 ");
    assert!(resumes || peer.request.starts_with("GET /ws HTTP"), "{}", peer.request);
    let login: Value = serde_json::from_str(&peer.text().await).unwrap();
    let named = login.get("sessionId").map(|named| named.as_str().unwrap().to_owned());
    let welcome = json!({"type": "auth", "status": "ok", "sessionId": session_id, "key": "k/1"});
    peer.send(TEXT, welcome.to_string().as_bytes()).await.unwrap();
    (peer, resumes, named)
}

async fn resumed(events: &mut Events) -> Option<bool> {
    loop {
        if let Some(SessionEvent::Authenticated { resumed, .. }) = events.next().await {
            return resumed;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_connection_was_told_goes_into_the_next_and_whether_it_was_taken_up_is_told() {
    let (_session, mut events, mut peers) = resuming(dialect(), Config::new());
    let (peer, resumes, named) = asked(&mut peers, "a").await;
    assert_eq!((resumes, named, resumed(&mut events).await), (false, None, Some(false)));
    drop(peer);
    let (peer, resumes, named) = asked(&mut peers, "a").await;
    assert_eq!((resumes, named, resumed(&mut events).await), (true, Some("a".to_owned()), Some(true)));
    drop(peer);
    // The server has forgotten it.
    let (_peer, resumes, named) = asked(&mut peers, "b").await;
    assert_eq!((resumes, named, resumed(&mut events).await), (true, Some("a".to_owned()), Some(false)));
}

#[tokio::test(start_paused = true)]
async fn a_message_may_say_that_it_was_taken_up() {
    let mut dialect = dialect();
    let recovered = crate::dialect::Matcher::of([("/sessionId", json!("recovered"))]);
    dialect.captured.resumed = Some(Resumed::Message(recovered));
    let (_session, mut events, mut peers) = resuming(dialect, Config::new());
    for (session_id, expected) in [("a", false), ("recovered", true), ("a", false)] {
        let (peer, ..) = asked(&mut peers, session_id).await;
        assert_eq!(resumed(&mut events).await, Some(expected), "{session_id}");
        drop(peer);
    }
}

/// A server that does not want what it is asked to take up must not be asked for ever.
#[tokio::test(start_paused = true)]
async fn what_was_refused_or_is_too_old_is_not_asked_for_again() {
    let (_session, _events, mut peers) = resuming(dialect(), Config::new());
    drop(asked(&mut peers, "a").await.0);
    let mut peer = peers.recv().await.unwrap();
    peer.upgrade().await;
    peer.send(CLOSE, &1013_u16.to_be_bytes()).await.unwrap();
    let (peer, resumes, named) = asked(&mut peers, "a").await;
    assert_eq!((resumes, named), (false, None));

    // A fault that may pass changes nothing, until the server will have forgotten the session.
    drop(peer);
    drop(peers.recv().await.unwrap());
    let (peer, resumes, _) = asked(&mut peers, "a").await;
    assert!(resumes);
    drop(peer);
    let begun = tokio::time::Instant::now();
    let mut attempts = 0;
    while begun.elapsed() < Duration::from_secs(180) {
        drop(peers.recv().await.unwrap());
        attempts += 1;
    }
    let (_peer, resumes, named) = asked(&mut peers, "a").await;
    assert_eq!((resumes, named, attempts > 3), (false, None, true));
}

/// A server that has forgotten what it is asked to take up may say so with a verdict on the request.
#[tokio::test(start_paused = true)]
async fn a_refusal_for_good_of_what_is_taken_up_is_answered_by_asking_once_without_it() {
    const GONE: &[u8] = b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
    let refuse = async |peers: &mut UnboundedReceiver<Peer>| {
        let mut peer = next(peers).await;
        peer.stream.write_all(GONE).await.unwrap();
        let mut request = Vec::new();
        peer.stream.read_to_end(&mut request).await.unwrap();
        String::from_utf8(request).unwrap().starts_with("GET /ws?resume=")
    };
    let (mut session, _events, mut peers) = resuming(dialect(), Config::new());
    drop(asked(&mut peers, "a").await.0);
    assert!(refuse(&mut peers).await);
    let (peer, resumes, named) = asked(&mut peers, "b").await;
    assert_eq!((resumes, named), (false, None));
    session.authenticated().await.unwrap();
    // The next is asked again; what refuses a connection without it refuses the session.
    drop(peer);
    assert!(refuse(&mut peers).await);
    assert!(!refuse(&mut peers).await);
    assert_eq!(session.next().await, None);
    assert_eq!(session.error().unwrap().kind(), ErrorKind::ConnectionRefused);
}

/// What a server said may be what can't stand where the dialect wants it, and the credential is not to blame.
#[tokio::test(start_paused = true)]
async fn what_can_not_be_repeated_where_the_dialect_wants_it_is_left_out() {
    let mut dialect = dialect();
    dialect.placement.query.clear();
    dialect.placement.subprotocols = vec![
        SubprotocolEntry::Name("v1".to_owned()),
        SubprotocolEntry::Credential(Template::text("resume.${last.key}")),
    ];
    let (mut session, _events, mut peers) = resuming(dialect, Config::new());
    for key in ["fits", "k/1", "fits"] {
        let mut peer = next(&mut peers).await;
        peer.upgrade_with("Sec-WebSocket-Protocol: v1\r\n").await;
        assert_eq!(peer.request.contains("v1, resume.fits\r\n"), key == "k/1", "{}", peer.request);
        peer.text().await;
        let welcome = json!({"type": "auth", "status": "ok", "sessionId": "s", "key": key});
        peer.send(TEXT, welcome.to_string().as_bytes()).await.unwrap();
        session.authenticated().await.unwrap();
    }
}

/// The other end takes the login with it and without.
#[tokio::test(start_paused = true)]
async fn a_login_is_read_with_what_it_resumes_and_without() {
    let form = Template::json(json!({"token": "${credential}", "sessionId": "${last.session_id}"}));
    let read = |text: &str| form.read(text).map(|credential| credential.expose().to_owned());
    assert_eq!(read(r#"{"token":"t"}"#), Some("t".to_owned()));
    assert_eq!(read(r#"{"token":"t","sessionId":"s"}"#), Some("t".to_owned()));
    assert_eq!(read(r#"{"sessionId":"s"}"#), None);
}
