//! The loop: whoever calls the session runs it, for as long as that call takes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use auth_core::time::Deadline;
use auth_core::{Observer, Token, TokenSource};
use tungstenite::Message as Frame;

use super::clock::Clock;
use super::connection::Connection;
use super::helper::{Asker, Fetching, Found, Opening};
use super::{QUEUE, QUEUE_BYTES};
use crate::dialect::Failure;
use crate::driver::inbox::Inbox;
use crate::driver::wire::{self, NotOpened};
use crate::driver::{Message, SendError, Target};
use crate::machine::{self, Epoch, Input, Received, State, Ticket};
use crate::outbox::{Limit, Outbox};

/// What a session is made of.
pub(super) struct Driver {
    pub(super) machine: machine::Session,
    pub(super) asker: Asker,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) target: Target,
    pub(super) clock: Clock,
    /// What helpers found; a sender is kept, so that it never ends.
    pub(super) helpers: (Sender<Found>, Receiver<Found>),
    pub(super) fetching: Option<Fetching>,
    pub(super) opening: Option<Opening>,
    pub(super) tokens: Vec<(Ticket, Token)>,
    pub(super) connections: Vec<Connection>,
    /// Inputs that came up while the machine was still being asked.
    pub(super) inputs: VecDeque<Input>,
    pub(super) deadline: Option<Deadline>,
    pub(super) outbox: Outbox<Message>,
    /// The connection that holds messages which are not written yet.
    pub(super) given_to: Option<Epoch>,
    pub(super) inbox: Inbox,
    pub(super) returned: Vec<SendError>,
}

/// How many frames are read at a time before it is the turn of everything else.
const FRAMES_AT_A_TIME: usize = 64;

/// How long one thing is waited for while there is another to look at.
const SLICE: Duration = Duration::from_millis(20);

/// A monotonic clock may stand still while the machine sleeps: looked at this often, a wall clock that went on is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

impl Driver {
    pub(super) fn new(
        machine: machine::Session,
        source: Arc<dyn TokenSource>,
        observer: Arc<dyn Observer>,
        target: Target,
    ) -> Self {
        let helpers = mpsc::channel();
        Self {
            machine,
            asker: Asker::new(source, helpers.0.clone()),
            observer,
            target,
            clock: Clock::start(),
            helpers,
            fetching: None,
            opening: None,
            tokens: Vec::new(),
            connections: Vec::new(),
            inputs: VecDeque::new(),
            deadline: None,
            outbox: Outbox::new(Limit { messages: QUEUE, bytes: QUEUE_BYTES }),
            given_to: None,
            inbox: Inbox::new(QUEUE, QUEUE_BYTES),
            returned: Vec::new(),
        }
    }

    /// Hands the machine an input, and does what it asks for.
    pub(super) fn step(&mut self, input: Input) {
        self.inputs.push_back(input);
        self.hand_over_inputs();
    }

