//! What the machine asks for, done.

use auth_core::{ApiMisuse, ErrorKind};
use tungstenite::Message as Frame;

use super::connection::{Connection, Goodbye};
use super::dial::Dial;
use super::helper::Opening;
use super::run::Driver;
use crate::dialect::{Failure, Fresh};
use crate::driver::{SendError, Unsent, wire};
use crate::machine::{DialectMessage, Epoch, Input, Output, State, Ticket};

/// How many bytes of the user's messages are handed over before they are flushed: if the connection is lost, no more are in doubt.
const HANDED_OVER: usize = 64 * 1024;

impl Driver {
    /// Does what the machine asks for, until it waits.
    pub(super) fn act(&mut self, taken: Result<(), ApiMisuse>) {
        debug_assert!(taken.is_ok(), "the machine's outputs are always drained");
        loop {
            match self.machine.poll() {
                Output::FetchToken { ticket, demand } => match self.asker.ask(ticket, demand) {
                    Ok(fetching) => self.fetching = Some(fetching),
                    Err(_) => {
                        let text = "no thread can be started to fetch a token; look at the system's limits";
                        let result = Err(auth_core::Error::new(ErrorKind::Transport, text));
                        self.inputs.push_back(Input::Token { ticket, result });
                    }
                },
                Output::Forget { ticket } => self.tokens.retain(|(held, _)| *held != ticket),
                Output::Open { epoch, ticket } => self.open(epoch, ticket),
                Output::Send { epoch, message, ticket } => self.send(epoch, message, ticket),
                Output::Ping { epoch } => {
                    if let Some(connection) = self.connection(epoch) {
                        connection.write(Frame::Ping(bytes::Bytes::new()));
                    }
                }
                Output::Farewell { epoch } => self.send(epoch, DialectMessage::Farewell, None),
                Output::Close { epoch } => self.close(epoch),
                Output::Abort { epoch } => self.forget(epoch),
                Output::Event(event) => {
                    let held = self.tokens.iter().map(|(_, token)| token.secret());
                    self.observer.observe(&self.machine.tellable(event, held));
                }
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    break;
                }
            }
        }
        if let Some(connection) = self.machine.live().and_then(|live| self.connection(live)) {
            connection.accepted();
        }
        if self.machine.state().is_final() {
            self.end();
        }
    }

    fn open(&mut self, epoch: Epoch, ticket: Ticket) {
        let failed = |failure| Input::Ended { epoch, failure, retry_after: None };
        let upgrade = self.tokens.iter().find(|(held, _)| *held == ticket).map(|(_, token)| {
            let fresh = Fresh { now: self.clock.now(), random: rand::random() };
            self.machine.upgrade(self.target.url(), token.secret(), fresh)
        });
        let Some(Ok(upgrade)) = upgrade else {
            self.inputs.push_back(failed(Failure::Unplaceable));
            return;
        };
        // Nobody may call while it is opened: what must not go out late is the thread's own affair.
        let Some(until) = self.machine.open_deadline() else { return };
        let dial = Dial { target: self.target.clone(), upgrade, clock: self.clock, until };
        match Opening::start(epoch, dial, self.helpers.0.clone()) {
            Ok(opening) => self.opening = Some(opening),
            Err(_) => self.inputs.push_back(failed(Failure::Transport)),
        }
    }

    fn send(&mut self, epoch: Epoch, message: DialectMessage, ticket: Option<Ticket>) {
        let token = self.tokens.iter().find(|(held, _)| Some(*held) == ticket);
        let fresh = Fresh { now: self.clock.now(), random: rand::random() };
        let credential = token.map(|(_, token)| token.secret());
        match self.machine.message(epoch, message, credential, fresh) {
            Ok(rendered) => {
                let (frame, is_live) = (wire::frame_of(&rendered), self.machine.live() == Some(epoch));
                match (self.connection(epoch), message) {
                    (Some(connection), DialectMessage::Farewell) => connection.bid_farewell(frame, is_live),
                    (Some(connection), _) => connection.answer(frame),
                    (None, _) => {}
                }
            }
            Err(_) => self.inputs.push_back(Input::Unplaceable { epoch, message }),
        }
    }

    fn close(&mut self, epoch: Epoch) {
        let last_words = self.machine.state() == State::Closing && self.machine.live() == Some(epoch);
        if let Some(connection) = self.connection(epoch) {
            if last_words {
                connection.close_after_messages();
            } else {
                connection.close();
            }
        }
    }

    /// Writes what may go out, as far as the peers read.
    pub(super) fn write(&mut self) {
        let live = self.machine.live();
        for connection in &mut self.connections {
            let epoch = connection.epoch;
            let speaks = live == Some(epoch) || connection.goodbye() == Goodbye::AfterMessages;
            while connection.flush() {
                if self.given_to == Some(epoch) {
                    self.given_to = None;
                    self.outbox.flushed().for_each(drop);
                }
                // A connection that is being closed may still hold messages; others wait until it is known what became of them.
                let mut room = if speaks && self.given_to.is_none() { HANDED_OVER } else { 0 };
                while room > 0 && connection.takes_messages() {
                    let Some(message) = self.outbox.hand_over() else { break };
                    self.given_to = Some(epoch);
                    room = room.saturating_sub(message.len().max(1));
                    connection.write(Frame::from(message));
                }
                if self.given_to != Some(epoch) {
                    if connection.goodbye() == Goodbye::AfterMessages {
                        connection.take_leave();
                    } else {
                        break;
                    }
                }
            }
            if connection.takes_leave() {
                self.machine.wrote(self.clock.now(), epoch);
            }
        }
    }

    pub(super) fn connection(&mut self, epoch: Epoch) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.epoch == epoch)
    }

    /// Drops a connection, or the attempt to make it; what it may have sent comes back.
    pub(super) fn forget(&mut self, epoch: Epoch) {
        self.connections.retain(|connection| connection.epoch != epoch);
        self.opening.take_if(|opening| opening.epoch == epoch);
        if self.given_to == Some(epoch) {
            self.given_to = None;
            let lost = self.outbox.connection_lost();
            self.returned.extend(lost.map(|message| SendError::new(message, Unsent::MayHaveArrived)));
        }
    }

    /// Leaves nothing but what comes back.
    fn end(&mut self) {
        (self.fetching, self.opening, self.deadline) = (None, None, None);
        self.tokens.clear();
        self.inputs.clear();
        self.connections.clear();
        self.given_to = None;
        let lost = self.outbox.connection_lost();
        self.returned.extend(lost.map(|message| SendError::new(message, Unsent::MayHaveArrived)));
        let unsent = self.outbox.session_ended();
        self.returned.extend(unsent.map(|message| SendError::new(message, Unsent::Ended)));
    }
}
