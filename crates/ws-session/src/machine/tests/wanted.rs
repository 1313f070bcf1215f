//! A fresh credential that the user wants while there is no connection to renew.

use super::scene::Scene;
use crate::dialect::{Dialect, Failure, Placement, Template};
use crate::machine::{Input, State};

fn dialect() -> Dialect {
    let mut placement = Placement::default();
    placement.query.push(("token".to_owned(), Template::text("${credential}")));
    Dialect { placement, ..Dialect::new("test") }
}

/// Connected once, on token 1, and waiting for the next attempt, which would do with the same token.
fn lost() -> Scene {
    let mut scene = Scene::live(dialect());
    assert_eq!(scene.client.state(), State::Connected);
    let _ = scene.ended(1, Failure::Transport);
    scene
}

#[test]
fn the_wait_for_the_next_attempt_is_over_and_it_asks_for_another_token_than_was_presented() {
    let mut scene = lost();
    assert_eq!(scene.input(Input::Renew), ["fetch newer than 1"]);
    assert_eq!(scene.input(Input::Renew), [""; 0], "it is on its way");
    // The control: what the attempt asks for by itself.
    assert_eq!(lost().when_due(), ["fetch current"]);
}

#[test]
fn an_attempt_that_asks_for_a_token_already_goes_on_with_what_it_gets() {
    let mut scene = lost();
    assert_eq!(scene.when_due(), ["fetch current"]);
    assert_eq!(scene.input(Input::Renew), [""; 0], "one token is asked for at a time");
    assert_eq!(scene.token(1, 600), ["connecting", "open 2"]);
}

#[test]
fn before_anything_was_presented_every_token_is_a_fresh_one() {
    let mut scene = Scene::of(dialect());
    assert_eq!(scene.input(Input::Start), ["fetch current"]);
    assert_eq!(scene.input(Input::Renew), [""; 0]);
}
