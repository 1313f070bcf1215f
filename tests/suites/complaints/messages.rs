//! Complaints about messages: missed across a reconnect, sent twice, kept without bound, or stuck against a peer that writes too.

use std::time::Duration;

use realtime_auth_tests::flawed_server::{frame, hear};
use realtime_auth_tests::raw_socket::opcode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::timeout;
use ws_session::dialect::{Dialect, Resumed, Step, Template, Trigger};
use ws_session::driver::tokio::{
    Builder, Limit, Message, Overflow, SendError, Sender, Session, Target, Unsent,
};

use super::scene::{DAY, Peer, Pipes, Scene, Source, quiet};

const SECOND: Duration = Duration::from_secs(1);

/// What names the session and the place in its stream, in the first message of the next connection.
fn resuming() -> Dialect {
    let mut dialect = Dialect::genesys();
    dialect.captured.named.insert("offset".to_owned(), "/offset".to_owned());
    dialect.captured.resumed = Some(Resumed::SameSession);
    let login = json!({
        "type": "auth", "token": "${credential}", "session": "${last.session_id}", "from": "${last.offset}",
    });
    dialect.login = vec![Step { on: Trigger::Open, send: Template::json(login) }];
    dialect
}

/// Not one message need have come: what the login was told is enough.
#[tokio::test(start_paused = true)]
async fn the_next_login_repeats_what_the_last_was_told_and_the_event_says_whether_it_was_taken_up() {
    let mut scene = Scene::with(resuming(), Source::for_ever(), quiet);
    for (asks, session, offset, taken_up) in [
        (json!(null), "a", 7, false),
        (json!(["a", "7"]), "a", 9, true),
        (json!(["a", "9"]), "b", 1, false),
        (json!(["b", "1"]), "b", 1, true),
    ] {
        let mut peer = scene.peer().await;
        peer.upgrade().await;
        let login: Value = serde_json::from_str(&peer.text().await).unwrap();
        let asked =
            login.get("session").map(|session| json!([session, login["from"].to_string().trim_matches('"')]));
        assert_eq!(asked.unwrap_or_default(), asks, "{login}");
        let welcome = json!({"type": "auth", "status": "ok", "sessionId": session, "offset": offset});
        peer.say(opcode::TEXT, welcome.to_string().as_bytes()).await;
        assert_eq!(scene.resumed().await, Some(taken_up), "{session}");
    }
    // Where a server does not say, nobody claims to know.
    let mut silent = Dialect::genesys();
    silent.captured.resumed = None;
    let mut scene = Scene::open(silent, Source::for_ever());
    for _ in 0..2 {
        scene.peer().await.welcome().await;
        assert_eq!(scene.resumed().await, None);
    }
}

