//! Peers that take their time, and calls that have as much as they say.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_core::{Secret, Token, source::FixedToken};
use ws_session::dialect::{Dialect, Template};
use ws_session::driver::blocking::{Session, Target, Unsent};
use ws_session::machine::{Config, State};

use crate::stories::log::{Log, PATIENCE};
use crate::stories::server::{Act::*, Server};

fn fixed() -> Arc<FixedToken> {
    Arc::new(FixedToken::new(Token::new(Secret::from("t"))))
}

fn by_header() -> Dialect {
    let mut dialect = Dialect::new("header");
    dialect.placement.headers.push(("Authorization".to_owned(), Template::text("Bearer ${credential}")));
    dialect
}

#[test]
fn a_peer_that_does_not_read_holds_nobody_up() {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Await("the end")]]);
    let mut session = Session::builder(Target::new(&server.url()).unwrap(), by_header(), fixed())
        .with_config(Config::new().with_close_timeout(Duration::from_millis(300)))
        .open();
    session.authenticated_within(PATIENCE).unwrap();
    let begun = Instant::now();
    let text = "x".repeat(1024 * 1024);
    let mut sent = 0;
    let refused = loop {
        match session.send(text.as_str()) {
            Ok(()) => sent += 1,
            // As long as the system takes what is under way, there will be room.
            Err(_) if session.flush(Duration::from_millis(100)).unwrap() => {}
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.reason(), Unsent::QueueFull);
    session.close().unwrap();
    assert!(begun.elapsed() < PATIENCE / 2, "each waited for no longer than it said");
    let returned: Vec<_> = session.take_returned().collect();
    assert!(returned.len() < sent, "some were taken by the system");
    let doubt: Vec<_> = returned.iter().map(|back| back.may_have_arrived()).collect();
    assert!(doubt[0] && !doubt[1..].contains(&true), "one was under way, what waited was not: {doubt:?}");
    assert_eq!(session.state(), State::Closed);
    log.open("the end");
}

#[test]
fn what_was_read_while_a_flush_waited_is_kept_and_bounded() {
    let log = Log::default();
    let many = vec![Send("one of many"); 400];
    let server = Server::play(&log, vec![[vec![Accept], many, vec![Expect, ExpectClose]].concat()]);
    let mut session = Session::builder(Target::new(&server.url()).unwrap(), by_header(), fixed()).open();
    session.send("at last").unwrap();
    assert!(session.flush(PATIENCE).unwrap());
    assert!(log.wait(PATIENCE, |seen| seen.server.len() == 2), "it arrives");
    for number in 0..400 {
        assert_eq!(session.next(PATIENCE).unwrap().unwrap().as_text(), Some("one of many"), "{number}");
    }
    session.close().unwrap();
    assert_eq!(session.next(PATIENCE).unwrap_err().kind(), ws_session::ErrorKind::Closed);
}
