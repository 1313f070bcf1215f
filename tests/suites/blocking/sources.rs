//! Tokens for a session without a runtime: each question has a thread, and the session goes on meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use auth_core::backoff::Backoff;
use auth_core::token::Generation;
use auth_core::{Demand, Error, ErrorKind, Retry, Secret, Token, TokenSource};
use ws_session::dialect::Dialect;
use ws_session::driver::blocking::{Session, Target, asking};
use ws_session::machine::{Config, State};

use crate::stories::log::{Log, PATIENCE};
use crate::stories::server::{Act::*, Server};

const OK: &str = r#"{"type":"auth","status":"ok","sessionId":"s"}"#;

/// The first token, and each after it.
fn token(generation: u32) -> Token {
    let number = (0..generation).fold(Generation::NONE, |number, _| number.next());
    Token::new(Secret::from(format!("t{generation}"))).with_generation(number)
}

fn session(server: &Server, log: &Log, source: Arc<dyn TokenSource>) -> Session {
    let target = Target::new(&server.url()).unwrap();
    Session::builder(target, Dialect::genesys(), source).with_observer(Arc::new(log.clone())).open()
}

#[test]
fn a_closure_that_takes_its_time_does_not_keep_its_caller_from_its_own() {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Expect, Send(OK), Send("welcome"), ExpectClose]]);
    let (give, taken) = mpsc::channel();
    let mut session = session(&server, &log, asking(move |_| Ok(taken.recv().unwrap())));
    let begun = Instant::now();
    assert_eq!(session.next(Duration::from_millis(50)).unwrap(), None);
    assert_eq!(session.next(Duration::ZERO).unwrap(), None);
    assert!(begun.elapsed() < PATIENCE / 2, "no token yet, and the caller is back");
    assert_eq!(session.state(), State::Connecting);
    give.send(token(1)).unwrap();
    assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("welcome"));
    session.close().unwrap();
}

#[test]
fn a_connection_is_read_while_its_next_token_is_fetched() {
    let log = Log::default();
    let renewal =
        vec![Send("one"), Await("renewing"), Send("two"), Send("three"), Expect, Send(OK), ExpectClose];
    let server = Server::play(&log, vec![[vec![Accept, Expect, Send(OK)], renewal].concat()]);
    let (give, taken) = mpsc::channel();
    let asked = log.clone();
    let source = asking(move |demand| {
        asked.demand(format!("{demand:?}"));
        Ok(taken.recv().unwrap())
    });
    give.send(token(1)).unwrap();
    let mut session = session(&server, &log, source);
    assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("one"));
    session.renew();
    assert!(log.wait(PATIENCE, |seen| seen.demands.len() == 2), "the second question is asked");
    log.open("renewing");
    assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("two"));
    assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("three"));
    give.send(token(2)).unwrap();
    while !log.seen().client.contains(&"renewed in band 1".to_owned()) {
        assert_eq!(session.next(Duration::from_millis(20)).unwrap(), None);
    }
    session.close().unwrap();
    assert_eq!(log.seen().server[2], r#"1: text {"token":"t2","type":"auth"}"#);
}

#[test]
fn a_source_that_panics_is_asked_again() {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Expect, Send(OK), Send("welcome"), ExpectClose]]);
    let mut asked = 0;
    let source = asking(move |_| {
        asked += 1;
        assert!(asked > 1, "this panic is part of a test");
        Ok(token(asked))
    });
    let mut session = session(&server, &log, source);
    assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("welcome"));
    assert!(log.seen().client[0].starts_with("delayed: the token source panicked"));
    session.close().unwrap();
}

#[test]
fn a_source_that_never_has_a_token_ends_the_session() {
    let log = Log::default();
    let server = Server::play(&log, vec![]);
    let revoked = || Error::new(ErrorKind::InvalidGrant, "log in again").with_retry(Retry::Never);
    let mut session = session(&server, &log, asking(move |_| Err(revoked())));
    let error = session.next(PATIENCE).unwrap_err();
    assert_eq!(error.kind(), ws_session::ErrorKind::Token);
    assert_eq!(error.token_error().unwrap().kind(), ErrorKind::InvalidGrant);
    assert_eq!(session.error().unwrap().kind(), error.kind());
    let unsent = session.send("too late").unwrap_err();
    assert_eq!(unsent.into_message().unwrap().as_text(), Some("too late"));
}

/// Waits for ever, and tells when it is dropped.
struct Never(Mutex<mpsc::Sender<()>>);

struct Waiting(mpsc::Sender<()>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}

impl Future for Waiting {
    type Output = Result<Token, Error>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}

#[async_trait::async_trait]
impl TokenSource for Never {
    async fn token(&self, _: Demand) -> Result<Token, Error> {
        let dropped = self.0.lock().unwrap().clone();
        Waiting(dropped).await
    }
}

#[test]
fn a_dropped_session_drops_its_question_for_a_token() {
    let log = Log::default();
    let server = Server::play(&log, vec![]);
    let (dropped, told) = mpsc::channel();
    let mut session = session(&server, &log, Arc::new(Never(Mutex::new(dropped))));
    assert_eq!(session.next(Duration::from_millis(20)).unwrap(), None);
    assert!(told.try_recv().is_err(), "it waits for as long as the session lives");
    drop(session);
    told.recv_timeout(PATIENCE).unwrap();
}

/// Counts the questions that reach a source.
struct Counted(Arc<dyn TokenSource>, Arc<AtomicUsize>);

#[async_trait::async_trait]
impl TokenSource for Counted {
    async fn token(&self, demand: Demand) -> Result<Token, Error> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.token(demand).await
    }
}

/// Each question has a thread: as many as are given up would wait for the one that hangs.
#[test]
fn a_closure_that_hangs_is_asked_nothing_more_until_it_answers() {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Expect, Send(OK), Send("welcome"), ExpectClose]]);
    let (give, taken) = mpsc::channel();
    let asked = Arc::new(AtomicUsize::new(0));
    let source = Counted(asking(move |_| Ok(taken.recv().unwrap())), Arc::clone(&asked));
    let moment = Duration::from_millis(10);
    let mut session =
        Session::builder(Target::new(&server.url()).unwrap(), Dialect::genesys(), Arc::new(source))
            .with_config(Config::new().with_fetch_timeout(moment).with_backoff(Backoff::new(moment, moment)))
            .with_observer(Arc::new(log.clone()))
            .open();
    let begun = Instant::now();
    while log.seen().client.len() < 5 {
        assert!(begun.elapsed() < PATIENCE, "{:?}", log.seen());
        assert_eq!(session.next(moment).unwrap(), None);
    }
    let late = "delayed: the source handed out no token in time";
    assert!(log.seen().client.iter().all(|line| line == late), "{:?}", log.seen());
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the others wait for the first, and cost nothing");
    // It answers again: what it says to the first question comes too late, and what it says later does not.
    for number in 1..=50 {
        give.send(token(number)).unwrap();
    }
    assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("welcome"));
    session.close().unwrap();
}
