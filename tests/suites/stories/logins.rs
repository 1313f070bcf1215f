//! Ways in, and ways not to get in.

use super::prelude::*;

stories!(
    the_first_message_logs_in,
    a_header_logs_in,
    a_query_parameter_logs_in,
    a_subprotocol_logs_in,
    the_server_speaks_first,
    a_refused_token_is_replaced_once,
    a_fresh_token_that_is_refused_too_ends_the_session,
    a_401_is_answered_with_a_fresh_token,
    a_redirect_is_not_followed,
    a_close_code_that_is_fatal_ends_the_session,
    a_subprotocol_that_is_the_credential_is_refused,
);

fn the_first_message_logs_in(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Expect, Quiet, Send(OK), Expect, ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &[("t1", LONG)]));
    // Sent long before the session is in: it waits.
    client.send("early");
    client.until("early arrives", &|seen| seen.server.iter().any(|line| line == "1: text early"));
    client.until_state(State::Connected);
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(seen.server, ["1: upgrade /ws", &auth(1, "t1"), "1: quiet", "1: text early", "1: close 1000"]);
    assert_eq!(seen.client, ["connecting 1", "authenticated 1 as s", "closed"]);
    assert_eq!(seen.demands, ["current"]);
}

fn a_header_logs_in(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Send("welcome"), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG)]));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(seen.server, ["1: upgrade /ws, authorization: Bearer t1", "1: close 1000"]);
    assert_eq!(seen.client, ["connecting 1", "authenticated 1", "closed"]);
}

fn a_query_parameter_logs_in(open: &Open) {
    let mut dialect = Dialect::new("query");
    dialect.placement.query.push(("access_token".to_owned(), Template::text("${credential}")));
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Send("welcome"), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), dialect, &[("t+1/=", LONG)]));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    client.close().unwrap();
    assert_eq!(log.seen().server, ["1: upgrade /ws?access_token=t%2B1%2F%3D", "1: close 1000"]);
}

/// The dialect of a subprotocol beside which the credential stands as it is.
fn by_subprotocol() -> Dialect {
    let mut dialect = Dialect::new("subprotocol");
    dialect.placement.subprotocols = vec![
        SubprotocolEntry::Name("chat-v1".to_owned()),
        SubprotocolEntry::Credential(Template::text("${credential}")),
    ];
    dialect
}

fn a_subprotocol_logs_in(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Select("chat-v1"), Send("welcome"), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), by_subprotocol(), &[("t1", LONG)]));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(seen.server, ["1: upgrade /ws, sec-websocket-protocol: chat-v1, t1", "1: close 1000"]);
}

/// It would stand in the log of whoever logs answers, so whoever sends it there is misconfigured.
fn a_subprotocol_that_is_the_credential_is_refused(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Select("t1"), ExpectEnd]]);
    let mut client = open(Plan::new(&log, server.url(), by_subprotocol(), &[("t1", LONG)]));
    assert_eq!(client.next(), None);
    assert_eq!(client.error().unwrap().kind(), ErrorKind::ConnectionRefused);
    let seen = log.seen();
    assert_eq!(
        seen.client,
        ["connecting 1", "lost 1: the server selected no subprotocol of ours, for good", "failed"]
    );
}

