//! Connections of Ably's in virtual time, each test under the point of the specification that it is about.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep};

use super::peer::{CLOSE, Diary, Numbered, PING, Peer, TEXT};
use super::session_of;
use crate::dialect::Dialect;
use crate::driver::tokio::{Events, Session, SessionEvent};
use crate::machine::{Config, State};

const MINUTES: Duration = Duration::from_secs(180);

/// With the defaults of Ably's libraries, without our own pings.
fn config() -> Config {
    Config::new().with_keep_alive(None).with_open_timeout(Duration::from_secs(10))
}

fn connecting() -> (Session, Events, UnboundedReceiver<Peer>, Diary) {
    let (builder, peers, diary) = session_of(Dialect::ably(), 64 * 1024, Numbered::for_ever());
    let session = builder.with_config(config()).spawn();
    let events = session.events();
    (session, events, peers, diary)
}

/// The next connection, upgraded, and a parameter of its query.
async fn upgraded(peers: &mut UnboundedReceiver<Peer>, parameter: &str) -> (Peer, Option<String>) {
    let mut peer = peers.recv().await.unwrap();
    peer.upgrade().await;
    let query = peer.request.split(' ').nth(1).unwrap().split_once('?').unwrap().1;
    let value = |pair: &str| pair.strip_prefix(parameter)?.strip_prefix('=').map(ToOwned::to_owned);
    let value = query.split('&').find_map(value);
    (peer, value)
}

async fn say(peer: &mut Peer, frame: &Value) {
    peer.send(TEXT, frame.to_string().as_bytes()).await.unwrap();
}

async fn welcome(peer: &mut Peer, id: &str, key: &str) {
    let details = json!({"connectionKey": key, "maxIdleInterval": 15_000, "connectionStateTtl": 120_000});
    say(peer, &json!({"action": 4, "connectionId": id, "connectionDetails": details})).await;
}

fn refusal(action: u8, code: u32) -> Value {
    json!({"action": action, "error": {"code": code, "statusCode": code / 100, "message": "canary"}})
}

