//! The user: sends messages that are numbered, and wants to know what became of each.

use ws_session::machine::{Epoch, State};
use ws_session::outbox::Limit;

use super::link::{Down, Up};
use super::properties::Property;
use super::world::{Event, World};
use crate::clock::{MILLI, SECOND};

/// How much may wait for a connection.
pub(crate) const LIMIT: Limit = Limit { messages: 8, bytes: 800 };

/// A message of the user's.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) fate: Fate,
    /// The connection that it was put on.
    pub(crate) link: Option<usize>,
    pub(crate) arrivals: u32,
    /// When its fate was known.
    pub(crate) settled: u64,
}

/// What became of a message, as its sender was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Waiting,
    Sent,
    /// May have arrived.
    Unknown,
    /// Given back.
    NotSent,
}

impl World {
    pub(crate) fn say(&mut self) {
        let number = self.messages.len();
        self.messages.push(Message { fate: Fate::Waiting, link: None, arrivals: 0, settled: 0 });
        let length = self.using.pick([10, 10, 100, 900]);
        if self.client.state().is_final() {
            return self.settle(number, Fate::NotSent);
        }
        if self.client.outbox.push(number, length).is_err() {
            self.coverage.saw("user: the queue is full");
            return self.settle(number, Fate::NotSent);
        }
        self.coverage.saw("user: sends");
        self.hand_over();
    }

    /// The fate of a message is told, once.
    fn settle(&mut self, number: usize, fate: Fate) {
        let at = self.clocks.at;
        let message = &mut self.messages[number];
        let before = message.fate;
        (message.fate, message.settled) = (fate, at);
        self.coverage.saw(match fate {
            Fate::Waiting => "message: waits",
            Fate::Sent => "message: sent",
            Fate::Unknown => "message: perhaps sent",
            Fate::NotSent => "message: given back",
        });
        if before != Fate::Waiting {
            self.violate(Property::GivenBack, format!("message {number} is {before:?}, and now {fate:?}"));
        }
    }

    /// What waits goes to the live connection.
    pub(crate) fn hand_over(&mut self) {
        let Some(epoch) = self.client.live() else { return };
        let Some(link) = self.link_of(epoch).filter(|link| self.links[*link].known) else {
            return self.violate(Property::Protocol, format!("{epoch:?} is live, and is not known"));
        };
        if self.links[link].closing || self.links[link].left {
            return;
        }
        let mut any = false;
        while let Some(number) = self.client.outbox.hand_over().copied() {
            any = true;
            if self.messages[number].link.replace(link).is_some() {
                self.violate(Property::Messages, format!("message {number} is handed over twice"));
            }
            self.send_up(link, Up::User(number));
        }
        if any {
            let at = self.clocks.at + self.using.between(1, 20 * MILLI);
            self.schedule(at, Event::Flush { epoch });
        }
    }

    /// All that a connection was given is with the operating system.
    pub(crate) fn flush(&mut self, epoch: Epoch) {
        let known = self.link_of(epoch).is_some_and(|link| self.links[link].known);
        if known && self.client.given_to == Some(epoch) {
            self.flush_now();
        }
    }

    pub(crate) fn flush_now(&mut self) {
        let sent: Vec<_> = self.client.outbox.flushed().collect();
        for number in sent {
            self.settle(number, Fate::Sent);
        }
    }

    /// The connection is gone with what it had not passed on.
    pub(crate) fn lose_unflushed(&mut self, epoch: Epoch) {
        if self.client.given_to == Some(epoch) {
            let lost: Vec<_> = self.client.outbox.connection_lost().collect();
            for number in lost {
                self.settle(number, Fate::Unknown);
            }
        }
    }

    /// Another connection is live, or none, or the session is over.
    pub(crate) fn follow_live(&mut self) {
        let live = self.client.live();
        if self.client.given_to != live {
            let old = self.client.given_to.and_then(|epoch| self.link_of(epoch));
            if old.is_some_and(|old| self.links[old].known) {
                self.flush_now();
            } else if let Some(epoch) = self.client.given_to {
                self.lose_unflushed(epoch);
            }
            self.client.given_to = live;
        }
        if self.client.state().is_final() {
            let rest: Vec<_> = self.client.outbox.session_ended().collect();
            for number in rest {
                self.settle(number, Fate::NotSent);
            }
        } else if self.client.state() != State::Closing {
            self.hand_over();
        }
    }

    /// A message of the user's reaches the server.
    pub(crate) fn arrive(&mut self, link: usize, number: usize) {
        self.coverage.saw("message: arrived");
        self.messages[number].arrivals += 1;
        let state = &mut self.links[link];
        let (late, early) = (state.arrived >= Some(number), !state.was_live);
        state.arrived = Some(number);
        if self.messages[number].arrivals > 1 {
            self.violate(Property::Messages, format!("message {number} arrived twice"));
        } else if late {
            self.violate(Property::Messages, format!("message {number} arrived out of order"));
        } else if early {
            self.violate(Property::Messages, format!("message {number} came before the acceptance"));
        }
    }

    /// The server sends a message on each connection that is live there.
    pub(crate) fn push(&mut self) {
        self.pushed += 1;
        let text = format!("{{\"push\":{}}}", self.pushed);
        for link in self.links.len().saturating_sub(4)..self.links.len() {
            if self.links[link].server.as_ref().is_some_and(|server| server.is_live()) {
                self.coverage.saw("server: sends");
                self.send_down(link, Down::Text(text.clone()));
            }
        }
    }

    /// The user gets a message, or does not.
    pub(crate) fn got(&mut self, link: usize, number: u64, delivered: bool) {
        let state = &mut self.links[link];
        if !delivered {
            // Of a connection that is no more nothing is delivered, nor of one before the client knows that it is in.
            let due = state.known && state.authenticated_at.is_some();
            if due && !self.client.state().is_final() {
                self.violate(Property::Messages, format!("the server's message {number} was withheld"));
            }
            return;
        }
        self.coverage.saw("message: got");
        let again = state.got >= number;
        state.got = number;
        if again {
            self.violate(Property::Messages, format!("the server's message {number} came twice, or late"));
        } else if !state.known || state.authenticated_at.is_none() {
            self.violate(
                Property::Messages,
                format!("the server's message {number} came of a connection that is not in"),
            );
        }
    }

    /// What the user does by and by.
    pub(crate) fn arrange_user(&mut self) {
        for _ in 0..self.plan.messages {
            let at = self.using.between(0, self.plan.span);
            // One alone, or a few in a row.
            for after in 0..self.using.pick([1, 1, 3]) {
                self.schedule(at + after * MILLI, Event::Say);
            }
            let at = self.using.between(0, self.plan.span);
            self.schedule(at, Event::Push);
        }
        for _ in 0..self.plan.chaos.renews {
            let at = self.using.between(0, self.plan.calm);
            self.schedule(at, Event::Renew);
        }
        for _ in 0..self.plan.chaos.network_changes {
            let at = self.using.between(0, self.plan.calm);
            self.schedule(at, Event::NetworkChanged);
        }
        self.schedule(SECOND, Event::Nag);
        if let Some(at) = self.plan.closes {
            // Some close at once, while the first connection is being made.
            let at = if self.using.per_mille(200) { at % (5 * SECOND) } else { at };
            self.schedule(at, Event::Close);
        }
    }
}
