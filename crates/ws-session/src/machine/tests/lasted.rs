//! How long a connection lasted: from its acceptance to its end, however it ends.

use std::time::Duration;

use super::scene::Scene;
use super::world::closed;
use crate::dialect::Dialect;
use crate::machine::{Config, Input, State};

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn a_lost_connection_lasted_from_its_acceptance() {
    let mut scene = Scene::of(Dialect::optave());
    let _ = (scene.input(Input::Start), scene.token(1, 600));
    // The upgrade takes its time, which does not count.
    let _ = (scene.after(3.0), scene.opened(1), scene.after(40.0));
    let _ = scene.ended(1, closed(1001));
    assert_eq!(scene.lasted, [seconds(40)]);
    // The attempt after it comes to nothing.
    let _ = (scene.when_due(), scene.token(2, 600), scene.after(1.0), scene.ended(2, closed(1001)));
    assert_eq!(scene.lasted, [seconds(40), None]);
    assert_eq!(scene.client.state(), State::Disconnected);
    let _ = scene.input(Input::Close);
    assert_eq!(scene.lasted, [seconds(40), None, None], "none was open");
}

#[test]
fn a_session_s_last_connection_lasts_until_it_is_closed_whoever_ends_it() {
    // It is answered, or it is not.
    for answered in [true, false] {
        let mut scene = Scene::live(Dialect::optave());
        let _ = (scene.after(40.0), scene.input(Input::Close), scene.after(1.0));
        let expected = if answered {
            let _ = scene.ended(1, closed(1000));
            Duration::from_secs(41)
        } else {
            let begun = scene.now.mono.elapsed();
            let _ = scene.when_due();
            Duration::from_secs(41) + (scene.now.mono.elapsed() - begun)
        };
        assert_eq!((scene.client.state(), &*scene.lasted), (State::Closed, &[Some(expected)][..]));
    }
}

#[test]
fn a_connection_whose_credential_expires_lasted_as_well() {
    let mut scene = Scene::with(Dialect::genesys(), Config::new().with_keep_alive(None));
    let _ = (scene.input(Input::Start), scene.token(1, 600), scene.opened(1));
    let _ = scene.says(1, r#"{"type":"auth","status":"ok","sessionId":"s"}"#);
    let gone = auth_core::Error::new(auth_core::ErrorKind::InvalidGrant, "log in again");
    while !scene.when_due().iter().any(|line| line.starts_with("fetch")) {}
    let _ = scene.no_token(gone);
    while scene.client.state() == State::Connected {
        let _ = scene.when_due();
    }
    assert_eq!((scene.client.state(), &*scene.lasted), (State::Failed, &[seconds(600)][..]));
}
