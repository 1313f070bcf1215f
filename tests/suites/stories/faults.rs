//! Connections that are lost, and servers that do not answer.

use super::prelude::*;

stories!(
    a_lost_connection_comes_back_with_a_fresh_token,
    a_reset_connection_comes_back,
    a_close_without_a_reason_comes_back,
    a_credential_that_serves_once_is_never_presented_twice,
    a_server_that_asks_for_patience_gets_it,
    an_upgrade_without_an_answer_is_given_up,
    a_login_without_an_answer_is_given_up,
    a_peer_that_is_gone_is_found,
    a_ping_is_answered,
    what_came_in_time_counts_although_nobody_looked,
    a_session_that_was_left_alone_is_not_taken_for_a_dead_one,
);

fn a_lost_connection_comes_back_with_a_fresh_token(open: &Open) {
    let log = Log::default();
    let first = vec![Accept, Expect, Send(OK), Send("one"), HangUp];
    let server = Server::play(&log, vec![first, vec![Accept, Expect, Send(OK), Send("two"), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &[("t1", LONG), ("t2", LONG)]));
    assert_eq!(client.next().as_deref(), Some("one"));
    assert_eq!(client.next().as_deref(), Some("two"));
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(
        seen.server,
        ["1: upgrade /ws", &auth(1, "t1"), "2: upgrade /ws", &auth_again(2, "t2"), "2: close 1000"]
    );
    assert_eq!(
        seen.client,
        [
            "connecting 1",
            "authenticated 1 as s",
            "lost 1: the connection broke",
            "connecting 2",
            "authenticated 2 as s",
            "closed"
        ]
    );
    assert_eq!(seen.demands, ["current", "newer"]);
}

fn a_reset_connection_comes_back(open: &Open) {
    let log = Log::default();
    let first = vec![Accept, Send("one"), Reset];
    let server = Server::play(&log, vec![first, vec![Accept, Send("two"), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG), ("t2", LONG)]));
    assert_eq!(client.next().as_deref(), Some("one"));
    client.send("never read");
    assert_eq!(client.next().as_deref(), Some("two"));
    client.close().unwrap();
    assert!(log.seen().client.contains(&"lost 1: the connection broke".to_owned()));
}

fn a_close_without_a_reason_comes_back(open: &Open) {
    let log = Log::default();
    let first = vec![Accept, Send("one"), Close(1_001, "")];
    let server = Server::play(&log, vec![first, vec![Accept, Send("two"), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG), ("t2", LONG)]));
    assert_eq!(client.next().as_deref(), Some("one"));
    assert_eq!(client.next().as_deref(), Some("two"));
    client.close().unwrap();
    let seen = log.seen();
    assert!(seen.client.contains(&"lost 1 1001: the server closed the connection".to_owned()));
    assert!(seen.server.contains(&"1: close 1001".to_owned()), "the close is answered");
}

fn a_credential_that_serves_once_is_never_presented_twice(open: &Open) {
    let mut dialect = by_header();
    dialect.credential_use = CredentialUse::Once;
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Head, HangUp], vec![Accept, Send("welcome"), ExpectClose]]);
    // The source has nothing else for a while.
    let given: &[Given] = &[("t1", LONG), ("t1", LONG), ("t1", LONG), ("t2", LONG)];
    let mut client = open(Plan::new(&log, server.url(), dialect, given));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(
        seen.server,
        [
            "1: upgrade /ws, authorization: Bearer t1",
            "2: upgrade /ws, authorization: Bearer t2",
            "2: close 1000"
        ],
        "it is spent although nobody knows whether it was taken"
    );
    let delayed = "delayed: the source handed out a token that was presented before and serves once";
    assert_eq!(seen.client.iter().filter(|line| *line == delayed).count(), 2);
}

fn a_server_that_asks_for_patience_gets_it(open: &Open) {
    let log = Log::default();
    let busy = vec![Refuse(503, "Retry-After: 1\r\n")];
    let server = Server::play(&log, vec![busy, vec![Accept, Send("welcome"), ExpectClose]]);
    let begun = std::time::Instant::now();
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG), ("t2", LONG)]));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    assert!(begun.elapsed() >= Duration::from_secs(1), "ten times the longest wait of its own");
    client.close().unwrap();
}

fn an_upgrade_without_an_answer_is_given_up(open: &Open) {
    let log = Log::default();
    let silent = vec![Head, ExpectEnd];
    let server = Server::play(&log, vec![silent, vec![Accept, Send("welcome"), ExpectClose]]);
    let plan = Plan::new(&log, server.url(), by_header(), &[("t1", LONG), ("t2", LONG)]);
    let mut client = open(plan.with_config(|config| config.with_open_timeout(Duration::from_secs(1))));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    client.until("the first is gone", &|seen| seen.server.iter().any(|line| line == "1: end"));
    client.close().unwrap();
    let told = log.seen().client;
    assert_eq!(told[0], "connecting 1");
    // By the machine's clock or by the driver's, whichever is looked at first.
    assert!(told[1].starts_with("lost 1: ") && told[1].ends_with("in time"), "{told:?}");
}

