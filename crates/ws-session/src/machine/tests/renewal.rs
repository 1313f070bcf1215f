//! Renewal by each of a dialect's ways: in band with and without an answer, at the server's wish, by another connection.

use std::time::Duration;

use auth_core::time::Timestamp;
use auth_core::{ErrorKind as TokenErrorKind, Secret, Token};
use serde_json::json;

use super::scene::Scene;
use super::world::closed;
use crate::ErrorKind;
use crate::dialect::{
    Acceptance, CredentialUse, Dialect, Failure, InUnit, Matcher, On, Phase, Placement, Renewal, RenewalTime,
    Rule, Step, Template, Trigger, Unit, Verdict,
};
use crate::machine::{Config, DialectMessage, Epoch, Input, State, TokenFacts};

/// Connected, without pings in between.
pub(super) fn quiet(dialect: Dialect) -> Scene {
    let mut scene = Scene::with(dialect, Config::new().with_keep_alive(None));
    scene.connect();
    scene
}

fn in_upgrade(renewal: Renewal) -> Dialect {
    let mut placement = Placement::default();
    placement.query.push(("token".to_owned(), Template::text("${credential}")));
    Dialect { placement, renewal, ..Dialect::new("test") }
}

pub(super) fn reconnecting(overlap: bool) -> Dialect {
    let asked_by = vec![Matcher::of([("/type", json!("please renew"))])];
    in_upgrade(Renewal::Reconnect { overlap, asked_by, when: RenewalTime::Early })
}

pub(super) fn told(accepted: Vec<Matcher>, when: RenewalTime) -> Dialect {
    let asked_by = vec![Matcher::of([("/type", json!("please renew"))])];
    let send = Template::json(json!({"renew": "${credential}"}));
    in_upgrade(Renewal::InBand { send, accepted, asked_by, when })
}

#[test]
fn an_overlapping_renewal_closes_the_old_connection_only_once_the_new_one_serves() {
    let mut scene = quiet(reconnecting(true));
    assert_eq!(scene.after(481.0), ["fetch newer than 1"]);
    assert_eq!(scene.token(2, 600), ["connecting", "open 2"]);
    assert_eq!((scene.client.state(), scene.client.live().unwrap().0), (State::Connected, 1));
    assert_eq!(scene.opened(2), ["authenticated", "renewed", "forget 2", "close 1"]);
    assert_eq!(scene.client.live().unwrap().0, 2);
    assert_eq!(scene.says(1, "last words"), ["deliver"], "what was under way on the old one is not lost");
    assert_eq!(scene.ended(1, closed(1000)), [""; 0]);
    assert_eq!(scene.says(1, "too late"), [""; 0]);
    assert_eq!(scene.client.state(), State::Connected);
}

#[test]
fn a_session_that_renews_by_reconnecting_more_often_than_it_takes_to_be_stable_is_stable() {
    for overlap in [true, false] {
        let mut scene = Scene::with(reconnecting(overlap), Config::new().with_keep_alive(None));
        let _ = scene.input(Input::Start);
        let _ = scene.token(1, 40);
        let _ = scene.ended(1, Failure::Transport);
        assert_eq!(scene.client.failures, 1);
        let _ = scene.when_due();
        let _ = scene.token(2, 40);
        let _ = scene.opened(2);
        for number in 3..6 {
            let _ = scene.after(20.0);
            let _ = scene.token(number, 40);
            if overlap {
                let _ = scene.opened(number);
                let _ = scene.ended(number - 1, closed(1000));
            } else {
                let _ = scene.ended(number - 1, closed(1000));
                let _ = scene.opened(number);
            }
            assert_eq!(scene.client.state(), State::Connected);
        }
        assert_eq!(scene.client.failures, 0);
    }
}

#[test]
fn an_old_connection_that_does_not_answer_its_close_is_dropped() {
    let mut scene = quiet(reconnecting(true));
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    let _ = scene.opened(2);
    assert_eq!(scene.after(5.0), ["abort 1"]);
    assert_eq!((scene.client.state(), scene.client.live().unwrap().0), (State::Connected, 2));
}