    fn hand_over_inputs(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            let taken = self.machine.handle(self.clock.now(), input);
            self.act(taken);
        }
    }

    /// Until something happened or `until` has passed: says which.
    pub(super) fn turn(&mut self, until: Deadline) -> Turn {
        if self.housekeeping() {
            return Turn::Happened;
        }
        let now = self.clock.now();
        let patience = self.deadline.map_or(LONGEST_WAIT, |deadline| deadline.remaining(now));
        let patience = patience.min(until.remaining(now)).min(LONGEST_WAIT);
        if self.wait(patience) {
            Turn::Happened
        } else if until.passed(self.clock.now()) {
            Turn::TimeIsUp
        } else {
            Turn::Happened
        }
    }

    /// What waits for nobody: a deadline, what a helper found, messages that may go out. Says whether the machine moved.
    pub(super) fn housekeeping(&mut self) -> bool {
        if self.machine.state().is_final() {
            return true;
        }
        if let Ok(found) = self.helpers.1.try_recv() {
            self.take(found);
            return true;
        }
        if self.is_due() {
            // What came in time counts, although nobody looked: an answer, or a sign of life.
            let caught_up = (0..FRAMES_AT_A_TIME).all(|_| self.is_due() && self.wait(Duration::ZERO));
            if self.is_due() {
                self.tick(caught_up);
            }
            return true;
        }
        self.write();
        false
    }

    fn is_due(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline.passed(self.clock.now()))
    }

    fn tick(&mut self, unread: bool) {
        // A peer whose messages are not read, because their reader is slow, is not silent.
        if let (true, Some(live)) = (unread || self.inbox.is_full(), self.machine.live()) {
            self.machine.heard(live);
        }
        self.step(Input::Tick);
    }

    /// Whether a peer does not read: whoever writes waits for it.
    pub(super) fn is_held_up(&self) -> bool {
        self.connections.iter().any(Connection::is_held_up)
    }

    /// Whether nothing of the user's is on its way.
    pub(super) fn is_flushed(&self) -> bool {
        self.outbox.is_settled()
    }

    /// Waits for a helper where there is no connection, and for a frame elsewhere. Says whether there was one.
    fn wait(&mut self, patience: Duration) -> bool {
        // Whoever does not take what was read reads no more.
        let full = self.inbox.is_full() && self.machine.state() != State::Closing;
        if self.connections.is_empty() || full {
            let patience = if self.connections.is_empty() { patience } else { patience.min(SLICE) };
            let found = self.helpers.1.recv_timeout(patience);
            return found.is_ok_and(|found| {
                self.take(found);
                true
            });
        }
        let helped = self.fetching.is_some() || self.opening.is_some();
        let alone = self.connections.len() == 1 && !helped;
        let epochs: Vec<_> = self.connections.iter().map(|connection| connection.epoch).collect();
        for epoch in epochs {
            let mut frames = 0;
            while let Some(connection) = self.connection(epoch) {
                if connection.owes_too_much() {
                    break;
                }
                // A write has waited already; what it waits for may be that we read, and that much at a time.
                let held_up = connection.is_held_up();
                let patience = match () {
                    () if held_up || frames > 0 => Duration::ZERO,
                    () if alone => patience,
                    () => patience.min(SLICE),
                };
                let read = connection.read(patience);
                // In the middle of a large frame the server can't answer a ping: its bytes say that it lives.
                if connection.take_heard() {
                    self.machine.heard(epoch);
                }
                match read {
                    Ok(None) => break,
                    Ok(Some(frame)) => self.read(epoch, frame),
                    Err(failure) => self.ended(epoch, failure),
                }
                frames += 1;
                if !held_up || frames == FRAMES_AT_A_TIME || self.inbox.is_full() {
                    break;
                }
            }
            if frames > 0 {
                return true;
            }
        }
        false
    }

    fn read(&mut self, epoch: Epoch, frame: Frame) {
        let Some(incoming) = wire::incoming(&frame) else {
            self.machine.heard(epoch);
            return;
        };
        let received = self.machine.receive(self.clock.now(), epoch, incoming);
        // Beyond a full queue only a session that is closing reads, and only to find the end.
        if received == Ok(Received::Deliver)
            && !self.inbox.is_full()
            && let Some(message) = wire::message(frame)
        {
            self.inbox.push(message);
        }
        self.act(received.map(drop));
        self.hand_over_inputs();
    }

    fn take(&mut self, found: Found) {
        match found {
            Found::Token(ticket, result) => {
                if self.fetching.as_ref().is_some_and(|fetching| fetching.ticket == ticket) {
                    self.fetching = None;
                    let result = result.map(|token| {
                        let facts = self.machine.facts(&token);
                        self.tokens.push((ticket, token));
                        facts
                    });
                    self.step(Input::Token { ticket, result });
                }
            }
            Found::Opened(epoch, result) => {
                if self.opening.as_ref().is_some_and(|opening| opening.epoch == epoch) {
                    self.opening = None;
                    match result {
                        Ok(socket) => {
                            self.connections.push(Connection::new(epoch, socket));
                            self.step(Input::Opened { epoch });
                        }
                        Err(NotOpened { failure, retry_after }) => {
                            self.step(Input::Ended { epoch, failure, retry_after });
                        }
                    }
                }
            }
        }
    }

    fn ended(&mut self, epoch: Epoch, failure: Failure) {
        self.forget(epoch);
        self.step(Input::Ended { epoch, failure, retry_after: None });
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The close frame, if the peer takes it at once, and no farewell: nobody would wait for its answer.
        self.connections.iter_mut().for_each(Connection::close);
    }
}

/// What a turn ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Happened,
    TimeIsUp,
}