fn a_login_without_an_answer_is_given_up(open: &Open) {
    let log = Log::default();
    let silent = vec![Accept, Expect, ExpectEnd];
    let server =
        Server::play(&log, vec![silent, vec![Accept, Expect, Send(OK), Send("welcome"), ExpectClose]]);
    let plan = Plan::new(&log, server.url(), Dialect::genesys(), &[("t1", LONG), ("t2", LONG)]);
    let mut client = open(plan.with_config(|config| config.with_answer_timeout(Duration::from_millis(300))));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    client.until("the first is gone", &|seen| seen.server.iter().any(|line| line == "1: end"));
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(
        seen.client[..2],
        ["connecting 1", "lost 1: the server did not answer the credential in time"]
    );
}

/// Half-open: packets go nowhere, and nothing says so.
fn a_peer_that_is_gone_is_found(open: &Open) {
    let log = Log::default();
    let first = vec![Accept, Send("one"), Await("the end")];
    let server = Server::play(&log, vec![first, vec![Accept, Send("two"), Expect, ExpectClose]]);
    let plan = Plan::new(&log, server.url(), by_header(), &[("t1", LONG), ("t2", LONG)]);
    let alert = Some(Duration::from_millis(600));
    let mut client = open(plan.with_config(|config| config.with_keep_alive(alert)));
    assert_eq!(client.next().as_deref(), Some("one"));
    assert_eq!(client.next().as_deref(), Some("two"));
    // The second answers pings, and is asked several times: it stays.
    client.until("it was asked twice", &|seen| {
        seen.server.iter().filter(|line| *line == "2: ping").count() == 2
    });
    client.send("enough");
    client.until("that arrives", &|seen| seen.server.iter().any(|line| line == "2: text enough"));
    client.close().unwrap();
    assert_eq!(
        log.seen().client,
        [
            "connecting 1",
            "authenticated 1",
            "lost 1: nothing was heard of the server",
            "connecting 2",
            "authenticated 2",
            "closed"
        ]
    );
    log.open("the end");
}

fn a_ping_is_answered(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Ping, Send("thanks"), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG)]));
    assert_eq!(client.next().as_deref(), Some("thanks"));
    client.close().unwrap();
    assert_eq!(log.seen().server[1..], ["1: pong are you there", "1: close 1000"]);
}

/// The answer lies in the buffer when its time is up.
fn what_came_in_time_counts_although_nobody_looked(open: &Open) {
    let log = Log::default();
    let script =
        vec![Accept, Expect, Send(OK), Expect, Await("alone"), Send(OK), Send("renewed"), ExpectClose];
    let server = Server::play(&log, vec![script]);
    let plan = Plan::new(&log, server.url(), Dialect::genesys(), &[("t1", LONG), ("t2", LONG)]);
    let mut client = open(plan.with_config(|config| config.with_answer_timeout(Duration::from_secs(1))));
    client.until("it is authenticated", &|seen| seen.client.iter().any(|line| line.starts_with("auth")));
    client.renew();
    client.until("the fresh credential arrives", &|seen| seen.server.len() == 3);
    client.leave_alone(Duration::from_millis(1_500), &|| log.open("alone"));
    assert_eq!(client.next().as_deref(), Some("renewed"));
    client.close().unwrap();
    assert_eq!(log.seen().client[1..], ["authenticated 1 as s", "renewed in band 1", "closed"]);
}

/// The pong lies in the buffer when its time is up.
fn a_session_that_was_left_alone_is_not_taken_for_a_dead_one(open: &Open) {
    let log = Log::default();
    let script = vec![Accept, PongAfter("alone"), Send("still here"), ExpectClose];
    let server = Server::play(&log, vec![script]);
    let plan = Plan::new(&log, server.url(), by_header(), &[("t1", LONG), ("t2", LONG)]);
    let asked_in_half = Some(Duration::from_secs(2));
    let mut client = open(plan.with_config(|config| config.with_keep_alive(asked_in_half)));
    client.until("it is asked", &|seen| seen.server.iter().any(|line| line == "1: ping"));
    client.leave_alone(Duration::from_millis(1_500), &|| log.open("alone"));
    assert_eq!(client.next().as_deref(), Some("still here"));
    client.close().unwrap();
    assert_eq!(log.seen().client, ["connecting 1", "authenticated 1", "closed"]);
}
