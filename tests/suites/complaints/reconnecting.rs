//! Complaints about reconnecting: in step with everybody else, in a tight loop, or before the server wanted it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::backoff::Jitter;
use realtime_auth_tests::recorder::Recorder;
use tokio::time::{Instant, sleep, timeout};
use ws_session::dialect::Dialect;
use ws_session::driver::tokio::{Builder, ConnectBudget, Dial, Dialing, Server, Session, Target};

use super::scene::{DAY, Scene, Source, quiet};

const SECOND: Duration = Duration::from_secs(1);

/// The defaults of a session.
const BASE: Duration = Duration::from_millis(500);
const CAP: Duration = Duration::from_secs(30);

/// How many sessions lose their server at once.
const FLEET: usize = 200;

/// Nobody is there.
struct Nobody;

impl Dial for Nobody {
    fn dial(&self, _server: &Server) -> Dialing {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }
}

/// Says whether the waits of a fleet after so many failures are spread over all that there is: some of it in each fifth, and no
/// moment at which they come together.
fn are_spread(waits: &[Duration], failures: usize) -> bool {
    let longest = (BASE * 2_u32.pow(failures as u32)).min(CAP);
    let in_fifth = |fifth: u32| {
        let within = longest * fifth / 5..=longest * (fifth + 1) / 5;
        waits.iter().filter(|wait| within.contains(*wait)).count()
    };
    let mut apart = waits.to_vec();
    apart.sort_unstable();
    apart.dedup();
    apart.len() == waits.len() && (0..5).all(|fifth| in_fifth(fifth) >= waits.len() / 20)
}

#[tokio::test(start_paused = true)]
async fn the_waits_of_a_fleet_are_spread_in_full_from_the_first_attempt_on_and_at_the_cap() {
    let mut fleet = Vec::new();
    for number in 0..FLEET {
        let settle = |builder: Builder| builder.with_dialer(Arc::new(Nobody)).with_seed(number as u64);
        fleet.push(Scene::with(Dialect::bearer_header(), Source::for_ever(), settle));
    }
    sleep(20 * CAP).await;
    for failures in 0..12 {
        let waits: Vec<_> = fleet.iter().map(|scene| scene.losses()[failures].1.unwrap()).collect();
        assert!(are_spread(&waits, failures), "after {failures}: {waits:?}");
    }
    // The control: who clamps after the jitter, as a client of Socket.IO's does, has a fleet come back at the same instant.
    let mut jitter = Jitter::seeded(1);
    let clamped = |failures| {
        let grown = BASE * 2_u32.pow(failures);
        jitter.between(grown / 2, grown * 3 / 2).min(CAP)
    };
    let clamped: Vec<_> = std::iter::repeat_n(8, FLEET).map(clamped).collect();
    assert!(!are_spread(&clamped, 8));
}

/// Counts how many connections are being made, and makes none.
#[derive(Default)]
struct Slow {
    now: Arc<AtomicUsize>,
    most: AtomicUsize,
}

impl Dial for Slow {
    fn dial(&self, _server: &Server) -> Dialing {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let leaving = Arc::clone(&self.now);
        Box::pin(async move {
            sleep(SECOND).await;
            leaving.fetch_sub(1, Ordering::SeqCst);
            Err(io::ErrorKind::ConnectionRefused.into())
        })
    }
}

