//! A credential that the user has, and wants on the connection.

use serde_json::json;

use super::scene::Scene;
use super::world::generation;
use crate::dialect::{Dialect, Matcher, On, Placement, Renewal, RenewalTime, Rule, Template, Verdict};
use crate::machine::{Config, Input, State};

fn dialect(renewal: Renewal) -> Dialect {
    let mut placement = Placement::default();
    placement.query.push(("token".to_owned(), Template::text("${credential}")));
    Dialect { placement, renewal, ..Dialect::new("test") }
}

fn in_band() -> Scene {
    let accepted = vec![Matcher::of([("/ok", json!(true))])];
    let send = Template::json(json!({"renew": "${credential}"}));
    let asked_by = Vec::new();
    let renewal = Renewal::InBand { send, accepted, asked_by, when: RenewalTime::Early };
    Scene::with(dialect(renewal), Config::new().with_keep_alive(None))
}

/// Else the next connection would present what was just refused.
#[test]
fn one_that_the_server_answers_by_ending_the_connection_is_not_presented_again() {
    let mut scene = Scene::with(
        Dialect {
            rules: vec![Rule::new(On::Message(Matcher::of([("/ok", json!(false))])), Verdict::Expired)],
            ..in_band().client.dialect().as_ref().clone()
        },
        Config::new().with_keep_alive(None),
    );
    scene.connect();
    let _ = scene.input(present(2));
    let _ = scene.token(2, 600);
    assert_eq!(scene.says(1, r#"{"ok":false}"#), ["abort 1", "forget 2", "lost"]);
    assert_eq!(scene.when_due(), ["fetch instead of 2"]);
}

fn present(number: u64) -> Input {
    Input::Present { generation: generation(number) }
}

#[test]
fn a_credential_goes_over_the_live_connection_once() {
    let mut scene = in_band();
    scene.connect();
    assert_eq!(scene.input(present(1)), [""; 0], "it is on it");
    assert_eq!(scene.input(present(2)), ["fetch newer than 1"]);
    assert_eq!(scene.token(2, 600), ["send 1 Renewal"]);
    assert_eq!(scene.input(present(2)), [""; 0], "it is on its way");
    assert_eq!(scene.says(1, r#"{"ok":true}"#), ["renewed", "forget 2"]);
    assert_eq!(scene.client.generation(), Some(generation(2)));
}

#[test]
fn one_that_comes_while_an_older_one_is_judged_follows_it() {
    let mut scene = in_band();
    scene.connect();
    let _ = scene.input(present(2));
    let _ = scene.token(2, 600);
    assert_eq!(scene.input(present(3)), [""; 0]);
    assert_eq!(scene.says(1, r#"{"ok":true}"#), ["renewed", "forget 2", "fetch newer than 2"]);
    assert_eq!(scene.token(3, 600), ["send 1 Renewal"]);
    assert_eq!(scene.says(1, r#"{"ok":true}"#), ["renewed", "forget 3"]);
}

/// A request that hangs, of a way to tokens that was replaced, holds up nobody.
#[test]
fn one_that_comes_while_another_is_asked_for_is_asked_for_anew() {
    let mut scene = in_band();
    scene.connect();
    assert_eq!(scene.input(Input::Renew), ["fetch newer than 1"]);
    let hanging = scene.ticket;
    assert_eq!(scene.input(present(2)), ["fetch newer than 1"]);
    assert_ne!(scene.ticket, hanging);
}

#[test]
fn an_attempt_with_an_older_one_is_given_up() {
    let mut scene = in_band();
    let _ = scene.input(Input::Start);
    assert_eq!(scene.input(present(1)), ["fetch current"], "the first request is void");
    let _ = scene.token(1, 600);
    assert_eq!(scene.input(present(1)), [""; 0]);
    assert_eq!(scene.input(present(2)), ["abort 1", "lost", "forget 2", "fetch current"]);
    assert_eq!(scene.token(2, 600), ["connecting", "open 2"]);
    assert_eq!(scene.opened(2), ["authenticated", "forget 3"]);
    assert_eq!(scene.client.state(), State::Connected);
}

#[test]
fn a_wait_is_over_unless_the_server_named_it() {
    let mut scene = in_band();
    scene.connect();
    let lost = |scene: &mut Scene, retry_after| {
        let epoch = scene.client.live().unwrap();
        let failure = crate::dialect::Failure::Transport;
        scene.input(Input::Ended { epoch, failure, retry_after })
    };
    assert_eq!(lost(&mut scene, None), ["lost"]);
    assert_eq!(scene.input(present(2)), ["fetch current"]);
    let _ = scene.token(2, 600);
    let _ = scene.opened(2);
    assert_eq!(lost(&mut scene, Some(std::time::Duration::from_secs(60))), ["lost"]);
    assert_eq!(scene.input(present(3)), [""; 0]);
}

/// A source that does not number its tokens can't be held to it.
#[test]
fn one_that_the_source_does_not_have_is_asked_for_once_more_and_not_for_ever() {
    let mut scene = in_band();
    let _ = scene.input(Input::Start);
    let _ = scene.input(present(9));
    let _ = scene.token(1, 600);
    assert_eq!(scene.opened(1), ["authenticated", "forget 2", "fetch newer than 1"]);
    let _ = scene.token(2, 600);
    assert_eq!(scene.says(1, r#"{"ok":true}"#), ["renewed", "forget 3"]);
}

#[test]
fn where_a_renewal_is_a_new_connection_it_takes_the_place_of_the_old() {
    let renewal = Renewal::Reconnect { overlap: true, asked_by: Vec::new(), when: RenewalTime::Early };
    let mut scene = Scene::with(dialect(renewal), Config::new().with_keep_alive(None));
    scene.connect();
    assert_eq!(scene.input(present(2)), ["fetch newer than 1"]);
    assert_eq!(scene.token(2, 600), ["connecting", "open 2"]);
    assert_eq!(scene.input(present(3)), ["abort 2", "lost", "forget 2", "fetch newer than 2"]);
    let _ = scene.token(3, 600);
    assert_eq!(scene.opened(3), ["authenticated", "renewed", "forget 3", "close 1"]);
}

#[test]
fn a_session_that_closes_presents_nothing() {
    let mut scene = in_band();
    scene.connect();
    let _ = scene.input(Input::Close);
    assert_eq!(scene.input(present(2)), [""; 0]);
}
