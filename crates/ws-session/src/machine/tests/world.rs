//! The world that the tests move: a client machine, its token source and its server, on one clock.

use std::collections::VecDeque;
use std::time::Duration;

use auth_core::oauth::TokenType;
use auth_core::time::{Deadline, Moment, Now, Timestamp};
use auth_core::token::Generation;
use auth_core::{AuthEvent, Demand, ErrorKind as TokenErrorKind, Secret, Token};
use serde_json::{Value, json};

use crate::dialect::{Dialect, Failure, Fresh, Incoming};
use crate::machine::{Config, Epoch, Input, Output, Received, Session, Ticket};

/// The other end of the Genesys dialect, by hand: it closes with 4401 when a credential is refused or expires.
pub(super) struct Server {
    pub(super) expires: Option<Deadline>,
}

/// A client machine, its token source and its server, on one clock that the test moves.
pub(super) struct World {
    pub(super) now: Now,
    pub(super) client: Session,
    pub(super) server: Option<Server>,
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
    pub(super) held: Vec<(Ticket, u64)>,
    pub(super) epoch: Epoch,
    pub(super) demands: Vec<Demand>,
    pub(super) presented: Vec<u64>,
    pub(super) events: Vec<&'static str>,
    pub(super) opened: u32,
    pub(super) aborted: u32,
    pub(super) pings: u32,
    /// Whether the server answers pings.
    pub(super) pongs: bool,
    pub(super) inbox: Vec<String>,
    to_server: VecDeque<String>,
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
            held: Vec::new(),
            epoch: Epoch::default(),
            demands: Vec::new(),
            presented: Vec::new(),
            events: Vec::new(),
            opened: 0,
            aborted: 0,
            pings: 0,
            pongs: true,
            inbox: Vec::new(),
            to_server: VecDeque::new(),
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
            match self.client.poll() {
                Output::FetchToken { ticket, demand } => self.fetch(ticket, demand),
                Output::Open { epoch, ticket } => {
                    self.epoch = epoch;
                    self.opened += 1;
                    assert!(self.held.iter().any(|(held, _)| *held == ticket), "a token to open with");
                    let input = match (self.upgrade)() {
                        Ok(()) => {
                            self.server = Some(Server { expires: None });
                            Input::Opened { epoch }
                        }
                        Err(failure) => Input::Ended { epoch, failure, retry_after: None },
                    };
                    self.wait();
                    self.client.handle(self.now, input).unwrap();
                }
                Output::Send { epoch, message, ticket } => {
                    assert_eq!(epoch, self.epoch);
                    let held = self.held.iter().find(|(held, _)| Some(*held) == ticket);
                    let token = held.expect("a token to present").1;
                    let secret = Secret::from(token.to_string());
                    let fresh = Fresh { now: self.now, random: [7; 16] };
                    let rendered = self.client.message(epoch, message, Some(&secret), fresh).unwrap();
                    self.presented.push(token);
                    self.to_server.push_back(rendered.text.expose().to_owned());
                }
                Output::Forget { ticket } => {
                    let before = self.held.len();
                    self.held.retain(|(held, _)| *held != ticket);
                    assert_eq!(self.held.len() + 1, before, "forgets what it holds");
                }
                Output::Ping { epoch } => {
                    assert_eq!(epoch, self.epoch);
                    self.pings += 1;
                    if self.pongs {
                        self.client.heard(epoch);
                    }
                }
                Output::Farewell { .. } => panic!("this dialect has no word for it"),
                Output::Close { .. } => self.server = None,
                Output::Abort { .. } => {
                    self.server = None;
                    self.aborted += 1;
                }
                Output::Event(event) => self.events.push(name(&event)),
                Output::Wait(_) => match self.to_server.pop_front() {
                    Some(text) => self.send(&text),
                    None => return,
                },
            }
        }
    }

    /// Polls the client dry without acting on what it wants next: nothing must be left over.
    pub(super) fn wait(&mut self) {
        match self.client.poll() {
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
            self.held.push((ticket, generation));
            let token = Token::new(Secret::from(generation.to_string()))
                .with_generation(self::generation(generation));
            let mut token = token.with_expires_in(self.life).with_type(self.token_type);
            if let Some(renew_in) = self.renew_in {
                token = token.with_renew_in(renew_in);
            }
            self.client.facts(&token)
        });
        self.wait();
        self.client.handle(self.now, Input::Token { ticket, result }).unwrap();
    }

    /// Carries a message to the server, and its answers back.
    pub(super) fn send(&mut self, text: &str) {
        if self.server.is_none() {
            return;
        }
        let login: Value = serde_json::from_str(text).unwrap();
        let token = login["token"].as_str().unwrap().parse().unwrap();
        match (self.verdict)(token) {
            None => {}
            Some(Ok(life)) => {
                let expires = Some(self.now.expiry(life));
                self.server = Some(Server { expires });
                self.say(&json!({"type": "auth", "status": "ok", "sessionId": "s1"}).to_string());
            }
            Some(Err(reason)) => {
                let renewal = self.server.as_ref().is_some_and(|server| server.expires.is_some());
                self.say(&json!({"type": "auth", "status": "error", "message": reason}).to_string());
                if !renewal {
                    self.close(4401);
                }
            }
        }
    }

    /// The server says something.
    pub(super) fn say(&mut self, text: &str) {
        if self.client.receive(self.now, self.epoch, Incoming::Text(text)).unwrap() == Received::Deliver {
            self.inbox.push(text.to_owned());
        }
        self.settle();
    }

    /// The server closes.
    pub(super) fn close(&mut self, code: u16) {
        self.server = None;
        let failure = closed(code);
        self.input(Input::Ended { epoch: self.epoch, failure, retry_after: None });
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
            let expires = self.server.as_ref().and_then(|server| server.expires);
            if expires.is_some_and(|expires| expires.passed(self.now)) {
                self.close(4401);
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

pub(super) fn closed(code: u16) -> Failure {
    Failure::Closed { code: Some(code), reason: String::new() }
}

pub(super) fn name(event: &AuthEvent) -> &'static str {
    match event {
        AuthEvent::Connecting { .. } => "connecting",
        AuthEvent::Authenticated { .. } => "authenticated",
        AuthEvent::TokenRenewed { .. } => "renewed",
        AuthEvent::RenewalFailed { .. } => "renewal_failed",
        AuthEvent::RenewalDelayed { .. } => "put_off",
        AuthEvent::ExpiryIgnored { .. } => "expiry_ignored",
        AuthEvent::ConnectionDelayed { .. } => "delayed",
        AuthEvent::ConnectionLost { .. } => "lost",
        AuthEvent::SessionFailed { .. } => "failed",
        AuthEvent::SessionSuspended { .. } => "suspended",
        AuthEvent::SessionClosed { .. } => "closed",
        other => panic!("not of a session: {other:?}"),
    }
}

pub(super) fn outage() -> auth_core::Error {
    auth_core::Error::new(TokenErrorKind::ServerFailed, "down")
}
