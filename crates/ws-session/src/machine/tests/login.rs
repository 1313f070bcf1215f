//! Logging in by each of a dialect's ways, and being refused by each of a server's.

use std::time::Duration;

use auth_core::time::Now;
use auth_core::{ErrorKind as TokenErrorKind, Secret, Token};
use serde_json::json;

use super::scene::Scene;
use super::world::closed;
use crate::ErrorKind;
use crate::dialect::{
    Acceptance, Captured, Codes, CredentialUse, Dialect, Failure, InUnit, Matcher, On, Phase, Ping,
    Placement, Renewal, RenewalTime, Reply, Rule, Step, Template, Trigger, Unit, Verdict,
};
use crate::machine::{Config, DialectMessage, Epoch, Input, Output, State};

fn says(text: &str) -> Matcher {
    Matcher::of([("/type", json!(text))])
}

/// The server speaks first, as Home Assistant does.
fn server_first() -> Dialect {
    let send = Template::json(json!({"type": "auth", "token": "${credential}"}));
    Dialect {
        login: vec![Step { on: Trigger::Message(says("auth_required")), send }],
        acceptance: Acceptance::Message { any_of: vec![says("auth_ok")], within: None },
        rules: vec![
            Rule::new(On::Message(says("auth_invalid")), Verdict::Expired).in_phases([Phase::Login]),
            Rule::new(On::Close { codes: Codes::none(), reason: None }, Verdict::AuthenticationTimeout)
                .in_phases([Phase::Login])
                .after(Duration::from_secs(9)),
        ],
        ..Dialect::new("test")
    }
}

fn renewed_by_another() -> Dialect {
    let renewal = Renewal::Reconnect { overlap: true, asked_by: Vec::new(), when: RenewalTime::Early };
    Dialect { renewal, ..once() }
}

fn once() -> Dialect {
    let mut placement = Placement::default();
    placement.headers.push(("Authorization".to_owned(), Template::text("Bearer ${credential}")));
    Dialect { placement, credential_use: CredentialUse::Once, ..Dialect::new("test") }
}

