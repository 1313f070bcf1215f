//! What time does to a connection: patience, expiry, grace, renewal, revocation.

use std::time::Duration;

use super::dialects::*;
use super::peer::{LIFE, Peer};
use crate::dialect::{Dialect, Renewal, RenewalTime};
use crate::server::{Received, Refusal, Terms};

const SECOND: Duration = Duration::from_secs(1);
const NOTHING: [&str; 0] = [];
const GENESYS: &str = r#"{"type":"auth","token":"t2"}"#;
const DIRECTUS: &str = r#"{"type":"auth","access_token":"t2"}"#;
const ASKED: &str = r#"{"error":{"code":"TOKEN_EXPIRED"},"status":"error","type":"auth"}"#;
const CENTRIFUGO: &str = r#"{"id":1,"connect":{"token":"t1"}}"#;

fn live(dialect: Dialect, login: &str) -> Peer {
    let mut peer = Peer::new(dialect);
    peer.said();
    peer.tell(login);
    peer.decide(Ok(LIFE));
    assert!(peer.server.is_live());
    peer
}

#[test]
fn a_login_has_its_time_and_no_more() {
    let mut peer = Peer::new(Dialect::genesys());
    peer.said();
    assert_eq!(peer.sleep(9 * SECOND), NOTHING);
    assert_eq!(peer.tell(GENESYS), ["verify t2"]);
    assert_eq!(peer.sleep(SECOND), ["close 4401 no credential in time"]);
    assert_eq!(peer.decide(Ok(LIFE)), NOTHING, "a verdict that comes too late");
    assert!(!peer.server.is_live());
}

#[test]
fn a_login_that_takes_too_long_ends_in_the_dialects_own_way() {
    let mut home_assistant = Peer::new(home_assistant());
    home_assistant.said();
    assert_eq!(home_assistant.sleep(10 * SECOND), ["close"], "without a code");
    let mut directus = Peer::new(directus());
    directus.said();
    assert_eq!(
        directus.sleep(10 * SECOND),
        [
            r#"{"error":{"code":"AUTH_TIMEOUT"},"message":"no credential in time","status":"error","type":"auth"}"#,
            "close 4401 no credential in time"
        ]
    );
}

#[test]
fn an_upgrade_on_which_no_verdict_is_reached_in_time_is_answered_503() {
    let mut peer = Peer::upgrading(Terms::of(&bearer()), bearer(), "/", &[("authorization", "Bearer t1")]);
    assert_eq!(peer.said(), ["verify t1"]);
    assert_eq!(peer.sleep(9 * SECOND), NOTHING);
    assert_eq!(peer.sleep(SECOND), ["refuse 503"]);
    assert_eq!(peer.decide(Ok(LIFE)), NOTHING);
}

#[test]
fn a_connection_ends_with_its_credential() {
    let mut peer = live(Dialect::genesys(), GENESYS);
    assert_eq!(peer.sleep(LIFE - SECOND), NOTHING);
    assert_eq!(peer.receive("still in time"), Received::Deliver);
    assert_eq!(peer.sleep(SECOND), ["close 4401 the credential has expired"]);
}

#[test]
fn a_busy_connection_needs_no_timer_to_end() {
    let mut peer = live(Dialect::genesys(), GENESYS);
    peer.now.wall = peer.now.wall.saturating_add(LIFE);
    assert_eq!(peer.tell("too late"), ["close 4401 the credential has expired"], "by either clock");
}

#[test]
fn a_credential_without_a_life_lets_nobody_in() {
    let mut peer = Peer::new(Dialect::genesys());
    peer.said();
    peer.tell(GENESYS);
    let said = peer.decide(Ok(Duration::ZERO));
    assert_eq!(said.last().unwrap(), "close 4401 the credential has expired");
}

