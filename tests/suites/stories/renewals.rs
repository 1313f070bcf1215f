//! A fresh credential for a connection that lives.

use super::prelude::*;

stories!(
    a_credential_is_renewed_before_it_expires,
    a_renewal_that_the_user_wants,
    a_renewal_that_the_server_asks_for,
    a_refused_renewal_is_tried_again_with_another_token,
    a_renewal_by_reconnecting,
);

fn a_credential_is_renewed_before_it_expires(open: &Open) {
    let log = Log::default();
    let script = vec![Accept, Expect, Send(OK), Expect, Send(OK), Send("still here"), ExpectClose];
    let server = Server::play(&log, vec![script]);
    let given: &[Given] = &[("t1", Some(Duration::from_secs(2))), ("t2", LONG)];
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), given));
    assert_eq!(client.next().as_deref(), Some("still here"));
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(seen.server, ["1: upgrade /ws", &auth(1, "t1"), &auth(1, "t2"), "1: close 1000"]);
    assert_eq!(seen.client, ["connecting 1", "authenticated 1 as s", "renewed in band 1", "closed"]);
    assert_eq!(seen.demands, ["current", "newer"]);
}

fn a_renewal_that_the_user_wants(open: &Open) {
    let log = Log::default();
    let script = vec![Accept, Expect, Send(OK), Expect, Send("meanwhile"), Send(OK), ExpectClose];
    let server = Server::play(&log, vec![script]);
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), &[("t1", LONG), ("t2", LONG)]));
    client.until("it is in", &|seen| seen.client.len() == 2);
    client.renew();
    assert_eq!(client.next().as_deref(), Some("meanwhile"), "a renewal holds nothing up");
    client.until("it is renewed", &|seen| seen.client.len() == 3);
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(seen.server, ["1: upgrade /ws", &auth(1, "t1"), &auth(1, "t2"), "1: close 1000"]);
    assert_eq!(seen.client, ["connecting 1", "authenticated 1 as s", "renewed in band 1", "closed"]);
}

fn a_renewal_that_the_server_asks_for(open: &Open) {
    let mut dialect = Dialect::genesys();
    if let Renewal::InBand { asked_by, .. } = &mut dialect.renewal {
        asked_by.push(Matcher::of([("/type", json!("renew"))]));
    }
    let log = Log::default();
    let script = vec![Accept, Expect, Send(OK), Send(r#"{"type":"renew"}"#), Expect, Send(OK), ExpectClose];
    let server = Server::play(&log, vec![script]);
    let begun = std::time::Instant::now();
    let mut client = open(Plan::new(&log, server.url(), dialect, &[("t1", LONG), ("t2", LONG)]));
    client.until("it is renewed", &|seen| seen.client.len() == 3);
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a second after the login, and not when something else wakes it"
    );
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(seen.server, ["1: upgrade /ws", &auth(1, "t1"), &auth(1, "t2"), "1: close 1000"]);
    assert_eq!(seen.client, ["connecting 1", "authenticated 1 as s", "renewed in band 1", "closed"]);
}

fn a_refused_renewal_is_tried_again_with_another_token(open: &Open) {
    let log = Log::default();
    let script =
        vec![Accept, Expect, Send(OK), Expect, Send(NO), Send("meanwhile"), Expect, Send(OK), ExpectClose];
    let server = Server::play(&log, vec![script]);
    let given: &[Given] = &[("t1", LONG), ("t2", LONG), ("t3", LONG)];
    let mut client = open(Plan::new(&log, server.url(), Dialect::genesys(), given));
    client.until("it is in", &|seen| seen.client.len() == 2);
    client.renew();
    assert_eq!(client.next().as_deref(), Some("meanwhile"), "the connection stays");
    client.until("it is renewed", &|seen| seen.client.len() == 4);
    client.close().unwrap();
    let seen = log.seen();
    assert_eq!(
        seen.server,
        ["1: upgrade /ws", &auth(1, "t1"), &auth(1, "t2"), &auth(1, "t3"), "1: close 1000"]
    );
    assert_eq!(
        seen.client,
        ["connecting 1", "authenticated 1 as s", "renewal failed", "renewed in band 1", "closed"]
    );
    assert_eq!(seen.demands, ["current", "newer", "instead"]);
}

/// By design a driver that serves one connection at a time closes the old one first.
fn a_renewal_by_reconnecting(open: &Open) {
    let mut dialect = by_header();
    dialect.renewal = Renewal::Reconnect { overlap: true, asked_by: Vec::new(), when: RenewalTime::Early };
    let log = Log::default();
    let first = vec![Accept, Send("one"), ExpectClose];
    let server = Server::play(&log, vec![first, vec![Accept, Send("two"), Expect, ExpectClose]]);
    let mut client = open(Plan::new(&log, server.url(), dialect, &[("t1", LONG), ("t2", LONG)]));
    assert_eq!(client.next().as_deref(), Some("one"));
    client.renew();
    assert_eq!(client.next().as_deref(), Some("two"));
    client.send("to the second");
    client.until("it arrives, and the first is closed", &|seen| seen.server.len() == 4);
    client.close().unwrap();
    let seen = log.seen();
    let (first, second) =
        ("1: upgrade /ws, authorization: Bearer t1", "2: upgrade /ws, authorization: Bearer t2");
    let (closed, arrived) = ("1: close 1000", "2: text to the second");
    if client.overlaps() {
        assert_eq!(seen.server[..2], [first, second], "the new one is made while the old one lives");
        assert!(seen.server.contains(&closed.to_owned()) && seen.server.contains(&arrived.to_owned()));
        let renewed =
            ["connecting 1", "authenticated 1", "connecting 2", "authenticated 2", "renewed by 2", "closed"];
        assert_eq!(seen.client, renewed);
    } else {
        assert_eq!(seen.server[..4], [first, closed, second, arrived]);
        assert_eq!(
            seen.client,
            ["connecting 1", "authenticated 1", "connecting 2", "authenticated 2", "closed"]
        );
    }
}
