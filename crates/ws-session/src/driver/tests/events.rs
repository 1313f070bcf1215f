//! What a session tells its user: where it stands, and whether a renewal that was asked for came about.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use auth_core::observe::Label;
use auth_core::token::Generation;
use auth_core::{Demand, Error, Retry, Token, TokenSource};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use super::peer::{CLOSE, Numbered, PING, PONG, Peer, TEXT};
use super::{session, session_of};
use crate::ErrorKind;
use crate::dialect::Dialect;
use crate::driver::tokio::{Events, SessionEvent};
use crate::machine::{Config, State};

/// The next event in a few words.
async fn next(events: &mut Events) -> String {
    let event = timeout(Duration::from_secs(60), events.next()).await.expect("there is an event");
    let label =
        |label: Option<Label>| label.map_or_else(|| "-".to_owned(), |label| label.as_str().to_owned());
    let shown = format!("{event:?}");
    assert!(!shown.contains("token-"), "no event holds a secret: {shown}");
    match event {
        None => "end".to_owned(),
        Some(SessionEvent::State { state, reason, attempt, retry_in }) => {
            format!("{state} {attempt} {} {}", label(reason), retry_in.is_some())
        }
        Some(SessionEvent::Authenticated { session_id, resumed, .. }) => {
            format!("authenticated {} {resumed:?}", label(session_id))
        }
        Some(SessionEvent::Renewed { in_band, valid_for }) => format!("renewed {in_band} {valid_for:?}"),
        Some(SessionEvent::RenewalFailed { reason, .. }) => format!("renewal failed: {reason}"),
        Some(SessionEvent::Closed { code, reason, retry_in }) => {
            format!("closed {code:?} {reason} {}", retry_in.is_some())
        }
        Some(SessionEvent::Failed { error }) => format!("failed {:?}", error.kind()),
        Some(SessionEvent::Missed { count }) => format!("missed {count}"),
    }
}

