//! What flows through a session: in order, whole, given back when it could not be sent; and nothing is left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::peer::{BINARY, CLOSE, Loss, Numbered, PING, PONG, Pipes, TEXT};
use super::{session, session_of};
use crate::ErrorKind;
use crate::dialect::{Dialect, Matcher, Renewal, RenewalTime, Reply, SubprotocolEntry, Template};
use crate::driver::tokio::{Dial, Message};
use crate::machine::{Config, State};

/// A peer that reads a message, then answers it, then reads the next, through a pipe that holds less than one of them.
#[tokio::test(start_paused = true)]
async fn an_echo_through_a_narrow_pipe_stops_nobody() {
    let (builder, mut peers, _) = session_of(Dialect::genesys(), 16 * 1024, Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    let text = |number: usize| format!("{number}:{}", "x".repeat(20_000));
    let echo = async {
        for _ in 0..500 {
            let (opcode, payload) = peer.frame().await.unwrap();
            peer.send(opcode, &payload).await.unwrap();
        }
    };
    let sender = session.sender();
    let sending = async {
        for number in 0..500 {
            sender.send(text(number)).await.unwrap();
        }
    };
    let reading = async {
        for number in 0..500 {
            assert_eq!(session.next().await, Some(Message::Text(text(number))));
        }
    };
    let all = async { tokio::join!(echo, sending, reading) };
    timeout(Duration::from_secs(60), all).await.expect("nobody waits for each other");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_dropped_closes_and_leaves_no_task() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let (mut session, driver) = builder.build();
    let task = tokio::spawn(driver.run());
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let sender = session.sender();
    drop(session);
    assert_eq!(peer.ended().await, Some(1000));
    timeout(Duration::from_secs(1), task).await.unwrap().unwrap();
    let refused = sender.send("too late").await.unwrap_err();
    assert!(!refused.may_have_arrived());
    assert_eq!(refused.into_message().unwrap().as_text(), Some("too late"));
    assert!(peers.recv().await.is_none(), "nobody can dial any more");
}

/// The server takes much longer for all of it than for an answer to the close, and then no more.
#[tokio::test(start_paused = true)]
async fn a_close_waits_for_what_was_sent_for_as_long_as_the_server_takes_it() {
    for takes in [100, 60] {
        let (builder, mut peers, _) = session_of(Dialect::genesys(), 1_024, Numbered::for_ever());
        let mut session = builder.spawn();
        let mut peer = peers.recv().await.unwrap();
        peer.log_in().await;
        session.authenticated().await.unwrap();
        let mut sent = Vec::new();
        for _ in 0..100 {
            sent.push(session.sender().enqueue("x".repeat(5_000)).await.unwrap());
        }
        let closing = tokio::spawn(session.close());
        for _ in 0..takes {
            sleep(Duration::from_millis(200)).await;
            assert_eq!(peer.frame().await.unwrap().0, TEXT);
        }
        if takes == 100 {
            assert_eq!(peer.frame().await.unwrap().0, CLOSE);
            sleep(Duration::from_secs(4)).await;
            assert!(!closing.is_finished(), "the time for an answer begins with the close");
        }
        timeout(Duration::from_secs(6), closing).await.unwrap().unwrap().unwrap();
        let mut outcomes = Vec::new();
        for sent in sent {
            outcomes.push(sent.await.map_err(|error| error.reason()));
        }
        let arrived = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert!(arrived == takes || (takes < 100 && arrived <= takes), "{arrived} of {takes}");
        assert!(
            outcomes[arrived..].iter().all(Result::is_err),
            "{takes}: in the order in which they were sent"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_is_dropped_drops_its_connection() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let (mut session, driver) = builder.build();
    let task = tokio::spawn(driver.run());
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    task.abort();
    assert_eq!(peer.ended().await, None);
    assert_eq!(session.next().await, None);
    assert_eq!(session.authenticated().await.unwrap_err().kind(), ErrorKind::Closed);
}

/// The peer has gone while we were writing to it: what it said last says why.
#[tokio::test(start_paused = true)]
async fn what_a_peer_said_last_is_read_although_a_write_has_failed() {
    let (pipes, mut peers) = Pipes::new(64 * 1024);
    let (builder, _, diary) = session(Numbered::for_ever());
    let mut session = builder.with_dialer(Arc::clone(&pipes) as Arc<dyn Dial>).spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    pipes.cut.store(true, Ordering::Relaxed);
    peer.send(TEXT, b"last words").await.unwrap();
    peer.send(CLOSE, &4_499_u16.to_be_bytes()).await.unwrap();
    let returned = session.send("x".repeat(100_000)).await.unwrap_err();
    assert!(returned.may_have_arrived());
    assert_eq!(returned.into_message().unwrap().len(), 100_000);
    assert_eq!(session.next().await.unwrap().as_text(), Some("last words"));
    assert_eq!(diary.losses()[0].1.code, Some(4_499));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_found_no_connection_waits_for_the_next() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    drop(peer);
    while session.state() == State::Connected {
        sleep(Duration::from_millis(1)).await;
    }
    let sender = session.sender();
    let sending = tokio::spawn(async move { sender.send("patient").await });
    let mut peer = peers.recv().await.unwrap();
    peer.upgrade().await;
    assert!(timeout(Duration::from_secs(1), sleep(Duration::from_millis(500))).await.is_ok());
    assert!(!sending.is_finished(), "nothing goes out before the login");
    peer.accept().await;
    assert_eq!(peer.text().await, "patient");
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_although_nothing_else_is_sent() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let _session = builder.with_config(Config::new().with_keep_alive(None)).spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    peer.send(PING, b"are you there?").await.unwrap();
    let (opcode, payload) = timeout(Duration::from_secs(1), peer.frame()).await.unwrap().unwrap();
    assert_eq!((opcode, payload.as_slice()), (PONG, &b"are you there?"[..]));
}

#[tokio::test(start_paused = true)]
async fn a_message_may_be_larger_once_the_credential_is_accepted() {
    for (before, length, arrives) in
        [(true, 64, true), (true, 65, false), (false, 1_024, true), (false, 1_025, false)]
    {
        let (builder, mut peers, diary) = session_of(Dialect::genesys(), 4 << 20, Numbered::for_ever());
        let mut session = builder.spawn();
        let mut peer = peers.recv().await.unwrap();
        peer.upgrade().await;
        if before {
            peer.send(BINARY, &vec![0; length << 10]).await.unwrap();
            if arrives {
                peer.accept().await;
                session.authenticated().await.unwrap();
            } else {
                assert_eq!(peer.ended().await, None);
            }
        } else {
            peer.accept().await;
            peer.send(BINARY, &vec![0; length << 10]).await.unwrap();
            if arrives {
                let message = session.next().await.unwrap();
                assert!(matches!(message, Message::Binary(bytes) if bytes.len() == length << 10));
            } else {
                assert_eq!(peer.ended().await, None);
            }
        }
        let reasons: Vec<_> = diary.losses().into_iter().map(|(_, loss)| loss.reason).collect();
        let expected: &[&str] = if arrives { &[] } else { &["a message was larger than we read"] };
        assert_eq!(reasons, expected, "{length} KiB");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_must_select_the_subprotocol() {
    let mut dialect = Dialect::genesys();
    dialect.placement.subprotocols = vec![
        SubprotocolEntry::Name("v1".to_owned()),
        SubprotocolEntry::Credential(Template::text("${credential}")),
    ];
    for (selected, accepted) in [
        ("Sec-WebSocket-Protocol: v1\r\n", true),
        ("", false),
        ("Sec-WebSocket-Protocol: v2\r\n", false),
        ("Sec-WebSocket-Protocol: token-1\r\n", false),
    ] {
        let (builder, mut peers, _) = session_of(dialect.clone(), 1 << 16, Numbered::for_ever());
        let mut session = builder.spawn();
        let mut peer = peers.recv().await.unwrap();
        peer.upgrade_with(selected).await;
        assert!(
            peer.request.to_lowercase().contains("sec-websocket-protocol: v1, token-1\r\n"),
            "{}",
            peer.request
        );
        if accepted {
            peer.accept().await;
            session.authenticated().await.unwrap();
        } else {
            let error = session.authenticated().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{selected}: {error}");
            assert_eq!(peer.ended().await, None);
        }
    }
}

/// The old connection serves until the new one is accepted, is closed then, and nothing is lost on the way.
#[tokio::test(start_paused = true)]
async fn a_renewal_by_an_overlapping_connection_loses_nothing() {
    let hour = Duration::from_secs(3_600);
    let mut dialect = Dialect::genesys();
    dialect.renewal = Renewal::Reconnect { overlap: true, asked_by: Vec::new(), when: RenewalTime::Early };
    let (builder, mut peers, diary) = session_of(dialect, 1 << 16, Numbered::living(hour, hour / 2));
    let mut session = builder.with_config(Config::new().with_keep_alive(None)).spawn();
    let mut old = peers.recv().await.unwrap();
    old.log_in().await;
    let mut new = peers.recv().await.unwrap();
    new.upgrade().await;
    session.send("to the old one").await.unwrap();
    assert_eq!(old.text().await, "to the old one");
    new.accept().await;
    assert_eq!(old.frame().await.unwrap(), (CLOSE, vec![0x03, 0xe8]));
    old.send(TEXT, b"from the old one").await.unwrap();
    assert_eq!(session.next().await.unwrap().as_text(), Some("from the old one"));
    old.send(CLOSE, &[0x03, 0xe8]).await.unwrap();
    assert_eq!(old.ended().await, None);
    session.send("to the new one").await.unwrap();
    assert_eq!(new.text().await, "to the new one");
    assert_eq!((session.state(), diary.losses().len()), (State::Connected, 0));
}

/// What a connection was given before it was replaced is known to have been sent when that one has passed it on.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_stuck_in_a_replaced_connection_is_told_apart_from_those_of_the_new_one() {
    let mut dialect = Dialect::genesys();
    dialect.renewal = Renewal::Reconnect { overlap: true, asked_by: Vec::new(), when: RenewalTime::Early };
    let (builder, mut peers, _) = session_of(dialect, 1_024, Numbered::for_ever());
    let mut session = builder.with_config(Config::new().with_keep_alive(None)).spawn();
    let mut old = peers.recv().await.unwrap();
    old.log_in().await;
    session.authenticated().await.unwrap();
    let sender = session.sender();
    let stuck = tokio::spawn(async move { sender.send("x".repeat(10_000)).await });
    session.renew();
    let mut new = peers.recv().await.unwrap();
    new.log_in().await;
    let (sent, read) = tokio::join!(session.send("quick"), new.text());
    sent.unwrap();
    assert_eq!(read, "quick");
    assert!(!stuck.is_finished());
    // The old one never reads on: its close is given up, and with it what it held.
    let returned = stuck.await.unwrap().unwrap_err();
    assert!(returned.may_have_arrived());
    drop(old);
}

/// In true time: a virtual clock stands still while somebody always has something to do.
#[tokio::test]
async fn a_flood_of_pings_keeps_a_session_neither_from_sending_nor_from_ending() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let mut session =
        builder.with_config(Config::new().with_close_timeout(Duration::from_millis(500))).spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let (mut reader, mut writer) = tokio::io::split(peer.stream);
    let flood =
        tokio::spawn(async move { while writer.write_all(&[0x89, 0].repeat(1_000)).await.is_ok() {} });
    let drain = tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
    timeout(Duration::from_secs(5), session.send("through the flood")).await.unwrap().unwrap();
    timeout(Duration::from_secs(6), session.close()).await.unwrap().unwrap();
    flood.await.unwrap();
    drain.await.unwrap().unwrap();
}

/// A peer asks 30 000 times before it reads any of the answers.
#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_and_does_not_read_is_not_read() {
    let asks = Matcher::of([("/type", json!("ping"))]);
    let replies = vec![Reply { on: asks, send: Template::json(json!({"type": "pong"})) }];
    let dialect = Dialect { replies, ..Dialect::genesys() };
    let by_message = [&[0x81, 15][..], br#"{"type":"ping"}"#].concat();
    let by_frame = [&[0x89, 100][..], &[b'x'; 100]].concat();
    for asking in [by_message, by_frame] {
        let (builder, mut peers, diary) = session_of(dialect.clone(), 1_024, Numbered::for_ever());
        let mut session = builder.spawn();
        let mut peer = peers.recv().await.unwrap();
        peer.log_in().await;
        session.authenticated().await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(peer.stream);
        let asked = Arc::new(AtomicUsize::new(0));
        let flood = tokio::spawn({
            let asked = Arc::clone(&asked);
            async move {
                for _ in 0..30_000 {
                    writer.write_all(&asking).await.unwrap();
                    asked.fetch_add(1, Ordering::Relaxed);
                }
                writer.write_all(b"\x81\x04over").await.unwrap();
                writer
            }
        });
        sleep(Duration::from_secs(5)).await;
        let unread = asked.load(Ordering::Relaxed);
        // The codec keeps 128 KiB for itself.
        assert!((256..10_000).contains(&unread), "{unread}");
        let drain = tokio::spawn(async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await });
        assert_eq!(session.next().await, Some(Message::from("over")));
        assert!(diary.losses().is_empty());
        // Not even a close is held up.
        let _writer = flood.await.unwrap();
        session.close().await.unwrap();
        drain.await.unwrap().unwrap();
    }
}

/// What a peer asks without reading is a sign of life only for as long as it is read.
#[tokio::test(start_paused = true)]
async fn a_session_closes_and_gives_up_a_peer_that_never_reads() {
    for closes in [true, false] {
        let (builder, mut peers, diary) = session_of(Dialect::genesys(), 1_024, Numbered::for_ever());
        let mut session = builder.spawn();
        let mut peer = peers.recv().await.unwrap();
        peer.log_in().await;
        session.authenticated().await.unwrap();
        let (_reader, mut writer) = tokio::io::split(peer.stream);
        let flood = tokio::spawn(async move { while writer.write_all(&[0x89, 0]).await.is_ok() {} });
        sleep(Duration::from_secs(1)).await;
        if closes {
            timeout(Duration::from_secs(6), session.close()).await.unwrap().unwrap();
        } else {
            timeout(Duration::from_secs(51), peers.recv()).await.unwrap().unwrap();
            assert_eq!(diary.losses().len(), 1);
        }
        flood.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_is_refused_says_when_to_come_again() {
    let (builder, mut peers, diary) = session(Numbered::for_ever());
    let _session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    let reply = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n";
    peer.stream.write_all(reply).await.unwrap();
    let mut rest = Vec::new();
    peer.stream.read_to_end(&mut rest).await.unwrap();
    let (_, Loss { code, retry_in, .. }) = diary.losses()[0].clone();
    assert_eq!(code, Some(429));
    assert!(retry_in.unwrap() >= Duration::from_secs(17), "{retry_in:?}");
}
