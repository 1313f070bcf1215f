//! How a client gets in, and how it does not.

use auth_core::ApiMisuse;
use serde_json::{Value, json};

use super::dialects::*;
use super::peer::{LIFE, Peer};
use crate::dialect::{
    Captures, Condition, Dialect, Farewell, InForm, InUnit, Matcher, Template, TimeForm, Unit, Verdict,
};
use crate::server::{Received, Refusal, Terms, Upgrade};

const GENESYS: &str = r#"{"type":"auth","token":"t1"}"#;
const NO_GOOD: Refusal = Refusal::rejected("no good");

fn upgrading(dialect: Dialect, headers: &[(&str, &str)]) -> Peer {
    Peer::upgrading(Terms::of(&dialect), dialect, "/", headers)
}

fn live(dialect: Dialect, login: &str) -> Peer {
    let mut peer = Peer::new(dialect);
    peer.said();
    peer.tell(login);
    peer.decide(Ok(LIFE));
    assert!(peer.server.is_live());
    peer
}

#[test]
fn a_first_message_with_a_good_credential_is_accepted_in_the_dialects_words() {
    let mut peer = Peer::new(Dialect::genesys());
    assert_eq!(peer.said(), ["accept"]);
    assert_eq!(peer.tell(GENESYS), ["verify t1"]);
    assert!(!peer.server.is_live(), "not before the verdict");
    assert_eq!(peer.decide(Ok(LIFE)), [r#"{"sessionId":"s1","status":"ok","type":"auth"}"#]);
    assert!(peer.server.is_live());
    assert_eq!(peer.receive("hello"), Received::Deliver);
}

#[test]
fn a_refused_credential_is_told_so_and_closed() {
    let mut peer = Peer::new(Dialect::genesys());
    peer.said();
    peer.tell(GENESYS);
    assert_eq!(
        peer.decide(Err(NO_GOOD)),
        [r#"{"message":"no good","status":"error","type":"auth"}"#, "close 4401 no good"]
    );
    assert!(!peer.server.is_live());
    assert_eq!(peer.tell(GENESYS), [""; 0], "nothing behind a close");
}

#[test]
fn the_verdict_on_the_upgrades_credential_answers_the_upgrade() {
    let good = [("authorization", "Bearer t1")];
    let mut peer = upgrading(bearer(), &good);
    assert_eq!(peer.said(), ["verify t1"]);
    assert_eq!(peer.decide(Ok(LIFE)), ["accept"]);
    assert!(peer.server.is_live());
    for (refusal, status) in [
        (NO_GOOD, 401),
        (Refusal::expired("too old"), 401),
        (Refusal::forbidden("not here"), 403),
        (Refusal::unreachable("no answer"), 503),
        (Refusal::new(Verdict::RateLimited, "too fast"), 429),
    ] {
        let mut peer = upgrading(bearer(), &good);
        peer.said();
        assert_eq!(peer.decide(Err(refusal)), [format!("refuse {status}")]);
        assert!(!peer.server.is_live());
    }
}

#[test]
fn an_upgrade_without_the_credential_that_it_needs_is_refused_without_a_verdict() {
    for headers in [&[][..], &[("authorization", "Basic t1")], &[("authorization", "Bearer ")]] {
        assert_eq!(upgrading(bearer(), headers).said(), ["refuse 401"], "{headers:?}");
    }
}

#[test]
fn where_the_upgrade_and_a_message_hold_it_neither_may_lack_it() {
    let both = || {
        let mut both = home_assistant();
        both.placement = bearer().placement;
        both
    };
    assert_eq!(upgrading(both(), &[]).said(), ["refuse 401"]);
    let mut peer = upgrading(both(), &[("authorization", "Bearer t1")]);
    assert_eq!(peer.said(), ["verify t1"]);
    assert_eq!(peer.decide(Ok(LIFE)), ["accept", r#"{"type":"auth_required"}"#]);
    assert!(!peer.server.is_live());
    assert_eq!(peer.tell(r#"{"type":"auth","access_token":"t2"}"#), ["verify t2"]);
    assert_eq!(peer.decide(Ok(LIFE)), [r#"{"type":"auth_ok"}"#]);
}

#[test]
fn a_service_that_says_403_to_a_bad_credential_is_played_by_its_description() {
    use crate::dialect::{Codes, On, Rule};
    let mut jupyter = bearer();
    let status = |status: u16| On::Status(Codes::of([status..=status]));
    jupyter.rules = vec![Rule::new(status(403), Verdict::Rejected), Rule::new(status(401), Verdict::Misuse)];
    assert_eq!(upgrading(jupyter, &[]).said(), ["refuse 403"]);
    assert_eq!(upgrading(bearer(), &[]).said(), ["refuse 401"]);
}

#[test]
fn the_name_is_selected_and_never_the_credential() {
    let read = |offered: &str| Upgrade::read(&subprotocol(), "/", [("Sec-WebSocket-Protocol", offered)]);
    let upgrade = read("optave-v1, t1");
    assert_eq!(upgrade.subprotocol.as_deref(), Some("optave-v1"));
    assert_eq!(upgrade.credential.unwrap().expose(), "t1");
    assert!(read("t1").credential.is_none(), "without the name it may be anything");
    assert!(read("optave-v1").credential.is_none());
    assert!(read("optave-v1, t1, t2").credential.is_none(), "which of them?");
}

#[test]
fn where_the_server_speaks_first_it_does() {
    let mut peer = Peer::new(home_assistant());
    assert_eq!(peer.said(), ["accept", r#"{"type":"auth_required"}"#]);
    assert_eq!(peer.tell(r#"{"type":"auth","access_token":"t1"}"#), ["verify t1"]);
    assert_eq!(peer.decide(Ok(LIFE)), [r#"{"type":"auth_ok"}"#]);
    assert!(peer.server.is_live());
}

#[test]
fn a_login_of_several_messages_is_over_with_the_last() {
    let mut peer = Peer::new(nats());
    assert_eq!(peer.said(), ["accept", "binary INFO {\"nonce\":\"s1\"}\r\n"]);
    assert_eq!(peer.tell_binary("CONNECT {\"auth_token\":\"t1\"}\r\n"), [""; 0]);
    assert_eq!(peer.tell_binary("PING\r\n"), ["verify t1"]);
    assert_eq!(peer.decide(Ok(LIFE)), ["binary PONG\r\n"]);
    let mut in_one_frame = Peer::new(nats());
    in_one_frame.said();
    assert_eq!(in_one_frame.tell_binary("CONNECT {\"auth_token\":\"t1\"}\r\nPING\r\n"), ["verify t1"]);
    assert_eq!(
        in_one_frame.decide(Err(NO_GOOD)),
        ["binary -ERR 'Authorization Violation'\r\n", "close 1008 Authentication Failure"]
    );
}

#[test]
fn acceptance_announces_what_the_dialect_has_places_for() {
    let mut peer = Peer::new(centrifugo());
    peer.said();
    peer.tell("{\"id\":1,\"connect\":{\"token\":\"t1\"}}\n");
    assert_eq!(peer.decide(Ok(LIFE)), [r#"{"connect":{"client":"s1","ping":25,"ttl":600}}"#]);
    let terms = Terms { idle: None, ..Terms::of(&centrifugo()) };
    let mut silent = Peer::with_terms(terms, centrifugo());
    silent.said();
    silent.tell("{\"id\":1,\"connect\":{\"token\":\"t1\"}}\n");
    assert_eq!(
        silent.decide(Ok(LIFE)),
        [r#"{"connect":{"client":"s1","ttl":600}}"#],
        "no promise that is not kept"
    );
}

#[test]
fn each_verdict_is_told_by_the_rule_that_means_it() {
    for (refusal, message, code) in [
        (Refusal::rejected("no"), r#"{"error":{"code":101}}"#, 3500),
        (Refusal::expired("no"), r#"{"error":{"code":109}}"#, 3005),
        // No rule means it: the first that refuses at all, and the code of the default table.
        (Refusal::forbidden("no"), r#"{"error":{"code":109}}"#, 3005),
    ] {
        let mut peer = Peer::new(centrifugo());
        peer.said();
        peer.tell(r#"{"id":1,"connect":{"token":"t1"}}"#);
        assert_eq!(peer.decide(Err(refusal)), [message.to_owned(), format!("close {code} no")]);
    }
    let mut peer = Peer::new(centrifugo());
    peer.said();
    peer.tell(r#"{"id":1,"connect":{"token":"t1"}}"#);
    assert_eq!(peer.decide(Err(Refusal::unreachable("later"))), ["close 1013 later"]);
}

#[test]
fn a_credential_that_has_merely_expired_is_called_nothing_worse() {
    // This dialect has no words for it but those for one that is no good.
    let mut peer = Peer::new(nats());
    peer.said();
    peer.tell_binary("CONNECT {\"auth_token\":\"t1\"}\r\nPING\r\n");
    assert_eq!(peer.decide(Err(Refusal::expired("too old"))), ["close 4401 too old"]);
}

#[test]
fn nothing_is_taken_before_the_credential() {
    for first in ["hello", r#"{"type":"subscribe"}"#, "{}", "", r#"{"type":"auth"}"#] {
        let mut peer = Peer::new(Dialect::genesys());
        peer.said();
        assert_eq!(peer.tell(first), ["close 4401 authenticate before anything else"], "{first}");
    }
    let mut early = Peer::new(Dialect::genesys());
    early.said();
    early.tell(GENESYS);
    assert_eq!(
        early.tell("hello"),
        ["close 4401 authenticate before anything else"],
        "not before the verdict"
    );
    assert_eq!(early.decide(Ok(LIFE)), [""; 0]);
}

#[test]
fn a_second_credential_while_the_first_is_judged_ends_the_connection() {
    let mut peer = Peer::new(Dialect::genesys());
    peer.said();
    peer.tell(GENESYS);
    assert_eq!(peer.tell(GENESYS), ["close 4400 one credential at a time"]);
}

#[test]
fn a_second_login_that_is_no_renewal_ends_the_connection() {
    let login = r#"{"type":"auth","access_token":"t1"}"#;
    assert_eq!(live(home_assistant(), login).tell(login), ["close 4400 authenticated already"]);
    assert_eq!(live(directus(), login).tell(login), ["renew t1"], "here it is one");
}

#[test]
fn what_came_in_one_frame_with_a_credential_is_handed_out_without_it() {
    let mut peer = live(centrifugo(), r#"{"id":1,"connect":{"token":"t1"}}"#);
    assert_eq!(
        peer.tell("{\"rpc\":1}\n{\"refresh\":{\"token\":\"t2\"}}\n{\"rpc\":2}\n"),
        ["deliver {\"rpc\":1}\n\n{\"rpc\":2}\n", "renew t2"]
    );
    assert_eq!(peer.receive("{\"rpc\":1}\n{\"rpc\":2}\n"), Received::Deliver, "as it came");
}

#[test]
fn the_end_of_the_credential_is_announced_in_the_form_of_the_dialect() {
    for form in [TimeForm::EpochSeconds, TimeForm::EpochMilliseconds, TimeForm::Rfc3339] {
        let mut dialect = directus();
        let place = InForm { at: "/ends".to_owned(), form };
        dialect.captured.expires_at = Some(place.clone());
        let mut peer = Peer::new(dialect.clone());
        peer.said();
        peer.tell(r#"{"type":"auth","access_token":"t1"}"#);
        let said: Value = serde_json::from_str(&peer.decide(Ok(LIFE))[0]).unwrap();
        assert_eq!(said["ends"], place.write(peer.now.wall.saturating_add(LIFE)), "{form:?}");
        let mut captures = Captures::default();
        captures.take(peer.now, &dialect.captured, &said);
        assert_eq!(captures.expires_in(), Some(LIFE), "{form:?}");
    }
}

#[test]
fn what_is_announced_turns_no_message_into_a_heartbeat() {
    let mut dialect = directus();
    dialect.captured.idle = Some(InUnit { at: "/every".to_owned(), unit: Unit::Seconds });
    let login = r#"{"type":"auth","access_token":"t1"}"#;
    let accepted = |dialect: &Dialect| {
        let mut peer = Peer::new(dialect.clone());
        peer.said();
        peer.tell(login);
        peer.decide(Ok(LIFE)).remove(0)
    };
    dialect.heartbeats = vec![Matcher::of([("/type", json!("beat"))])];
    assert!(accepted(&dialect).contains("every"), "a heartbeat that looks otherwise");
    dialect.heartbeats.push(Matcher::default().and("/every", Condition::Exists(true)));
    assert!(!accepted(&dialect).contains("every"));
}

#[test]
fn a_credential_behind_any_number_of_messages_reaches_no_application() {
    let mut peer = live(centrifugo(), r#"{"id":1,"connect":{"token":"t1"}}"#);
    let many = "{\"rpc\":1}\n".repeat(500);
    let said = peer.tell(&format!("{many}{{\"refresh\":{{\"token\":\"t2\"}}}}"));
    assert_eq!(said, [format!("deliver {many}"), "renew t2".to_owned()]);
}

#[test]
fn no_credential_of_a_frame_that_ends_the_connection_is_spent() {
    let mut peer = live(centrifugo(), r#"{"id":1,"connect":{"token":"t1"}}"#);
    let renewal = r#"{"refresh":{"token":"t2"}}"#;
    assert_eq!(peer.tell(&format!("{renewal}\n{renewal}")), ["close 4400 one credential at a time"]);
}

#[test]
fn a_ping_of_the_dialects_own_is_answered_and_not_delivered() {
    let mut peer = live(directus(), r#"{"type":"auth","access_token":"t1"}"#);
    assert_eq!(peer.tell(r#"{"type":"ping"}"#), [r#"{"type":"ping"}"#]);
    assert_eq!(peer.receive(r#"{"type":"pin"}"#), Received::Deliver);
}

#[test]
fn a_farewell_is_answered_and_the_connection_closed() {
    let mut dialect = directus();
    let answered = vec![Matcher::of([("/type", json!("gone"))])];
    dialect.farewell = Some(Farewell { send: Template::json(json!({"type": "bye"})), answered });
    let login = r#"{"type":"auth","access_token":"t1"}"#;
    let mut peer = live(dialect.clone(), login);
    assert_eq!(peer.receive(r#"{"type":"goodbye"}"#), Received::Deliver);
    assert!(!peer.server.is_left());
    assert_eq!(peer.tell(r#"{"type":"bye"}"#), [r#"{"type":"gone"}"#, "close 1000 "]);
    assert!(peer.server.is_left() && !peer.server.is_live());
    dialect.farewell.as_mut().unwrap().answered.clear();
    assert_eq!(live(dialect, login).tell(r#"{"type":"bye"}"#), ["close 1000 "]);
}

#[test]
fn outputs_that_were_not_polled_are_a_misuse() {
    let mut peer = Peer::new(Dialect::genesys());
    let pending = Err(ApiMisuse::OutputsPending);
    assert_eq!(peer.server.tick(peer.now), pending);
    assert_eq!(peer.server.decided(peer.now, Ok(LIFE)), pending);
    assert_eq!(peer.server.revoked(peer.now), pending);
    peer.said();
    assert_eq!(peer.server.tick(peer.now), Ok(()));
}
