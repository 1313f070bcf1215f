//! Requests on their way: from the machine to the server, and what became of them back.

use auth_core::oauth::TokenResponse;
use auth_core::renewal::{Attempt, Input, Ticket};
use auth_core::time::Now;
use auth_core::{AuthEvent, Error, ErrorKind};

use super::endpoint::{Asked, Fate};
use super::plan::Profile;
use super::properties::Property;
use super::world::{Event, Work, World};
use crate::chance::Chance;
use crate::clock::At;

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) process: usize,
    pub(crate) incarnation: u32,
    pub(crate) ticket: Ticket,
    pub(crate) refresh_token: Option<String>,
    pub(crate) sent: At,
    pub(crate) sent_now: Now,
    fate: Fate,
    result: Option<Result<TokenResponse, Error>>,
    /// The machine was told of the answer.
    pub(crate) succeeded: bool,
    /// The machine gave up on it, and the driver could not stop it: the result comes all the same.
    pub(crate) given_up: bool,
}

impl World {
    /// The driver sends a request.
    pub(crate) fn send(&mut self, process: usize, ticket: Ticket, attempt: &Attempt) {
        let (at, number) = (self.clocks.at, self.requests.len());
        let refresh_token = attempt.refresh_token.as_ref().map(|token| token.expose().to_owned());
        // In the worlds that lose each first answer, a replay is not the first.
        let first =
            self.requests.last().is_none_or(|last| last.refresh_token != refresh_token || last.succeeded);
        let (fate, there, back) = Fate::of(&self.plan, self.seed, number, first, at);
        self.coverage.saw(fate.name());
        self.requests.push(Request {
            process,
            incarnation: self.processes[process].incarnation,
            ticket,
            refresh_token,
            sent: at,
            sent_now: self.clocks.now(process),
            fate,
            result: None,
            succeeded: false,
            given_up: false,
        });
        self.processes[process].work = Some(Work::Request { ticket, request: number });
        if fate != Fate::Unreachable && fate != Fate::LostBefore {
            self.schedule(at + there, Event::Arrive { request: number });
        }
        let answered = at + there + back;
        let timeout = self.plan.timeout.map_or(u64::MAX, |timeout| at + timeout);
        self.schedule(answered.min(timeout), Event::Answer { request: number });
        self.protocol_step(process);
    }

    /// It reaches the server.
    pub(crate) fn arrive(&mut self, number: usize) {
        let request = &self.requests[number];
        let asked = Asked {
            number,
            refresh_token: request.refresh_token.as_deref(),
            sent: request.sent,
            fate: request.fate,
        };
        let process = request.process;
        // Drawn for each request anew, so that what one world asks more does not change the rest.
        let mut chance = if self.plan.profile == Profile::Twins {
            Chance::of(self.seed, 500_000 + number as u64)
        } else {
            self.issuing.clone()
        };
        let result = self.endpoint.answer(&self.plan, &mut chance, self.clocks.at, &asked);
        self.issuing = chance;
        self.requests[number].result = Some(result);
        self.protocol_step(process);
    }

    /// What became of it reaches the process.
    pub(crate) fn deliver(&mut self, number: usize) {
        let request = &mut self.requests[number];
        let (process, ticket) = (request.process, request.ticket);
        if self.processes[process].incarnation != request.incarnation {
            return;
        }
        let awaited = self.processes[process].work == Some(Work::Request { ticket, request: number });
        if !awaited && !request.given_up {
            return;
        }
        let arrived = self.clocks.at.saturating_sub(request.sent);
        let timed_out = self.plan.timeout.is_some_and(|timeout| arrived >= timeout);
        let result = match (request.result.take(), request.fate) {
            _ if timed_out => Err(Error::new(ErrorKind::Timeout, "no answer in time")),
            (Some(result), _) => result,
            (None, Fate::Unreachable) => {
                Err(Error::new(ErrorKind::Transport, "no connection").without_effect())
            }
            (None, _) => Err(Error::new(ErrorKind::Transport, "the connection broke")),
        };
        if awaited {
            self.processes[process].work = None;
            self.learn(number, &result);
        } else {
            self.coverage.saw("machine: result of work that it gave up");
        }
        let input = match result {
            Ok(response) => {
                self.requests[number].succeeded = awaited;
                Input::Issued { ticket, response }
            }
            Err(error) => Input::Failed { ticket, error },
        };
        self.apply(process, input);
        self.protocol_step(process);
    }

    /// How long each request was under way is told, from when it was told of to its answer, or to the end of the wait for that.
    pub(super) fn check_took(&mut self, process: usize, now: Now, event: &AuthEvent) {
        let requested = &mut self.processes[process].known.requested;
        let took = match event {
            AuthEvent::TokenRequested { .. } => {
                *requested = Some(now.mono.elapsed());
                return;
            }
            AuthEvent::TokenIssued { took, .. }
            | AuthEvent::TokenRequestFailed { took, .. }
            | AuthEvent::RateLimited { took, .. } => *took,
            _ => return,
        };
        let expected = requested.take().map(|since| now.mono.elapsed().saturating_sub(since));
        if took.is_none() || took != expected {
            let text = format!("a request is told to have taken {took:?}, not {expected:?}");
            self.violate(Property::Contract, text);
        }
    }
}
