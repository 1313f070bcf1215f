//! Tokens as demanded: the one in use, or one request for all who wait for the next.

use std::sync::Arc;

use auth_core::ably::{ErrorCode, TokenDetails, TokenPlan};
use auth_core::time::{Deadline, Now};
use auth_core::token::Generation;
use auth_core::{Demand, Error, ErrorKind, Retry};

use super::Auth;
use super::state::{Flight, Held, Landed, Request};
use crate::shared_future::{Outcome, SharedFuture};

/// What a token is wanted for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A REST request: whether the token has expired is left to the server unless it is certain (RSA4b1).
    Request,
    /// A connection, which is not made with what has expired as far as can be told.
    Connection,
}

enum Step {
    Serve(Arc<Held>),
    Wait { landing: Landing, was_abandoned: bool },
}

/// A place among those who wait for a request, taken while the state is locked: nobody is to take it for abandoned.
pub(super) struct Landing {
    number: u64,
    begun: Now,
    outcome: Outcome<Result<TokenDetails, Error>>,
}

impl Landing {
    pub(super) fn of(flight: &Flight) -> Self {
        Self { number: flight.number, begun: flight.begun, outcome: flight.outcome.outcome() }
    }
}

impl Auth {
    /// A token as demanded: the one in use, or the one of the request that is under way, or of a new one.
    pub(super) async fn obtain(&self, demand: Demand, purpose: Purpose) -> Result<Arc<Held>, Error> {
        loop {
            let (landing, was_abandoned) = match self.step(demand, purpose)? {
                Step::Serve(held) => return Ok(held),
                Step::Wait { landing, was_abandoned } => (landing, was_abandoned),
            };
            let number = landing.number;
            match self.landed(landing).await {
                // What an abandoned request waited for is long gone, and what a later one gave counts more: the failure
                // is no verdict on this caller's need.
                Err(_) if was_abandoned || self.state().is_superseded(number) => {}
                outcome => return outcome,
            }
        }
    }

    /// Notes that a server refused the token of this generation.
    pub(super) fn reject(&self, generation: Generation) {
        let rejected = self.state().reject(generation);
        if let Some(rejected) = rejected {
            self.tell_of_rejection(&rejected);
        }
    }

    fn tell_of_rejection(&self, rejected: &Held) {
        if let Some(told) = &self.core().told {
            told.rejected(rejected, self.core().now());
        }
    }

    fn step(&self, demand: Demand, purpose: Purpose) -> Result<Step, Error> {
        let (now, server_now) = (self.core().now(), self.core().server_now());
        let mut state = self.state();
        if let Demand::InsteadOf(refused) = demand
            && let Some(rejected) = state.reject(refused)
        {
            // The observer is code of the program.
            drop(state);
            self.tell_of_rejection(&rejected);
            state = self.state();
        }
        let renewable = state.is_renewable();
        let serves = |held: &&Arc<Held>| {
            demand.accepts(held.generation)
                && (purpose == Purpose::Request || !renewable || held.is_alive(now))
        };
        if let Some(held) = state.usable(now, server_now).filter(serves) {
            return Ok(Step::Serve(Arc::clone(held)));
        }
        if let Some(flight) = state.newest(now) {
            let was_abandoned = flight.outcome.was_abandoned();
            return Ok(Step::Wait { landing: Landing::of(flight), was_abandoned });
        }
        let plan = state.defaults.token_plan(None, None).map_err(|error| match state.ending() {
            Some(ending) => error.with_source(ending),
            None => error,
        })?;
        let request = self.getting(plan, state.lives_until());
        let (flight, replaced) = state.begin(request, now);
        // Code of the program is in it.
        drop(state);
        drop(replaced);
        Ok(Step::Wait { landing: Landing::of(&flight), was_abandoned: false })
    }

    /// Gets a token that this client may use (RSA15).
    pub(super) fn getting(&self, plan: TokenPlan, in_use: Option<Deadline>) -> Request {
        let core = Arc::clone(self.core());
        SharedFuture::new(async move { core.token_in_time(plan, in_use).await })
    }

    /// Waits for a request, and takes in what it gave: the token in use, which may be that of a later one.
    pub(super) async fn landed(&self, landing: Landing) -> Result<Arc<Held>, Error> {
        let Landing { number, begun, outcome } = landing;
        let outcome = outcome.await.unwrap_or_else(|| {
            let text =
                "the auth callback panicked, or waits for the token that it is to give; see its own message";
            Err(ErrorCode::PROVIDER_FAILED.error(text).with_retry(Retry::Never))
        });
        let arrival = self.arrival(begun);
        let (landed, held) = {
            let mut state = self.state();
            let landed = state.landed(number, outcome.as_ref().ok(), arrival);
            (landed, state.held().cloned())
        };
        if let (Some(told), Landed::New(held) | Landed::Superseded(held)) = (&self.core().told, &landed) {
            told.issued(held, begun, arrival.now);
        }
        if matches!(landed, Landed::New(_)) {
            self.announce();
        }
        outcome?;
        held.ok_or_else(|| Error::new(ErrorKind::Closed, "the token that came is gone; ask again"))
    }
}
