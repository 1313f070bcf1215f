//! The machine against the server's half in simulated time, and against servers that misbehave.

use auth_core::time::{Moment, Now, Timestamp};
use auth_core::{ErrorKind as TokenErrorKind, Secret};

use super::*;
use crate::ErrorKind;
use crate::dialect::{Dialect, Template};
use crate::server::{self, ServerSession};

/// A client machine, its token source and its server, on one clock that the test moves.
struct World {
    now: Now,
    client: Session,
    server: Option<ServerSession>,
    /// What the server says to each credential that is presented.
    verdict: Box<dyn FnMut(u64) -> Option<Result<Duration, &'static str>>>,
    /// What the source says to each demand, given the newest generation so far.
    source: Box<dyn FnMut(Demand, u64) -> Result<u64, auth_core::Error>>,
    /// Whether an upgrade succeeds.
    upgrade: Box<dyn FnMut() -> Result<(), Failure>>,
    life: Duration,
    issued: u64,
    ticket: Option<(Ticket, u64)>,
    epoch: Epoch,
    demands: Vec<Demand>,
    presented: Vec<u64>,
    events: Vec<&'static str>,
    opened: u32,
    aborted: u32,
    inbox: Vec<String>,
}

const LIFE: Duration = Duration::from_secs(600);

impl World {
    fn new() -> Self {
        Self::seeded(1)
    }

    fn seeded(seed: u64) -> Self {
        Self {
            now: Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN },
            client: Session::new(Dialect::genesys(), Config::new(), seed),
            server: None,
            verdict: Box::new(|_| Some(Ok(LIFE))),
            source: Box::new(|demand, newest| {
                Ok(match demand {
                    Demand::Current if newest > 0 => newest,
                    _ => newest + 1,
                })
            }),
            upgrade: Box::new(|| Ok(())),
            life: LIFE,
            issued: 0,
            ticket: None,
            epoch: Epoch::default(),
            demands: Vec::new(),
            presented: Vec::new(),
            events: Vec::new(),
            opened: 0,
            aborted: 0,
            inbox: Vec::new(),
        }
    }

    fn started() -> Self {
        let mut world = Self::new();
        world.input(Input::Start);
        world
    }

    fn input(&mut self, input: Input) {
        self.client.handle(self.now, input).unwrap();
        self.settle();
    }

    /// Does all that the client asks, until it waits.
    fn settle(&mut self) {
        loop {
            match self.client.poll(self.now) {
                Output::FetchToken { ticket, demand } => self.fetch(ticket, demand),
                Output::Open { epoch } => {
                    self.epoch = epoch;
                    self.opened += 1;
                    let input = match (self.upgrade)() {
                        Ok(()) => {
                            let server = ServerSession::new(
                                self.now,
                                Dialect::genesys(),
                                "s1".into(),
                                Duration::from_secs(10),
                            );
                            self.server = Some(server);
                            Input::Opened { epoch }
                        }
                        Err(failure) => Input::Ended { epoch, failure, retry_after: None },
                    };
                    self.wait();
                    self.client.handle(self.now, input).unwrap();
                }
                Output::Present { epoch, ticket } => {
                    assert_eq!(epoch, self.epoch);
                    let (expected, token) = self.ticket.expect("a token to present");
                    assert_eq!(ticket, expected);
                    self.presented.push(token);
                    self.wait();
                    self.send(&login(token));
                }
                Output::Close { .. } => self.server = None,
                Output::Abort { .. } => {
                    self.server = None;
                    self.aborted += 1;
                }
                Output::Event(event) => self.events.push(name(&event)),
                Output::Wait(_) => return,
            }
        }
    }

    /// Polls the client dry without acting on what it wants next: nothing must be left over.
    fn wait(&mut self) {
        match self.client.poll(self.now) {
            Output::Wait(_) => {}
            other => panic!("left over: {other:?}"),
        }
    }

    fn fetch(&mut self, ticket: Ticket, demand: Demand) {
        self.demands.push(demand);
        let result = (self.source)(demand, self.issued);
        let result = result.map(|generation| {
            self.issued = self.issued.max(generation);
            self.ticket = Some((ticket, generation));
            let generation = (0..generation).fold(Generation::NONE, |generation, _| generation.next());
            let token = Token::new(Secret::from("x")).with_generation(generation).with_expires_in(self.life);
            TokenFacts::from(&token)
        });
        self.wait();
        self.client.handle(self.now, Input::Token { ticket, result }).unwrap();
    }

    /// Carries a message to the server, and its answers back.
    fn send(&mut self, text: &str) {
        let Some(server) = &mut self.server else { return };
        let _ = server.receive(text).unwrap();
        self.serve();
    }

    fn serve(&mut self) {
        while let Some(server) = &mut self.server {
            match server.poll() {
                server::Output::Verify { credential, .. } => {
                    assert!(matches!(server.poll(), server::Output::Wait(_)));
                    let token = credential.expose().parse().unwrap();
                    if let Some(verdict) = (self.verdict)(token) {
                        server.decided(self.now, verdict).unwrap();
                    }
                }
                server::Output::Send(text) => {
                    if self.client.receive(self.now, self.epoch, &text).unwrap() == Received::Deliver {
                        self.inbox.push(text);
                    }
                    self.settle();
                }
                server::Output::Close { code, .. } => {
                    self.server = None;
                    let failure = Failure::Closed(Some(code));
                    self.input(Input::Ended { epoch: self.epoch, failure, retry_after: None });
                }
                server::Output::Wait(_) => return,
            }
        }
    }

    /// Lets time pass in small steps, on both ends.
    fn sleep(&mut self, duration: Duration) {
        let until = self.now.mono.elapsed() + duration;
        while self.now.mono.elapsed() < until {
            let step = Duration::from_millis(100).min(until - self.now.mono.elapsed());
            self.now = Now {
                wall: self.now.wall.saturating_add(step),
                mono: Moment::since_origin(self.now.mono.elapsed() + step),
            };
            if let Some(server) = &mut self.server {
                server.tick(self.now).unwrap();
                self.serve();
            }
            self.input(Input::Tick);
        }
    }

    fn drop_connection(&mut self) {
        self.server = None;
        self.input(Input::Ended { epoch: self.epoch, failure: Failure::Transport, retry_after: None });
    }
}

