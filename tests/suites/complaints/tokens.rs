//! Complaints about tokens: an old one comes back, a renewal fails in silence, two renewals cross, a long life or a wrong clock.

use std::sync::Arc;
use std::time::Duration;

use auth_core::source::FixedToken;
use auth_core::{AuthEvent, Demand, Secret, Token, TokenSource as _};
use auth_http::manager::TokenManager;
use realtime_auth_tests::flawed_server::FlawedServer;
use realtime_auth_tests::piped_server::{Mood, PipedServer};
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::rotating::{Rotating, chain};
use realtime_auth_tests::wrong_clocks::WrongClocks;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Session, SessionEvent, Target};
use ws_session::machine::{Config, State};

use super::clocked::Clocked;
use super::scene::{CANARY, DAY, Peer, Scene, Source, quiet};

const HOUR: Duration = Duration::from_secs(3_600);

/// Everything that a connection shows its server before it is in, and the tokens in that.
async fn presented(peer: &mut Peer, dialect: &Dialect) -> Vec<String> {
    let mut shown = peer.upgrade().await;
    if !dialect.login.is_empty() {
        shown.push_str(&peer.answer_login().await);
    }
    let tokens = shown.split(CANARY).skip(1);
    tokens.map(|rest| rest.chars().take_while(char::is_ascii_digit).collect()).collect()
}

/// Wherever the credential goes, however the connection before ended, and also where the network woke the session up.
#[tokio::test(start_paused = true)]
async fn each_attempt_asks_for_its_token_and_shows_no_earlier_one() {
    for name in ["bearer-header", "bearer-query", "bearer-subprotocol", "genesys", "optave"] {
        let dialect = Dialect::named(name).unwrap();
        let source = Source::for_ever();
        let mut scene = Scene::open(dialect.clone(), source.clone());
        for attempt in 1..=9 {
            let mut peer = scene.peer().await;
            assert_eq!(source.asked().len(), attempt, "{name}");
            assert_eq!(presented(&mut peer, &dialect).await, [attempt.to_string()], "{name}");
            match attempt % 3 {
                0 => drop(peer),
                1 => peer.close(1011, "").await,
                _ => {
                    scene.session.authenticated().await.unwrap();
                    drop(peer);
                    scene.session.network_changed();
                }
            }
        }
    }
    // The control: a source that has one token only shows that one again.
    let dialect = Dialect::bearer_header();
    let fixed = Token::new(Secret::from(format!("{CANARY}1")));
    let mut scene = Scene::open(dialect.clone(), Arc::new(FixedToken::new(fixed)));
    for _ in 0..2 {
        assert_eq!(presented(&mut scene.peer().await, &dialect).await, ["1"]);
    }
}

/// The server never closes: it is the session that leaves, once its credential has no time left.
#[tokio::test(start_paused = true)]
async fn each_failed_renewal_tells_the_time_left_and_the_session_leaves_before_it_is_told_to() {
    let source = Source::living(Duration::from_secs(600), Duration::from_secs(480));
    let mut scene = Scene::with(Dialect::genesys(), source.clone(), quiet);
    let mut peer = scene.peer().await;
    peer.welcome().await;
    let begun = Instant::now();
    source.be_down(true);
    assert_eq!(peer.ended().await, [0; 0], "neither a renewal nor a goodbye");
    assert_eq!(begun.elapsed().as_secs(), 10 * 60, "as long as the credential serves");
    let left: Vec<_> = scene.recorder.events().iter().filter_map(time_left).collect();
    assert!(left.len() >= 6 && left.is_sorted_by(|earlier, later| earlier > later), "{left:?}");
    assert!(
        left[0] <= Duration::from_secs(120) && left[left.len() - 1] <= Duration::from_secs(30),
        "{left:?}"
    );
    let mut to_the_user = Vec::new();
    let lost = loop {
        match scene.events.next().await.unwrap() {
            SessionEvent::RenewalFailed { valid_for, retry_in, .. } => {
                assert!(retry_in.is_some(), "it is tried again");
                to_the_user.push(valid_for.unwrap());
            }
            SessionEvent::Closed { reason, .. } => break reason,
            _ => {}
        }
    };
    assert_eq!(to_the_user, left, "the user is told what the observer is told");
    assert_eq!(lost.as_str(), "the credential expired before it could be renewed");
    source.be_down(false);
    let mut peer = scene.peer().await;
    peer.welcome().await;
    scene.session.authenticated().await.unwrap();
}

fn time_left(event: &AuthEvent) -> Option<Duration> {
    match event {
        AuthEvent::RenewalFailed { valid_for, .. } => Some(valid_for.expect("the time left is known")),
        _ => None,
    }
}