#[test]
fn a_connection_that_can_not_be_replaced_goes_on_while_another_is_tried() {
    let mut scene = quiet(reconnecting(true));
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    assert_eq!(scene.ended(2, Failure::Transport), ["forget 2", "lost"]);
    assert_eq!((scene.client.state(), scene.client.live().unwrap().0), (State::Connected, 1));
    assert_eq!(scene.when_due(), ["fetch newer than 2"]);
    assert_eq!(scene.token(3, 600), ["connecting", "open 3"]);
    assert_eq!(scene.opened(3), ["authenticated", "renewed", "forget 3", "close 1"]);
}

#[test]
fn a_live_connection_that_is_lost_while_another_is_made_is_replaced_by_that() {
    let mut scene = quiet(reconnecting(true));
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    assert_eq!(scene.ended(1, closed(1001)), ["lost"]);
    assert_eq!(scene.client.state(), State::Connecting);
    assert_eq!(scene.opened(2), ["authenticated", "forget 2"]);
    assert_eq!(scene.client.state(), State::Connected);
}

#[test]
fn a_final_verdict_on_the_live_connection_ends_the_attempt_too() {
    let mut scene = quiet(reconnecting(true));
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    assert_eq!(scene.ended(1, closed(4403)), ["lost", "forget 2", "abort 2", "failed"]);
    assert_eq!(scene.client.error().unwrap().kind(), ErrorKind::Forbidden);
}

#[test]
fn a_renewal_that_is_refused_for_good_ends_the_session_only_when_the_old_credential_does() {
    let mut scene = quiet(reconnecting(true));
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    assert_eq!(scene.ended(2, Failure::Status(404)), ["forget 2", "lost", "renewal_failed"]);
    assert_eq!(scene.client.state(), State::Connected);
    assert_eq!(scene.after(119.0), ["abort 1", "lost", "failed"]);
    assert_eq!(scene.client.error().unwrap().code(), Some(404));
}

#[test]
fn without_overlap_the_token_is_there_before_the_old_connection_is_closed() {
    let mut scene = quiet(reconnecting(false));
    assert_eq!(scene.after(481.0), ["fetch newer than 1"]);
    let outage = || auth_core::Error::new(TokenErrorKind::ServerFailed, "down");
    assert_eq!(scene.no_token(outage()), ["renewal_failed"]);
    assert_eq!(scene.client.state(), State::Connected, "a failed renewal costs nothing yet");
    assert_eq!(scene.when_due(), ["fetch newer than 1"]);
    assert_eq!(scene.token(2, 600), ["close 1"]);
    assert_eq!((scene.client.state(), scene.client.live()), (State::Connecting, None));
    assert_eq!(scene.says(1, "last words"), ["deliver"]);
    assert_eq!(scene.ended(1, closed(1000)), ["connecting", "open 2"]);
    assert_eq!(scene.opened(2), ["authenticated", "forget 3"]);
}

#[test]
fn a_connection_that_was_closed_for_its_successor_and_got_none_leaves_the_session_suspended_in_time() {
    let mut scene = quiet(reconnecting(false));
    let _ = scene.after(481.0);
    assert_eq!(scene.token(2, 600), ["close 1"]);
    assert_eq!(scene.ended(1, closed(1000)), ["connecting", "open 2"]);
    assert_eq!(scene.ended(2, Failure::Transport), ["forget 2", "lost"]);
    assert_eq!(scene.when_due(), ["fetch current"]);
    let outage = || auth_core::Error::new(TokenErrorKind::ServerFailed, "down");
    let begun = scene.now.mono.elapsed();
    while scene.client.state() != State::Suspended {
        let _ = scene.no_token(outage());
        let _ = scene.when_due();
        assert!(scene.now.mono.elapsed() - begun < Duration::from_secs(200), "never suspended");
    }
}

