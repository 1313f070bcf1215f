//! What waits to be sent: how much, and what becomes of what is beyond that.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_sink::Sink as _;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::peer::{Numbered, Peer, Pipes};
use super::{session, session_of};
use crate::dialect::{Dialect, Requests};
use crate::driver::polled;
use crate::driver::tokio::{Limit, Overflow, RequestError, Runtime, SendError, Session, Target, Unsent};

type Sending = JoinHandle<Result<(), SendError>>;

/// A session that is not connected yet, and may have three messages, or ten bytes, wait.
async fn queue(overflow: Overflow) -> (Session, UnboundedReceiver<Peer>, Peer) {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let session = builder.with_queue(Limit { messages: 3, bytes: 10 }, overflow).spawn();
    let peer = peers.recv().await.unwrap();
    (session, peers, peer)
}

/// Sends each on a task of its own, one after another.
async fn send(session: &Session, messages: &[&'static str]) -> Vec<Sending> {
    let mut sending = Vec::new();
    for message in messages.iter().copied() {
        let sender = session.sender();
        sending.push(tokio::spawn(async move { sender.send(message).await }));
        sleep(Duration::from_millis(1)).await;
    }
    sending
}

/// Who has been told what became of the message.
fn told(sending: &[Sending]) -> Vec<bool> {
    sending.iter().map(JoinHandle::is_finished).collect()
}

async fn returned(sending: Sending) -> (Unsent, String) {
    let error = sending.await.unwrap().unwrap_err();
    let reason = error.reason();
    (reason, error.into_message().unwrap().as_text().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn by_default_a_sender_waits_for_room_in_the_order_in_which_it_came() {
    let (session, _peers, mut peer) = queue(Overflow::Wait).await;
    // Four and a half fit; so does the last, alone.
    let sending = send(&session, &["aaaa", "bbbb", "cccc", "d", "eeeeeeeeeeeeeee"]).await;
    assert_eq!(told(&sending), [false; 5]);
    peer.log_in().await;
    for expected in ["aaaa", "bbbb", "cccc", "d", "eeeeeeeeeeeeeee"] {
        assert_eq!(peer.text().await, expected);
    }
    for sent in sending {
        sent.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_room_learns_of_the_end() {
    let (session, _peers, _peer) = queue(Overflow::Wait).await;
    let mut sending = send(&session, &["a", "b", "c", "d"]).await;
    session.close().await.unwrap();
    for (sending, expected) in sending.drain(..).zip(["a", "b", "c", "d"]) {
        let returned = timeout(Duration::from_secs(1), returned(sending)).await.unwrap();
        assert_eq!(returned, (Unsent::Ended, expected.to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_beyond_the_limit_is_refused_where_that_is_wanted() {
    let (session, _peers, mut peer) = queue(Overflow::Refuse).await;
    let sending = send(&session, &["aaaa", "bbbb", "cccc", "d", "e"]).await;
    assert_eq!(told(&sending), [false, false, true, false, true], "by bytes, and by number");
    peer.log_in().await;
    for expected in ["aaaa", "bbbb", "d"] {
        assert_eq!(peer.text().await, expected);
    }
    let outcomes: Vec<_> = sending.into_iter().collect();
    for (sending, expected) in outcomes.into_iter().zip([None, None, Some("cccc"), None, Some("e")]) {
        match expected {
            None => sending.await.unwrap().unwrap(),
            Some(back) => assert_eq!(returned(sending).await, (Unsent::QueueFull, back.to_owned())),
        }
    }
    session.send("there is room again").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_oldest_makes_room_for_the_newest_where_that_is_wanted() {
    let (session, _peers, mut peer) = queue(Overflow::DropOldest).await;
    let mut sending = send(&session, &["a", "b", "c", "d", "eeeeeeeee"]).await;
    assert_eq!(told(&sending), [true, true, true, false, false]);
    for expected in ["a", "b", "c"] {
        assert_eq!(returned(sending.remove(0)).await, (Unsent::Dropped, expected.to_owned()));
    }
    peer.log_in().await;
    assert_eq!((peer.text().await, peer.text().await), ("d".to_owned(), "eeeeeeeee".to_owned()));
    for sent in sending {
        sent.await.unwrap().unwrap();
    }
    session.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_sink_refuses_or_drops_as_it_is_told() {
    for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropOldest] {
        let (pipes, _peers) = Pipes::new(1_024);
        let target = Target::new("ws://127.0.0.1/ws").unwrap();
        let builder = polled::Session::builder(target, Dialect::genesys(), Numbered::for_ever());
        let builder = builder.with_queue(Limit { messages: 2, bytes: 10 }, overflow);
        let mut session = builder.build(Arc::new(Runtime::new(pipes)));
        let mut session = Pin::new(&mut session);
        for message in ["a", "b"] {
            session.as_mut().start_send(message.into()).unwrap();
        }
        let ready = std::future::poll_fn(|cx| session.as_mut().poll_ready(cx));
        let ready = timeout(Duration::from_millis(1), ready).await.is_ok();
        let third = session.as_mut().start_send("c".into());
        let back: Vec<_> = session.take_returned().map(|error| error.reason()).collect();
        let expected = match overflow {
            Overflow::Wait => (false, false, vec![]),
            Overflow::Refuse => (true, false, vec![]),
            Overflow::DropOldest => (true, true, vec![Unsent::Dropped]),
        };
        assert_eq!((ready, third.is_ok(), back), expected, "{overflow:?}");
    }
}

/// A sink that is fed and not flushed, as one that has no connection, is told of what it dropped later, or never.
#[tokio::test(start_paused = true)]
async fn of_the_messages_that_newer_ones_replace_no_more_are_kept_than_may_wait() {
    let (pipes, _peers) = Pipes::new(1_024);
    let target = Target::new("ws://127.0.0.1/ws").unwrap();
    let builder = polled::Session::builder(target, Dialect::genesys(), Numbered::for_ever());
    let builder = builder.with_queue(Limit { messages: 3, bytes: 10 }, Overflow::DropOldest);
    let mut session = builder.build(Arc::new(Runtime::new(pipes)));
    let mut session = Pin::new(&mut session);
    for number in 0..1_000 {
        session.as_mut().start_send(format!("{number:03}").into()).unwrap();
    }
    let mut returned = || -> Vec<_> {
        let text = |error: SendError| error.into_message().unwrap().as_text().unwrap().to_owned();
        session.take_returned().map(text).collect()
    };
    assert_eq!(returned(), ["994", "995", "996"], "the newest of them");
    assert_eq!(returned(), [""; 0], "each once");
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_put_down_together_are_told_of_one_by_one() {
    let (session, _peers, mut peer) = queue(Overflow::Refuse).await;
    let sender = session.sender();
    let mut sent = Vec::new();
    for message in ["a", "b", "c"] {
        sent.push(sender.enqueue(message).await.unwrap());
    }
    let refused = sender.enqueue("d").await.unwrap_err();
    assert_eq!(refused.reason(), Unsent::QueueFull, "nobody had to wait for the others to go");
    peer.log_in().await;
    for (sent, expected) in sent.into_iter().zip(["a", "b", "c"]) {
        sent.await.unwrap();
        assert_eq!(peer.text().await, expected);
    }
    sender.enqueue("d").await.unwrap().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_leaves_its_turn_to_the_next() {
    let (session, _peers, mut peer) = queue(Overflow::Wait).await;
    let mut sending = send(&session, &["a", "b", "c", "first", "second", "third"]).await;
    // The one that is next, and one that waits behind another.
    for given_up in [5, 3] {
        let given_up = sending.remove(given_up);
        given_up.abort();
        assert!(given_up.await.unwrap_err().is_cancelled());
    }
    peer.log_in().await;
    for expected in ["a", "b", "c", "second"] {
        assert_eq!(peer.text().await, expected);
    }
    for sent in sending {
        sent.await.unwrap().unwrap();
    }
    session.send("last").await.unwrap();
    assert_eq!(peer.text().await, "last", "nothing of those who gave up is left");
}

/// Without a connection, one that was given up would hold its room until there is one.
#[tokio::test(start_paused = true)]
async fn a_request_that_was_given_up_leaves_its_room_to_others() {
    for overflow in [Overflow::Wait, Overflow::Refuse, Overflow::DropOldest] {
        let dialect = Dialect { requests: Some(Requests::new("/id")), ..Dialect::genesys() };
        let (builder, mut peers, _) = session_of(dialect, 1_024, Numbered::for_ever());
        let session = builder.with_queue(Limit { messages: 3, bytes: 1_000 }, overflow).spawn();
        let mut peer = peers.recv().await.unwrap();
        let mut sending = send(&session, &["oldest"]).await;
        for _ in 0..10 {
            let question = json!({});
            let asking = session.request(&question);
            assert!(timeout(Duration::from_millis(1), asking).await.is_err(), "{overflow:?}");
        }
        sending.extend(send(&session, &["b", "c"]).await);
        assert_eq!(told(&sending), [false; 3], "{overflow:?}: nothing is refused, and nothing dropped");
        let one_more = send(&session, &["d"]).await;
        assert_eq!(told(&one_more), [overflow == Overflow::Refuse], "the control");
        assert_eq!(told(&sending), [overflow == Overflow::DropOldest, false, false], "the control");
        peer.log_in().await;
        if overflow != Overflow::DropOldest {
            assert_eq!(peer.text().await, "oldest");
        }
        assert_eq!((peer.text().await, peer.text().await), ("b".to_owned(), "c".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_dropped_leaves_nobody_waiting() {
    let (builder, _peers, _) = session(Numbered::for_ever());
    let (session, driver) = builder.with_queue(Limit { messages: 1, bytes: 10 }, Overflow::Wait).build();
    let mut sending = send(&session, &["put down", "waits"]).await;
    drop(driver);
    assert_eq!(returned(sending.remove(1)).await, (Unsent::Ended, "waits".to_owned()));
    let lost = sending.remove(0).await.unwrap().unwrap_err();
    assert!(lost.into_message().is_none(), "it went with the driver");
}

/// A peer that reads all the time, slower than the sender puts down: what has gone out is told of, although more waits always.
#[tokio::test(start_paused = true)]
async fn what_has_gone_out_is_told_of_although_there_is_always_more() {
    let (builder, mut peers, _) = session_of(Dialect::genesys(), 64, Numbered::for_ever());
    let session = builder.with_queue(Limit { messages: 10, bytes: 10_000 }, Overflow::DropOldest).spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    let sender = session.sender();
    let first = tokio::spawn(sender.enqueue("x".repeat(1_000)).await.unwrap());
    for _ in 0..100 {
        for _ in 0..2 {
            drop(sender.enqueue("x".repeat(1_000)).await.unwrap());
        }
        peer.text().await;
    }
    assert!(first.is_finished());
    first.await.unwrap().unwrap();
}

/// A driver that is behind takes nothing: the newest take the place of the oldest all the same.
#[tokio::test(start_paused = true)]
async fn the_oldest_makes_room_for_the_newest_although_the_driver_does_not_run() {
    let dialect = Dialect { requests: Some(Requests::new("/id")), ..Dialect::genesys() };
    let (builder, mut peers, _) = session_of(dialect, 64 * 1024, Numbered::for_ever());
    let limit = Limit { messages: 3, bytes: 1_000 };
    let (session, driver) = builder.with_queue(limit, Overflow::DropOldest).build();
    let sender = session.sender();
    let asking = tokio::spawn(async move { sender.request(&json!({})).await });
    tokio::task::yield_now().await;
    let mut sending = send(&session, &["a", "b", "c", "d", "e"]).await;
    let refused = asking.await.unwrap().unwrap_err();
    assert!(matches!(refused, RequestError::NotSent(Unsent::Dropped)), "{refused:?}");
    assert_eq!(told(&sending), [true, true, false, false, false]);
    for expected in ["a", "b"] {
        assert_eq!(returned(sending.remove(0)).await, (Unsent::Dropped, expected.to_owned()));
    }
    tokio::spawn(driver.run());
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    for (sent, expected) in sending.into_iter().zip(["c", "d", "e"]) {
        assert_eq!(peer.text().await, expected);
        sent.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_puts_down_without_end_lets_others_have_their_turn() {
    let (session, _peers, _peer) = queue(Overflow::DropOldest).await;
    let other = tokio::spawn(async {});
    for _ in 0..1_000 {
        drop(session.sender().enqueue("x").await.unwrap());
    }
    assert!(other.is_finished());
}