fn login(token: u64) -> String {
    let template: Template = r#"{"type":"auth","token":"${credential}"}"#.parse().unwrap();
    template.render(&Secret::from(token.to_string())).expose().to_owned()
}

fn name(event: &AuthEvent) -> &'static str {
    match event {
        AuthEvent::Connecting { .. } => "connecting",
        AuthEvent::Authenticated { .. } => "authenticated",
        AuthEvent::TokenRenewed { .. } => "renewed",
        AuthEvent::RenewalFailed { .. } => "renewal_failed",
        AuthEvent::ConnectionLost { .. } => "lost",
        AuthEvent::SessionFailed { .. } => "failed",
        AuthEvent::SessionClosed => "closed",
        other => panic!("not of a session: {other:?}"),
    }
}

fn outage() -> auth_core::Error {
    auth_core::Error::new(TokenErrorKind::ServerFailed, "down")
}

#[test]
fn a_session_authenticates_with_its_first_message() {
    let world = World::started();
    assert_eq!(world.client.state(), State::Connected);
    assert_eq!((world.presented, world.events), (vec![1], vec!["connecting", "authenticated"]));
}

#[test]
fn a_live_connection_outlives_any_number_of_tokens() {
    let mut world = World::started();
    world.sleep(LIFE * 20);
    assert_eq!(world.opened, 1, "renewed in band, never reconnected");
    let renewals = world.events.iter().filter(|event| **event == "renewed").count();
    assert!((24..=26).contains(&renewals), "{renewals} renewals in 20 lifetimes, each 120 s early");
}