async fn all(events: &mut Events, expected: &[&str]) {
    for expected in expected {
        assert_eq!(next(events).await, *expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_tells_where_it_stands_from_its_beginning_to_its_end() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let (session, driver) = builder.build();
    let mut events = session.events();
    tokio::spawn(driver.run());
    all(&mut events, &["initialized 1 - false", "connecting 1 - false"]).await;
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    all(&mut events, &["authenticated s Some(false)", "connected 1 - false"]).await;
    peer.send(CLOSE, &4_499_u16.to_be_bytes()).await.unwrap();
    all(
        &mut events,
        &[
            "closed Some(4499) the server closed the connection true",
            "disconnected 2 the server closed the connection true",
            "connecting 2 - false",
        ],
    )
    .await;
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    all(&mut events, &["authenticated s Some(true)", "connected 2 - false"]).await;
    let closing = tokio::spawn(session.close());
    assert_eq!(peer.ended().await, Some(1000));
    drop(peer);
    closing.await.unwrap().unwrap();
    all(&mut events, &["closing 2 - false", "closed 2 - false", "end"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_session_that_gives_up_says_why() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let (session, driver) = builder.build();
    let mut events = session.events();
    tokio::spawn(driver.run());
    let mut peer = peers.recv().await.unwrap();
    peer.stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    peer.stream.read_to_end(&mut rest).await.unwrap();
    all(&mut events, &["initialized 1 - false", "connecting 1 - false"]).await;
    assert_eq!(next(&mut events).await, "closed Some(404) the server refused the upgrade false");
    assert!(next(&mut events).await.starts_with("failed 1 the server refuses this connection"));
    all(&mut events, &["failed ConnectionRefused", "end"]).await;
    // Whoever comes late is told the end of it.
    let mut late = session.events();
    assert!(next(&mut late).await.starts_with("failed"));
    assert_eq!(next(&mut late).await, "end");
}

#[tokio::test(start_paused = true)]
async fn the_round_trip_is_that_of_the_last_ping() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    peer.send(PONG, b"nobody asked").await.unwrap();
    for took in [70, 30] {
        assert_eq!(peer.frame().await.unwrap().0, PING);
        assert_ne!(session.round_trip(), Some(Duration::from_millis(took)));
        sleep(Duration::from_millis(took)).await;
        peer.send(PONG, &[]).await.unwrap();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(session.round_trip(), Some(Duration::from_millis(took)));
    }
}

/// Answers the message that renews.
async fn answer(peer: &mut Peer, answer: &str) {
    assert!(peer.text().await.contains("token-"));
    peer.send(TEXT, answer.as_bytes()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_was_asked_for_ends_when_the_server_has_accepted_it() {
    let hour = Duration::from_secs(3_600);
    let (builder, mut peers, _) = session(Numbered::living(hour, hour / 2));
    let mut session = builder.with_config(Config::new().with_keep_alive(None)).spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let mut events = session.events();
    assert_eq!(next(&mut events).await, "connected 1 - false");
    sleep(hour / 4).await;
    assert_eq!(session.valid_for(), Some(hour * 3 / 4));
    let server = async {
        let renewal = peer.text().await;
        sleep(Duration::from_secs(1)).await;
        peer.send(TEXT, br#"{"type":"auth","status":"ok"}"#).await.unwrap();
        renewal
    };
    // Two at once are one.
    let (one, two, renewal) = tokio::join!(session.renew_now(), session.renew_now(), server);
    assert!(one.is_ok() && two.is_ok() && renewal.contains("token-2"), "{renewal}");
    assert_eq!(next(&mut events).await, format!("renewed true {:?}", Some(hour - Duration::from_secs(1))));
    assert!(session.valid_for() > Some(hour * 3 / 4));
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_comes_to_nothing_says_why() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let refused = r#"{"type":"auth","status":"error"}"#;
    let server = async {
        // A fresh one is refused, and the one after it.
        answer(&mut peer, refused).await;
        answer(&mut peer, refused).await;
        peer
    };
    let (outcome, mut peer) = tokio::join!(session.renew_now(), server);
    let error = outcome.unwrap_err();
    assert_eq!(error.reason().as_str(), "the server refused the new credential");
    assert_eq!((error.retry_in(), session.state()), (None, State::Connected));
    // The user may try again, and what was refused before does not stand in the way.
    let (outcome, ()) = tokio::join!(
        session.renew_now(),
        answer(&mut peer, r#"{"type":"auth","status":"ok","sessionId":"s"}"#)
    );
    outcome.unwrap();
}

/// Hands out one token, and wants to be left alone for a minute then.
struct Busy(Numbered);

#[async_trait]
impl TokenSource for Busy {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        let minute = Retry::After(Duration::from_secs(60));
        let busy = Error::new(auth_core::ErrorKind::RateLimited, "slow down").with_retry(minute);
        if demand == Demand::Current { self.0.token(demand).await } else { Err(busy) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_its_source_puts_off_says_for_how_long_however_often_it_is_asked_for() {
    let (builder, mut peers, _) = session(Arc::new(Busy(Numbered::new())));
    let mut session = builder.with_config(Config::new().with_keep_alive(None)).spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    // The first asks the source; to the others that has happened already.
    for put_off in [false, true, true] {
        let error = session.renew_now().await.unwrap_err();
        assert_eq!(error.reason().as_str() == "nothing can be renewed for now", put_off, "{error}");
        assert!(error.retry_in() > Some(Duration::from_secs(50)), "{error:?}");
        assert!(error.to_string().ends_with("the session tries again by itself"));
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_without_a_connection_makes_one_or_says_how_long_the_server_wants_to_be_left_alone() {
    let (builder, mut peers, _) = session(Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    let busy = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n";
    peer.stream.write_all(busy).await.unwrap();
    let mut rest = Vec::new();
    peer.stream.read_to_end(&mut rest).await.unwrap();
    while session.state() != State::Disconnected {
        sleep(Duration::from_millis(1)).await;
    }
    let error = session.renew_now().await.unwrap_err();
    assert_eq!(error.reason().as_str(), "nothing can be renewed for now");
    assert!(error.retry_in() > Some(Duration::from_secs(95)), "{error:?}");
    let mut peer = peers.recv().await.unwrap();
    let (outcome, ()) = tokio::join!(session.renew_now(), peer.log_in());
    outcome.unwrap();
    assert_eq!(session.authenticated().await.map_err(|error| error.kind()), Ok(()));
    drop(peers);
    let (kept, driver) = super::session(Numbered::for_ever()).0.build();
    drop(driver);
    assert_eq!(kept.renew_now().await.unwrap_err().reason().as_str(), "the session has ended");
    assert!(matches!(
        kept.request(&serde_json::json!({})).await.map_err(|_| ErrorKind::Closed),
        Err(ErrorKind::Closed)
    ));
}

/// The driver stays for as long as its reader has not taken everything. Whoever awaits may be that reader.
#[tokio::test(start_paused = true)]
async fn behind_a_reader_who_never_comes_the_end_is_told_at_once() {
    let (builder, mut peers, _) = session_of(Dialect::genesys(), 1_024, Numbered::for_ever());
    let mut session = builder.spawn();
    let mut peer = peers.recv().await.unwrap();
    peer.log_in().await;
    session.authenticated().await.unwrap();
    let flood = tokio::spawn(async move { while peer.send(TEXT, b"x").await.is_ok() {} });
    sleep(Duration::from_secs(1)).await;
    assert!(!flood.is_finished());
    let control = session.control();
    control.close().await.unwrap();
    let patience = Duration::from_secs(60);
    let errors = [
        timeout(patience, session.renew_now()).await.unwrap().unwrap_err(),
        timeout(patience, control.present(Generation::NONE)).await.unwrap().unwrap_err(),
    ];
    for error in errors {
        assert_eq!((error.reason().as_str(), error.retry_in()), ("the session has ended", None));
    }
    assert!(session.next().await.is_some(), "what had arrived is still there");
}