/// The most connections that so many sessions make at once; each has made one at least.
async fn most_at_once(sessions: usize, budget: Option<ConnectBudget>) -> usize {
    let dialer = Arc::new(Slow::default());
    let recorder = Recorder::default();
    let mut fleet = Vec::new();
    for _ in 0..sessions {
        let target = Target::new("ws://127.0.0.1/ws").unwrap();
        let builder = Session::builder(target, Dialect::bearer_header(), Source::for_ever());
        let builder = builder.with_dialer(dialer.clone()).with_observer(Arc::new(recorder.clone()));
        fleet.push(match &budget {
            Some(budget) => builder.with_connect_budget(budget.clone()).spawn(),
            None => builder.spawn(),
        });
    }
    let first = |event: &AuthEvent| matches!(event, AuthEvent::Connecting { failures: 0, .. });
    let all = async {
        while recorder.count(first) < sessions {
            sleep(SECOND / 4).await;
        }
    };
    timeout(DAY, all).await.expect("somebody never has a turn");
    dialer.most.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn no_more_sessions_connect_at_once_than_their_budget_says() {
    assert_eq!(most_at_once(60, Some(ConnectBudget::new(7))).await, 7);
    assert_eq!(most_at_once(60, Some(ConnectBudget::new(1_000))).await, 60, "the control");
}

#[tokio::test(start_paused = true)]
async fn sessions_without_a_budget_of_their_own_share_that_of_the_process() {
    // Other tests of this process may have a part of it.
    let most = most_at_once(1_100, None).await;
    assert!((500..=1_000).contains(&most), "{most}");
}

/// How often a server that welcomes everybody, and closes after `serves`, is connected to in an hour.
async fn connections_in_an_hour(serves: Duration) -> u32 {
    let mut scene = Scene::with(Dialect::genesys(), Source::for_ever(), quiet);
    let begun = Instant::now();
    let mut connections = 0;
    while begun.elapsed() < 3_600 * SECOND {
        let mut peer = scene.peer().await;
        peer.welcome().await;
        connections += 1;
        assert!(connections < 1_000, "a tight loop");
        sleep(serves).await;
        peer.close(1011, "").await;
    }
    connections
}

/// A backoff that an open connection, or an accepted credential, resets would never grow beyond half a second here.
#[tokio::test(start_paused = true)]
async fn a_server_that_accepts_and_then_closes_is_left_alone_for_ever_longer() {
    let expected = 3_600 / (CAP.as_secs() as u32 / 2);
    let connections = connections_in_an_hour(Duration::ZERO).await;
    assert!((expected / 2..expected * 2).contains(&connections), "{connections} connections");
    // The control: one that has served for long is come back to at once.
    let connections = connections_in_an_hour(40 * SECOND).await;
    assert!((88..=90).contains(&connections), "{connections} connections");
}

/// The waits of sessions that are refused with this.
async fn waits(status: u16, advice: u64) -> Vec<Duration> {
    let mut waits = Vec::new();
    for _ in 0..50 {
        let mut scene = Scene::open(Dialect::bearer_header(), Source::for_ever());
        let refused = Instant::now();
        scene.peer().await.refuse(status, &format!("Retry-After: {advice}\r\n")).await;
        // Neither a user in a hurry nor a new network is the server.
        scene.session.renew();
        scene.session.network_changed();
        let _next = scene.peer().await;
        let wait = scene.losses()[0].1.unwrap();
        let waited = refused.elapsed();
        assert!(waited.abs_diff(wait) < SECOND / 10, "{waited:?} and not {wait:?}");
        waits.push(wait);
    }
    waits.sort_unstable();
    waits
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_a_server_names_is_kept_within_bounds_and_lengthened_at_random() {
    for status in [429, 503] {
        let kept = waits(status, 40).await;
        assert!(kept[0] >= 40 * SECOND && kept[49] <= 44 * SECOND, "{kept:?}");
        assert!(
            kept[49] - kept[0] > 2 * SECOND && kept[0] != kept[1],
            "a fleet does not come back at once: {kept:?}"
        );
        let bounded = waits(status, 31_536_000).await;
        assert!(
            bounded[0] >= 300 * SECOND && bounded[49] <= 305 * SECOND,
            "a year is five minutes: {bounded:?}"
        );
        let none = waits(status, 0).await;
        assert!(none[0] >= Duration::from_millis(50), "none at all is no tight loop: {none:?}");
    }
    // The control: without advice the first wait after 503 is short.
    let mut scene = Scene::open(Dialect::bearer_header(), Source::for_ever());
    scene.peer().await.refuse(503, "").await;
    assert!(scene.losses()[0].1.unwrap() <= BASE);
}