async fn resumed(events: &mut Events) -> Option<bool> {
    loop {
        if let Some(SessionEvent::Authenticated { resumed, .. }) = events.next().await {
            return resumed;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rtn15b_a_lost_connection_is_resumed_by_its_latest_key_and_rtn15c6_its_id_says_whether_it_was() {
    let (session, mut events, mut peers, _) = connecting();
    let (mut peer, resume) = upgraded(&mut peers, "resume").await;
    welcome(&mut peer, "id-1", "key!1").await;
    assert_eq!((resume, resumed(&mut events).await), (None, Some(false)));
    // RTC8a1: what the answer to an AUTH says takes the place of what was said before.
    session.renew();
    assert!(peer.text().await.contains("\"action\":17"));
    welcome(&mut peer, "id-1", "key!2").await;
    while !matches!(events.next().await, Some(SessionEvent::Renewed { .. })) {}
    drop(peer);
    let (mut peer, resume) = upgraded(&mut peers, "resume").await;
    welcome(&mut peer, "id-1", "key!3").await;
    assert_eq!((resume.as_deref(), resumed(&mut events).await), (Some("key%212"), Some(true)));
    // RTN15h3: with a DISCONNECTED that says nothing against the token it is the same.
    say(&mut peer, &refusal(6, 80_003)).await;
    let (mut peer, resume) = upgraded(&mut peers, "resume").await;
    // RTN15c7: it could not be resumed.
    let details = json!({"connectionKey": "key!4"});
    let error = json!({"code": 80_018, "statusCode": 400, "message": "x"});
    let anew = json!({"action": 4, "connectionId": "id-2", "connectionDetails": details, "error": error});
    say(&mut peer, &anew).await;
    assert_eq!((resume.as_deref(), resumed(&mut events).await), (Some("key%213"), Some(false)));
}

/// RTN15h2 after it.
#[tokio::test(start_paused = true)]
async fn rtn15c5_a_token_that_is_refused_on_resume_is_renewed_and_the_resume_asked_for_again() {
    let (_session, mut events, mut peers, _) = connecting();
    let (mut peer, _) = upgraded(&mut peers, "resume").await;
    welcome(&mut peer, "id-1", "key").await;
    assert_eq!(resumed(&mut events).await, Some(false));
    drop(peer);
    let (mut peer, token) = upgraded(&mut peers, "access_token").await;
    say(&mut peer, &refusal(9, 40_142)).await;
    let (mut peer, resume) = upgraded(&mut peers, "resume").await;
    welcome(&mut peer, "id-1", "key").await;
    assert_eq!((resume.as_deref(), resumed(&mut events).await), (Some("key"), Some(true)));
    assert!(!peer.request.contains(&format!("access_token={}&", token.unwrap())), "{}", peer.request);
}

#[tokio::test(start_paused = true)]
async fn rtn15c4_a_fatal_error_on_resume_fails_the_session() {
    let (mut session, mut events, mut peers, _) = connecting();
    let (mut peer, _) = upgraded(&mut peers, "resume").await;
    welcome(&mut peer, "id-1", "key").await;
    assert_eq!(resumed(&mut events).await, Some(false));
    drop(peer);
    let (mut peer, resume) = upgraded(&mut peers, "resume").await;
    assert!(resume.is_some());
    say(&mut peer, &refusal(9, 50_000)).await;
    while session.next().await.is_some() {}
    assert_eq!((session.state(), session.error().unwrap().code()), (State::Failed, Some(50_000)));
}

#[tokio::test(start_paused = true)]
async fn rtn15g_after_the_time_that_the_state_is_kept_for_nothing_is_resumed() {
    let (_session, mut events, mut peers, _) = connecting();
    let (mut peer, _) = upgraded(&mut peers, "resume").await;
    welcome(&mut peer, "id-1", "key").await;
    assert_eq!(resumed(&mut events).await, Some(false));
    drop(peer);
    let begun = Instant::now();
    let (mut early, mut late) = (0, 0);
    while begun.elapsed() < MINUTES {
        let (peer, resume) = upgraded(&mut peers, "resume").await;
        let expected = if begun.elapsed() < Duration::from_secs(119) { &mut early } else { &mut late };
        assert!(begun.elapsed() < Duration::from_secs(125) || resume.is_none());
        *expected += 1;
        drop(peer);
    }
    assert!(early > 3 && late > 1, "{early} {late}");
}

#[tokio::test(start_paused = true)]
async fn rtn14c_an_attempt_without_connected_is_given_up_after_ten_seconds() {
    let (mut session, _, mut peers, diary) = connecting();
    let (mut peer, _) = upgraded(&mut peers, "v").await;
    let begun = Instant::now();
    // A heartbeat is no CONNECTED.
    say(&mut peer, &json!({"action": 0})).await;
    assert_eq!(peer.ended().await, None);
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert_eq!(diary.losses()[0].1.reason, "the server did not answer the credential in time");
    let (mut peer, _) = upgraded(&mut peers, "v").await;
    welcome(&mut peer, "id", "key").await;
    session.authenticated().await.unwrap();
}

/// RTN14d: attempts go on, RTN14e: after two minutes from suspended, RTN14f: for ever.
#[tokio::test(start_paused = true)]
async fn rtn14d_rtn14e_rtn14f_attempts_that_fail_lead_to_disconnected_and_to_suspended_and_go_on() {
    let (mut session, mut events, mut peers, _) = connecting();
    let (mut peer, _) = upgraded(&mut peers, "v").await;
    welcome(&mut peer, "id", "key").await;
    session.authenticated().await.unwrap();
    let lost = Instant::now();
    drop(peer);
    let mut seen = Vec::new();
    let mut suspended = 0;
    while suspended < 3 {
        tokio::select! {
            peer = peers.recv() => drop(peer),
            event = events.next() => {
                if let Some(SessionEvent::State { state, retry_in, .. }) = event {
                    if matches!(state, State::Disconnected | State::Suspended) {
                        assert!(retry_in.is_some_and(|wait| wait <= Duration::from_secs(30)), "{retry_in:?}");
                    }
                    if state == State::Suspended {
                        assert!(lost.elapsed() >= Duration::from_secs(120));
                        suspended += 1;
                    }
                    seen.push(state);
                }
            }
        }
    }
    let after_loss = seen.iter().skip_while(|state| **state != State::Disconnected);
    let first_suspended = after_loss.clone().position(|state| *state == State::Suspended).unwrap();
    assert!(first_suspended > 6, "{seen:?}");
    let (mut peer, _) = upgraded(&mut peers, "v").await;
    welcome(&mut peer, "id", "key").await;
    session.authenticated().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn rtn23a_a_silence_that_is_longer_than_promised_costs_the_connection_and_heartbeats_save_it() {
    let (mut session, _, mut peers, diary) = connecting();
    let (mut peer, heartbeats) = upgraded(&mut peers, "heartbeats").await;
    assert_eq!(heartbeats.as_deref(), Some("true"));
    welcome(&mut peer, "id", "key").await;
    session.authenticated().await.unwrap();
    // RTN23b: either kind of sign.
    for sign in [true, false].into_iter().cycle().take(10) {
        sleep(Duration::from_secs(15)).await;
        if sign { say(&mut peer, &json!({"action": 0})).await } else { peer.send(PING, b"").await.unwrap() }
    }
    assert!(diary.losses().is_empty());
    let silent = Instant::now();
    let (_peer, _) = upgraded(&mut peers, "v").await;
    // maxIdleInterval and realtimeRequestTimeout; looked at every half of it.
    assert!((25..=39).contains(&silent.elapsed().as_secs()), "{:?}", silent.elapsed());
    assert_eq!(diary.losses()[0].1.reason, "nothing was heard of the server");
}

/// RTN15a: a drop without a word is as a DISCONNECTED that says nothing against the token.
#[tokio::test(start_paused = true)]
async fn rtn15a_a_connection_that_is_closed_without_a_word_is_replaced_at_once() {
    let (mut session, _, mut peers, diary) = connecting();
    let (mut peer, _) = upgraded(&mut peers, "v").await;
    welcome(&mut peer, "id", "key").await;
    session.authenticated().await.unwrap();
    peer.send(CLOSE, b"").await.unwrap();
    let closed = Instant::now();
    let (_peer, resume) = upgraded(&mut peers, "resume").await;
    assert!(closed.elapsed() < Duration::from_secs(1) && resume.is_some());
    assert_eq!(diary.losses().len(), 1);
}

/// Its URL was good enough to connect, and its login was understood.
#[tokio::test(start_paused = true)]
async fn a_connection_that_was_good_is_not_blamed_on_its_url() {
    for (kind, payload, told) in [
        (TEXT, refusal(9, 40_000).to_string().into_bytes(), "check the messages that were sent"),
        (CLOSE, vec![3, 239, b'x'], "check the messages that were sent"),
        (TEXT, vec![0xff], "the server broke the WebSocket protocol"),
    ] {
        let (mut session, _, mut peers, _) = connecting();
        let (mut peer, _) = upgraded(&mut peers, "v").await;
        welcome(&mut peer, "id", "key").await;
        session.authenticated().await.unwrap();
        peer.send(kind, &payload).await.unwrap();
        while session.next().await.is_some() {}
        let error = session.error().unwrap().to_string();
        assert!(error.contains(told) && !error.contains("URL"), "{error}");
    }
}
