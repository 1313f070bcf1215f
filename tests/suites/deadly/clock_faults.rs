//! Clocks that err: set by an hour, stopped by a suspend, five minutes apart. No expired token is presented, and nothing loops.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::backoff::Jitter;
use auth_core::{AuthEvent, Demand, Secret, TokenSource as _};
use auth_http::exchange::HttpExchange as _;
use auth_http::manager::{Timer as _, TokenManager};
use auth_http::store::MemoryStore;
use auth_http::wire::{TokenEndpoint, TokenForm};
use realtime_auth_tests::piped_server::{Mood, PipedServer};
use realtime_auth_tests::recorder::Recorder;
use realtime_auth_tests::wrong_clocks::WrongClocks;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// How far the server's clock is off, in seconds: behind, right and ahead.
const SERVERS: [i64; 3] = [-5 * MINUTE as i64, 0, 5 * MINUTE as i64];

/// What happens to the client's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Forward,
    Back,
    Suspend,
}

impl Fault {
    fn strike(self, clocks: &WrongClocks) {
        match self {
            Self::None => {}
            Self::Forward => clocks.set_wall(HOUR as i64),
            Self::Back => clocks.set_wall(-(HOUR as i64)),
            Self::Suspend => clocks.suspend(Duration::from_secs(HOUR)),
        }
    }
}

/// What the manager is at when it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    InFlight,
    Paused,
}

/// How it obtains tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// For itself.
    Client,
    /// With refresh tokens that rotate, from a store.
    Login,
}

/// A client, its clocks, its server, and what came of its calls.
struct World {
    clocks: WrongClocks,
    server: PipedServer,
    recorder: Recorder,
    store: MemoryStore,
    manager: TokenManager,
    calls: u64,
    failures: u64,
}

impl World {
    fn new(kind: Kind, ahead_s: i64, lifetime_s: u64) -> Self {
        let clocks = WrongClocks::start();
        let server = PipedServer::new(&clocks, ahead_s, Duration::from_secs(lifetime_s));
        let (recorder, store) = (Recorder::default(), MemoryStore::new());
        let manager = manager(kind, &clocks, &server, &recorder, &store);
        Self { clocks, server, recorder, store, manager, calls: 0, failures: 0 }
    }

    fn begin_anew(&mut self, kind: Kind) {
        self.manager = manager(kind, &self.clocks, &self.server, &self.recorder, &self.store);
    }

    /// A caller asks for a token, and presents what it gets.
    async fn call(&mut self) {
        self.calls += 1;
        match self.manager.token(Demand::Current).await {
            Ok(token) => {
                self.server.takes(token.secret()).await;
            }
            Err(_) => self.failures += 1,
        }
    }

    /// A caller every five seconds, for as long as that or until something has happened.
    async fn run(&mut self, seconds: u64, happened: impl Fn(&Self) -> bool) {
        for _ in 0..seconds / 5 {
            if happened(self) {
                return;
            }
            self.call().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }

    fn pauses(&self) -> usize {
        self.recorder.count(|event| matches!(event, AuthEvent::RenewalPaused { .. }))
    }

    /// Gets the manager into a phase.
    async fn reach(&mut self, phase: Phase) {
        self.call().await;
        self.run(100, |_| false).await;
        match phase {
            Phase::Idle => {}
            Phase::InFlight => {
                self.server.be(Mood::Slow(Duration::from_secs(8)));
                self.run(HOUR, |world| world.server.requests().len() == 2).await;
                assert_eq!(self.server.issued(), 1, "the answer is still on its way");
            }
            Phase::Paused => {
                self.server.be(Mood::Unavailable);
                self.run(HOUR, |world| world.pauses() == 4).await;
            }
        }
    }
}

/// A manager whose driver runs.
fn manager(
    kind: Kind,
    clocks: &WrongClocks,
    server: &PipedServer,
    recorder: &Recorder,
    store: &MemoryStore,
) -> TokenManager {
    let builder = match kind {
        Kind::Client => TokenManager::builder(server.grant()),
        Kind::Login => TokenManager::builder(server.login()).with_store(Arc::new(store.clone())),
    };
    let builder = builder.with_observer(Arc::new(recorder.clone())).with_seed(1);
    let (manager, driver) = builder.build_on(Arc::new(clocks.clone()));
    tokio::spawn(driver.run());
    manager
}

impl fmt::Debug for World {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (calls, failures) = (self.calls, self.failures);
        write!(
            formatter,
            "{failures} of {calls} calls failed, {:?}, {:?}",
            self.server,
            self.recorder.events()
        )
    }
}

/// The most renewals of a token of ten minutes in an hour: each is due after seven minutes at least.
const RENEWALS: usize = 9;

/// All combinations of a server's clock, a phase and a fault.
fn cases() -> impl Iterator<Item = (i64, Phase, Fault)> {
    let faults = [Fault::None, Fault::Forward, Fault::Back, Fault::Suspend];
    let phases = [Phase::Idle, Phase::InFlight, Phase::Paused];
    let struck = move |phase| faults.into_iter().map(move |fault| (phase, fault));
    let combined = move || phases.into_iter().flat_map(struck);
    SERVERS.into_iter().flat_map(move |ahead_s| combined().map(move |(phase, fault)| (ahead_s, phase, fault)))
}

