//! `ping()` (RTN13).

use auth_core::{ErrorKind, Retry};
use tokio::spawn;
use tokio::task::JoinHandle;
use tokio::time::{Instant, pause, resume};

use super::*;

fn pinging(realtime: &Realtime) -> JoinHandle<Result<Duration, Error>> {
    let realtime = realtime.clone();
    spawn(async move { realtime.ping().await })
}

impl Peer {
    /// The `id` of the next message, which must be a HEARTBEAT.
    async fn pinged(&mut self) -> String {
        let message = self.heard().await;
        assert_eq!(message["action"], 0, "{message}");
        message["id"].as_str().unwrap().to_owned()
    }

    async fn answers(&mut self, id: &str) {
        self.say(&json!({ "action": 0, "id": id })).await;
    }
}

#[tokio::test]
async fn rtn13a_rtn13e_a_ping_is_answered_by_the_heartbeat_with_its_id_alone() {
    let mut server = Server::start().await;
    let (realtime, mut session, mut peer) = connected(numbered().0, &mut server).await;
    let one = pinging(&realtime);
    let first = peer.pinged().await;
    let other = pinging(&realtime);
    let second = peer.pinged().await;
    assert!(first != second && first.len() >= 16, "{first} {second}");
    peer.say(&json!({ "action": 0 })).await;
    peer.answers("another").await;
    peer.answers(&second).await;
    soon(other).await.unwrap().unwrap();
    assert!(!one.is_finished());
    // That one is the user's own.
    assert!(soon(session.next()).await.unwrap().as_text().unwrap().contains("another"));
    peer.answers(&first).await;
    assert!(soon(one).await.unwrap().unwrap() < SOON);
    // Neither is an answer to a ping the reader's.
    peer.say(&json!({ "action": 11, "channel": "a" })).await;
    assert!(soon(session.next()).await.unwrap().as_text().unwrap().contains("channel"));
}

#[tokio::test]
async fn rtn13b_a_ping_fails_where_there_is_no_connection_nor_will_be() {
    let mut server = Server::start().await;
    let realtime = client(numbered().0, &server);
    // INITIALIZED.
    assert_eq!(soon(realtime.ping()).await.unwrap_err().kind(), ErrorKind::Misconfigured);
    let (session, mut peer) = tokio::join!(realtime.connect(), server.welcomed());
    let mut session = session.unwrap();
    peer.say(&failure(9, 40_400)).await;
    assert_eq!(failed(&mut session).await, Some(40_400));
    assert_eq!(soon(realtime.ping()).await.unwrap_err().code(), Some(40_400), "FAILED");
    let (session, mut peer) = tokio::join!(realtime.connect(), server.welcomed());
    let session = session.unwrap();
    let (control, mut events) = (session.control(), session.events());
    let closing = spawn(async move { control.close().await });
    let _ = states_until(&mut events, State::Closing).await;
    assert_eq!(soon(realtime.ping()).await.unwrap_err().kind(), ErrorKind::Closed, "CLOSING");
    assert_eq!(peer.heard().await["action"], 7);
    drop(peer);
    soon(closing).await.unwrap().unwrap();
    assert_eq!(soon(realtime.ping()).await.unwrap_err().kind(), ErrorKind::Closed, "CLOSED");
    // SUSPENDED.
    let wait = Backoff::new(Duration::from_secs(3_600), Duration::from_secs(3_600));
    let config = Config::new().with_backoff(wait);
    let realtime = builder(numbered().0, &server.url()).with_session_config(config).build().unwrap();
    let details = json!({ "connectionStateTtl": 0 });
    let (session, peer) = tokio::join!(realtime.connect(), server.welcomed_with(details));
    let mut events = session.as_ref().unwrap().events();
    drop(peer);
    let _ = states_until(&mut events, State::Suspended).await;
    let error = soon(realtime.ping()).await.unwrap_err();
    assert_eq!((error.code(), error.retry()), (Some(80_002), Retry::Backoff), "{error}");
    drop(session);
    assert_eq!(soon(realtime.ping()).await.unwrap_err().kind(), ErrorKind::Closed, "nobody tries any more");
}

#[tokio::test]
async fn rtn13b_a_ping_fails_with_the_connection_that_it_waits_for() {
    for (says, expected) in [(None, Some(80_003)), (Some(failure(9, 40_400)), Some(40_400))] {
        let mut server = Server::start().await;
        let (realtime, _session, mut peer) = connected(numbered().0, &mut server).await;
        let ping = pinging(&realtime);
        let _ = peer.pinged().await;
        if let Some(message) = says {
            peer.say(&message).await;
        }
        drop(peer);
        assert_eq!(soon(ping).await.unwrap().unwrap_err().code(), expected);
    }
    let mut server = Server::start().await;
    let (realtime, _session, mut peer) = connected(numbered().0, &mut server).await;
    let ping = pinging(&realtime);
    let _ = peer.pinged().await;
    let closes = async {
        assert_eq!(peer.heard().await["action"], 7);
        drop(peer);
    };
    let (closed, ()) = tokio::join!(soon(realtime.close()), closes);
    closed.unwrap();
    assert_eq!(soon(ping).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn rtn13c_a_ping_that_is_not_answered_fails_after_ten_seconds() {
    let mut server = Server::start().await;
    let (realtime, session, mut peer) = connected(numbered().0, &mut server).await;
    let ping = pinging(&realtime);
    let _ = peer.pinged().await;
    pause();
    let begun = Instant::now();
    let error = ping.await.unwrap().unwrap_err();
    let took = begun.elapsed();
    resume();
    // Before time stood still, some had passed.
    assert!(took.as_secs() <= 10, "{took:?}");
    assert_eq!(
        (error.code(), error.kind(), error.retry()),
        (Some(50_003), ErrorKind::Timeout, Retry::Backoff)
    );
    assert_eq!((session.state(), server.connections()), (State::Connected, 1));
}

#[tokio::test]
async fn rtn13d_a_ping_while_connecting_or_disconnected_goes_out_once_connected() {
    let mut server = Server::start().await;
    let realtime = client(numbered().0, &server);
    let session = realtime.open().unwrap();
    let mut peer = server.peer().await;
    assert_eq!(session.state(), State::Connecting);
    let ping = pinging(&realtime);
    peer.has_answered_a_ping().await;
    peer.welcome("id", json!({})).await;
    let id = peer.pinged().await;
    peer.answers(&id).await;
    soon(ping).await.unwrap().unwrap();
    let mut events = session.events();
    drop(peer);
    let _ = states_until(&mut events, State::Disconnected).await;
    let ping = pinging(&realtime);
    let mut peer = server.welcomed().await;
    let id = peer.pinged().await;
    peer.answers(&id).await;
    soon(ping).await.unwrap().unwrap();
}
