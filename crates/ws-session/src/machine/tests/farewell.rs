//! What a dialect says last, and when: by hand, input by input.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::scene::Scene;
use super::world::closed;
use crate::dialect::{
    Acceptance, Authenticator, Captured, Captures, Dialect, Failure, Farewell, Fresh, InUnit, Matcher,
    Meaning, On, Phase, Placement, Renewal, RenewalTime, Rule, Step, Template, Trigger, Unit, Verdict,
};
use crate::machine::{DialectMessage, Epoch, Input, State};

fn says(text: &str) -> Matcher {
    Matcher::of([("/type", json!(text))])
}

/// In with a message of the server's.
fn polite() -> Dialect {
    let mut placement = Placement::default();
    placement.headers.push(("Authorization".to_owned(), Template::text("Bearer ${credential}")));
    Dialect {
        placement,
        acceptance: Acceptance::Message { any_of: vec![says("welcome")], within: None },
        farewell: Some(Farewell {
            send: Template::json(json!({"type": "bye"})),
            answered: vec![says("bye"), says("gone")],
        }),
        ..Dialect::new("test")
    }
}

const WELCOME: &str = r#"{"type":"welcome"}"#;
const GONE: &str = r#"{"type":"gone"}"#;

fn opening(dialect: Dialect) -> Scene {
    let mut scene = Scene::of(dialect);
    let _ = scene.input(Input::Start);
    assert!(scene.token(1, 600).contains(&"open 1".to_owned()));
    scene
}

fn live() -> Scene {
    let mut scene = opening(polite());
    assert_eq!(scene.opened(1), [""; 0]);
    assert_eq!(scene.says(1, WELCOME), ["authenticated", "forget 1"]);
    scene
}

