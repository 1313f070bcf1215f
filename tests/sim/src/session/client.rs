//! The session with what its driver keeps, what an input is about, and what came of it.

use std::collections::BTreeMap;
use std::time::Duration;

use auth_core::time::{Deadline, Now};
use auth_core::{AuthEvent, Demand, Error, Secret};
use serde_json::Value;
use ws_session::dialect::Failure;
use ws_session::machine::{Epoch, Session, State, Ticket};
use ws_session::outbox::Outbox;

use crate::clock::At;

/// The session and what its driver keeps.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) machine: Option<Box<Session>>,
    /// As they were when the machine was last at hand.
    pub(crate) state: State,
    pub(crate) live: Option<Epoch>,
    pub(crate) outbox: Outbox<usize>,
    /// The connection that the outbox was handed to.
    pub(crate) given_to: Option<Epoch>,
    pub(crate) held: BTreeMap<Ticket, Held>,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) timer: u64,
    pub(crate) wakes_at: Option<At>,
    /// Ticks in a row at which a deadline had passed and nothing came of it.
    pub(crate) idle_ticks: u32,
    /// While a connection was live another was on its way, when the last input came.
    pub(crate) under_way: bool,
    /// A clock had been disturbed when the last input came.
    pub(crate) was_disturbed: bool,
    /// The deadline had passed when the last input came.
    pub(crate) was_due: bool,
}

/// A token that the driver keeps.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) token: usize,
    pub(crate) secret: Secret,
    pub(crate) handed: Now,
    pub(crate) handed_at: At,
    /// By the clocks of the host, as the source told it.
    pub(crate) told: Option<Deadline>,
    /// The connection that it was for.
    pub(crate) used: Option<Epoch>,
    pub(crate) forgotten: bool,
    /// The source should not have handed it out.
    pub(crate) again: bool,
}

/// What an input is about, as the world knows it.
#[derive(Debug, Clone)]
pub(crate) enum Cause {
    Start,
    Close,
    /// The user or the network wants it to go on.
    Pushed,
    Tick,
    Token,
    NoToken(Error),
    Opened(usize),
    Ended {
        link: usize,
        failure: Failure,
        advice: Option<Duration>,
    },
    Message(usize, Value),
    /// It is about what is no more.
    Stale,
}

/// What came of an input.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    pub(crate) before: Option<State>,
    pub(crate) live_before: Option<Epoch>,
    pub(crate) outputs: u32,
    pub(crate) fetches: Vec<Demand>,
    pub(crate) opens: Vec<Epoch>,
    pub(crate) sends: u32,
    pub(crate) closes: Vec<Epoch>,
    pub(crate) aborts: Vec<Epoch>,
    pub(crate) events: Vec<AuthEvent>,
}

impl Client {
    pub(crate) fn new(machine: Session, outbox: Outbox<usize>) -> Self {
        Self {
            machine: Some(Box::new(machine)),
            state: State::Initialized,
            live: None,
            outbox,
            given_to: None,
            held: BTreeMap::new(),
            deadline: None,
            timer: 0,
            wakes_at: None,
            idle_ticks: 0,
            under_way: false,
            was_disturbed: false,
            was_due: false,
        }
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    pub(crate) const fn live(&self) -> Option<Epoch> {
        self.live
    }

    pub(crate) fn heard(&mut self, epoch: Epoch) {
        if let Some(machine) = &mut self.machine {
            machine.heard(epoch);
        }
    }

    pub(crate) const fn timer(&mut self, at: Option<At>) -> u64 {
        self.timer += 1;
        self.wakes_at = at;
        self.timer
    }
}