#[test]
fn a_renewed_connection_lives_on() {
    let mut peer = live(Dialect::genesys(), GENESYS);
    peer.sleep(LIFE - SECOND);
    assert_eq!(peer.tell(GENESYS), ["renew t2"]);
    assert_eq!(peer.receive("meanwhile"), Received::Deliver);
    assert_eq!(peer.decide(Ok(LIFE)), [r#"{"sessionId":"s1","status":"ok","type":"auth"}"#]);
    assert_eq!(peer.sleep(LIFE - SECOND), NOTHING);
    assert_eq!(peer.sleep(SECOND), ["close 4401 the credential has expired"]);
}

#[test]
fn a_refused_renewal_leaves_the_connection_as_it_was() {
    let mut peer = live(Dialect::genesys(), GENESYS);
    peer.sleep(LIFE - SECOND);
    peer.tell(GENESYS);
    assert_eq!(
        peer.decide(Err(Refusal::rejected("no"))),
        [r#"{"message":"no","status":"error","type":"auth"}"#]
    );
    assert_eq!(peer.receive("still here"), Received::Deliver);
    assert_eq!(peer.sleep(SECOND), ["close 4401 the credential has expired"]);
}

#[test]
fn two_renewals_at_once_end_the_connection() {
    let mut peer = live(Dialect::genesys(), GENESYS);
    peer.tell(GENESYS);
    assert_eq!(peer.tell(GENESYS), ["close 4400 one credential at a time"]);
}

#[test]
fn where_clients_renew_at_expiry_they_have_a_grace() {
    let terms = Terms { idle: None, ..Terms::of(&centrifugo()) };
    let mut peer = Peer::with_terms(terms, centrifugo());
    peer.said();
    peer.tell(CENTRIFUGO);
    peer.decide(Ok(LIFE));
    assert_eq!(peer.sleep(LIFE + 24 * SECOND), NOTHING);
    assert_eq!(peer.tell("{\"refresh\":{\"token\":\"t2\"}}\n"), ["renew t2"]);
    assert_eq!(peer.decide(Ok(LIFE)), [r#"{"refresh":null}"#]);
    assert_eq!(
        peer.sleep(LIFE + 25 * SECOND),
        [r#"{"error":{"code":109}}"#, "close 3005 the credential has expired"]
    );
}

#[test]
fn clients_that_reconnect_at_expiry_have_a_grace_too() {
    let mut dialect = bearer();
    dialect.renewal = Renewal::Reconnect { overlap: true, asked_by: Vec::new(), when: RenewalTime::AtExpiry };
    let terms = Terms::of(&dialect);
    let mut peer = Peer::upgrading(terms, dialect, "/", &[("authorization", "Bearer t1")]);
    peer.said();
    peer.decide(Ok(LIFE));
    assert_eq!(peer.sleep(LIFE + 24 * SECOND), NOTHING);
    assert_eq!(peer.sleep(SECOND), ["close 4401 the credential has expired"]);
}

#[test]
fn a_grace_is_for_renewals_and_not_for_dialects_without_them() {
    let terms = Terms { grace: 25 * SECOND, ..Terms::of(&bearer()) };
    let mut peer = Peer::upgrading(terms, bearer(), "/", &[("authorization", "Bearer t1")]);
    peer.said();
    peer.decide(Ok(LIFE));
    assert_eq!(peer.sleep(LIFE), ["close 4401 the credential has expired"]);
}

#[test]
fn a_server_that_can_ask_asks_once_in_time() {
    let mut peer = live(directus(), DIRECTUS);
    assert_eq!(peer.sleep(LIFE - 31 * SECOND), NOTHING);
    assert_eq!(peer.sleep(SECOND), [ASKED]);
    assert_eq!(peer.sleep(SECOND), NOTHING, "once");
    assert_eq!(peer.tell(DIRECTUS), ["renew t2"]);
    assert_eq!(peer.decide(Ok(LIFE)), [r#"{"status":"ok","type":"auth"}"#]);
    assert_eq!(peer.sleep(LIFE - 30 * SECOND), [ASKED], "and once more for the next");
    assert_eq!(live(Dialect::genesys(), GENESYS).sleep(LIFE - 30 * SECOND), NOTHING, "who can't, does not");
}

#[test]
fn who_renews_unasked_is_not_asked_while_the_verdict_takes_its_time() {
    let mut peer = live(directus(), DIRECTUS);
    peer.tell(DIRECTUS);
    assert_eq!(peer.sleep(LIFE - SECOND), NOTHING);
    assert_eq!(peer.decide(Err(Refusal::rejected("no"))).len(), 1, "the refusal");
    assert_eq!(peer.sleep(Duration::ZERO), NOTHING);
    assert_eq!(peer.sleep(SECOND).len(), 1, "it ends with the credential that it has");
}

#[test]
fn a_credential_that_is_short_of_life_is_not_asked_about_at_once() {
    let mut peer = Peer::new(directus());
    peer.said();
    peer.tell(DIRECTUS);
    assert_eq!(peer.decide(Ok(4 * SECOND)).len(), 1);
    assert_eq!(peer.sleep(SECOND), NOTHING);
    assert_eq!(peer.sleep(SECOND), [ASKED]);
}

#[test]
fn a_revoked_credential_ends_the_connection() {
    let mut peer = live(Dialect::genesys(), GENESYS);
    assert_eq!(peer.revoke(), ["close 4401 the credential was revoked"]);
    assert_eq!(peer.revoke(), NOTHING, "once");
}

#[test]
fn where_the_server_can_ask_a_revoked_credential_may_be_replaced() {
    let mut peer = live(directus(), DIRECTUS);
    assert_eq!(peer.revoke(), [ASKED]);
    assert_eq!(peer.sleep(9 * SECOND), NOTHING);
    peer.tell(DIRECTUS);
    assert_eq!(peer.decide(Ok(LIFE)).len(), 1);
    assert_eq!(peer.sleep(60 * SECOND), NOTHING, "replaced");
    assert_eq!(peer.revoke(), [ASKED]);
    let ended = peer.sleep(10 * SECOND);
    assert_eq!(ended.last().unwrap(), "close 4401 the credential has expired", "not replaced");
}

#[test]
fn a_promise_of_short_silences_is_kept() {
    let terms = Terms { idle: Some(20 * SECOND), ..Terms::of(&centrifugo()) };
    let mut peer = Peer::with_terms(terms, centrifugo());
    peer.said();
    peer.tell(CENTRIFUGO);
    peer.decide(Ok(LIFE));
    assert_eq!(peer.sleep(9 * SECOND), NOTHING);
    assert_eq!(peer.sleep(SECOND), ["{}"]);
    assert_eq!(peer.sleep(10 * SECOND), ["{}"]);
}

#[test]
fn a_revoked_credential_may_cost_its_connection_at_once() {
    let login = r#"{"type":"auth","access_token":"t1"}"#;
    let terms = Terms::of(&directus()).with_patience_after_revocation(Duration::ZERO);
    for renewing in [false, true] {
        let mut peer = Peer::with_terms(terms, directus());
        peer.said();
        peer.tell(login);
        peer.decide(Ok(LIFE));
        if renewing {
            assert_eq!(peer.tell(&login.replace("t1", "t2")), ["renew t2"]);
        }
        assert_eq!(peer.revoke().last().unwrap(), "close 4401 the credential was revoked", "{renewing}");
        assert!(peer.decide(Ok(LIFE)).is_empty() && !peer.server.is_live());
    }
}

#[test]
fn what_is_revoked_before_there_is_a_verdict_opens_nothing() {
    let mut peer = Peer::new(directus());
    peer.said();
    assert!(peer.revoke().is_empty(), "nothing was presented");
    assert_eq!(peer.tell(r#"{"type":"auth","access_token":"t1"}"#), ["verify t1"]);
    assert_eq!(peer.revoke().last().unwrap(), "close 4401 the credential was revoked");
    assert!(peer.decide(Ok(LIFE)).is_empty() && !peer.server.is_live());

    let headers = [("Authorization", "Bearer t1")];
    let mut peer = Peer::upgrading(Terms::of(&bearer()), bearer(), "/", &headers);
    assert_eq!(peer.said(), ["verify t1"]);
    assert_eq!(peer.revoke(), ["refuse 401"]);
    assert!(peer.decide(Ok(LIFE)).is_empty() && !peer.server.is_live());
}
