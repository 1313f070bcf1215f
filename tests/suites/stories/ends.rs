//! The end of a session: closed, dropped, with nothing left behind.

use super::prelude::*;

stories!(
    a_close_sends_what_was_queued,
    a_close_ends_a_session_that_waits_for_its_next_attempt,
    a_close_ends_a_session_whose_login_is_not_answered,
    a_peer_that_does_not_answer_a_close_is_left,
    a_dropped_session_ends_its_connection,
    a_session_that_is_dropped_while_it_opens_leaves_nothing,
);

fn a_close_sends_what_was_queued(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Send("welcome"), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG)]));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    for text in ["a", "b", "c"] {
        client.send(text);
    }
    client.close().unwrap();
    assert_eq!(log.seen().server[1..], ["1: text a", "1: text b", "1: text c", "1: close 1000"]);
}

fn a_close_ends_a_session_that_waits_for_its_next_attempt(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Refuse(503, "Retry-After: 3600\r\n")]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG)]));
    client.send("never");
    client.until("it waits", &|seen| seen.client.len() == 2);
    client.close().unwrap();
    assert_eq!(log.seen().client, ["connecting 1", "lost 1 503: the server refused the upgrade", "closed"]);
    assert_eq!(client.returned(1), [("never".to_owned(), false)], "it was never sent");
}

fn a_close_ends_a_session_whose_login_is_not_answered(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Expect, ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &[("t1", LONG)]));
    client.send("never");
    client.until("it presents its token", &|seen| seen.server.len() == 2);
    client.close().unwrap();
    assert_eq!(
        log.seen().server[1..],
        [auth(1, "t1").as_str(), "1: close 1000"],
        "no message before acceptance"
    );
    assert_eq!(client.returned(1), [("never".to_owned(), false)]);
}

fn a_peer_that_does_not_answer_a_close_is_left(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Send("welcome"), Await("the end"), ExpectEnd]]);
    let plan = Plan::new(&log, server.url(), by_header(), &[("t1", LONG)]);
    let mut client = open(plan.with_config(|config| config.with_close_timeout(Duration::from_millis(300))));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    client.close().unwrap();
    log.open("the end");
    assert!(log.wait(super::log::PATIENCE, |seen| seen.server.last().is_some_and(|line| line == "1: end")));
    assert_eq!(log.seen().server[1..], ["1: close 1000", "1: end"]);
}

/// By design a session that its owner polls has nobody left to say goodbye for it.
fn a_dropped_session_ends_its_connection(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Send("welcome"), ExpectEnd]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG)]));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    let farewell = client.says_goodbye();
    drop(client);
    assert!(log.wait(super::log::PATIENCE, |seen| seen.server.last().is_some_and(|line| line == "1: end")));
    let seen = log.seen();
    assert_eq!(seen.server.contains(&"1: close 1000".to_owned()), farewell);
    assert_eq!(seen.server.len(), if farewell { 3 } else { 2 });
}

fn a_session_that_is_dropped_while_it_opens_leaves_nothing(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Head, ExpectEnd]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG)]));
    client.until("the attempt", &|seen| seen.server.len() == 1);
    drop(client);
    assert!(log.wait(super::log::PATIENCE, |seen| seen.server.len() == 2));
    assert_eq!(log.seen().server[1..], ["1: end"]);
}