#[test]
fn the_close_frame_waits_for_the_answer_to_the_farewell() {
    let mut scene = live();
    assert_eq!(scene.says(1, GONE), ["deliver"], "the user's, before anybody said farewell");
    assert_eq!(scene.input(Input::Close), ["farewell 1"]);
    assert_eq!(scene.client.state(), State::Closing);
    assert_eq!(scene.input(Input::Close), [""; 0], "once");
    assert_eq!(scene.says(1, r#"{"type":"news"}"#), ["deliver"], "it serves until it is over");
    assert_eq!(scene.says(2, GONE), [""; 0], "of another connection");
    assert_eq!(scene.says(1, GONE), ["close 1"]);
    assert_eq!(scene.says(1, GONE), [""; 0], "answered");
    assert_eq!(scene.ended(1, closed(1000)), ["closed"]);
    assert_eq!((scene.client.state(), scene.wait), (State::Closed, None));
}

#[test]
fn a_connection_that_ends_instead_of_an_answer_has_ended() {
    for failure in [Failure::Transport, closed(4401), closed(1011)] {
        let mut scene = live();
        let _ = scene.input(Input::Close);
        assert_eq!(scene.ended(1, failure), ["closed"]);
    }
}

#[test]
fn an_answer_is_waited_for_as_long_as_for_a_close() {
    let mut scene = live();
    let _ = scene.input(Input::Close);
    assert_eq!(scene.after(4.9), [""; 0]);
    // What it takes to write the farewell is not the server's time.
    scene.client.wrote(scene.now, Epoch::from_number(1));
    assert_eq!(scene.after(4.9), [""; 0]);
    assert_eq!(scene.after(0.2), ["abort 1", "closed"]);
}

#[test]
fn where_nothing_answers_the_close_frame_follows_at_once() {
    let mut dialect = polite();
    dialect.farewell.as_mut().unwrap().answered.clear();
    let mut scene = opening(dialect);
    let _ = (scene.opened(1), scene.says(1, WELCOME));
    assert_eq!(scene.input(Input::Close), ["farewell 1", "close 1"]);
}

#[test]
fn a_farewell_that_can_not_be_built_is_left_out() {
    let mut scene = live();
    let _ = scene.input(Input::Close);
    let input = || Input::Unplaceable { epoch: Epoch::from_number(1), message: DialectMessage::Farewell };
    assert_eq!(scene.input(input()), ["close 1"]);
    assert_eq!(scene.input(input()), [""; 0]);
    assert_eq!(scene.says(1, GONE), [""; 0]);
}

#[test]
fn a_session_that_is_closed_while_it_connects_says_farewell_once_it_is_in() {
    for is_open in [false, true] {
        let mut scene = opening(polite());
        if is_open {
            let _ = scene.opened(1);
        }
        assert_eq!(scene.input(Input::Close), ["forget 1"]);
        assert_eq!(scene.client.state(), State::Closing);
        if !is_open {
            assert_eq!(scene.opened(1), [""; 0]);
        }
        assert_eq!(scene.says(1, GONE), [""; 0], "that is not what it waits for");
        assert_eq!(scene.says(1, WELCOME), ["farewell 1"]);
        assert_eq!(scene.says(1, WELCOME), [""; 0], "once");
        assert_eq!(scene.says(1, GONE), ["close 1"]);
        assert_eq!(scene.ended(1, closed(1000)), ["closed"]);
    }
}

#[test]
fn where_the_upgrade_lets_it_in_it_says_farewell_then() {
    let mut scene = opening(Dialect { acceptance: Acceptance::Upgrade, ..polite() });
    assert_eq!(scene.input(Input::Close), ["forget 1"]);
    assert_eq!(scene.opened(2), [""; 0], "of another connection");
    assert_eq!(scene.opened(1), ["farewell 1"]);
    assert_eq!(scene.opened(1), [""; 0], "once");
}

#[test]
fn an_attempt_that_comes_to_nothing_leaves_a_closed_session() {
    for failure in [Failure::Transport, Failure::Status(401), Failure::Status(503)] {
        let mut scene = opening(polite());
        let _ = scene.input(Input::Close);
        assert_eq!(scene.ended(1, failure), ["closed"]);
    }
    let mut scene = opening(polite());
    let _ = scene.input(Input::Close);
    assert_eq!(scene.after(5.1), ["abort 1", "closed"], "nor is it waited for any longer");
    // Without a token there is no connection, nor after a loss.
    let mut scene = Scene::of(polite());
    let _ = scene.input(Input::Start);
    assert_eq!(scene.input(Input::Close), ["closed"]);
    let mut scene = live();
    let _ = scene.ended(1, Failure::Transport);
    assert_eq!(scene.input(Input::Close), ["closed"]);
}

/// What it would say is not known any more.
#[test]
fn a_login_that_is_not_over_is_left_without_a_word() {
    let login = vec![Step { on: Trigger::Message(says("hello")), send: Template::text("${credential}") }];
    let dialect = || Dialect { placement: Placement::default(), login: login.clone(), ..polite() };
    let mut scene = opening(dialect());
    assert_eq!(scene.input(Input::Close), ["forget 1", "abort 1", "closed"]);
    let mut scene = opening(dialect());
    let _ = scene.opened(1);
    assert_eq!(scene.input(Input::Close), ["forget 1", "close 1"]);
    let mut scene = opening(dialect());
    let _ = scene.opened(1);
    assert_eq!(scene.says(1, r#"{"type":"hello"}"#), ["send 1 Step(0)"]);
    assert_eq!(scene.input(Input::Close), ["forget 1"], "what there is to say was said");
    assert_eq!(scene.says(1, WELCOME), ["farewell 1"]);
}

#[test]
fn a_connection_that_another_replaces_is_told_no_farewell() {
    let renewal = Renewal::Reconnect { overlap: true, asked_by: Vec::new(), when: RenewalTime::Early };
    let mut scene = opening(Dialect { renewal, ..polite() });
    let _ = (scene.opened(1), scene.says(1, WELCOME));
    let _ = (scene.input(Input::Renew), scene.token(2, 600), scene.opened(2));
    let replaced = scene.says(2, WELCOME);
    assert!(replaced.contains(&"close 1".to_owned()), "{replaced:?}");
    assert_eq!(scene.input(Input::Close), ["farewell 2"], "the session's last is");
}

/// It was told none, so that nothing answers one there.
#[test]
fn what_would_answer_a_farewell_is_the_user_s_on_a_connection_that_was_replaced() {
    let renewal = Renewal::Reconnect { overlap: true, asked_by: Vec::new(), when: RenewalTime::Early };
    let mut scene = opening(Dialect { renewal, ..polite() });
    let _ = (scene.opened(1), scene.says(1, WELCOME));
    let _ = (scene.input(Input::Renew), scene.token(2, 600), scene.opened(2), scene.says(2, WELCOME));
    assert_eq!(scene.says(1, GONE), ["deliver"]);
    assert_eq!(scene.input(Input::Close), ["farewell 2"]);
    assert_eq!(scene.says(1, GONE), ["deliver"]);
    assert_eq!(scene.says(2, GONE), ["close 2"]);
}

#[test]
fn a_credential_that_expires_while_the_connection_is_opened_does_not_go_out_behind_a_close() {
    for (life, seconds) in [(2, 2.0), (600, 5.0)] {
        let mut scene = Scene::of(polite());
        let _ = (scene.input(Input::Start), scene.token(1, life));
        let _ = scene.input(Input::Close);
        assert_eq!(scene.after(seconds - 0.1), [""; 0], "{life}");
        assert_eq!(scene.after(0.2), ["abort 1", "closed"], "{life}");
    }
}

/// Whoever stays connected then is not waited for.
#[test]
fn a_login_that_is_refused_after_the_close_is_left_without_a_word() {
    let refused = Rule::new(On::Message(says("refused")), Verdict::Rejected).in_phases([Phase::Login]);
    let mut scene = opening(Dialect { rules: vec![refused], ..polite() });
    let _ = (scene.opened(1), scene.input(Input::Close));
    assert_eq!(scene.says(1, r#"{"type":"news"}"#), [""; 0]);
    assert_eq!(scene.says(1, r#"{"type":"refused"}"#), ["close 1"]);
    assert_eq!(scene.says(1, WELCOME), [""; 0], "too late");
    assert_eq!(scene.ended(1, closed(1000)), ["closed"]);
}

#[test]
fn an_authenticator_s_word_counts_after_the_close_too() {
    #[derive(Debug)]
    struct Doorman;
    impl Authenticator for Doorman {
        fn read(&self, phase: Phase, message: &Value, _: &Captures) -> Option<Meaning> {
            assert_eq!(phase, Phase::Login);
            match message["door"].as_str()? {
                "open" => Some(Meaning::Accepted),
                _ => Some(Meaning::Failed(Verdict::Rejected)),
            }
        }
    }
    for (says, expected) in [(r#"{"door":"open"}"#, "farewell 1"), (r#"{"door":"shut"}"#, "close 1")] {
        for is_open in [false, true] {
            let mut scene = opening(Dialect { authenticator: Some(Arc::new(Doorman)), ..polite() });
            if is_open {
                let _ = (scene.opened(1), scene.input(Input::Close));
            } else {
                let _ = (scene.input(Input::Close), scene.opened(1));
            }
            assert_eq!(scene.says(1, says), [expected]);
        }
    }
}

#[test]
fn a_farewell_may_hold_what_the_login_said() {
    let captured = Captured { session_id: Some("/id".to_owned()), ..Captured::default() };
    let mut dialect = Dialect { captured, ..polite() };
    dialect.farewell.as_mut().unwrap().send = Template::json(json!({"bye": "${session_id}"}));
    for closes_first in [false, true] {
        let mut scene = opening(dialect.clone());
        let _ = scene.opened(1);
        if closes_first {
            let _ = scene.input(Input::Close);
        }
        let mut told = scene.says(1, r#"{"type":"welcome","id":"s-1"}"#);
        told.extend(if closes_first { Vec::new() } else { scene.input(Input::Close) });
        assert!(told.contains(&"farewell 1".to_owned()), "{told:?}");
        let fresh = Fresh { now: scene.now, random: [0; 16] };
        let said =
            scene.client.message(Epoch::from_number(1), DialectMessage::Farewell, None, fresh).unwrap();
        assert_eq!(said.text.expose(), r#"{"bye":"s-1"}"#);
    }
}

#[test]
fn how_long_the_server_keeps_a_session_decides_when_it_is_suspended() {
    let kept = Some(InUnit { at: "/kept".to_owned(), unit: Unit::Seconds });
    let captured = Captured { kept, ..Captured::default() };
    for (welcome, seconds) in [
        (WELCOME, 120.0),
        (r#"{"type":"welcome","kept":7}"#, 7.0),
        (r#"{"type":"welcome","kept":0}"#, 0.0),
        (r#"{"type":"welcome","kept":1e9}"#, 1e9),
        (r#"{"type":"welcome","kept":-7}"#, 120.0),
    ] {
        let mut scene = opening(Dialect { captured: captured.clone(), ..polite() });
        let _ = (scene.opened(1), scene.says(1, welcome));
        let begun = scene.now;
        let mut told = scene.ended(1, Failure::Transport);
        while !told.contains(&"suspended".to_owned()) && scene.now.mono.elapsed() < Duration::from_secs(500) {
            // Each attempt fails.
            if told.iter().any(|line| line.starts_with("fetch")) {
                told = scene.no_token(super::world::outage());
            } else {
                told = scene.when_due();
            }
        }
        let after = scene.now.mono.elapsed().saturating_sub(begun.mono.elapsed()).as_secs_f64();
        let expected = f64::min(seconds, 500.0);
        assert!((expected..expected + 31.0).contains(&after), "{welcome}: {after}");
    }
}
