//! Requests and their replies: to whom, until when, and what becomes of those that have none.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, timeout};

use super::peer::{CLOSE, Numbered, Peer, TEXT};
use super::session_of;
use crate::dialect::{Codec, Dialect, Matcher, Requests};
use crate::driver::tokio::{RequestError, Session, Unsent};
use crate::machine::Config;

fn asking() -> (Session, UnboundedReceiver<Peer>) {
    let mut dialect = Dialect::genesys();
    let mut requests = Requests::new("/id");
    requests.errors = vec![Matcher::of([("/ok", json!(false))])];
    requests.interim = vec![Matcher::of([("/state", json!("started"))])];
    dialect.requests = Some(requests);
    let (builder, peers, _) = session_of(dialect, 64 * 1024, Numbered::for_ever());
    (builder.with_config(Config::new().with_keep_alive(None)).spawn(), peers)
}

/// The same, authenticated on a connection.
async fn connected() -> (Session, UnboundedReceiver<Peer>, Peer) {
    let (mut session, mut peers) = asking();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    (session, peers, peer)
}

async fn asked(peer: &mut Peer) -> Value {
    serde_json::from_str(&peer.text().await).unwrap()
}

async fn say(peer: &mut Peer, message: &Value) {
    peer.send(TEXT, message.to_string().as_bytes()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reply_goes_to_whoever_asked_and_to_nobody_else() {
    let (mut session, mut peers) = asking();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    let server = async {
        let (one, two) = (asked(&mut peer).await, asked(&mut peer).await);
        assert_ne!(one["id"], two["id"]);
        // Negative control: what only looks like a reply is the reader's.
        say(&mut peer, &json!({"id": "another", "n": 0})).await;
        say(&mut peer, &json!({"id": two["id"], "n": two["n"]})).await;
        say(&mut peer, &json!({"id": one["id"], "ok": false, "n": one["n"]})).await;
        // Answered already.
        say(&mut peer, &json!({"id": two["id"], "again": true})).await;
        peer
    };
    let (first, second) = (json!({"n": 1}), json!({"n": 2}));
    let (one, two, _peer) = tokio::join!(session.request(&first), session.request(&second), server);
    let refused = one.unwrap_err();
    assert_eq!(refused.reply().unwrap()["n"], 1);
    assert!(refused.may_have_arrived());
    assert_eq!(two.unwrap()["n"], 2);
    let mut read = async || session.next().await.unwrap().as_text().unwrap().to_owned();
    assert!(read().await.contains("another"));
    assert!(read().await.contains("again"));
}

#[test]
fn a_refusal_shows_nothing_of_what_the_server_said() {
    let refused = RequestError::Refused(Box::new(json!({"secret": "canary"})));
    assert_eq!(refused.reply().unwrap()["secret"], "canary");
    assert!(!format!("{refused} {refused:?} {refused:#?}").contains("canary"), "{refused:?}");
    let lost = RequestError::TimedOut { may_have_arrived: true };
    assert_eq!(format!("{lost:?}"), "TimedOut { may_have_arrived: true }");
}

#[tokio::test(start_paused = true)]
async fn a_reply_after_which_another_comes_is_the_readers_and_the_request_waits_on() {
    let (mut session, mut peers) = asking();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    let server = async {
        let id = asked(&mut peer).await["id"].clone();
        for state in ["started", "started", "completed"] {
            say(&mut peer, &json!({"id": id, "state": state})).await;
        }
        peer
    };
    let question = json!({});
    let (reply, _peer) = tokio::join!(session.request(&question), server);
    assert_eq!(reply.unwrap()["state"], "completed");
    for _ in 0..2 {
        assert!(session.next().await.unwrap().as_text().unwrap().contains("started"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_ends_with_its_connection_and_one_that_has_not_gone_out_takes_the_next() {
    let (session, mut peers, mut peer) = connected().await;
    let server = async {
        asked(&mut peer).await;
        drop(peer);
        let mut peer = peers.recv().await.unwrap();
        peer.log_in().await;
        let late = asked(&mut peer).await;
        say(&mut peer, &late).await;
        peer
    };
    let client = async {
        let lost = session.request(&json!({"n": "lost"})).await.unwrap_err();
        assert!(matches!(lost, RequestError::ConnectionLost) && lost.may_have_arrived(), "{lost:?}");
        session.request(&json!({"n": "patient"})).await.unwrap()
    };
    let (_peer, reply) = tokio::join!(server, client);
    assert_eq!(reply["n"], "patient");
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_never_answers_another_request_of_the_same_identifier() {
    let (session, _peers, mut peer) = connected().await;
    let question = json!({"id": 7, "n": "first"});
    let (outcome, _) = tokio::join!(session.request(&question), asked(&mut peer));
    assert!(matches!(outcome, Err(RequestError::TimedOut { may_have_arrived: true })), "{outcome:?}");
    let again = json!({"id": 7, "n": "second"});
    let outcome = session.request(&again).await;
    assert!(matches!(outcome, Err(RequestError::SameId)), "{outcome:?}");
    // Once its reply has come, or none can come, the identifier is free.
    say(&mut peer, &json!({"id": 7, "to": "first"})).await;
    sleep(Duration::from_millis(1)).await;
    let server = async {
        let asked = asked(&mut peer).await;
        say(&mut peer, &json!({"id": 7, "to": asked["n"]})).await;
    };
    let (reply, ()) = tokio::join!(session.request(&again), server);
    assert_eq!(reply.unwrap()["to"], "second");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_shares_its_frame_with_other_messages_leaves_them_to_the_reader() {
    for (codec, end) in [(Codec::JsonLines, "\n"), (Codec::JsonRecordSeparator, "\x1e")] {
        let dialect = Dialect { codec, requests: Some(Requests::new("/id")), ..Dialect::genesys() };
        let (builder, mut peers, _) = session_of(dialect, 64 * 1024, Numbered::for_ever());
        let mut session = builder.with_config(Config::new().with_keep_alive(None)).spawn();
        let mut peer = peers.recv().await.unwrap();
        peer.log_in().await;
        session.authenticated().await.unwrap();
        let server = async {
            let id = peer.text().await;
            let id = serde_json::from_str::<Value>(id.trim_end_matches('\x1e')).unwrap()["id"].clone();
            let parts = [json!({"news": 1}), json!({"id": id, "n": 1}), json!({"id": "another"})];
            let frame: String = parts.iter().map(|part| format!("{part}{end}")).collect();
            peer.send(TEXT, frame.as_bytes()).await.unwrap();
            peer
        };
        let question = json!({});
        let (reply, _peer) = tokio::join!(session.request(&question), server);
        assert_eq!(reply.unwrap()["n"], 1);
        let left = format!("{}{end}{}{end}", json!({"news": 1}), json!({"id": "another"}));
        assert_eq!(session.next().await.unwrap().as_text(), Some(left.as_str()), "{codec:?}");
    }
}

/// What was read before the end is as good as any other, whether or not the session's task ran in between.
#[tokio::test(start_paused = true)]
async fn a_reply_that_comes_together_with_the_end_of_its_connection_is_one() {
    for closes in [true, false] {
        let (mut session, mut peers, mut peer) = connected().await;
        let server = async {
            let id = asked(&mut peer).await["id"].clone();
            say(&mut peer, &json!({"id": id, "n": 1})).await;
            // Nothing else runs until the connection has ended, too.
            if closes {
                peer.send(CLOSE, &1_000_u16.to_be_bytes()).await.unwrap();
            }
            drop(peer);
        };
        let question = json!({});
        let (reply, ()) = tokio::join!(session.request(&question), server);
        assert_eq!(reply.unwrap()["n"], 1, "closes: {closes}");
        let mut peer = peers.recv().await.unwrap();
        peer.log_in().await;
        say(&mut peer, &json!({"news": 1})).await;
        assert!(
            session.next().await.unwrap().as_text().unwrap().contains("news"),
            "the reply is not the reader's"
        );
    }
}

/// They wait behind nothing that the reader has not taken.
#[tokio::test(start_paused = true)]
async fn a_reply_does_not_wait_for_a_slow_reader() {
    let (mut session, _peers, mut peer) = connected().await;
    let server = async {
        let id = asked(&mut peer).await["id"].clone();
        // As many as may wait for the reader, and some that wait in the engine.
        for number in 0..150 {
            say(&mut peer, &json!({"news": number})).await;
        }
        say(&mut peer, &json!({"id": id})).await;
        peer
    };
    let question = json!({});
    let (reply, _peer) = tokio::join!(session.request(&question), server);
    reply.unwrap();
    assert!(session.next().await.unwrap().as_text().unwrap().contains("news"));
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_thirty_seconds_and_its_late_reply_goes_to_nobody() {
    let (mut session, _peers, mut peer) = connected().await;
    let begun = Instant::now();
    let question = json!({});
    let (outcome, asked) = tokio::join!(session.request(&question), asked(&mut peer));
    assert!(matches!(outcome, Err(RequestError::TimedOut { may_have_arrived: true })), "{outcome:?}");
    assert!(begun.elapsed() - Duration::from_secs(30) < Duration::from_millis(2));
    say(&mut peer, &json!({"id": asked["id"]})).await;
    say(&mut peer, &json!({"news": 1})).await;
    assert!(session.next().await.unwrap().as_text().unwrap().contains("news"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_before_it_went_out_never_does() {
    let (session, mut peers) = asking();
    let mut peer = peers.recv().await.unwrap();
    let outcome = session.request(&json!({"n": "late"})).await;
    assert!(matches!(outcome, Err(RequestError::TimedOut { may_have_arrived: false })), "{outcome:?}");
    let dropped = json!({"n": "dropped"});
    assert!(timeout(Duration::from_secs(1), session.request(&dropped)).await.is_err());
    // Its first connection was given up meanwhile.
    let sender = session.sender();
    let sending = tokio::spawn(async move { sender.send("after").await });
    while peer.frame().await.is_ok() {}
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    assert_eq!(peer.text().await, "after");
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_asked_is_refused_at_once() {
    let (session, mut peers) = asking();
    let session = Arc::new(session);
    let mut peer = peers.recv().await.unwrap();
    for unfit in [json!("text"), json!({"id": {}})] {
        assert!(matches!(session.request(&unfit).await, Err(RequestError::Unidentifiable)), "{unfit}");
    }
    let mut waiting = Vec::new();
    for number in 0..256 {
        let session = Arc::clone(&session);
        waiting.push(tokio::spawn(async move { session.request(&json!({"id": number})).await }));
        tokio::task::yield_now().await;
    }
    // The queue is as long as the table: the first must have gone out.
    peer.log_in().await;
    for _ in 0..256 {
        asked(&mut peer).await;
    }
    assert!(matches!(session.request(&json!({"id": 7})).await, Err(RequestError::SameId)));
    assert!(matches!(session.request(&json!({})).await, Err(RequestError::TooMany)));
    say(&mut peer, &json!({"id": 7})).await;
    sleep(Duration::from_millis(1)).await;
    let question = json!({});
    let (reply, ()) = tokio::join!(session.request(&question), async {
        let asked = asked(&mut peer).await;
        say(&mut peer, &asked).await;
    });
    reply.unwrap();
    // The session ends: nobody is left to wait.
    let session = {
        for (number, waits) in waiting.iter().enumerate() {
            assert_eq!(waits.is_finished(), number == 7);
            if number != 7 {
                waits.abort();
            }
        }
        waiting.into_iter().for_each(drop);
        sleep(Duration::from_millis(1)).await;
        Arc::into_inner(session).unwrap()
    };
    let sender = session.sender();
    let asking = tokio::spawn(async move { sender.request(&json!({})).await });
    asked(&mut peer).await;
    drop(session);
    while peer.frame().await.is_ok() {}
    drop(peer);
    assert!(matches!(asking.await.unwrap(), Err(RequestError::ConnectionLost)));
}

#[tokio::test(start_paused = true)]
async fn a_dialect_without_replies_has_no_requests() {
    let (builder, _peers, _) = super::session(Numbered::for_ever());
    let session = builder.spawn();
    assert!(matches!(session.request(&json!({})).await, Err(RequestError::Unsupported)));
    // Nor has one whose replies could not be read.
    for codec in [Codec::EngineIo, Codec::Nats] {
        let requests = Some(Requests::new("/id"));
        let dialect = Dialect { codec, requests, ..Dialect::genesys() };
        let session = session_of(dialect, 1_024, Numbered::for_ever()).0.spawn();
        assert!(matches!(session.request(&json!({})).await, Err(RequestError::Unsupported)), "{codec:?}");
    }
    let (session, _peers) = asking();
    let sender = session.sender();
    let asking = tokio::spawn(async move { sender.request(&json!({})).await });
    sleep(Duration::from_millis(1)).await;
    session.close().await.unwrap();
    assert!(matches!(asking.await.unwrap(), Err(RequestError::NotSent(Unsent::Ended))));
}
