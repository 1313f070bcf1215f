//! The user's messages: in order, none lost in silence.

use super::prelude::*;

stories!(
    messages_that_wait_for_a_connection_go_out_in_order,
    a_peer_that_echoes_and_does_not_read_meanwhile_holds_nothing_up,
    a_peer_that_stops_reading_gives_messages_back,
    what_the_server_sends_before_it_accepts_is_nobodys,
);

fn messages_that_wait_for_a_connection_go_out_in_order(open: &Open) {
    let log = Log::default();
    let busy = vec![Head, Await("all are sent"), HangUp];
    let script = vec![Accept, Expect, Quiet, Send(OK), Expect, Expect, Expect, ExpectClose];
    let server = Server::play(&log, vec![busy, script]);
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &[("t1", LONG), ("t2", LONG)]));
    client.until("the first attempt", &|seen| seen.server.len() == 1);
    for text in ["a", "b", "c"] {
        client.send(text);
    }
    log.open("all are sent");
    client.until("they arrive", &|seen| seen.server.len() == 7);
    client.close().unwrap();
    assert_eq!(
        log.seen().server[1..],
        [
            "2: upgrade /ws",
            &auth(2, "t2"),
            "2: quiet",
            "2: text a",
            "2: text b",
            "2: text c",
            "2: close 1000"
        ]
    );
}

/// More than all buffers hold, both ways at once: whoever does not read while writing waits for ever.
fn a_peer_that_echoes_and_does_not_read_meanwhile_holds_nothing_up(open: &Open) {
    const MESSAGES: usize = 1_500;
    let log = Log::default();
    let server = Server::play(&log, vec![vec![Accept, Echo(MESSAGES), ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), by_header(), &[("t1", LONG)]));
    let text = |number: usize| format!("{number}:{}", "x".repeat(16_384));
    for number in 0..MESSAGES {
        client.send(&text(number));
    }
    for number in 0..MESSAGES {
        assert!(client.next() == Some(text(number)), "message {number}");
    }
    client.close().unwrap();
    assert_eq!(log.seen().server[1..], ["1: close 1000"]);
}

/// A message is sent, or comes back, or waits for the next connection. Which is which depends on the buffers in between;
/// that each is one of them, in this order, does not.
fn a_peer_that_stops_reading_gives_messages_back(open: &Open) {
    const MESSAGES: usize = 60;
    let log = Log::default();
    let deaf = vec![Accept, Send("one"), Await("the end")];
    let listens = vec![Accept, Send("two"), ExpectClose];
    let server = Server::play(&log, vec![deaf, listens]);
    let plan = Plan::new(&log, server.url(), by_header(), &[("t1", LONG), ("t2", LONG)]);
    let alert = Some(Duration::from_millis(1_000));
    let mut client = open(plan.with_config(|config| config.with_keep_alive(alert)));
    assert_eq!(client.next().as_deref(), Some("one"));
    // 30 MB, where the platform's buffers hold 10 at most.
    let text = |number: usize| format!("{number:03}:{}", "x".repeat(512 * 1024));
    for number in 0..MESSAGES {
        client.send(&text(number));
    }
    assert_eq!(client.next().as_deref(), Some("two"));
    let last = format!("2: {:03} and more", MESSAGES - 1);
    client.until("the last arrives", &|seen| seen.server.contains(&last));
    let arrived: Vec<usize> = log
        .seen()
        .server
        .iter()
        .filter_map(|line| line.strip_prefix("2: ")?.strip_suffix(" and more")?.parse().ok())
        .collect();
    let first = arrived[0];
    assert_eq!(arrived, (first..MESSAGES).collect::<Vec<_>>(), "what was left arrived in order");
    let mut returned = client.returned(1);
    while returned.last().is_some_and(|(text, _)| !text.starts_with(&format!("{:03}", first - 1))) {
        returned.extend(client.returned(1));
    }
    let numbers: Vec<usize> = returned.iter().map(|(text, _)| text[..3].parse().unwrap()).collect();
    let begin = first - numbers.len();
    assert_eq!(numbers, (begin..first).collect::<Vec<_>>(), "what was under way came back, in order");
    assert!(returned.iter().all(|(_, may_have_arrived)| *may_have_arrived));
    client.close().unwrap();
    log.open("the end");
}

fn what_the_server_sends_before_it_accepts_is_nobodys(open: &Open) {
    let log = Log::default();
    let script =
        vec![Accept, Send("too early"), Expect, Send("still too early"), Send(OK), Send("now"), ExpectClose];
    let server = Server::play(&log, vec![script]);
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &[("t1", LONG)]));
    assert_eq!(client.next().as_deref(), Some("now"));
    client.close().unwrap();
}
