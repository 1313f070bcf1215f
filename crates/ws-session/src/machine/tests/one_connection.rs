//! Sessions that do not reconnect: each ends with its connection, and says why.

use std::time::Duration;

use super::scene::Scene;
use super::world::closed;
use crate::ErrorKind;
use crate::dialect::{Dialect, Failure};
use crate::machine::{Config, Input, State};

fn begun(config: Config) -> Scene {
    let mut scene = Scene::with(Dialect::optave(), config.without_reconnection());
    assert_eq!(scene.input(Input::Start), ["fetch current"]);
    assert_eq!(scene.token(1, 600), ["connecting", "open 1"]);
    scene
}

fn failed(scene: &Scene) -> (ErrorKind, Option<u16>) {
    assert_eq!((scene.client.state(), scene.wait), (State::Failed, None), "it wants nothing more");
    let error = scene.client.error().unwrap();
    assert!(error.to_string().contains("open another"), "{error}");
    (error.kind(), error.code())
}

#[test]
fn its_end_is_the_sessions() {
    for (failure, kind, code) in [
        (closed(1001), ErrorKind::ConnectionLost, Some(1001)),
        (closed(4401), ErrorKind::AuthenticationRefused, Some(4401)),
        (Failure::Transport, ErrorKind::ConnectionLost, None),
    ] {
        let mut scene = begun(Config::new());
        let _ = scene.opened(1);
        assert_eq!(scene.client.state(), State::Connected);
        assert_eq!(scene.ended(1, failure), ["lost", "failed"]);
        assert_eq!(failed(&scene), (kind, code));
    }
}

#[test]
fn a_first_attempt_that_comes_to_nothing_is_the_last() {
    for (failure, kind, code) in [
        (Failure::Status(401), ErrorKind::AuthenticationRefused, Some(401)),
        (Failure::Status(503), ErrorKind::ConnectionLost, Some(503)),
        (Failure::Transport, ErrorKind::ConnectionLost, None),
    ] {
        let mut scene = begun(Config::new());
        let lines = scene.ended(1, failure.clone());
        assert_eq!(lines, ["forget 1", "lost", "failed"]);
        assert_eq!(failed(&scene), (kind, code));
        // The control: any other session tries again.
        let mut scene = Scene::of(Dialect::optave());
        let _ = (scene.input(Input::Start), scene.token(1, 600), scene.ended(1, failure));
        assert_eq!(scene.client.state(), State::Disconnected);
    }
}

#[test]
fn a_server_that_never_answers_the_upgrade_is_left_in_time() {
    let mut scene = begun(Config::new().with_open_timeout(Duration::from_secs(7)));
    assert_eq!(scene.wait, Some(Duration::from_secs(7)));
    assert_eq!(scene.when_due(), ["abort 1", "forget 1", "lost", "failed"]);
    assert_eq!(failed(&scene), (ErrorKind::Timeout, None));
}

#[test]
fn a_renewal_that_is_under_way_does_not_outlive_it() {
    let mut scene = begun(Config::new());
    let _ = scene.opened(1);
    assert_eq!(scene.input(Input::Renew), ["fetch newer than 1"]);
    assert_eq!(scene.ended(1, closed(1001)), ["lost", "failed"]);
    assert_eq!(failed(&scene), (ErrorKind::ConnectionLost, Some(1001)));
    assert_eq!(scene.token(2, 600), ["forget 2"], "nobody waits for it");
}
