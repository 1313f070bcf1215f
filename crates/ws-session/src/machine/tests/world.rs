//! The world that the tests move: a client machine, its token source and its server, on one clock.

use std::time::Duration;

use auth_core::oauth::TokenType;
use auth_core::time::{Moment, Now, Timestamp};
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, ErrorKind as TokenErrorKind, Secret, Token};

use crate::dialect::{Dialect, Failure, Template};
use crate::machine::{Config, Epoch, Input, Output, Received, Session, Ticket, TokenFacts};
use crate::server::{self, ServerSession};

/// A client machine, its token source and its server, on one clock that the test moves.
pub(super) struct World {
    pub(super) now: Now,
    pub(super) client: Session,
    pub(super) server: Option<ServerSession>,
    /// What the server says to each credential that is presented.
    pub(super) verdict: Box<dyn FnMut(u64) -> Option<Result<Duration, &'static str>>>,
    /// What the source says to each demand, given the newest generation so far.
    pub(super) source: Box<dyn FnMut(Demand, u64) -> Result<u64, auth_core::Error>>,
    /// Whether an upgrade succeeds.
    pub(super) upgrade: Box<dyn FnMut() -> Result<(), Failure>>,
    /// A source that says nothing more.
    pub(super) mute: bool,
    pub(super) renew_in: Option<Duration>,
    pub(super) life: Duration,
    pub(super) token_type: TokenType,
    pub(super) issued: u64,
    pub(super) ticket: Option<(Ticket, u64)>,
    pub(super) epoch: Epoch,
    pub(super) demands: Vec<Demand>,
    pub(super) presented: Vec<u64>,
    pub(super) events: Vec<&'static str>,
    pub(super) opened: u32,
    pub(super) aborted: u32,
    pub(super) inbox: Vec<String>,
}

pub(super) const LIFE: Duration = Duration::from_secs(600);

impl World {
    pub(super) fn new() -> Self {
        Self::seeded(1)
    }

    pub(super) fn seeded(seed: u64) -> Self {
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
            mute: false,
            renew_in: None,
            life: LIFE,
            token_type: TokenType::Bearer,
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

    pub(super) fn started() -> Self {
        let mut world = Self::new();
        world.input(Input::Start);
        world
    }

    pub(super) fn input(&mut self, input: Input) {
        self.client.handle(self.now, input).unwrap();
        self.settle();
    }

    /// Does all that the client asks, until it waits.
    pub(super) fn settle(&mut self) {
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
    pub(super) fn wait(&mut self) {
        match self.client.poll(self.now) {
            Output::Wait(_) => {}
            other => panic!("left over: {other:?}"),
        }
    }

    pub(super) fn fetch(&mut self, ticket: Ticket, demand: Demand) {
        self.demands.push(demand);
        if self.mute {
            return;
        }
        let result = (self.source)(demand, self.issued);
        let result = result.map(|generation| {
            self.issued = self.issued.max(generation);
            self.ticket = Some((ticket, generation));
            let token = Token::new(Secret::from("x")).with_generation(self::generation(generation));
            let mut token = token.with_expires_in(self.life).with_type(self.token_type);
            if let Some(renew_in) = self.renew_in {
                token = token.with_renew_in(renew_in);
            }
            TokenFacts::from(&token)
        });
        self.wait();
        self.client.handle(self.now, Input::Token { ticket, result }).unwrap();
    }

    /// Carries a message to the server, and its answers back.
    pub(super) fn send(&mut self, text: &str) {
        let Some(server) = &mut self.server else { return };
        let _ = server.receive(self.now, text).unwrap();
        self.serve();
    }

    pub(super) fn serve(&mut self) {
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
    pub(super) fn sleep(&mut self, duration: Duration) {
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

    pub(super) fn drop_connection(&mut self) {
        self.server = None;
        self.input(Input::Ended { epoch: self.epoch, failure: Failure::Transport, retry_after: None });
    }
}

/// The generation of the token with this number.
pub(super) fn generation(number: u64) -> Generation {
    (0..number).fold(Generation::NONE, |generation, _| generation.next())
}

pub(super) fn login(token: u64) -> String {
    let template: Template = r#"{"type":"auth","token":"${credential}"}"#.parse().unwrap();
    template.render(&Secret::from(token.to_string())).expose().to_owned()
}

pub(super) fn name(event: &AuthEvent) -> &'static str {
    match event {
        AuthEvent::Connecting { .. } => "connecting",
        AuthEvent::Authenticated { .. } => "authenticated",
        AuthEvent::TokenRenewed { .. } => "renewed",
        AuthEvent::RenewalFailed { .. } => "renewal_failed",
        AuthEvent::ConnectionDelayed { .. } => "delayed",
        AuthEvent::ConnectionLost { .. } => "lost",
        AuthEvent::SessionFailed { .. } => "failed",
        AuthEvent::SessionClosed => "closed",
        other => panic!("not of a session: {other:?}"),
    }
}

pub(super) fn outage() -> auth_core::Error {
    auth_core::Error::new(TokenErrorKind::ServerFailed, "down")
}
