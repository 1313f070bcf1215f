//! Every wait, to the millisecond.

use std::sync::Arc;
use std::time::Duration;

use auth_core::AuthEvent;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::peer::{CLOSE, Loss, Mute, Numbered, PING, PONG, TEXT};
use super::session;
use crate::driver::tokio::Message;
use crate::machine::{Config, State};

/// How exact a virtual clock is: its timers have a resolution of a millisecond.
const EXACT: Duration = Duration::from_millis(2);

#[track_caller]
fn assert_took(since: Instant, wanted: Duration) {
    let took = since.elapsed();
    assert!(took >= wanted && took <= wanted + EXACT, "took {took:?} and not {wanted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_answer_is_asked_again_in_time() {
    let (builder, _peers, diary) = session(Arc::new(Mute));
    let begun = Instant::now();
    let _session = builder.spawn();
    sleep(Duration::from_secs(89)).await;
    let delays = |event: &AuthEvent| matches!(event, AuthEvent::ConnectionDelayed { .. }).then_some(());
    assert!(diary.find(delays).is_empty());
    sleep(Duration::from_secs(2)).await;
    assert_eq!(diary.find(delays)[0].0 - begun, Duration::from_secs(90));
}

#[tokio::test(start_paused = true)]
async fn an_upgrade_that_is_not_answered_is_given_up_after_the_open_timeout() {
    let (builder, mut peers, diary) = session(Numbered::for_ever());
    let begun = Instant::now();
    let _session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    let mut head = Vec::new();
    peer.stream.read_to_end(&mut head).await.unwrap();
    assert!(head.starts_with(b"GET /ws HTTP/1.1\r\n"));
    assert_took(begun, Duration::from_secs(30));
    assert_eq!(diary.losses().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_not_answered_is_given_up_after_the_answer_timeout() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let _session = builder.with_config(Config::new().with_answer_timeout(Duration::from_secs(7))).spawn();
    let mut peer = peers.recv().await.unwrap();
    sleep(Duration::from_secs(5)).await;
    let upgraded = Instant::now();
    peer.upgrade().await;
    peer.text().await;
    // It talks, and does not answer.
    for _ in 0..6 {
        sleep(Duration::from_secs(1)).await;
        peer.send(TEXT, b"{}").await.unwrap();
    }
    assert_eq!(peer.ended().await, None);
    assert_took(upgraded, Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_when_its_source_advises() {
    let (hour, lead) = (Duration::from_secs(3_600), Duration::from_secs(120));
    let (builder, mut peers, diary) = session(Numbered::living(hour, hour - lead));
    let _session = builder.with_config(Config::new().with_keep_alive(None)).spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.upgrade().await;
    assert!(peer.accept().await.contains(r#""token":"token-1""#));
    for number in 2..50 {
        let accepted = Instant::now();
        assert!(peer.accept().await.contains(&format!(r#""token":"token-{number}""#)));
        assert_took(accepted, hour - lead);
    }
    assert!(diary.losses().is_empty());
}

/// Two days of a connection on which nobody speaks but for pings.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_that_answers_pings_lives_on() {
    let (builder, mut peers, diary) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    let begun = Instant::now();
    let mut pings = 0;
    while begun.elapsed() < Duration::from_secs(2 * 86_400) {
        let (opcode, payload) = peer.frame().await.unwrap();
        assert_eq!(opcode, PING);
        peer.send(PONG, &payload).await.unwrap();
        pings += 1;
    }
    assert!((6_000..14_000).contains(&pings), "{pings} pings");
    peer.send(TEXT, b"still here").await.unwrap();
    assert_eq!(session.next().await.unwrap().as_text(), Some("still here"));
    assert!(diary.losses().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_gone_is_found_within_two_intervals() {
    let (builder, mut peers, diary) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let accepted = Instant::now();
    // It speaks for a while, and is gone then; its end of the pipe stays.
    for _ in 0..60 {
        sleep(Duration::from_secs(1)).await;
        peer.send(TEXT, b"words").await.unwrap();
    }
    let gone = Instant::now();
    let mut next = timeout(Duration::from_secs(51), peers.recv()).await.unwrap().unwrap();
    assert!(gone.elapsed() >= Duration::from_secs(12), "it was asked first");
    let (lost, Loss { reason, .. }) = &diary.losses()[0];
    assert!(*lost - gone <= Duration::from_secs(50) && *lost > accepted, "{:?}", *lost - gone);
    assert_eq!(reason, "nothing was heard of the server");
    next.log_in().await;
    session.authenticated().await.unwrap();
}

/// Nobody reads what the peer says, so nobody knows that it lives; that is not its fault.
#[tokio::test(start_paused = true)]
async fn a_peer_whose_reader_is_slow_is_not_taken_for_gone() {
    let (builder, mut peers, diary) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let flood = async {
        for number in 0..5_000 {
            peer.send(TEXT, format!("{number}: {}", "x".repeat(100)).as_bytes()).await.unwrap();
        }
    };
    // More than fits into the pipe and the queues; then nobody reads for ten minutes.
    let reading = async {
        sleep(Duration::from_secs(600)).await;
        for number in 0..5_000 {
            let message = session.next().await.unwrap();
            assert!(message.as_text().unwrap().starts_with(&format!("{number}: ")));
        }
    };
    tokio::join!(flood, reading);
    assert!(diary.losses().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_wait_between_attempts_is_the_announced_one() {
    let (builder, mut peers, diary) = session(Numbered::for_ever());
    let _session = builder.spawn();
    drop(peers.recv().await.unwrap());
    for attempt in 0..12 {
        let peer = peers.recv().await.unwrap();
        let now = Instant::now();
        drop(peer);
        let (lost, Loss { retry_in, .. }) = diary.losses()[attempt].clone();
        let (waited, announced) = (now - lost, retry_in.unwrap());
        assert!(waited >= announced && waited <= announced + EXACT, "{waited:?}, announced {announced:?}");
        let longest = Duration::from_millis(500 << attempt.min(6)).min(Duration::from_secs(30));
        assert!(announced <= longest, "{announced:?}");
        // The loss is observed when the session's task has run.
        sleep(Duration::ZERO).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_not_answered_takes_the_close_timeout() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let closing = Instant::now();
    session.close().await.unwrap();
    assert_took(closing, Duration::from_secs(5));
    assert_eq!(peer.ended().await, Some(1000));
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_answered_takes_no_time() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let closing = Instant::now();
    let answering = async {
        assert_eq!(peer.frame().await.unwrap(), (CLOSE, vec![0x03, 0xe8]));
        peer.send(CLOSE, &[0x03, 0xe8]).await.unwrap();
        assert_eq!(peer.ended().await, None);
    };
    let (closed, ()) = tokio::join!(session.close(), answering);
    closed.unwrap();
    assert_took(closing, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn whoever_renews_does_not_wait_for_the_time() {
    let hour = Duration::from_secs(3_600);
    let (builder, mut peers, _) = session(Numbered::living(hour, hour / 2));
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let begun = Instant::now();
    session.renew();
    assert!(peer.accept().await.contains("token-2"));
    assert_took(begun, Duration::ZERO);
    session.network_changed();
    assert_eq!(peer.frame().await.unwrap().0, PING);
    assert_took(begun, Duration::ZERO);
    peer.send(TEXT, b"alive").await.unwrap();
    assert_eq!(session.next().await, Some(Message::from("alive")));
    assert_eq!(session.state(), State::Connected);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_often_leaves_room_for_what_was_asked_for_once() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    // The driver does not run in between.
    (0..10).for_each(|_| session.renew());
    session.network_changed();
    let begun = Instant::now();
    let mut asked = [peer.frame().await.unwrap(), peer.frame().await.unwrap()];
    asked.sort();
    assert_eq!((asked[0].0, asked[1].0), (TEXT, PING));
    assert_took(begun, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_session_says_how_long_its_credential_is_good() {
    let hour = Duration::from_secs(3_600);
    let (builder, mut peers, _) = session(Numbered::living(hour, hour / 2));
    let mut session = builder.with_config(Config::new().with_keep_alive(None)).spawn();
    assert_eq!(session.valid_for(), None);
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let good_for = |wanted: Duration| {
        let left = session.valid_for().unwrap();
        // Whichever clock is further counts, and the wall's goes on while this machine is busy.
        let busy = Duration::from_secs(60);
        assert!(left <= wanted && left + busy >= wanted, "{left:?} and not {wanted:?}");
    };
    good_for(hour);
    sleep(hour / 4).await;
    good_for(hour * 3 / 4);
    peer.accept().await;
    sleep(Duration::from_millis(1)).await;
    good_for(hour);
    assert!(session.error().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_session_that_failed_says_why() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    for _ in 0..2 {
        let mut peer = peers.recv().await.unwrap();
        peer.upgrade().await;
        peer.text().await;
        peer.send(CLOSE, &4_403_u16.to_be_bytes()).await.unwrap();
        if timeout(Duration::from_secs(60), session.next()).await == Ok(None) {
            break;
        }
    }
    assert!(session.error().is_some());
    assert_eq!((session.valid_for(), session.state()), (None, State::Failed));
}
