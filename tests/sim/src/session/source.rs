//! The source of tokens: what it hands out, when, and how it fails. Only it knows when they really end.

use std::time::Duration;

use auth_core::token::Generation;
use auth_core::{Demand, Error, ErrorKind, Retry, Secret, Token};
use ws_session::machine::Ticket;

use super::plan::is_away;
use super::world::{Event, World};
use crate::clock::{At, MILLI, MINUTE, SECOND, duration};
use crate::trace::MARKER;

/// A token as the world knows it.
#[derive(Debug)]
pub(crate) struct Issued {
    pub(crate) secret: Secret,
    generation: Generation,
    /// When it ends, whether or not anybody was told.
    pub(crate) ends: Option<At>,
    /// The server will refuse it, though it is good.
    pub(crate) unwelcome: bool,
    pub(crate) revoked: bool,
    /// The server has seen it.
    pub(crate) seen: bool,
    /// The client was told that it is refused.
    pub(crate) refused: bool,
    /// It was served again when another was wanted.
    pub(crate) again: bool,
    /// How often the client presented it.
    pub(crate) presented: u32,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Fetch {
    pub(crate) ticket: Ticket,
    demand: Demand,
    /// The machine has asked anew since, or given it up.
    pub(crate) void: bool,
    pub(crate) done: bool,
    pub(crate) since: At,
    /// Something else happened that makes the machine ask anew.
    pub(crate) disturbed: bool,
}

impl World {
    /// The machine asks for a token.
    pub(crate) fn fetch(&mut self, ticket: Ticket, demand: Demand) {
        for earlier in self.fetches.iter_mut().rev().take(4) {
            earlier.void = true;
        }
        let fetch = self.fetches.len();
        let at = self.clocks.at;
        self.fetches.push(Fetch { ticket, demand, void: false, done: false, since: at, disturbed: false });
        let hangs = at < self.plan.calm && self.sourcing.per_mille(self.plan.source.hangs);
        if hangs {
            self.coverage.saw("source: never answers");
        } else {
            let latency = self.sourcing.spread(MILLI, self.plan.source.slowest);
            self.schedule(at + latency, Event::Fetched { fetch });
        }
    }

    /// The source is done with a request.
    pub(crate) fn fetched(&mut self, fetch: usize) {
        let Fetch { ticket, demand, void, disturbed, .. } = self.fetches[fetch];
        // A driver drops what is void; a race may hand it over all the same.
        if void && !self.sourcing.per_mille(self.plan.network.stale) {
            return;
        }
        self.fetches[fetch].done = true;
        self.coverage.saw(if void { "source: answered too late" } else { "source: answered" });
        self.misserved = false;
        match self.serve(demand) {
            Ok((index, token)) => self.hand_token(ticket, index, &token, void),
            Err(error) => self.no_token(ticket, error, void, disturbed),
        }
    }

    fn serve(&mut self, demand: Demand) -> Result<(usize, Token), Error> {
        let at = self.clocks.at;
        let healthy = at >= self.plan.calm;
        let plan = &self.plan.source;
        if is_away(&plan.outages, at) || (!healthy && self.sourcing.per_mille(plan.away)) {
            self.coverage.saw("source: away");
            return self
                .fallback(demand)
                .ok_or_else(|| Error::new(ErrorKind::Transport, "the endpoint is away"));
        }
        if !healthy && self.sourcing.per_mille(plan.limited) {
            self.coverage.saw("source: rate limited with advice");
            let wait = Duration::from_secs(self.sourcing.spread(1, 400));
            return Err(Error::new(ErrorKind::RateLimited, "slow down").with_retry(Retry::After(wait)));
        }
        if !healthy && self.sourcing.per_mille(plan.fatal) {
            self.coverage.saw("source: final error");
            let kind = self.sourcing.pick([ErrorKind::InvalidGrant, ErrorKind::Refused]);
            return Err(Error::new(kind, "log in again"));
        }
        let kept = self.kept.filter(|index| self.is_wanted(*index, demand));
        let again = !self.issued.is_empty() && !healthy && self.sourcing.per_mille(plan.same);
        let index = match kept {
            _ if again => {
                self.coverage.saw("source: same token again");
                self.misserved = true;
                self.issued.len() - 1
            }
            Some(kept) if self.plan.source.caches => {
                self.coverage.saw("source: from its cache");
                kept
            }
            _ => self.issue(),
        };
        Ok((index, self.token(index)))
    }

    /// Who wants a newer token may be served the one that lives.
    fn fallback(&mut self, demand: Demand) -> Option<(usize, Token)> {
        let kept = self.kept.filter(|index| self.lives(*index) && self.plan.source.caches)?;
        if matches!(demand, Demand::InsteadOf(_)) && !demand.accepts(self.issued[kept].generation) {
            return None;
        }
        self.coverage.saw("source: from its cache, for want of a newer one");
        Some((kept, self.token(kept)))
    }

    fn is_wanted(&self, index: usize, demand: Demand) -> bool {
        // Without numbers, whoever wants another token than the last gets a new one.
        let accepts = match demand {
            Demand::Current => true,
            Demand::NewerThan(_) | Demand::InsteadOf(_) => {
                self.plan.source.numbered && demand.accepts(self.issued[index].generation)
            }
        };
        accepts && self.lives(index)
    }

    fn lives(&self, index: usize) -> bool {
        self.issued[index].ends.is_none_or(|ends| ends > self.clocks.at + SECOND)
    }

    fn issue(&mut self) -> usize {
        let at = self.clocks.at;
        let healthy = at >= self.plan.calm;
        let index = self.issued.len();
        let mut life = self.plan.source.life;
        if healthy {
            life = life.map(|life| life.max(5 * MINUTE));
        } else if life.is_some() && self.sourcing.per_mille(self.plan.source.late) {
            let left = self.sourcing.pick([0, 0, 30 * MILLI, SECOND, 3 * SECOND]);
            self.coverage.saw(if left == 0 {
                "source: expired token"
            } else {
                "source: nearly expired token"
            });
            life = Some(left);
        }
        if life.is_some_and(|life| life > 24 * 24 * 60 * MINUTE) {
            self.coverage.saw("source: token that lives for more than 24 days");
        }
        let generation = if self.plan.source.numbered {
            self.newest = self.newest.next();
            self.newest
        } else {
            Generation::NONE
        };
        let unwelcome = !healthy && self.sourcing.per_mille(self.plan.server.refuses);
        self.issued.push(Issued {
            // Its parts can stand in every place.
            secret: Secret::from(format!("{MARKER}.{index}.token")),
            generation,
            ends: life.map(|life| at + life),
            unwelcome,
            revoked: false,
            seen: false,
            refused: false,
            again: false,
            presented: 0,
        });
        self.kept = Some(index);
        index
    }

    fn token(&self, index: usize) -> Token {
        let Issued { secret, generation, ends, .. } = &self.issued[index];
        let mut token = Token::new(secret.clone()).with_generation(*generation);
        if let Some(ends) = ends.filter(|_| self.plan.source.tells) {
            let left = duration(ends.saturating_sub(self.clocks.at));
            token = token.with_expires_in(left);
            if self.plan.source.advises {
                token = token.with_renew_in(left.saturating_sub((left / 3).min(Duration::from_secs(90))));
            }
        }
        token
    }

    /// Which token this text is.
    pub(crate) fn index_of(&self, text: &str) -> Option<usize> {
        let index: usize = text.split('.').nth(1)?.parse().ok()?;
        (self.issued.get(index)?.secret.expose() == text).then_some(index)
    }
}
