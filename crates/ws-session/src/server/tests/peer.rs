//! A server under test, on a clock that the test moves, and what it said as short texts.

use std::time::Duration;

use auth_core::time::{Moment, Now, Timestamp};

use crate::dialect::{Dialect, Incoming};
use crate::server::{Output, Received, Refusal, ServerSession, Terms, Upgrade};

pub(super) const LIFE: Duration = Duration::from_secs(600);

pub(super) struct Peer {
    pub(super) now: Now,
    pub(super) server: ServerSession,
}

impl Peer {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self::with_terms(Terms::of(&dialect), dialect)
    }

    pub(super) fn with_terms(terms: Terms, dialect: Dialect) -> Self {
        Self::upgrading(terms, dialect, "/", &[])
    }

    pub(super) fn upgrading(
        terms: Terms,
        dialect: Dialect,
        path_and_query: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
        let upgrade = Upgrade::read(&dialect, path_and_query, headers.iter().copied());
        Self { now, server: ServerSession::new(now, dialect, terms, "s1".to_owned(), upgrade) }
    }

    /// All that it says, until it waits.
    pub(super) fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        loop {
            said.push(match self.server.poll() {
                Output::Verify { credential, renewal: false } => format!("verify {}", credential.expose()),
                Output::Verify { credential, renewal: true } => format!("renew {}", credential.expose()),
                Output::Accept => "accept".to_owned(),
                Output::Refuse { status, .. } => format!("refuse {status}"),
                Output::Send { text, binary: false } => text,
                Output::Send { text, binary: true } => format!("binary {text}"),
                Output::Deliver { text } => format!("deliver {text}"),
                Output::Close { code: Some(code), reason } => format!("close {code} {reason}"),
                Output::Close { code: None, .. } => "close".to_owned(),
                Output::Wait(_) => return said,
            });
        }
    }

    pub(super) fn receive(&mut self, text: &str) -> Received {
        self.server.receive(self.now, Incoming::Text(text)).unwrap()
    }

    /// What it says to a message that is not for the application.
    pub(super) fn tell(&mut self, text: &str) -> Vec<String> {
        assert_eq!(self.receive(text), Received::Consumed, "{text}");
        self.said()
    }

    pub(super) fn tell_binary(&mut self, text: &str) -> Vec<String> {
        let received = self.server.receive(self.now, Incoming::Binary(text.as_bytes())).unwrap();
        assert_eq!(received, Received::Consumed, "{text}");
        self.said()
    }

    pub(super) fn decide(&mut self, verdict: Result<Duration, Refusal>) -> Vec<String> {
        self.server.decided(self.now, verdict).unwrap();
        self.said()
    }

    pub(super) fn revoke(&mut self) -> Vec<String> {
        self.server.revoked(self.now).unwrap();
        self.said()
    }

    /// Lets time pass all at once, and says what came of it.
    pub(super) fn sleep(&mut self, duration: Duration) -> Vec<String> {
        self.now = Now {
            wall: self.now.wall.saturating_add(duration),
            mono: Moment::since_origin(self.now.mono.elapsed() + duration),
        };
        self.server.tick(self.now).unwrap();
        self.said()
    }
}