#[test]
fn a_lost_connection_is_replaced_with_a_token_that_no_server_has_seen() {
    let mut world = World::started();
    for lost in 1..=5 {
        world.drop_connection();
        assert_eq!(world.client.state(), State::Disconnected);
        world.sleep(Duration::from_secs(31));
        assert_eq!((world.client.state(), world.opened), (State::Connected, lost + 1));
    }
    assert_eq!(world.presented, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_token_endpoint_that_is_down_does_not_keep_a_live_token_from_reconnecting() {
    let mut world = World::started();
    world.source = Box::new(|_, newest| Ok(newest)); // the cache has nothing newer to offer
    world.drop_connection();
    world.sleep(Duration::from_secs(1));
    assert_eq!((world.client.state(), &world.presented[..]), (State::Connected, &[1, 1][..]));
}

#[test]
fn a_server_that_never_answers_is_left_after_ten_seconds() {
    let mut world = World::new();
    world.verdict = Box::new(|_| None);
    world.input(Input::Start);
    world.sleep(Duration::from_millis(9_900));
    assert_eq!((world.client.state(), world.aborted), (State::Connecting, 0));
    world.sleep(Duration::from_millis(100));
    assert_eq!((world.client.state(), world.events.last()), (State::Disconnected, Some(&"lost")));
}

#[test]
fn a_refused_token_is_replaced_once_and_then_the_session_fails() {
    let mut world = World::new();
    world.verdict = Box::new(|_| Some(Err("unknown token")));
    world.input(Input::Start);
    world.sleep(Duration::from_secs(600));
    assert_eq!(world.client.state(), State::Failed);
    assert_eq!(world.client.error().unwrap().kind(), ErrorKind::AuthenticationRefused);
    assert_eq!(world.presented, [1, 2], "the second token was asked for instead of the first");
    assert!(matches!(world.demands[..], [Demand::Current, Demand::InsteadOf(_)]));
    assert_eq!(world.events.iter().filter(|event| **event == "failed").count(), 1);
}

#[test]
fn an_expired_token_that_a_fresh_one_replaces_is_no_failure() {
    let mut world = World::new();
    world.verdict = Box::new(|token| Some(if token == 1 { Err("expired") } else { Ok(LIFE) }));
    world.input(Input::Start);
    world.sleep(Duration::from_secs(5));
    assert_eq!((world.client.state(), &world.presented[..]), (State::Connected, &[1, 2][..]));
}

#[test]
fn a_token_that_lacks_scopes_never_opens_a_connection() {
    let mut world = World::new();
    world.source = Box::new(|_, _| Err(auth_core::Error::new(TokenErrorKind::InsufficientScope, "no")));
    world.input(Input::Start);
    world.sleep(Duration::from_secs(600));
    assert_eq!((world.opened, world.demands.len()), (0, 1));
    let error = world.client.error().unwrap();
    assert_eq!(
        (error.kind(), error.token_error().unwrap().kind()),
        (ErrorKind::Token, TokenErrorKind::InsufficientScope)
    );
}

#[test]
fn a_failed_renewal_keeps_the_connection_until_the_token_expires() {
    let mut world = World::started();
    world.source = Box::new(|_, _| Err(outage()));
    world.sleep(LIFE - Duration::from_secs(1));
    assert_eq!((world.client.state(), world.opened), (State::Connected, 1));
    assert!(world.events.contains(&"renewal_failed"));
    world.source = Box::new(|_, newest| Ok(newest + 1));
    world.sleep(Duration::from_secs(60));
    assert_eq!(world.client.state(), State::Connected, "back as soon as the endpoint is");
}

#[test]
fn a_renewal_that_can_never_succeed_ends_the_session_at_the_tokens_expiry() {
    let mut world = World::started();
    let refused = || auth_core::Error::new(TokenErrorKind::InvalidGrant, "log in again");
    world.source = Box::new(move |_, _| Err(refused()));
    world.sleep(LIFE - Duration::from_secs(1));
    assert_eq!((world.client.state(), world.demands.len()), (State::Connected, 2));
    world.server = None; // the client's own clock decides, not the server's close
    world.sleep(Duration::from_secs(2));
    assert_eq!(world.client.error().unwrap().token_error().unwrap().kind(), TokenErrorKind::InvalidGrant);
}

#[test]
fn a_server_that_refuses_renewal_twice_ends_the_session() {
    let mut world = World::started();
    world.verdict = Box::new(|_| Some(Err("no renewal here")));
    world.sleep(LIFE);
    assert_eq!(world.client.error().unwrap().kind(), ErrorKind::AuthenticationRefused);
    assert_eq!(world.presented, [1, 2, 3]);
}

#[test]
fn a_refused_renewal_is_forgotten_once_the_connection_was_stable_again() {
    let mut world = World::started();
    // Every third credential is refused, hours apart, and its replacement accepted.
    world.verdict = Box::new(|token| Some(if token % 3 == 2 { Err("try another") } else { Ok(LIFE) }));
    world.sleep(LIFE * 10);
    assert_eq!((world.client.state(), world.opened), (State::Connected, 1));
    assert!(world.presented.len() > 15, "{:?}", world.presented);
}

#[test]
fn a_token_that_expired_while_the_connection_was_opened_is_not_presented() {
    let mut world = World::new();
    world.life = Duration::from_secs(5);
    world.client.handle(world.now, Input::Start).unwrap();
    let Output::FetchToken { ticket, demand } = world.client.poll(world.now) else {
        panic!("no token wanted")
    };
    world.fetch(ticket, demand);
    let Output::Event(_) = world.client.poll(world.now) else { panic!("not told") };
    let Output::Open { epoch } = world.client.poll(world.now) else { panic!("no connection wanted") };
    world.wait();
    // Opening takes six seconds; the token lived for five.
    world.now.mono = Moment::since_origin(Duration::from_secs(6));
    world.client.handle(world.now, Input::Opened { epoch }).unwrap();
    world.settle();
    assert!(world.presented.is_empty());
    assert_eq!((world.client.state(), world.aborted), (State::Disconnected, 1));
}

#[test]
fn an_unanswered_renewal_is_taken_for_a_dead_connection() {
    let mut world = World::started();
    world.verdict = Box::new(|token| (token != 2).then_some(Ok(LIFE)));
    world.sleep(Duration::from_secs(500));
    assert_eq!(
        (world.client.state(), world.opened, &world.presented[..]),
        (State::Connected, 2, &[1, 2, 3][..])
    );
}

#[test]
fn messages_pass_untouched_even_while_a_renewal_is_unanswered() {
    let mut world = World::started();
    let deliver = |world: &mut World, text: &str| {
        let received = world.client.receive(world.now, world.epoch, text).unwrap();
        world.settle();
        received
    };
    let forged = r#"{"type":"auth","status":"error"}"#;
    assert_eq!(deliver(&mut world, "not json"), Received::Deliver);
    assert_eq!(deliver(&mut world, forged), Received::Deliver, "nothing was asked, so nothing was answered");
    world.verdict = Box::new(|_| None);
    world.sleep(LIFE - Duration::from_secs(119));
    assert_eq!(world.presented, [1, 2]);
    assert_eq!(deliver(&mut world, r#"{"type":"event"}"#), Received::Deliver);
    assert_eq!(deliver(&mut world, r#"{"type":"auth","status":"ok"}"#), Received::Consumed);
    assert_eq!(world.events.last(), Some(&"renewed"));
}

#[test]
fn a_server_that_accepts_and_then_drops_is_not_hammered() {
    let mut world = World::started();
    for _ in 0..600 {
        if world.client.state() == State::Connected {
            world.drop_connection();
        }
        world.sleep(Duration::from_secs(1));
    }
    assert!(world.opened < 60, "{} connections in ten minutes", world.opened);
}

#[test]
fn when_faults_stop_the_session_is_back_within_the_cap() {
    for seed in 0..50 {
        let mut world = World::seeded(seed);
        world.upgrade = Box::new(|| Err(Failure::Transport));
        world.input(Input::Start);
        world.sleep(Duration::from_secs(3_600));
        assert!(world.opened < 400, "{} attempts in an hour", world.opened);
        world.upgrade = Box::new(|| Ok(()));
        world.sleep(Duration::from_secs(30));
        assert_eq!(world.client.state(), State::Connected, "seed {seed}");
    }
}

#[test]
fn a_fatal_verdict_stops_all_attempts() {
    let mut world = World::new();
    world.upgrade = Box::new(|| Err(Failure::Status(404)));
    world.input(Input::Start);
    world.sleep(Duration::from_secs(600));
    let error = world.client.error().unwrap();
    assert_eq!((error.kind(), error.code(), world.opened), (ErrorKind::ConnectionRefused, Some(404), 1));
}

#[test]
fn a_close_is_final_in_every_state() {
    let mut fresh = World::new();
    fresh.input(Input::Close);
    assert_eq!(fresh.client.state(), State::Closed);

    let mut waiting = World::started();
    waiting.drop_connection();
    waiting.input(Input::Close);
    waiting.sleep(Duration::from_secs(60));
    assert_eq!((waiting.client.state(), waiting.opened), (State::Closed, 1));

    let mut live = World::started();
    live.input(Input::Close);
    assert_eq!(live.client.state(), State::Closing);
    live.sleep(Duration::from_millis(4_900));
    assert_eq!((live.client.state(), live.aborted), (State::Closing, 0));
    live.sleep(Duration::from_millis(100));
    assert_eq!((live.client.state(), live.aborted), (State::Closed, 1), "a peer that never answers");
    live.input(Input::Start);
    live.sleep(Duration::from_secs(60));
    assert_eq!((live.client.state(), live.events.last()), (State::Closed, Some(&"closed")));
}

#[test]
fn a_stale_close_does_not_touch_the_next_connection() {
    let mut world = World::started();
    let old = world.epoch;
    world.drop_connection();
    world.sleep(Duration::from_secs(31));
    world.input(Input::Ended { epoch: old, failure: Failure::Closed(Some(4500)), retry_after: None });
    assert_eq!(world.client.receive(world.now, old, "{}").unwrap(), Received::Consumed);
    assert_eq!(world.client.state(), State::Connected);
}

#[test]
fn a_suspended_laptop_ends_in_a_fresh_token() {
    let mut world = World::started();
    world.server = None;
    world.now.wall = world.now.wall.saturating_add(Duration::from_secs(7_200));
    world.input(Input::Tick);
    assert_eq!(world.client.state(), State::Disconnected, "the credential expired during the sleep");
    world.sleep(Duration::from_secs(1));
    assert_eq!((world.client.state(), &world.presented[..]), (State::Connected, &[1, 2][..]));
}

#[test]
fn outputs_that_were_not_polled_are_a_misuse() {
    let mut world = World::new();
    world.client.handle(world.now, Input::Start).unwrap();
    assert_eq!(
        world.client.handle(world.now, Input::Tick).unwrap_err(),
        auth_core::ApiMisuse::OutputsPending
    );
}

#[test]
fn the_server_closes_a_connection_whose_token_expired_without_renewal() {
    let mut server = ServerSession::new(World::new().now, Dialect::genesys(), "s".into(), LIFE);
    let mut now = World::new().now;
    let _ = server.receive(&login(1)).unwrap();
    assert!(matches!(server.poll(), server::Output::Verify { renewal: false, .. }));
    server.decided(now, Ok(LIFE)).unwrap();
    assert!(matches!(server.poll(), server::Output::Send(text) if text.contains(r#""status":"ok""#)));
    now.mono = Moment::since_origin(LIFE);
    server.tick(now).unwrap();
    assert!(matches!(server.poll(), server::Output::Close { code: server::UNAUTHORIZED, .. }));
}

#[test]
fn the_server_takes_nothing_before_the_credential() {
    let now = World::new().now;
    let mut server = ServerSession::new(now, Dialect::genesys(), "s".into(), LIFE);
    assert_eq!(server.receive(r#"{"type":"subscribe"}"#).unwrap(), Received::Consumed);
    assert!(matches!(server.poll(), server::Output::Close { code: server::UNAUTHORIZED, .. }));
}
