//! The words that a dialect has for the end: behind the user's messages, and answered before the close frame.

use ws_session::dialect::{Acceptance, Farewell};

use super::prelude::*;

stories!(
    a_farewell_goes_out_behind_what_was_queued_and_the_close_waits_for_its_answer,
    a_farewell_that_nothing_answers_is_followed_by_the_close,
    a_farewell_that_is_not_answered_in_time_ends_the_connection,
    a_server_that_hangs_up_after_a_farewell_has_ended_it,
    a_session_that_is_closed_before_it_is_let_in_says_farewell_then,
    a_session_that_is_closed_while_it_opens_says_farewell_once_it_is_in,
);

const BYE: &str = r#"{"type":"bye"}"#;
const WELCOME: &str = r#"{"type":"welcome"}"#;

fn says(kind: &str) -> Matcher {
    Matcher::of([("/type", json!(kind))])
}

/// In with a message of the server's, and out with one of ours.
fn polite(answered: &[&str]) -> Dialect {
    let mut dialect = by_header();
    dialect.acceptance = Acceptance::Message { any_of: vec![says("welcome")], within: None };
    let answered = answered.iter().map(|kind| says(kind)).collect();
    dialect.farewell = Some(Farewell { send: Template::json(json!({ "type": "bye" })), answered });
    dialect
}

fn a_farewell_goes_out_behind_what_was_queued_and_the_close_waits_for_its_answer(open: &Open) {
    let log = Log::default();
    let script = vec![
        Accept,
        Send(WELCOME),
        Send(BYE),
        Expect,
        Expect,
        Expect,
        Quiet,
        Send("the last"),
        Quiet,
        Send(BYE),
        ExpectClose,
    ];
    let server = Server::play(&log, vec![script]);
    let mut client = open(Plan::new(&log, server.url(), polite(&["bye"]), &[("t1", LONG)]));
    assert_eq!(client.next().as_deref(), Some(BYE), "as long as it lives, that is the user's");
    for text in ["a", "b"] {
        client.send(text);
    }
    client.close().unwrap();
    let bye = format!("1: text {BYE}");
    assert_eq!(
        log.seen().server[1..],
        ["1: text a", "1: text b", bye.as_str(), "1: quiet", "1: quiet", "1: close 1000"]
    );
    assert_eq!(log.seen().client.last().unwrap(), "closed");
}

fn a_farewell_that_nothing_answers_is_followed_by_the_close(open: &Open) {
    let log = Log::default();
    let server =
        Server::play(&log, vec![vec![Accept, Send(WELCOME), Send("x"), Expect, Expect, ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), polite(&[]), &[("t1", LONG)]));
    assert_eq!(client.next().as_deref(), Some("x"));
    client.send("a");
    client.close().unwrap();
    assert_eq!(log.seen().server[1..], ["1: text a", format!("1: text {BYE}").as_str(), "1: close 1000"]);
}

fn a_farewell_that_is_not_answered_in_time_ends_the_connection(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Send(WELCOME), Send("x"), Expect, ExpectEnd]]);
    let plan = Plan::new(&log, server.url(), polite(&["bye"]), &[("t1", LONG)]);
    let mut client = open(plan.with_config(|config| config.with_close_timeout(Duration::from_millis(300))));
    assert_eq!(client.next().as_deref(), Some("x"));
    client.close().unwrap();
    assert!(log.wait(super::log::PATIENCE, |seen| seen.server.last().is_some_and(|line| line == "1: end")));
    let bye = format!("1: text {BYE}");
    assert_eq!(log.seen().server[1..], [bye.as_str(), "1: end"], "and no close frame");
}

fn a_server_that_hangs_up_after_a_farewell_has_ended_it(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Send(WELCOME), Send("x"), Expect, HangUp]]);
    let plan = Plan::new(&log, server.url(), polite(&["bye"]), &[("t1", LONG)]);
    // Longer than the story may take.
    let mut client = open(plan.with_config(|config| config.with_close_timeout(Duration::from_secs(60))));
    assert_eq!(client.next().as_deref(), Some("x"));
    client.close().unwrap();
    assert_eq!(client.state(), State::Closed);
    assert_eq!(log.seen().client, ["connecting 1", "authenticated 1", "closed"]);
}

fn a_session_that_is_closed_before_it_is_let_in_says_farewell_then(open: &Open) {
    let log = Log::default();
    let script = vec![Accept, Send(BYE), Quiet, Send(WELCOME), Expect, Send(BYE), ExpectClose];
    let server = Server::play(&log, vec![script]);
    let mut client = open(Plan::new(&log, server.url(), polite(&["bye"]), &[("t1", LONG)]));
    client.send("never");
    client.until("it is upgraded", &|seen| seen.server.len() == 1);
    client.close().unwrap();
    let bye = format!("1: text {BYE}");
    assert_eq!(log.seen().server[1..], ["1: quiet", bye.as_str(), "1: close 1000"]);
    assert_eq!(client.returned(1), [("never".to_owned(), false)]);
    assert_eq!(log.seen().client, ["connecting 1", "closed"]);
}

fn a_session_that_is_closed_while_it_opens_says_farewell_once_it_is_in(open: &Open) {
    let log = Log::default();
    let mut dialect = polite(&["bye"]);
    dialect.acceptance = Acceptance::Upgrade;
    let server = Server::play(&log, vec![vec![Await("closing"), Accept, Expect, Send(BYE), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), dialect, &[("t1", LONG)]));
    client.until("it connects", &|seen| seen.client.len() == 1);
    log.open("closing");
    client.close().unwrap();
    let server = log.seen().server;
    // The upgrade may have come first.
    assert_eq!(server[1..], [format!("1: text {BYE}").as_str(), "1: close 1000"]);
}