fn the_server_speaks_first(open: &Open) {
    let mut dialect = Dialect::genesys();
    dialect.login[0].on = Trigger::Message(Matcher::of([("/type", json!("hello"))]));
    let log = Log::default();
    let script = vec![Accept, Quiet, Send(r#"{"type":"hello"}"#), Expect, Send(OK), ExpectClose];
    let server = Server::play(&log, vec![script]);
    let mut client = open(Plan::new(&log, server.url(), dialect, &[("t1", LONG)]));
    client.until("it is in", &|seen| seen.client.len() == 2);
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(seen.server, ["1: upgrade /ws", "1: quiet", &auth(1, "t1"), "1: close 1000"]);
    assert_eq!(seen.client, ["connecting 1", "authenticated 1 as s", "closed"]);
}

fn a_refused_token_is_replaced_once(open: &Open) {
    let log = Log::default();
    let refused = vec![Accept, Expect, Send(NO), ExpectEnd];
    let server = Server::play(&log, vec![refused, vec![Accept, Expect, Send(OK), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &[("t1", LONG), ("t2", LONG)]));
    client.until("it is in, and the first is gone", &|seen| seen.server.len() == 5);
    client.until("it is in", &|seen| seen.client.len() == 4);
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(seen.demands, ["current", "instead"]);
    assert_eq!(
        seen.client,
        [
            "connecting 1",
            "lost 1: the server refused the credential",
            "connecting 2",
            "authenticated 2 as s",
            "closed"
        ]
    );
    assert_eq!(of(&seen.server, 1), ["1: upgrade /ws", &auth(1, "t1"), "1: end"]);
    assert_eq!(of(&seen.server, 2), ["2: upgrade /ws", &auth(2, "t2"), "2: close 1000"]);
}

fn a_fresh_token_that_is_refused_too_ends_the_session(open: &Open) {
    let log = Log::default();
    let refused = vec![Accept, Expect, Send(NO), ExpectEnd];
    let server = Server::play(&log, vec![refused.clone(), refused]);
    let given: &[Given] = &[("t1", LONG), ("t2", LONG), ("t3", LONG)];
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), given));
    assert_eq!(client.next(), None);
    assert_eq!(client.error().unwrap().kind(), ErrorKind::AuthenticationRefused);
    let seen = log.seen();
    assert_eq!(seen.demands, ["current", "instead"], "and no third");
    assert_eq!(seen.client.last().map(String::as_str), Some("failed"));
}

fn a_401_is_answered_with_a_fresh_token(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Refuse(401, "")], vec![Accept, Send("welcome"), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG), ("t2", LONG)]));
    assert_eq!(client.next().as_deref(), Some("welcome"));
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(
        seen.server,
        [
            "1: upgrade /ws, authorization: Bearer t1",
            "2: upgrade /ws, authorization: Bearer t2",
            "2: close 1000"
        ]
    );
    assert_eq!(
        seen.client,
        [
            "connecting 1",
            "lost 1 401: the server refused the upgrade",
            "connecting 2",
            "authenticated 2",
            "closed"
        ]
    );
}

/// Whoever follows one shows the credential to whoever it leads to.
fn a_redirect_is_not_followed(open: &Open) {
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Refuse(302, "Location: /elsewhere\r\n")]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG), ("t2", LONG)]));
    assert_eq!(client.next(), None);
    let error = client.error().unwrap();
    assert_eq!((error.kind(), error.code()), (ErrorKind::ConnectionRefused, Some(302)));
    assert_eq!(log.seen().server, ["1: upgrade /ws, authorization: Bearer t1"]);
}

fn a_close_code_that_is_fatal_ends_the_session(open: &Open) {
    let mut dialect = Dialect::genesys();
    let close = On::Close { codes: Codes::of([4_010..=4_014]), reason: None };
    dialect.rules.push(Rule::new(close, Verdict::Rejected));
    let log = Log::default();
    // Without a reason: a code says the same by itself.
    let server = Server::play(&log, vec![vec![Accept, Expect, Close(4_012, "")]]);
    let mut client = open(Plan::new(&log, server.url(), dialect, &[("t1", LONG), ("t2", LONG)]));
    assert_eq!(client.next(), None);
    let error = client.error().unwrap();
    assert_eq!((error.kind(), error.code()), (ErrorKind::AuthenticationRefused, Some(4_012)));
    client.until("the server hears of it", &|seen| seen.server.len() == 3);
    let seen = log.seen();
    assert_eq!(seen.server, ["1: upgrade /ws", &auth(1, "t1"), "1: close 4012"]);
    assert_eq!(
        seen.client,
        ["connecting 1", "lost 1 4012: the server closed the connection, for good", "failed 4012"]
    );
}

/// What one connection's server saw.
fn of(seen: &[String], connection: usize) -> Vec<&str> {
    let own = format!("{connection}: ");
    seen.iter().filter(|line| line.starts_with(&own)).map(String::as_str).collect()
}