/// Has a fault strike, and lives on for an hour: how many requests that takes.
async fn strike(world: &mut World, phase: Phase, fault: Fault) -> usize {
    world.reach(phase).await;
    assert_eq!((world.failures, world.server.refused()), (0, 0), "all is well until then");
    let before = world.server.requests().len();
    fault.strike(&world.clocks);
    world.call().await;
    world.server.be(Mood::Issues);
    world.run(HOUR, |_| false).await;
    world.server.requests().len() - before
}

#[tokio::test(start_paused = true)]
async fn no_clock_fault_has_an_expired_token_presented_or_sets_off_a_loop() {
    for lifetimes_are_secret in [false, true] {
        for (ahead_s, phase, fault) in cases() {
            let mut world = World::new(Kind::Client, ahead_s, 10 * MINUTE);
            if lifetimes_are_secret {
                world.server.keep_lifetimes_secret();
            }
            let requests = strike(&mut world, phase, fault).await;
            let case = format!("{fault:?} while {phase:?}, the server {ahead_s} s ahead: {world:?}");
            assert_eq!(world.server.refused(), 0, "presented an expired token: {case}");
            // One more for a token that a clock says has expired, and one for an answer that came too late by it.
            assert!((7..=RENEWALS + 2).contains(&requests), "{requests} requests: {case}");
            // Who has lost the token during an outage learns of that for the rest of the pause: 8 s at most, a caller each 5 s.
            let loses_token = matches!(fault, Fault::Forward | Fault::Suspend);
            let most = if phase == Phase::Paused && loses_token { 2 } else { 0 };
            assert!(world.failures <= most, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_clock_fault_has_a_refresh_token_sent_twice() {
    for (ahead_s, phase, fault) in cases() {
        let mut world = World::new(Kind::Login, ahead_s, 10 * MINUTE);
        let requests = strike(&mut world, phase, fault).await;
        let case = format!("{fault:?} while {phase:?}, the server {ahead_s} s ahead: {world:?}");
        assert_eq!((world.server.refused(), world.server.reused()), (0, 0), "{case}");
        assert!((7..=RENEWALS + 2).contains(&requests), "{requests} requests: {case}");
        assert!(world.failures <= 2, "{case}");
        let token = world.manager.token(Demand::Current).await.unwrap();
        let newer = world.manager.token(Demand::NewerThan(token.generation())).await.unwrap();
        assert!(newer.generation() > token.generation(), "the login is alive: {case}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_to_and_fro_costs_a_request_a_jump_at_most() {
    for kind in [Kind::Client, Kind::Login] {
        for ahead_s in SERVERS {
            let mut world = World::new(kind, ahead_s, 10 * MINUTE);
            world.server.keep_lifetimes_secret();
            for minute in 0..60 {
                let fault = if minute % 2 == 0 { Fault::Back } else { Fault::Forward };
                fault.strike(&world.clocks);
                world.run(MINUTE, |_| false).await;
            }
            assert_eq!(
                (world.server.refused(), world.server.reused(), world.failures),
                (0, 0, 0),
                "{world:?}"
            );
            assert!(world.server.requests().len() <= RENEWALS + 30, "{world:?}");
        }
    }
}

/// Tokens that live shorter than the clocks are apart are what a client that compares the two can't handle.
#[tokio::test(start_paused = true)]
async fn short_lived_tokens_of_a_server_whose_clock_is_off_are_cached_all_the_same() {
    for ahead_s in SERVERS {
        let mut world = World::new(Kind::Client, ahead_s, 2 * MINUTE);
        world.server.keep_lifetimes_secret();
        world.run(HOUR, |_| false).await;
        assert_eq!((world.server.refused(), world.failures), (0, 0), "{world:?}");
        // Each is renewed after half of its life, less a tenth of it at most.
        let renewals = usize::try_from(HOUR / 48).unwrap();
        assert!((60..=renewals + 1).contains(&world.server.requests().len()), "{world:?}");
    }
}

/// A token in the store says by the wall clock when it was obtained, and that may be later than it is now.
#[tokio::test(start_paused = true)]
async fn a_program_that_begins_anew_after_the_wall_clock_was_set_back_trusts_no_token_of_the_future() {
    // The control first: a token that nothing speaks against is adopted.
    for (fault, requests) in [(Fault::None, 1), (Fault::Back, 2)] {
        let mut world = World::new(Kind::Login, 0, 10 * MINUTE);
        world.run(MINUTE, |_| false).await;
        world.manager.shut_down().await;
        fault.strike(&world.clocks);
        world.begin_anew(Kind::Login);
        world.run(MINUTE, |_| false).await;
        let counted = (world.server.requests().len(), world.server.reused(), world.failures);
        assert_eq!(counted, (requests, 0, 0), "{fault:?}: {world:?}");
        world.run(HOUR, |_| false).await;
        assert_eq!((world.server.refused(), world.server.reused(), world.failures), (0, 0, 0), "{world:?}");
    }
}

/// To both clocks no time has passed then, unless somebody noticed the step back when it happened.
#[tokio::test(start_paused = true)]
async fn a_wall_clock_set_back_hides_no_suspend_of_the_same_length() {
    let mut world = World::new(Kind::Client, 0, 10 * MINUTE);
    world.run(MINUTE, |_| false).await;
    Fault::Back.strike(&world.clocks);
    world.run(MINUTE, |_| false).await;
    Fault::Suspend.strike(&world.clocks);
    world.run(HOUR, |_| false).await;
    assert_eq!((world.server.refused(), world.failures), (0, 0), "{world:?}");
}

#[tokio::test(start_paused = true)]
async fn many_faults_at_random_have_no_expired_token_presented_and_set_off_no_loop() {
    let faults = [Fault::Forward, Fault::Back, Fault::Suspend];
    for seed in 1..=3 {
        let mut chance = Jitter::seeded(seed);
        for (kind, ahead_s) in
            [(Kind::Client, 300), (Kind::Client, -300), (Kind::Login, 300), (Kind::Login, -300)]
        {
            let mut world = World::new(kind, ahead_s, 10 * MINUTE);
            world.server.be(Mood::Slow(Duration::from_secs(3)));
            for _ in 0..60 {
                let drawn = chance.between(Duration::ZERO, Duration::from_nanos(2)).as_nanos();
                faults[usize::try_from(drawn).unwrap()].strike(&world.clocks);
                // The driver looks at the clocks each half minute: of two faults at once it sees the sum.
                let apart = chance.between(Duration::from_secs(40), Duration::from_secs(4 * MINUTE));
                world.run(apart.as_secs(), |_| false).await;
            }
            assert_eq!((world.server.refused(), world.server.reused()), (0, 0), "seed {seed}: {world:?}");
            // A renewal each seven minutes of four hours at most, and one for each fault.
            assert!(world.server.requests().len() <= 4 * RENEWALS + 60, "seed {seed}: {world:?}");
            assert!(world.failures <= 60, "seed {seed}: {world:?}");
            world.run(MINUTE, |_| false).await;
            world.manager.token(Demand::Current).await.unwrap();
        }
    }
}

/// A cache that trusts one clock, as many do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Compares a token's `exp` with the wall clock.
    Wall,
    /// Counts from the answer on the monotonic clock.
    Monotonic,
}

/// Presents a token every other second for an hour, in which a fault strikes: how many were refused, and how many requests
/// that took.
async fn live_with(trust: Trust, ahead_s: i64, lifetime_s: u64, fault: Fault) -> (u64, usize) {
    let clocks = WrongClocks::start();
    let server = PipedServer::new(&clocks, ahead_s, Duration::from_secs(lifetime_s));
    let endpoint = TokenEndpoint::new("http://localhost/token", "id", Secret::from("secret")).unwrap();
    let mut cached = None;
    for turn in 0..HOUR / 2 {
        if turn == 50 {
            fault.strike(&clocks);
        }
        let now = clocks.now();
        let expired = cached.as_ref().is_none_or(|(token, received): &(Secret, Duration)| match trust {
            Trust::Wall => {
                let claims = auth_core::jwt::read(token.expose()).unwrap().into_inner();
                claims.expires().unwrap() <= now.wall
            }
            Trust::Monotonic => now.mono.elapsed() >= *received + Duration::from_secs(lifetime_s),
        });
        if expired {
            let request = endpoint.request(&TokenForm::client_credentials(), None).unwrap();
            let issued = endpoint.read(&server.exchange(request).await.unwrap()).unwrap();
            cached = Some((issued.access_token, now.mono.elapsed()));
        }
        if let Some((token, _)) = &cached {
            server.takes(token).await;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    (server.refused(), server.requests().len())
}

/// The control: the same hours find out caches that trust one clock.
#[tokio::test(start_paused = true)]
async fn a_cache_that_trusts_one_clock_presents_expired_tokens_or_loops() {
    let sound = live_with(Trust::Wall, 0, 10 * MINUTE, Fault::None).await;
    assert_eq!(sound, (0, 6), "all is well while nothing is");
    let (refused, _) = live_with(Trust::Wall, 300, 10 * MINUTE, Fault::None).await;
    assert!(refused > 0, "the server's clock is ahead");
    let (refused, _) = live_with(Trust::Wall, 0, 10 * MINUTE, Fault::Back).await;
    assert!(refused > 0, "the wall clock was set back");
    let (refused, _) = live_with(Trust::Monotonic, 0, 10 * MINUTE, Fault::Suspend).await;
    assert!(refused > 0, "the monotonic clock stood still");
    let (_, requests) = live_with(Trust::Wall, -300, 2 * MINUTE, Fault::None).await;
    assert_eq!(requests, 1_800, "one for each call: the server's clock is behind");
}
