//! What a client remembers: its defaults, the token in use, and the request for the next one.

use std::sync::Arc;
use std::time::Duration;

use auth_core::ably::{AuthDefaults, ErrorCode, TokenClientId, TokenDetails};
use auth_core::time::{Deadline, Now, Timestamp};
use auth_core::token::Generation;
use auth_core::{Error, Token};

use super::core::LONGEST_FLIGHT;
use crate::shared_future::SharedFuture;

/// What changes in a client.
pub(super) struct State {
    pub(super) defaults: AuthDefaults,
    held: Option<Arc<Held>>,
    /// The last generation that a server refused.
    refused: Generation,
    generation: Generation,
    /// The number of the request that the token in use came from.
    installed: u64,
    /// How many requests have begun.
    begun: u64,
    newest: Option<Flight>,
    /// The numbers of requests that others took the place of: what they give is of no use here.
    superseded: Vec<u64>,
    /// Whom the service said that the live connection speaks for (RSA7b3).
    connected_as: Option<TokenClientId>,
}

/// The token in use.
pub(super) struct Held {
    pub(super) details: TokenDetails,
    pub(super) generation: Generation,
    /// When its whole lifetime has passed since it came: proof that it has expired, whatever the clocks say.
    outlived: Option<Deadline>,
    /// When it expires, as far as can be told, and when its bearer should ask for the next.
    expiry: Option<(Deadline, Deadline)>,
}

/// A request for a token that is under way; later ones have higher numbers.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) number: u64,
    pub(super) begun: Now,
    pub(super) outcome: Request,
}

/// What came of a request that is over.
pub(super) enum Landed {
    /// The token in use from now on.
    New(Arc<Held>),
    /// A token that nobody uses, as there is that of a later request.
    Superseded(Arc<Held>),
    /// No token, or one that was taken in before.
    Known,
}

/// A request, which all who wait for it share.
pub(super) type Request = Arc<SharedFuture<Result<TokenDetails, Error>>>;

/// What is known of the moment at which a token came.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    /// When it was asked for: it may have been there for a while before somebody looked.
    pub(super) begun: Now,
    pub(super) now: Now,
    pub(super) server_now: Option<Timestamp>,
    /// A random byte, so that clients whose tokens came together do not renew them together.
    pub(super) random: u8,
}

/// How long before its expiry a bearer should ask for the next token; half the lifetime if that is shorter. As for
/// [`Policy`](auth_core::renewal::Policy).
const LEAD: Duration = Duration::from_secs(120);
/// Up to so much earlier, and a tenth of the lifetime at most.
const SPREAD: Duration = Duration::from_secs(30);

impl State {
    pub(super) const fn new(defaults: AuthDefaults) -> Self {
        Self {
            defaults,
            held: None,
            refused: Generation::NONE,
            generation: Generation::NONE,
            installed: 0,
            begun: 0,
            newest: None,
            superseded: Vec::new(),
            connected_as: None,
        }
    }

    /// The token in use, if it may still be.
    pub(super) fn usable(&self, now: Now, server_now: Option<Timestamp>) -> Option<&Arc<Held>> {
        self.held.as_ref().filter(|held| {
            let expired = server_now.is_some_and(|wall| held.details.has_expired(Now { wall, ..now }));
            // The proof is as good as the local clocks. What can't be renewed is left to the server instead.
            let outlived =
                held.outlived.as_ref().is_some_and(|deadline| deadline.passed(now)) && self.is_renewable();
            held.generation > self.refused && !expired && !outlived
        })
    }

    /// Whether there is a way to another token.
    pub(super) fn is_renewable(&self) -> bool {
        self.defaults.options().means().is_some()
    }

    /// Why the token there is can't be used any more, once it can't.
    pub(super) fn ending(&self) -> Option<Error> {
        let refused = self.held.as_ref()?.generation <= self.refused;
        let code = if refused { ErrorCode::TOKEN_REFUSED } else { ErrorCode::TOKEN_EXPIRED };
        Some(code.error(if refused { "the service refused the token" } else { "the token has expired" }))
    }

    /// Notes that a server refused the token of this generation: the one in use, if that is why it is no longer.
    pub(super) fn reject(&mut self, generation: Generation) -> Option<Arc<Held>> {
        let before = self.refused;
        self.refused = before.max(generation);
        self.held.clone().filter(|held| held.generation > before && held.generation <= generation)
    }

    /// Until when the token in use lives, as far as can be told.
    pub(super) fn lives_until(&self) -> Option<Deadline> {
        let held = self.held.as_ref().filter(|held| held.generation > self.refused)?;
        held.expiry.map(|(expiry, _)| expiry)
    }

    /// The generation of the last token that came.
    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    /// The request that is under way. One that was abandoned and is over its time by now is left out: nobody knows how
    /// old the token is that it may have got.
    pub(super) fn newest(&self, now: Now) -> Option<&Flight> {
        let is_old = |flight: &Flight| {
            flight.outcome.is_abandoned() && flight.begun.expiry(LONGEST_FLIGHT).passed(now)
        };
        self.newest.as_ref().filter(|flight| !is_old(flight))
    }

    /// A new request, which is the newest from now on, and the one that it replaces: to be dropped without the lock, as
    /// code of the program is in it.
    pub(super) fn begin(&mut self, outcome: Request, now: Now) -> (Flight, Option<Flight>) {
        self.begun += 1;
        let flight = Flight { number: self.begun, begun: now, outcome };
        let replaced = self.newest.replace(flight.clone());
        self.supersede(replaced.as_ref());
        (flight, replaced)
    }

