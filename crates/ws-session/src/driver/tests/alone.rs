//! Sessions that nobody polls for a while: what came in time counts all the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

use super::peer::{Diary, Numbered, PING, PONG, Peer, Pipes, TEXT};
use super::session;
use crate::ErrorKind;
use crate::dialect::Dialect;
use crate::driver::Target;
use crate::driver::polled::{Session, SessionEvent};
use crate::driver::tokio::Runtime;
use crate::machine::{Config, State};

const OK: &[u8] = br#"{"type":"auth","status":"ok","sessionId":"s"}"#;

/// How long sessions are polled for what takes no time.
const AWHILE: Duration = Duration::from_millis(1);

fn polled(config: Config) -> (Session, UnboundedReceiver<Peer>, Diary) {
    let (pipes, peers) = Pipes::new(64 * 1024);
    let diary = Diary::default();
    let target = Target::new("ws://127.0.0.1/ws").unwrap();
    let builder = Session::builder(target, Dialect::genesys(), Numbered::for_ever()).with_seed(1);
    let builder = builder.with_config(config).with_observer(Arc::new(diary.clone()));
    (builder.build(Arc::new(Runtime::new(pipes))), peers, diary)
}

/// Lets the session and its peer do what takes no time.
async fn together<T>(session: &mut Session, peer: impl Future<Output = T>) -> T {
    let polling = async { assert!(timeout(AWHILE, session.next()).await.is_err()) };
    tokio::join!(peer, polling).0
}

/// Polls the session until its peer was asked whether it lives.
async fn asked(session: &mut Session, peer: &mut Peer) {
    tokio::select! {
        message = session.next() => panic!("{message:?}"),
        frame = peer.frame() => assert_eq!(frame.unwrap().0, PING),
    }
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_session_end_with_it_though_it_is_still_held() {
    let (mut session, mut peers, _) = polled(Config::new());
    let mut events = session.events();
    let mut peer = together(&mut session, async { peers.recv().await.unwrap() }).await;
    peer.stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").await.unwrap();
    assert_eq!(session.next().await, None);
    let mut told = Vec::new();
    while let Some(event) = timeout(AWHILE, events.next()).await.expect("there is an event, or an end") {
        told.push(event);
    }
    assert!(matches!(told.last(), Some(SessionEvent::Failed { .. })), "{told:?}");
    assert_eq!(session.error().unwrap().kind(), ErrorKind::ConnectionRefused);
    let mut late = session.events();
    assert!(matches!(late.next().await, Some(SessionEvent::State { state: State::Failed, .. })));
    assert!(timeout(AWHILE, late.next()).await.expect("an end").is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_in_time_counts_although_nobody_looked() {
    let config = Config::new().with_answer_timeout(Duration::from_millis(300)).with_keep_alive(None);
    let (mut session, mut peers, diary) = polled(config);
    let mut peer = together(&mut session, async { peers.recv().await.unwrap() }).await;
    together(&mut session, async {
        peer.upgrade().await;
        peer.text().await;
    })
    .await;
    peer.send(TEXT, OK).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    together(&mut session, async {}).await;
    assert!(diary.losses().is_empty(), "{:?}", diary.losses());

    session.renew();
    let renewal = together(&mut session, peer.text()).await;
    assert!(renewal.contains("token-2"), "{renewal}");
    peer.send(TEXT, OK).await.unwrap();
    peer.send(TEXT, b"renewed").await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(session.next().await.unwrap().as_text(), Some("renewed"));
    together(&mut session, async {}).await;
    assert!(diary.losses().is_empty(), "{:?}", diary.losses());

    // Nothing came in time.
    session.renew();
    together(&mut session, peer.text()).await;
    sleep(Duration::from_secs(1)).await;
    together(&mut session, async {}).await;
    assert_eq!(diary.losses().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_was_left_alone_is_not_taken_for_a_dead_one() {
    let config = Config::new().with_keep_alive(Some(Duration::from_millis(400)));
    let (mut session, mut peers, diary) = polled(config);
    let mut peer = together(&mut session, async { peers.recv().await.unwrap() }).await;
    together(&mut session, peer.log_in()).await;
    for _ in 0..4 {
        asked(&mut session, &mut peer).await;
        peer.send(PONG, &[]).await.unwrap();
        sleep(Duration::from_millis(300)).await;
        together(&mut session, async {}).await;
        assert!(diary.losses().is_empty(), "{:?}", diary.losses());
    }
    // A peer that did not answer is gone, whoever was away.
    asked(&mut session, &mut peer).await;
    sleep(Duration::from_millis(300)).await;
    together(&mut session, async {}).await;
    assert_eq!(diary.losses().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_driver_that_was_held_up_hears_what_came_meanwhile() {
    let (builder, mut peers, diary) = session(Numbered::for_ever());
    let config = Config::new().with_keep_alive(Some(Duration::from_millis(400)));
    let (_session, driver) = builder.with_config(config).build();
    let mut running = Box::pin(driver.run());
    let mut peer = tokio::select! {
        () = &mut running => panic!("it has ended"),
        peer = peers.recv() => peer.unwrap(),
    };
    let asked = async {
        peer.log_in().await;
        assert_eq!(peer.frame().await.unwrap().0, PING);
        peer.send(PONG, &[]).await.unwrap();
    };
    tokio::select! {
        () = &mut running => panic!("it has ended"),
        () = asked => {}
    }
    sleep(Duration::from_millis(300)).await;
    assert!(timeout(AWHILE, &mut running).await.is_err());
    assert!(diary.losses().is_empty(), "{:?}", diary.losses());
}

#[tokio::test(start_paused = true)]
async fn a_wish_that_is_repeated_while_nobody_polls_is_one_wish() {
    let (mut session, mut peers, diary) = polled(Config::new());
    let mut peer = together(&mut session, async { peers.recv().await.unwrap() }).await;
    let (authenticated, ()) = tokio::join!(session.authenticated(), peer.log_in());
    authenticated.unwrap();
    for _ in 0..1_000 {
        session.network_changed();
    }
    together(&mut session, async {
        assert_eq!(peer.frame().await.unwrap().0, PING);
        assert!(timeout(AWHILE, peer.frame()).await.is_err());
    })
    .await;
    assert!(diary.losses().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_polled_session_says_when_it_is_authenticated_or_why_it_never_will_be() {
    let (mut session, mut peers, _) = polled(Config::new());
    let serve = async {
        let mut peer = peers.recv().await.unwrap();
        sleep(Duration::from_secs(1)).await;
        peer.log_in().await;
        peer.send(TEXT, b"hello").await.unwrap();
        peer
    };
    let (authenticated, _peer) = tokio::join!(session.authenticated(), serve);
    authenticated.unwrap();
    assert_eq!(session.next().await.unwrap().as_text(), Some("hello"));
    session.close();
    assert_eq!(session.authenticated().await.unwrap_err().kind(), ErrorKind::Closed);
}
