//! What a server says of the end of a credential, in each form, and what it says that can't be meant.

use std::time::Duration;

use serde_json::{Value, json};

use super::renewal::told;
use super::scene::Scene;
use crate::dialect::{
    Acceptance, Captured, Dialect, InForm, InUnit, Matcher, RenewalTime, Step, Template, TimeForm, Trigger,
    Unit,
};
use crate::machine::{Config, State};

/// What the clock of a scene says at first, in seconds since the epoch.
const NOW: u64 = 1_700_000_000;

/// A login and a renewal by message, whose answers say when the credential ends.
fn dialect(captured: Captured) -> Dialect {
    let ok = Matcher::of([("/ok", json!(true))]);
    let send = Template::json(json!({"login": "${credential}"}));
    Dialect {
        login: vec![Step { on: Trigger::Open, send }],
        acceptance: Acceptance::Message { any_of: vec![ok.clone()], within: None },
        captured,
        ..told(vec![ok], RenewalTime::Early)
    }
}

fn ends(form: TimeForm) -> Dialect {
    let expires_at = Some(InForm { at: "/end".to_owned(), form });
    dialect(Captured { expires_at, ..Captured::default() })
}

/// The form, and what stands there for this many seconds since the epoch.
fn forms(seconds: u64) -> [(TimeForm, Value); 3] {
    let text = auth_core::time::Timestamp::from_millis(seconds * 1_000).to_string();
    [
        (TimeForm::EpochSeconds, json!(seconds)),
        (TimeForm::EpochMilliseconds, json!(seconds * 1_000)),
        (TimeForm::Rfc3339, json!(text)),
    ]
}

/// Logged in with a token that lives for ten minutes, and what came of the answer.
fn logged_in(dialect: Dialect, answer: &Value) -> (Scene, Vec<String>) {
    let mut scene = Scene::with(dialect, Config::new().with_keep_alive(None));
    let _ = scene.input(crate::machine::Input::Start);
    let _ = scene.token(1, 600);
    let _ = scene.opened(1);
    let lines = scene.says(1, &answer.to_string());
    assert_eq!(scene.client.state(), State::Connected, "{answer}");
    (scene, lines)
}

fn seconds_left(scene: &Scene) -> u64 {
    scene.client.valid_for(scene.now).unwrap().as_secs()
}

#[test]
fn an_end_by_the_wall_clock_counts_if_it_is_sooner_in_each_form() {
    for (said, left) in [(60, 60), (6_000, 600)] {
        for (form, end) in forms(NOW + said) {
            let (scene, lines) = logged_in(ends(form), &json!({"ok": true, "end": end}));
            assert_eq!(seconds_left(&scene), left, "{form:?}");
            assert_eq!(lines, ["authenticated", "forget 1"], "{form:?}");
        }
    }
}

#[test]
fn the_end_that_a_renewal_is_answered_with_is_that_of_the_fresh_credential() {
    for ((form, first), (_, second)) in forms(NOW + 60).into_iter().zip(forms(NOW + 130)) {
        let (mut scene, _) = logged_in(ends(form), &json!({"ok": true, "end": first}));
        assert_eq!(scene.after(30.0), ["fetch newer than 1"], "{form:?}");
        let _ = scene.token(2, 600);
        assert_eq!(scene.says(1, &json!({"ok": true, "end": second}).to_string()), ["renewed", "forget 2"]);
        assert_eq!(seconds_left(&scene), 100, "{form:?}");
    }
}

#[test]
fn an_end_that_can_not_be_meant_is_ignored_and_told_at_the_login_and_in_a_renewal() {
    let (past, far) = (NOW - 1, 253_402_300_800);
    let others = [json!("soon"), json!(-1), json!([NOW + 60]), json!(true)];
    let mut wrong = Vec::new();
    for form in [TimeForm::EpochSeconds, TimeForm::EpochMilliseconds, TimeForm::Rfc3339] {
        let misread = forms(NOW + 60).into_iter().filter(|(other, _)| *other != form).map(|(_, end)| end);
        wrong.extend(misread.chain(others.clone()).map(|end| (form, end)));
    }
    wrong.extend(forms(past));
    wrong.extend(forms(far));
    for (form, end) in wrong {
        let answer = json!({"ok": true, "end": end});
        let (mut scene, lines) = logged_in(ends(form), &answer);
        assert_eq!(lines, ["expiry_ignored", "authenticated", "forget 1"], "{form:?} {end}");
        assert_eq!(seconds_left(&scene), 600, "{form:?} {end}");
        let _ = scene.after(481.0);
        let _ = scene.token(2, 900);
        let lines = scene.says(1, &answer.to_string());
        assert_eq!(lines, ["expiry_ignored", "renewed", "forget 2"], "{form:?} {end}");
        assert_eq!(seconds_left(&scene), 900, "{form:?} {end}");
    }
}

#[test]
fn a_lifetime_that_is_no_number_is_ignored_and_told_too() {
    let expires_in = Some(InUnit { at: "/end".to_owned(), unit: Unit::Seconds });
    let dialect = dialect(Captured { expires_in, ..Captured::default() });
    for (end, told) in [(json!("60"), true), (json!(-60), true), (json!(null), false), (json!(90), false)] {
        let (scene, lines) = logged_in(dialect.clone(), &json!({"ok": true, "end": end}));
        assert_eq!(lines.contains(&"expiry_ignored".to_owned()), told, "{end}");
        assert_eq!(seconds_left(&scene), if end == json!(90) { 90 } else { 600 }, "{end}");
    }
}

#[test]
fn an_end_by_the_wall_clock_passes_in_a_sleep() {
    for (form, end) in forms(NOW + 60) {
        let (mut scene, _) = logged_in(ends(form), &json!({"ok": true, "end": end}));
        scene.now.wall = scene.now.wall.saturating_add(Duration::from_secs(60));
        assert_eq!(scene.input(crate::machine::Input::Tick), ["abort 1", "lost"], "{form:?}");
    }
}
