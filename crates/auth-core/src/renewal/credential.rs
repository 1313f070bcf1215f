//! A token as the machine keeps it and as readers see it, with deadlines on its driver's clocks.

use alloc::sync::Arc;
use core::time::Duration;

use crate::fingerprint::Fingerprint;
use crate::oauth::TokenType;
use crate::scope::Scopes;
use crate::time::{Deadline, Now};
use crate::token::Generation;
use crate::{Secret, Token};

/// A token as readers see it: what the machine publishes, to be served without asking.
#[derive(Debug)]
pub struct Credential {
    pub(super) secret: Secret,
    pub(super) generation: Generation,
    pub(super) fingerprint: Fingerprint,
    pub(super) scope: Option<Scopes>,
    pub(super) token_type: TokenType,
    pub(super) renew_at: Deadline,
    /// From here on a caller waits for the next token, if one is on its way.
    pub(super) margin_from: Deadline,
    pub(super) expires: Deadline,
}

impl Credential {
    /// Whether the token may be served without asking the machine: it lives, and will for a moment yet.
    #[must_use]
    #[inline]
    pub fn serves(&self, now: Now) -> bool {
        !self.margin_from.passed(now)
    }

    /// Whether the time to renew the token has come. One that is not due serves, and one that is may still; the first reader to use it since tells the machine
    /// by [`Input::Used`](super::Input::Used), in case it was left alone.
    #[must_use]
    #[inline]
    pub fn due(&self, now: Now) -> bool {
        self.renew_at.passed(now)
    }

    /// Which token of its source this is.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The name by which records speak of it.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The text to present.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The time that the token still lives; zero once it has expired.
    #[must_use]
    pub fn expires_in(&self, now: Now) -> Duration {
        self.expires.remaining(now)
    }

    /// The token as a caller gets it at `now`.
    #[must_use]
    pub fn token(&self, now: Now) -> Token {
        Token::new(self.secret.clone())
            .with_generation(self.generation)
            .with_fingerprint(self.fingerprint)
            .with_scope(self.scope.clone())
            .with_type(self.token_type)
            .with_expires_in(self.expires.remaining(now))
            .with_renew_in(self.renew_at.remaining(now))
    }
}

/// The machine's own view of the token in use.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) shared: Arc<Credential>,
    pub(super) life: Duration,
    pub(super) arrived: Now,
    /// It was fetched because its predecessor was refused.
    pub(super) replaces_refused: bool,
    pub(super) refused: bool,
    /// What has been told of it already.
    pub(super) noted: Noted,
}

/// Which of its deadlines has been told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Noted {
    Nothing,
    Unused,
    Expired,
}

impl Held {
    /// The wall clock was set back: it must not hide a suspend that comes after.
    pub(super) fn clock_set(&mut self, expected: Now, now: Now) {
        let Credential { secret, generation, fingerprint, scope, token_type, renew_at, margin_from, expires } =
            &*self.shared;
        self.shared = Arc::new(Credential {
            secret: secret.clone(),
            generation: *generation,
            fingerprint: *fingerprint,
            scope: scope.clone(),
            token_type: *token_type,
            renew_at: renew_at.moved(expected, now),
            margin_from: margin_from.moved(expected, now),
            expires: expires.moved(expected, now),
        });
        if !self.shared.expires.passed(now) {
            // It may have been told of as expired while the clock was ahead.
            self.noted = Noted::Nothing;
        }
    }

    /// Whether it may be handed out at all.
    pub(super) fn lives(&self, now: Now) -> bool {
        !self.refused && !self.shared.expires.passed(now)
    }
}
