//! A machine, a clock, and what the machine asked for, line by line.

use std::time::Duration;

use auth_core::time::{Moment, Now, Timestamp};
use auth_core::{AuthEvent, Demand, Secret, Token};

use super::world::{generation, name};
use crate::dialect::{Dialect, Failure, Incoming};
use crate::machine::{Config, Epoch, Input, Output, Received, Session, Ticket, TokenFacts};

/// A machine whose every input a test gives by hand.
pub(super) struct Scene {
    pub(super) now: Now,
    pub(super) client: Session,
    pub(super) ticket: Ticket,
    /// How long the machine wants to wait.
    pub(super) wait: Option<Duration>,
    /// What was told of how long connections lasted.
    pub(super) lasted: Vec<Option<Duration>>,
}

impl Scene {
    pub(super) fn of(dialect: Dialect) -> Self {
        Self::with(dialect, Config::new())
    }

    pub(super) fn with(dialect: Dialect, config: Config) -> Self {
        let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
        Self {
            now,
            client: Session::new(dialect, config, 1),
            ticket: Ticket(0),
            wait: None,
            lasted: Vec::new(),
        }
    }

    /// Connected on the first connection with token 1, which lives for ten minutes.
    pub(super) fn live(dialect: Dialect) -> Self {
        let mut scene = Self::of(dialect);
        scene.connect();
        scene
    }

    pub(super) fn connect(&mut self) {
        let _ = self.input(Input::Start);
        let _ = self.token(1, 600);
        let _ = self.opened(1);
    }

    pub(super) fn input(&mut self, input: Input) -> Vec<String> {
        self.client.handle(self.now, input).unwrap();
        self.drain()
    }

    /// The source hands out the token with this number.
    pub(super) fn token(&mut self, number: u64, life: u64) -> Vec<String> {
        let token = Token::new(Secret::from(number.to_string())).with_generation(generation(number));
        self.any_token(token.with_expires_in(Duration::from_secs(life)))
    }

    pub(super) fn any_token(&mut self, token: Token) -> Vec<String> {
        self.input(Input::Token { ticket: self.ticket, result: Ok(TokenFacts::from(&token)) })
    }

    pub(super) fn no_token(&mut self, error: auth_core::Error) -> Vec<String> {
        self.input(Input::Token { ticket: self.ticket, result: Err(error) })
    }

    pub(super) fn opened(&mut self, epoch: u64) -> Vec<String> {
        self.input(Input::Opened { epoch: Epoch(epoch) })
    }

    pub(super) fn ended(&mut self, epoch: u64, failure: Failure) -> Vec<String> {
        self.input(Input::Ended { epoch: Epoch(epoch), failure, retry_after: None })
    }

    /// The server says something; what is the user's begins the lines.
    pub(super) fn says(&mut self, epoch: u64, text: &str) -> Vec<String> {
        let received = self.client.receive(self.now, Epoch(epoch), Incoming::Text(text)).unwrap();
        let mut lines = self.drain();
        if received == Received::Deliver {
            lines.insert(0, "deliver".to_owned());
        }
        lines
    }

    /// Time passes, on both clocks, and the machine looks at them once.
    pub(super) fn after(&mut self, seconds: f64) -> Vec<String> {
        let elapsed = Duration::from_secs_f64(seconds);
        self.now.mono = Moment::since_origin(self.now.mono.elapsed() + elapsed);
        self.now.wall = self.now.wall.saturating_add(elapsed);
        self.input(Input::Tick)
    }

    /// Time passes until the machine wants to look at the clock.
    pub(super) fn when_due(&mut self) -> Vec<String> {
        let wait = self.wait.expect("the machine waits for a time");
        self.after(wait.as_secs_f64())
    }

    fn drain(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(match self.client.poll() {
                Output::FetchToken { ticket, demand } => {
                    self.ticket = ticket;
                    match demand {
                        Demand::Current => "fetch current".to_owned(),
                        Demand::NewerThan(old) => format!("fetch newer than {}", number(old)),
                        Demand::InsteadOf(old) => format!("fetch instead of {}", number(old)),
                    }
                }
                Output::Forget { ticket } => format!("forget {}", ticket.0),
                Output::Open { epoch, .. } => format!("open {}", epoch.0),
                Output::Send { epoch, message, .. } => format!("send {} {message:?}", epoch.0),
                Output::Ping { epoch } => format!("ping {}", epoch.0),
                Output::Farewell { epoch } => format!("farewell {}", epoch.0),
                Output::Close { epoch } => format!("close {}", epoch.0),
                Output::Abort { epoch } => format!("abort {}", epoch.0),
                Output::Event(event) => {
                    if let AuthEvent::ConnectionLost { lasted, .. } | AuthEvent::SessionClosed { lasted } =
                        &event
                    {
                        self.lasted.push(*lasted);
                    }
                    name(&event).to_owned()
                }
                Output::Wait(deadline) => {
                    self.wait = deadline.map(|deadline| deadline.remaining(self.now));
                    return lines;
                }
            });
        }
    }
}

fn number(of: auth_core::token::Generation) -> u64 {
    (0..).find(|number| generation(*number) == of).unwrap_or_default()
}