    fn supersede(&mut self, replaced: Option<&Flight>) {
        /// Nobody may ever look at one that was abandoned.
        const REMEMBERED: usize = 64;
        let Some(replaced) = replaced else { return };
        if self.superseded.len() == REMEMBERED {
            self.superseded.remove(0);
        }
        self.superseded.push(replaced.number);
    }

    /// Takes in what a request gave, unless a later one has given something already; in either case it is no longer
    /// under way.
    pub(super) fn landed(&mut self, number: u64, details: Option<&TokenDetails>, arrival: Arrival) -> Landed {
        if self.newest.as_ref().is_some_and(|newest| newest.number == number) {
            self.newest = None;
        }
        let superseded = self.superseded.iter().position(|known| *known == number);
        let was_superseded = superseded.map(|index| self.superseded.swap_remove(index)).is_some();
        match details {
            Some(details) if number > self.installed => {
                self.installed = number;
                Landed::New(self.install(details.clone(), arrival))
            }
            Some(details) if was_superseded => {
                Landed::Superseded(Arc::new(Held::arrived(details.clone(), arrival)))
            }
            Some(_) | None => Landed::Known,
        }
    }

    /// Whether a later request is under way, or has given a token.
    pub(super) fn is_superseded(&self, number: u64) -> bool {
        self.installed > number || self.newest.as_ref().is_some_and(|newest| newest.number > number)
    }

    /// Uses a token that was given, from now on, and hands back the request that was under way: to be dropped without
    /// the lock.
    #[must_use]
    pub(super) fn given(&mut self, details: TokenDetails, arrival: Arrival) -> Option<Flight> {
        self.begun += 1;
        self.installed = self.begun;
        self.install(details, arrival);
        let newest = self.newest.take();
        self.supersede(newest.as_ref());
        newest
    }

    fn install(&mut self, details: TokenDetails, arrival: Arrival) -> Arc<Held> {
        self.generation = self.generation.next();
        self.connected_as = None;
        let held = Arc::new(Held::new(details, self.generation, arrival));
        self.held = Some(Arc::clone(&held));
        held
    }

    pub(super) const fn held(&self) -> Option<&Arc<Held>> {
        self.held.as_ref()
    }

    pub(super) fn connect_as(&mut self, client_id: Option<TokenClientId>) {
        self.connected_as = client_id;
    }

    /// Whom the connection or the token speaks for.
    pub(super) fn inherited_client_id(&self) -> Option<&TokenClientId> {
        let of_token = || self.held.as_ref().and_then(|held| held.details.client_id());
        self.connected_as.as_ref().or_else(of_token)
    }
}

impl Held {
    /// A token that came just now, and is not one of the client's own.
    pub(super) fn arrived(details: TokenDetails, arrival: Arrival) -> Self {
        Self::new(details, Generation::NONE, arrival)
    }

    fn new(details: TokenDetails, generation: Generation, arrival: Arrival) -> Self {
        let Arrival { begun, now, server_now, random } = arrival;
        let lifetime = match (details.issued(), details.expires()) {
            (Some(issued), Some(expires)) => Some(expires.saturating_since(issued)),
            _ => None,
        };
        let left = details.expires().map(|expires| match server_now {
            Some(server_now) => (now, expires.saturating_since(server_now)),
            // By a clock that may be wrong: no longer than it was issued for, and as long if the clock says that it
            // came dead.
            None => {
                let by_clock = expires.saturating_since(begun.wall);
                let most = lifetime.unwrap_or(by_clock);
                (begun, if by_clock.is_zero() { most } else { by_clock.min(most) })
            }
        });
        let expiry = left.map(|(from, left)| {
            let spread = (left / 10).min(SPREAD) * u32::from(random) / 256;
            let renewal = left.saturating_sub(LEAD.min(left / 2)).saturating_sub(spread);
            (from.expiry(left), from.expiry(renewal))
        });
        Self { details, generation, outlived: lifetime.map(|life| now.expiry(life)), expiry }
    }

    /// Whether it has not expired, as far as can be told.
    pub(super) fn is_alive(&self, now: Now) -> bool {
        self.expiry.as_ref().is_none_or(|(expiry, _)| !expiry.passed(now))
    }

    /// How long it lives yet, as far as can be told.
    pub(super) fn left(&self, now: Now) -> Option<Duration> {
        self.expiry.map(|(expiry, _)| expiry.remaining(now))
    }

    /// When its bearer should ask for the next.
    pub(super) fn renews_in(&self, now: Now) -> Option<Duration> {
        self.expiry.map(|(_, renewal)| renewal.remaining(now))
    }

    /// As it is handed to whoever is to ask the service how long it lives.
    pub(super) fn undated(&self) -> Token {
        Token::new(self.details.token().clone()).with_generation(self.generation)
    }

    /// As it is handed to whoever presents it.
    pub(super) fn token(&self, now: Now, renewable: bool) -> Token {
        let token = self.undated();
        let Some((expiry, renewal)) = &self.expiry else { return token };
        let token = token.with_expires_in(expiry.remaining(now));
        if renewable { token.with_renew_in(renewal.remaining(now)) } else { token }
    }
}