/// A manager beneath a session has its own say: the less time there is, the sooner it tries again.
#[tokio::test(start_paused = true)]
async fn a_manager_tells_of_each_failed_request_with_the_time_left_and_hurries_towards_the_end() {
    let endpoint = PipedServer::new(&WrongClocks::start(), 0, HOUR);
    let recorder = Recorder::default();
    let manager = TokenManager::builder(endpoint.grant()).with_observer(Arc::new(recorder.clone())).spawn();
    manager.token(Demand::Current).await.unwrap();
    endpoint.be(Mood::Unavailable);
    let begun = Instant::now();
    while begun.elapsed() < HOUR {
        // Somebody uses it: a token that nobody uses is left alone.
        let _ = manager.token(Demand::Current).await;
        sleep(Duration::from_secs(1)).await;
    }
    let mut failed = 0;
    let mut pauses = Vec::new();
    for event in recorder.events() {
        match event {
            AuthEvent::TokenRequestFailed { valid_for: Some(left), .. } if !left.is_zero() => failed += 1,
            AuthEvent::RenewalPaused { retry_in, valid_for: Some(left), .. } if !left.is_zero() => {
                pauses.push((left, retry_in));
            }
            _ => {}
        }
    }
    assert!(failed > 10, "{failed}");
    assert!(pauses.is_sorted_by(|earlier, later| earlier.0 > later.0), "{pauses:?}");
    let hurries = |(left, pause): &(Duration, Duration)| *pause <= *left / 4 + Duration::from_secs(1);
    assert!(pauses.len() > 5 && pauses.iter().all(hurries), "{pauses:?}");
    let expired = |event: &AuthEvent| matches!(event, AuthEvent::TokenExpired { .. });
    assert_eq!(recorder.count(expired), 1, "and the end is told");
}

/// Logs in with this source each, and all renew at once then.
async fn log_in_and_renew(server: &FlawedServer, managers: impl Iterator<Item = TokenManager>) {
    let mut sessions = JoinSet::new();
    for manager in managers {
        let target = Target::new(&format!("ws://{}/ws", server.address())).unwrap();
        let mut session = Session::builder(target, Dialect::genesys(), Arc::new(manager)).spawn();
        sessions.spawn(async move {
            session.authenticated().await.unwrap();
            session
        });
    }
    let mut renewing = JoinSet::new();
    for session in sessions.join_all().await {
        renewing.spawn(async move { drop(session.renew_now().await) });
    }
    renewing.join_all().await;
}

#[tokio::test]
async fn sessions_that_share_a_login_redeem_each_refresh_token_once() {
    let server = FlawedServer::flawless().await.unwrap();
    let endpoint = Rotating::serve().await.unwrap();
    let manager = TokenManager::builder(endpoint.grant()).spawn();
    log_in_and_renew(&server, std::iter::repeat_n(manager, 30)).await;
    assert_eq!(endpoint.presented(), chain(2), "one flight for all logins, and one for all renewals");
    assert!(!endpoint.is_revoked());
    // The control: with a flight each, the login is lost.
    let endpoint = Rotating::serve().await.unwrap();
    let managers = (0..2).map(|_| TokenManager::builder(endpoint.grant()).spawn());
    let logging_in = log_in_and_renew(&server, managers);
    tokio::select! {
        () = logging_in => {}
        () = endpoint.until(|progress| progress.answered >= 2) => {}
    }
    assert!(endpoint.is_revoked());
}

/// 32 bits of milliseconds, signed or not, are 24.8 or 49.7 days.
#[tokio::test(start_paused = true)]
async fn a_token_that_lives_for_months_is_renewed_when_it_should_be_and_not_before() {
    let life = 50 * DAY;
    let source = Source::living(life, life - HOUR);
    let mut scene = Scene::with(Dialect::genesys(), source.clone(), quiet);
    let mut peer = scene.peer().await;
    peer.welcome().await;
    let begun = Instant::now();
    let renewal = peer.answer_login().await;
    assert!(renewal.contains("canary-2"), "{renewal}");
    assert_eq!(begun.elapsed().as_secs(), (life - HOUR).as_secs());
    // The longest time that a number can say is no trouble either.
    let source = Source::living(Duration::MAX, Duration::MAX);
    let mut scene = Scene::with(Dialect::bearer_header(), source.clone(), quiet);
    let mut peer = scene.peer().await;
    peer.upgrade().await;
    scene.session.authenticated().await.unwrap();
    assert!(timeout(DAY, scene.session.next()).await.is_err());
    assert_eq!((scene.session.state(), source.asked().len()), (State::Connected, 1));
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_counts_from_its_receipt_whatever_the_wall_clock_says() {
    for seconds in [0, -365 * 86_400, 365 * 86_400] {
        let clocks = WrongClocks::start();
        clocks.set_wall(seconds);
        let source = Source::living(HOUR, HOUR / 2);
        let mut clocked = Clocked::open(&clocks, source.clone(), Config::new().with_keep_alive(None));
        let mut peer = clocked.peer().await;
        peer.welcome().await;
        let begun = Instant::now();
        for number in 2..5 {
            let renewal = peer.answer_login().await;
            assert!(renewal.contains(&format!("canary-{number}")), "{renewal}");
            assert_eq!(begun.elapsed().as_secs(), (number - 1) * HOUR.as_secs() / 2, "{seconds}");
        }
    }
}