#[test]
fn a_server_that_speaks_first_is_waited_for() {
    let mut scene = Scene::of(server_first());
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 600);
    assert_eq!(scene.opened(1), [""; 0], "nothing is sent yet");
    assert_eq!(scene.says(1, r#"{"type":"hello"}"#), [""; 0]);
    assert_eq!(scene.says(1, r#"{"type":"auth_required"}"#), ["send 1 Step(0)"]);
    assert_eq!(scene.says(1, r#"{"type":"auth_ok"}"#), ["authenticated", "forget 1"]);
    assert_eq!(scene.client.state(), State::Connected);
    assert_eq!(scene.says(1, r#"{"type":"auth_ok"}"#), ["deliver"], "the user's, from here on");
}

#[test]
fn a_connection_that_just_ends_means_what_the_phase_and_the_time_say() {
    for (seconds, verdict) in [(1.0, Verdict::Transient), (9.5, Verdict::AuthenticationTimeout)] {
        let mut scene = Scene::of(server_first());
        let _ = scene.input(Input::Start);
        let _ = scene.token(1, 600);
        let _ = scene.opened(1);
        let _ = scene.after(seconds);
        let (phase, elapsed) = scene.client.whereabouts(scene.now, Epoch(1));
        let failure = Failure::Transport;
        let occurrence = crate::dialect::Occurrence { phase, elapsed, failure: &failure };
        assert_eq!(scene.client.dialect().verdict(&occurrence), verdict);
    }
}

#[test]
fn a_refusal_in_a_message_counts_although_the_close_code_that_follows_lies() {
    let mut scene = Scene::of(server_first());
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 600);
    let _ = scene.opened(1);
    let _ = scene.says(1, r#"{"type":"auth_required"}"#);
    assert_eq!(scene.says(1, r#"{"type":"auth_invalid"}"#), ["abort 1", "forget 1", "lost"]);
    assert_eq!(scene.ended(1, closed(1000)), [""; 0], "stale");
    assert_eq!(scene.when_due(), ["fetch instead of 1"]);
    let _ = scene.token(2, 600);
    let _ = scene.opened(2);
    let _ = scene.says(2, r#"{"type":"auth_required"}"#);
    assert_eq!(scene.says(2, r#"{"type":"auth_invalid"}"#), ["abort 2", "forget 2", "lost", "failed"]);
    assert_eq!(scene.client.error().unwrap().kind(), ErrorKind::AuthenticationRefused);
}

#[test]
fn a_credential_that_serves_once_is_never_presented_twice() {
    let mut scene = Scene::of(once());
    let _ = scene.input(Input::Start);
    assert_eq!(scene.token(1, 600), ["connecting", "open 1"]);
    assert_eq!(scene.ended(1, Failure::Transport), ["forget 1", "lost"], "bytes may have left");
    assert_eq!(scene.when_due(), ["fetch newer than 1"]);
    assert_eq!(scene.token(1, 590), ["forget 2", "delayed"], "the source has no other");
    assert_eq!(scene.when_due(), ["fetch newer than 1"]);
    // A source without numbers, and the same text under no number at all.
    assert_eq!(scene.any_token(Token::new(Secret::from("1"))), ["forget 3", "delayed"]);
    assert_eq!(scene.when_due(), ["fetch newer than 1"]);
    assert_eq!(scene.any_token(Token::new(Secret::from("2"))), ["connecting", "open 2"]);
    assert_eq!(scene.opened(2), ["authenticated", "forget 4"]);
}

#[test]
fn a_token_that_has_expired_opens_no_connection() {
    let mut scene = Scene::of(once());
    let _ = scene.input(Input::Start);
    assert_eq!(scene.token(1, 0), ["forget 1", "delayed"]);
    assert_eq!(scene.client.state(), State::Disconnected);
}

#[test]
fn a_token_that_was_refused_and_comes_again_is_not_presented_again() {
    let mut scene = Scene::of(server_first());
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 600);
    let _ = scene.opened(1);
    assert_eq!(scene.ended(1, closed(4401)), ["forget 1", "lost"]);
    assert_eq!(scene.when_due(), ["fetch instead of 1"]);
    assert_eq!(scene.token(1, 600), ["forget 2", "delayed"]);
    assert_eq!(scene.when_due(), ["fetch instead of 1"]);
}

#[test]
fn a_source_that_does_not_number_its_tokens_is_believed_once() {
    let mut scene = Scene::of(server_first());
    let _ = scene.input(Input::Start);
    let _ = scene.any_token(Token::new(Secret::from("same")));
    let _ = scene.opened(1);
    assert_eq!(scene.ended(1, closed(4401)), ["forget 1", "lost"]);
    assert_eq!(scene.when_due(), ["fetch instead of 0"]);
    assert_eq!(scene.any_token(Token::new(Secret::from("same"))), ["connecting", "open 2"]);
    let _ = scene.opened(2);
    assert_eq!(scene.ended(2, closed(4401)), ["forget 2", "lost", "failed"]);
}

#[test]
fn a_token_for_an_earlier_request_is_dropped() {
    let mut scene = Scene::of(once());
    let _ = scene.input(Input::Start);
    let _ = scene.after(90.0);
    assert_eq!(scene.client.state(), State::Disconnected);
    assert_eq!(scene.token(1, 600), ["forget 1"]);
    assert_eq!(scene.client.state(), State::Disconnected);
}

#[test]
fn what_the_server_says_of_the_lifetime_counts_if_it_is_less() {
    let mut dialect = server_first();
    let expires_in = Some(InUnit { at: "/ttl".to_owned(), unit: Unit::Seconds });
    dialect.captured = Captured { expires_in, ..Captured::default() };
    for (told, left) in [(60, 60), (6_000, 600)] {
        let mut scene = Scene::of(dialect.clone());
        let _ = scene.input(Input::Start);
        let _ = scene.token(1, 600);
        let _ = scene.opened(1);
        let _ = scene.says(1, &json!({"type": "auth_ok", "ttl": told}).to_string());
        assert_eq!(scene.client.valid_for(scene.now), Some(Duration::from_secs(left)));
    }
}

#[test]
fn a_ping_of_the_dialects_own_is_answered_at_any_time_and_is_not_the_users() {
    let mut dialect = server_first();
    let send = Template::json(json!({"type": "pong"}));
    dialect.replies.push(Reply { on: says("ping"), send });
    let mut scene = Scene::of(dialect);
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 600);
    let _ = scene.opened(1);
    assert_eq!(scene.says(1, r#"{"type":"ping"}"#), ["send 1 Reply(0)"]);
    let _ = scene.says(1, r#"{"type":"auth_ok"}"#);
    assert_eq!(scene.says(1, r#"{"type":"ping"}"#), ["send 1 Reply(0)"]);
    assert_eq!(scene.says(1, r#"{"type":"pinged"}"#), ["deliver"]);
    let fresh = crate::dialect::Fresh { now: scene.now, random: [0; 16] };
    let pong = scene.client.message(Epoch(1), DialectMessage::Reply(0), None, fresh).unwrap();
    assert_eq!(pong.text.expose(), r#"{"type":"pong"}"#);
    assert!(scene.client.message(Epoch(1), DialectMessage::Reply(1), None, fresh).is_err());
}

#[test]
fn a_frame_full_of_pings_is_answered_once() {
    let mut dialect = server_first();
    dialect.codec = crate::dialect::Codec::JsonLines;
    dialect.replies.push(Reply { on: says("ping"), send: Template::json(json!({"type": "pong"})) });
    let mut scene = Scene::of(dialect);
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 600);
    let _ = scene.opened(1);
    let flood = "{\"type\":\"ping\"}\n".repeat(10_000);
    assert_eq!(scene.says(1, &flood), ["send 1 Reply(0)"]);
}

#[test]
fn a_server_that_is_too_busy_is_left_alone_for_the_longest_wait() {
    for failure in [closed(1013), Failure::Status(429)] {
        for seed in 0..20 {
            let config = Config::new();
            let mut scene = Scene::with(once(), config);
            scene.client.jitter = auth_core::backoff::Jitter::seeded(seed);
            let _ = scene.input(Input::Start);
            let _ = scene.token(1, 600);
            assert_eq!(scene.ended(1, failure.clone()), ["forget 1", "lost"]);
            let wait = scene.wait.unwrap();
            assert!((15.0..=30.0).contains(&wait.as_secs_f64()), "{failure:?}: {wait:?}");
        }
    }
}

#[test]
fn a_wait_that_the_server_named_is_not_cut_short_by_a_network_that_changes() {
    let mut scene = Scene::of(once());
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 600);
    let retry_after = Some(Duration::from_secs(60));
    let failure = Failure::Status(503);
    let _ = scene.input(Input::Ended { epoch: Epoch(1), failure, retry_after });
    assert!(scene.wait.unwrap() >= Duration::from_secs(60));
    assert_eq!(scene.input(Input::NetworkChanged), [""; 0]);
    assert_eq!(scene.input(Input::Renew), [""; 0]);
    assert!(scene.wait.unwrap() >= Duration::from_secs(60));
}

#[test]
fn a_new_network_ends_the_wait_for_the_next_attempt() {
    let mut scene = Scene::of(once());
    let _ = scene.input(Input::Start);
    let outage = || auth_core::Error::new(TokenErrorKind::ServerFailed, "down");
    for _ in 0..12 {
        let _ = scene.no_token(outage());
        if scene.wait.unwrap() > Duration::from_secs(5) {
            break;
        }
        let _ = scene.when_due();
    }
    assert!(scene.wait.unwrap() > Duration::from_secs(5));
    assert_eq!(scene.input(Input::NetworkChanged), [""; 0]);
    assert!(scene.wait.unwrap() <= Duration::from_millis(500), "{:?}", scene.wait);
}

#[test]
fn a_server_that_wants_a_new_connection_gets_it_at_once_and_then_with_backoff() {
    let mut dialect = once();
    dialect.credential_use = CredentialUse::Many;
    let close = On::Close { codes: Codes::of([4200..=4299]), reason: None };
    dialect.rules.push(Rule::new(close, Verdict::ReconnectNow));
    let mut scene = Scene::live(dialect);
    for (round, most) in [(1, 0.5), (2, 0.5), (3, 1.0), (4, 2.0)] {
        let _ = scene.ended(round, closed(4200));
        assert!(scene.wait.unwrap().as_secs_f64() <= most, "round {round}: {:?}", scene.wait);
        assert_eq!(scene.client.failures, round as u32 - 1);
        let _ = scene.when_due();
        let _ = scene.token(round + 1, 600);
        let _ = scene.opened(round + 1);
    }
}

#[test]
fn a_session_that_can_not_connect_for_long_is_suspended_and_goes_on_trying() {
    let mut scene = Scene::of(once());
    let mut lines = scene.input(Input::Start);
    let outage = || auth_core::Error::new(TokenErrorKind::ServerFailed, "down");
    let begun = scene.now.mono.elapsed();
    while scene.client.state() != State::Suspended {
        lines.extend(scene.no_token(outage()));
        lines.extend(scene.when_due());
        assert!(scene.now.mono.elapsed() - begun < Duration::from_secs(200), "{lines:?}");
    }
    assert!(scene.now.mono.elapsed() - begun >= Duration::from_secs(120));
    for _ in 0..5 {
        lines.extend(scene.when_due());
        lines.extend(scene.no_token(outage()));
        assert_eq!(scene.client.state(), State::Suspended);
    }
    assert_eq!(lines.iter().filter(|line| *line == "suspended").count(), 1);
    let _ = scene.when_due();
    let _ = scene.token(1, 600);
    assert_eq!(
        scene.opened(1),
        ["authenticated", "forget 12"].map(|line| {
            if line.starts_with("forget") {
                format!("forget {}", scene.client.next_ticket)
            } else {
                line.to_owned()
            }
        })
    );
    let _ = scene.ended(1, Failure::Transport);
    assert_eq!(scene.client.state(), State::Disconnected, "a new count begins");
}

#[test]
fn a_silent_connection_is_asked_and_given_up_within_two_intervals() {
    let mut scene = Scene::with(once(), Config::new().with_keep_alive(Some(Duration::from_secs(20))));
    scene.connect();
    let begun = scene.now.mono.elapsed();
    // The last that was heard comes right after a look.
    assert_eq!(scene.when_due(), ["ping 1"]);
    scene.client.heard(Epoch(1));
    let (heard, mut lines) = (scene.now.mono.elapsed(), Vec::new());
    while scene.client.state() == State::Connected {
        lines.extend(scene.when_due());
    }
    assert_eq!(lines, ["ping 1", "abort 1", "lost"]);
    let found = scene.now.mono.elapsed() - heard;
    assert!(found <= Duration::from_secs(40), "{found:?}");
    assert!(begun < heard);
}

#[test]
fn a_connection_of_which_something_is_heard_is_not_asked() {
    let mut scene = Scene::live(once());
    for _ in 0..10 {
        assert_eq!(scene.says(1, "tick"), ["deliver"]);
        assert_eq!(scene.when_due(), [""; 0]);
    }
}

#[test]
fn a_server_that_breaks_its_promise_to_speak_is_left() {
    let mut dialect = server_first();
    dialect.ping = Ping::Never;
    dialect.captured.idle = Some(InUnit { at: "/idle".to_owned(), unit: Unit::Milliseconds });
    let mut scene = Scene::of(dialect);
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 6_000);
    let _ = scene.opened(1);
    let _ = scene.says(1, r#"{"type":"auth_ok","idle":15000}"#);
    assert_eq!(scene.after(24.0), [""; 0]);
    assert_eq!(scene.says(1, "a word"), ["deliver"]);
    assert_eq!(scene.after(24.0), [""; 0], "24 s are less than 15 and the grace of 10");
    let lines = [scene.when_due(), scene.when_due()].concat();
    assert_eq!(lines, ["abort 1", "lost"]);
}

#[test]
fn a_computer_that_slept_asks_at_once_whether_its_connection_lives() {
    let mut scene = Scene::live(once());
    scene.now.wall = scene.now.wall.saturating_add(Duration::from_secs(300));
    assert_eq!(scene.input(Input::Tick), ["ping 1"]);
    assert!(scene.wait.unwrap() <= Duration::from_secs(5));
    assert_eq!(scene.when_due(), ["abort 1", "lost"]);
}

#[test]
fn a_wait_is_over_as_soon_as_the_computer_has_slept_through_the_credentials_end() {
    let mut scene = Scene::live(renewed_by_another());
    let Output::Wait(Some(deadline)) = scene.client.poll() else { panic!("it waits for a time") };
    let woken = Now { wall: scene.now.wall.saturating_add(Duration::from_secs(700)), ..scene.now };
    assert!(deadline.passed(woken), "although the next look at the silence is still to come");
}

#[test]
fn a_network_that_changes_again_and_again_gives_a_dead_connection_no_more_time() {
    let mut scene = Scene::live(once());
    assert_eq!(scene.input(Input::NetworkChanged), ["ping 1"]);
    let mut seconds = 0;
    while scene.client.state() == State::Connected {
        let _ = scene.after(1.0);
        let _ = scene.input(Input::NetworkChanged);
        seconds += 1;
        assert!(seconds < 20, "still asked");
    }
    assert!(seconds <= 5, "{seconds}");
}

#[test]
fn a_connection_that_ended_while_the_computer_slept_is_not_asked_whether_it_lives() {
    let mut scene = Scene::live(once());
    scene.now.wall = scene.now.wall.saturating_add(Duration::from_secs(300));
    assert_eq!(scene.ended(1, Failure::Transport), ["lost"]);
}

#[test]
fn nothing_is_left_when_a_session_is_closed_in_the_middle() {
    let mut scene = Scene::of(server_first());
    let _ = scene.input(Input::Start);
    assert_eq!(scene.input(Input::Close), ["closed"]);
    assert_eq!(scene.token(1, 600), ["forget 1"]);

    let mut scene = Scene::of(server_first());
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 600);
    assert_eq!(scene.input(Input::Close), ["forget 1", "abort 1", "closed"]);

    let mut scene = Scene::of(server_first());
    let _ = scene.input(Input::Start);
    let _ = scene.token(1, 600);
    let _ = scene.opened(1);
    assert_eq!(scene.input(Input::Close), ["forget 1", "close 1"]);
    assert_eq!(scene.ended(1, closed(1000)), ["closed"]);
    assert_eq!(scene.wait, None);
}

#[test]
fn the_time_for_an_answer_to_the_close_begins_with_the_last_byte_that_goes_out() {
    let mut scene = Scene::live(once());
    assert!(scene.input(Input::Close).contains(&"close 1".to_owned()));
    assert_eq!(scene.after(4.9), [""; 0]);
    scene.client.wrote(scene.now, Epoch::from_number(1));
    assert_eq!(scene.after(4.9), [""; 0]);
    // Another connection has nothing to do with it.
    scene.client.wrote(scene.now, Epoch::from_number(2));
    assert!(scene.after(0.2).contains(&"closed".to_owned()));
    scene.client.wrote(scene.now, Epoch::from_number(1));
    assert_eq!(scene.input(Input::Tick), [""; 0]);
    assert_eq!(scene.wait, None, "nothing waits for one that was closed");
}

#[test]
fn a_server_that_takes_a_little_now_and_then_does_not_put_the_end_off_for_ever() {
    let mut scene = Scene::live(once());
    assert!(scene.input(Input::Close).contains(&"close 1".to_owned()));
    for second in 0..59 {
        assert_eq!(scene.after(1.0), [""; 0], "{second}");
        scene.client.wrote(scene.now, Epoch::from_number(1));
    }
    assert!(scene.after(1.1).contains(&"closed".to_owned()));
}

/// A name is looked up, a host is reached and TLS is agreed upon before the upgrade leaves, and each may take its time.
#[test]
fn a_credential_that_expires_while_a_connection_is_made_does_not_go_out_with_the_upgrade() {
    let mut scene = Scene::of(once());
    let _ = scene.input(Input::Start);
    assert_eq!(scene.token(1, 5), ["connecting", "open 1"]);
    assert_eq!(scene.after(4.9), [""; 0]);
    assert_eq!(scene.after(0.2), ["abort 1", "forget 1", "lost"]);
}