#[test]
fn a_credential_that_serves_once_does_not_renew_either_when_it_comes_again() {
    let mut dialect = told(Vec::new(), RenewalTime::Early);
    dialect.credential_use = CredentialUse::Once;
    let mut scene = Scene::with(dialect, Config::new().with_keep_alive(None));
    let _ = scene.input(Input::Start);
    let same = || Token::new(Secret::from("same")).with_expires_in(Duration::from_secs(600));
    let _ = scene.any_token(same());
    let _ = scene.opened(1);
    // A source that does not number its tokens is believed, but for this.
    assert_eq!(scene.after(481.0), ["fetch newer than 0"]);
    assert_eq!(scene.any_token(same()), ["forget 2", "renewal_failed"]);
}

#[test]
fn what_was_refused_in_a_renewal_is_not_presented_by_the_next_connection_either() {
    let ok = Matcher::of([("/ok", json!(true))]);
    let mut dialect = told(vec![ok], RenewalTime::Early);
    let refusal = Matcher::of([("/ok", json!(false))]);
    dialect.rules = vec![Rule::new(On::Message(refusal), Verdict::Expired).in_phases([Phase::Renewing])];
    let mut scene = Scene::with(dialect, Config::new().with_keep_alive(None));
    scene.connect();
    assert_eq!(scene.after(481.0), ["fetch newer than 1"]);
    let _ = scene.token(2, 600);
    assert_eq!(scene.says(1, r#"{"ok":false}"#), ["forget 2", "renewal_failed", "fetch instead of 2"]);
    let _ = scene.token(3, 600);
    assert_eq!(scene.says(1, r#"{"ok":false}"#), ["forget 3", "renewal_failed"]);
    assert_eq!(scene.input(Input::Renew), ["fetch instead of 3"], "whoever changed something");
    assert_eq!(scene.ended(1, Failure::Transport), ["lost"]);
    assert_eq!(scene.when_due(), ["fetch instead of 3"]);
    let _ = scene.token(4, 600);
    assert_eq!(scene.ended(2, Failure::Transport), ["forget 5", "lost"]);
    assert_eq!(scene.when_due(), ["fetch current"], "nothing was said against this one");
}

#[test]
fn a_user_in_a_hurry_does_not_cut_the_wait_short_that_the_source_named() {
    let mut scene = quiet(told(Vec::new(), RenewalTime::Early));
    assert_eq!(scene.after(481.0), ["fetch newer than 1"]);
    let wait = auth_core::Retry::After(Duration::from_secs(60));
    let busy = auth_core::Error::new(TokenErrorKind::RateLimited, "slow down").with_retry(wait);
    assert_eq!(scene.no_token(busy), ["renewal_failed"]);
    assert_eq!(scene.input(Input::Renew), [""; 0]);
    assert_eq!(scene.when_due(), ["fetch newer than 1"]);
    assert_eq!(scene.token(2, 600), ["send 1 Renewal", "renewed", "forget 3"]);
    assert_eq!(scene.input(Input::Renew), ["fetch newer than 2"]);
}

#[test]
fn what_was_refused_for_the_second_time_is_not_presented_when_the_user_tries_again() {
    let mut scene = quiet(reconnecting(true));
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    let _ = scene.ended(2, Failure::Status(401));
    assert_eq!(scene.when_due(), ["fetch instead of 2"]);
    let _ = scene.token(3, 600);
    assert_eq!(scene.ended(3, Failure::Status(401)), ["forget 3", "lost", "renewal_failed"]);
    assert_eq!(scene.input(Input::Renew), ["fetch instead of 3"]);
    // The old one is refused in the end too, which makes neither of the others any better.
    assert_eq!(scene.ended(1, closed(4401)), ["lost"]);
    let _ = scene.no_token(auth_core::Error::new(TokenErrorKind::ServerFailed, "down"));
    assert_eq!(scene.when_due(), ["fetch instead of 3"]);
}

#[test]
fn a_token_that_comes_while_the_session_closes_renews_nothing() {
    let mut scene = quiet(told(Vec::new(), RenewalTime::Early));
    assert_eq!(scene.after(481.0), ["fetch newer than 1"]);
    assert_eq!(scene.input(Input::Close), ["close 1"]);
    assert_eq!(scene.token(2, 600), ["forget 2"]);
}

#[test]
fn a_driver_that_has_one_connection_at_a_time_is_never_asked_for_two() {
    let mut scene = Scene::with(reconnecting(true), Config::new().with_keep_alive(None).without_overlap());
    scene.connect();
    let _ = scene.after(481.0);
    assert_eq!(scene.token(2, 600), ["close 1"]);
    assert_eq!(scene.after(5.0), ["abort 1", "connecting", "open 2"], "a close that nobody answers");
}

#[test]
fn a_source_without_a_newer_token_costs_no_connection() {
    for dialect in [reconnecting(true), reconnecting(false)] {
        let mut scene = quiet(dialect);
        let _ = scene.after(481.0);
        assert_eq!(scene.token(1, 119), ["forget 2", "renewal_failed"]);
        assert_eq!(scene.client.state(), State::Connected);
        assert_eq!(scene.when_due(), ["fetch newer than 1"]);
    }
}

#[test]
fn the_server_may_ask_for_another_connection() {
    let mut scene = quiet(reconnecting(true));
    let _ = scene.after(2.0);
    assert_eq!(scene.says(1, r#"{"type":"please renew"}"#), ["fetch newer than 1"]);
    assert_eq!(scene.says(1, r#"{"type":"please renew"}"#), [""; 0], "one is under way");
    assert_eq!(scene.says(1, r#"{"type":"other"}"#), ["deliver"]);
}

#[test]
fn the_user_may_ask_for_another_connection_where_nothing_else_renews() {
    let mut scene = quiet(in_upgrade(Renewal::Never));
    assert_eq!(scene.after(700.0), [""; 0], "no expiry matters here");
    assert_eq!(scene.input(Input::Renew), ["fetch newer than 1"]);
    assert_eq!(scene.input(Input::Renew), [""; 0]);
    assert_eq!(scene.token(2, 600), ["close 1"]);
}

#[test]
fn a_renewal_that_the_server_does_not_answer_counts_once_it_is_sent() {
    let mut scene = quiet(told(Vec::new(), RenewalTime::Early));
    assert_eq!(scene.after(481.0), ["fetch newer than 1"]);
    assert_eq!(scene.token(2, 600), ["send 1 Renewal", "renewed", "forget 2"]);
    assert_eq!(scene.after(479.0), [""; 0]);
    assert_eq!(scene.after(2.0), ["fetch newer than 2"]);
}

#[test]
fn a_dialect_with_a_grace_renews_when_the_credential_has_expired() {
    let ok = Matcher::of([("/ok", json!(true))]);
    let mut scene = Scene::with(told(vec![ok], RenewalTime::AtExpiry), Config::new().with_keep_alive(None));
    scene.connect();
    assert_eq!(scene.after(599.0), [""; 0]);
    assert_eq!(scene.after(1.0), ["fetch newer than 1"]);
    assert_eq!(scene.token(2, 600), ["send 1 Renewal"]);
    assert_eq!(scene.says(1, r#"{"ok":true}"#), ["renewed", "forget 2"]);
    assert_eq!(scene.client.state(), State::Connected);
}

#[test]
fn a_refused_renewal_keeps_the_connection_and_a_final_refusal_until_its_end() {
    let ok = Matcher::of([("/ok", json!(true))]);
    let mut dialect = told(vec![ok], RenewalTime::Early);
    let refusal = Matcher::of([("/ok", json!(false))]);
    dialect.rules.push(Rule::new(On::Message(refusal), Verdict::Rejected).in_phases([Phase::Renewing]));
    let mut scene = quiet(dialect);
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    assert_eq!(scene.says(1, r#"{"ok":false}"#), ["forget 2", "renewal_failed"]);
    assert_eq!(scene.client.state(), State::Connected);
    assert_eq!(scene.after(119.0), ["abort 1", "lost", "failed"]);
    assert_eq!(scene.client.error().unwrap().kind(), ErrorKind::AuthenticationRefused);
}

#[test]
fn a_credential_that_can_not_be_placed_costs_a_renewal_and_no_connection() {
    let ok = Matcher::of([("/ok", json!(true))]);
    let mut scene = quiet(told(vec![ok], RenewalTime::Early));
    let _ = scene.after(481.0);
    assert_eq!(scene.token(2, 600), ["send 1 Renewal"]);
    let message = DialectMessage::Renewal;
    let lines = scene.input(Input::Unplaceable { epoch: Epoch(1), message });
    assert_eq!(lines, ["forget 2", "renewal_failed"]);
    assert_eq!(scene.client.state(), State::Connected);
    assert_eq!(scene.when_due(), ["fetch newer than 1"]);
    assert_eq!(scene.input(Input::Unplaceable { epoch: Epoch(1), message: DialectMessage::Ping }), [""; 0]);
}

#[test]
fn a_message_that_ends_the_connection_says_nothing_against_the_fresh_credential() {
    let ok = Matcher::of([("/ok", json!(true))]);
    let gone = Matcher::of([("/gone", json!(true))]);
    let mut dialect = told(vec![ok], RenewalTime::Early);
    dialect.rules = vec![Rule::new(On::Message(gone), Verdict::Transient)];
    let mut scene = quiet(dialect);
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    assert_eq!(scene.says(1, r#"{"gone":true}"#), ["abort 1", "forget 2", "lost"]);
    assert_eq!(scene.when_due(), ["fetch current"]);
}

#[test]
fn a_server_that_is_too_busy_to_renew_is_left_alone_for_the_longest_wait() {
    let ok = Matcher::of([("/ok", json!(true))]);
    let busy = Matcher::of([("/busy", json!(true))]);
    let mut dialect = told(vec![ok], RenewalTime::Early);
    dialect.rules = vec![Rule::new(On::Message(busy), Verdict::RateLimited).in_phases([Phase::Renewing])];
    let mut scene = quiet(dialect);
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    assert_eq!(scene.says(1, r#"{"busy":true}"#), ["forget 2", "renewal_failed"]);
    assert!(scene.wait.unwrap() >= Duration::from_secs(15), "{:?}", scene.wait);
    assert_eq!(scene.when_due(), ["fetch newer than 1"], "it said nothing against the credential");
}

#[test]
fn the_dialects_own_messages_on_a_connection_that_is_being_replaced_are_not_the_users() {
    let mut dialect = reconnecting(true);
    dialect.heartbeats = vec![Matcher::of([("/type", json!("beat"))])];
    let mut scene = quiet(dialect);
    let _ = scene.after(481.0);
    let _ = scene.token(2, 600);
    let _ = scene.opened(2);
    assert_eq!(scene.says(1, r#"{"type":"beat"}"#), [""; 0]);
    assert_eq!(scene.says(1, r#"{"type":"news"}"#), ["deliver"]);
}

#[test]
fn a_source_that_advises_to_renew_after_the_end_is_asked_before_it() {
    let mut scene = Scene::with(told(Vec::new(), RenewalTime::Early), Config::new().with_keep_alive(None));
    let _ = scene.input(Input::Start);
    let token = Token::new(Secret::from("1")).with_expires_in(Duration::from_secs(600));
    let _ = scene.any_token(token.with_renew_in(Duration::from_secs(900)));
    let _ = scene.opened(1);
    assert_eq!(scene.after(481.0), ["fetch newer than 0"]);
}

#[test]
fn what_the_server_said_of_the_lifetime_of_one_credential_is_not_said_of_the_next() {
    let ok = Matcher::of([("/ok", json!(true))]);
    let mut dialect = told(vec![ok.clone()], RenewalTime::Early);
    dialect.login = vec![Step { on: Trigger::Open, send: Template::json(json!({"login": "${credential}"})) }];
    dialect.acceptance = Acceptance::Message { any_of: vec![ok], within: None };
    dialect.captured.expires_in = Some(InUnit { at: "/ttl".to_owned(), unit: Unit::Seconds });
    let mut scene = Scene::with(dialect, Config::new().with_keep_alive(None));
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 600);
    let _ = scene.opened(1);
    let _ = scene.says(1, r#"{"ok":true,"ttl":60}"#);
    assert_eq!(scene.after(31.0), ["fetch newer than 1"]);
    let _ = scene.token(2, 600);
    assert_eq!(scene.says(1, r#"{"ok":true}"#), ["renewed", "forget 2"]);
    assert_eq!(scene.client.valid_for(scene.now), Some(Duration::from_secs(600)));
}

#[test]
fn a_suspend_shows_in_a_session_although_the_wall_clock_was_set_back_before_it() {
    let mut scene = quiet(told(Vec::new(), RenewalTime::Early));
    scene.now.wall = Timestamp::from_millis(scene.now.wall.as_millis() - 3_600_000);
    assert_eq!(scene.input(Input::Tick), [""; 0]);
    scene.now.wall = scene.now.wall.saturating_add(Duration::from_secs(700));
    assert_eq!(scene.input(Input::Tick), ["abort 1", "lost"], "its credential expired in the sleep");
}

#[test]
fn an_answer_to_an_earlier_renewal_is_none_to_this_one() {
    let mut scene = quiet(told(Vec::new(), RenewalTime::Early));
    assert_eq!(scene.after(481.0), ["fetch newer than 1"]);
    let first = scene.ticket;
    assert_eq!(scene.after(90.0), ["renewal_failed"]);
    assert_eq!(scene.when_due(), ["fetch newer than 1"]);
    let late = TokenFacts::from(&Token::new(Secret::from("late")));
    assert_eq!(scene.input(Input::Token { ticket: first, result: Ok(late) }), ["forget 2"]);
    assert_eq!(scene.token(2, 600), ["send 1 Renewal", "renewed", "forget 3"]);
}

#[test]
fn a_renewal_that_succeeds_makes_the_failures_before_it_forgotten() {
    let mut scene = quiet(told(Vec::new(), RenewalTime::Early));
    let _ = scene.after(481.0);
    let outage = || auth_core::Error::new(TokenErrorKind::ServerFailed, "down");
    for _ in 0..4 {
        let _ = scene.no_token(outage());
        let _ = scene.when_due();
    }
    let _ = scene.token(2, 600);
    let _ = scene.after(481.0);
    let _ = scene.no_token(outage());
    assert!(scene.wait.unwrap() <= Duration::from_millis(500), "{:?}", scene.wait);
}

#[test]
fn the_user_may_try_again_what_was_impossible() {
    let ok = Matcher::of([("/ok", json!(true))]);
    let mut scene = quiet(told(vec![ok], RenewalTime::Early));
    let _ = scene.after(481.0);
    let logged_out = auth_core::Error::new(TokenErrorKind::InvalidGrant, "log in again");
    assert_eq!(scene.no_token(logged_out), ["renewal_failed"]);
    assert_eq!(scene.after(10.0), [""; 0], "nobody asks a source that has said no");
    assert_eq!(scene.input(Input::Renew), ["fetch newer than 1"]);
    assert_eq!(scene.token(2, 600), ["send 1 Renewal"]);
    assert_eq!(scene.says(1, r#"{"ok":true}"#), ["renewed", "forget 3"]);
    assert_eq!(scene.after(200.0), [""; 0], "the old credential's end matters no more");
    assert_eq!(scene.client.state(), State::Connected);
}