/// How many of the messages, each of so many bytes, are neither sent nor back after a while.
async fn waiting(session: &Session, messages: usize, bytes: usize) -> (usize, Vec<Unsent>) {
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..messages {
        let sender = session.sender();
        sending.spawn(async move { sender.send("x".repeat(bytes)).await });
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(SECOND).await;
    let mut back = Vec::new();
    while let Some(told) = sending.try_join_next() {
        let error = told.unwrap().unwrap_err();
        assert!(!error.may_have_arrived());
        back.push(error.reason());
        assert_eq!(error.into_message().unwrap().len(), bytes, "the message comes back");
    }
    (sending.len(), back)
}

/// An outage of hours, in which an application sends on and on.
#[tokio::test(start_paused = true)]
async fn what_waits_for_a_connection_is_bounded_by_number_and_by_bytes() {
    for (overflow, reason) in [(Overflow::Refuse, Unsent::QueueFull), (Overflow::DropOldest, Unsent::Dropped)]
    {
        for (limit, bytes, kept) in [
            (Limit { messages: 10, bytes: 1_000_000 }, 100, 10),
            (Limit { messages: 1_000_000, bytes: 1_000 }, 100, 10),
            (Limit::USUAL, 4, 256),
            (Limit::USUAL, 65_536, 16),
        ] {
            let settle = |builder: Builder| builder.with_queue(limit, overflow);
            let mut scene = Scene::with(Dialect::genesys(), Source::for_ever(), settle);
            let _peer = scene.peer().await;
            let (waiting, back) = waiting(&scene.session, 300, bytes).await;
            assert_eq!(waiting, kept, "{overflow:?}, {limit:?}");
            assert!(back.len() == 300 - kept && back.iter().all(|told| *told == reason), "{back:?}");
        }
    }
}

/// By default nobody's message is refused: its sender waits, and sends no more meanwhile.
#[tokio::test(start_paused = true)]
async fn by_default_whoever_sends_too_much_waits_and_nothing_is_dropped() {
    let mut scene = Scene::open(Dialect::genesys(), Source::for_ever());
    let mut peer = scene.peer().await;
    assert_eq!(waiting(&scene.session, 1, 5).await, (1, vec![]));
    let sender = scene.session.sender();
    let sending = tokio::spawn(async move {
        let mut sent = tokio::task::JoinSet::new();
        for number in 0..1_000 {
            let sender = sender.clone();
            sent.spawn(async move { sender.send(format!("{number}")).await });
        }
        sent.join_all().await.into_iter().filter(Result::is_ok).count()
    });
    peer.welcome().await;
    let mut heard = std::collections::BTreeSet::new();
    while heard.len() < 1_000 {
        heard.insert(peer.text().await);
    }
    assert_eq!(sending.await.unwrap(), 1_000);
}

async fn send(sender: Sender, text: String) -> Result<(), SendError> {
    sender.send(text).await
}

/// A message of which a byte may have left belongs to its sender again; one that has not begun goes to the next connection, once.
#[tokio::test(start_paused = true)]
async fn nothing_of_which_a_byte_has_left_is_sent_again_by_itself() {
    for read in [0, 1, 1_000] {
        let mut scene = Scene::with(Dialect::genesys(), Source::for_ever(), quiet);
        let mut peer = scene.peer().await;
        peer.welcome().await;
        scene.session.authenticated().await.unwrap();
        // More than the pipe holds: the rest of it waits when the connection breaks.
        let cut = tokio::spawn(send(scene.session.sender(), "x".repeat(100_000)));
        tokio::time::sleep(SECOND).await;
        assert!(!cut.is_finished());
        peer.0.read_exact(&mut vec![0; read]).await.unwrap();
        drop(peer);
        let returned = cut.await.unwrap().unwrap_err();
        assert!(returned.may_have_arrived(), "{read}");
        assert_eq!(returned.into_message().unwrap().len(), 100_000, "its sender decides");
        let waited = tokio::spawn(send(scene.session.sender(), "not begun".to_owned()));
        let mut next = scene.peer().await;
        drop(next);
        next = scene.peer().await;
        next.welcome().await;
        assert_eq!(next.text().await, "not begun", "the control: what has not left is sent");
        waited.await.unwrap().unwrap();
        assert!(timeout(DAY, next.hear()).await.is_err(), "and only once");
    }
}

/// How much a pipe holds in each direction: less than one message.
const NARROW: usize = 16 * 1024;

/// Reads no further before all of its echo is taken.
async fn echo(mut stream: DuplexStream) {
    while let Ok((opcode, payload)) = hear(&mut stream).await {
        if stream.write_all(&frame(0x80 | opcode, &payload)).await.is_err() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_ends_that_both_write_first_do_not_wait_for_each_other_in_16_kib_pipes() {
    let text = |number: usize| format!("{number}{}", "x".repeat(3 * NARROW));
    let (pipes, mut peers) = Pipes::of(NARROW);
    let target = Target::new("ws://127.0.0.1/ws").unwrap();
    let builder = Session::builder(target, Dialect::bearer_header(), Source::for_ever()).with_dialer(pipes);
    let mut session = quiet(builder).spawn();
    let mut peer: Peer = peers.recv().await.unwrap();
    peer.upgrade().await;
    let echoing = tokio::spawn(echo(peer.0));
    let sender = session.sender();
    let sending = tokio::spawn(async move {
        for number in 0..200 {
            sender.send(text(number)).await.unwrap();
        }
    });
    for number in 0..200 {
        let heard = timeout(10 * SECOND, session.next()).await.expect("they wait for each other");
        assert_eq!(heard, Some(Message::from(text(number))));
    }
    sending.await.unwrap();
    session.close().await.unwrap();
    timeout(SECOND, echoing).await.unwrap().unwrap();

    // The control: who reads only after it has written waits for ever.
    let (mut ours, theirs) = duplex(NARROW);
    let _echoing = tokio::spawn(echo(theirs));
    let naive = async {
        for number in 0..10 {
            let payload = text(number).into_bytes();
            let head = [&[0x82, 0x80 | 126][..], &(payload.len() as u16).to_be_bytes(), &[0; 4]].concat();
            ours.write_all(&[head, payload].concat()).await.unwrap();
        }
    };
    assert!(timeout(DAY, naive).await.is_err());
}
