//! One look at everything that a session waits for, in an order that lets nothing starve.

use std::task::{Context, Poll};

use auth_core::time::Now;
use tungstenite::Message as Frame;

use super::connection::Connection;
use super::engine::Engine;
use super::parts::{Ledger, Parts};
use crate::dialect::Failure;
use crate::driver::wire::{self, NotOpened};
use crate::machine::{Epoch, Input, Received};

/// What a look at everything found.
pub(super) enum Found {
    Input(Input),
    /// The machine took a message, and has acted: look again.
    Acted,
    Nothing,
}

/// How many frames are read before it is the turn of everything else: less than what a runtime lets a task do at a
/// time, or a peer that floods us would keep us from writing.
pub(super) const FRAMES_AT_A_TIME: usize = 64;

/// How many bytes of messages wait for their reader before no more are read, the last message not counted: what stays in a
/// processor's cache until they are taken.
pub(super) const BYTES_AT_A_TIME: usize = 64 * 1024;

impl<L: Ledger> Engine<L> {
    pub(super) fn look(&mut self, cx: &mut Context<'_>, now: Now, frames: &mut usize) -> Found {
        if let Some((ticket, demand, turn)) = &mut self.turn
            && let Poll::Ready(permit) = turn.poll(cx, &*self.parts.runtime)
        {
            let (ticket, demand) = (*ticket, *demand);
            (self.permit, self.turn) = (Some(permit), None);
            self.parts.machine.fetch_begins(now, ticket);
            self.fetch(ticket, demand);
            self.act(now);
        }
        if let Some((ticket, fetch)) = &mut self.fetching
            && let Poll::Ready(fetched) = fetch.as_mut().poll(cx)
        {
            let ticket = *ticket;
            self.fetching = None;
            let result = fetched.map(|token| {
                let facts = self.parts.machine.facts(&token);
                self.tokens.push((ticket, token));
                facts
            });
            return Found::Input(Input::Token { ticket, result });
        }
        // What came in time counts, although nobody looked: an answer, or a sign of life.
        self.stalled = false;
        for index in 0..self.connections.len() {
            match self.read(index, cx, now, frames) {
                Found::Nothing => {}
                found => return found,
            }
        }
        // The clock decides, the timer only wakes: a peer that always has something to say keeps it from that for as many frames
        // as are read at a time. What the deadline gives up, such as a credential that expired, must not go out before.
        if self.deadline.is_some_and(|deadline| deadline.passed(now)) {
            return Found::Input(self.tick(*frames == 0));
        }
        if let Some((epoch, open)) = &mut self.opening
            && let Poll::Ready(opened) = open.as_mut().poll(cx)
        {
            let epoch = *epoch;
            self.opening = None;
            return Found::Input(match opened {
                Ok(socket) => {
                    self.connections.push(Connection::new(epoch, socket));
                    Input::Opened { epoch }
                }
                Err(NotOpened { failure, retry_after }) => Input::Ended { epoch, failure, retry_after },
            });
        }
        if self.write(cx, now) {
            return Found::Acted;
        }
        if let Some(timer) = &mut self.timer
            && timer.sleep.as_mut().poll(cx).is_ready()
        {
            self.timer = None;
            return Found::Input(self.tick(*frames == 0));
        }
        Found::Nothing
    }

    fn tick(&mut self, unread: bool) -> Input {
        // A peer whose messages are not read, because their reader is slow or others were read, is not silent.
        if let (true, Some(live)) = (unread || self.stalled, self.live) {
            self.parts.machine.heard(live);
        }
        Input::Tick
    }

    fn read(&mut self, index: usize, cx: &Context<'_>, now: Now, frames: &mut usize) -> Found {
        loop {
            let Some(connection) = self.connections.get_mut(index) else { return Found::Nothing };
            let epoch = connection.epoch;
            // A slow reader holds up its own messages only: a login on the next connection goes on.
            let is_login = !connection.is_closing() && self.live.is_none_or(|live| epoch > live);
            if self.inbox.is_full() && !is_login {
                self.stalled = true;
                return if connection.is_broken() {
                    self.lost(epoch, Failure::Transport)
                } else {
                    Found::Nothing
                };
            }
            if connection.is_held_up() {
                return Found::Nothing;
            }
            let Some(left) = frames.checked_sub(1) else { return Found::Nothing };
            let polled = connection.socket.poll_read(cx);
            // In the middle of a large frame the server can't answer a ping: its bytes say that it lives.
            if connection.socket.take_heard() {
                self.parts.machine.heard(epoch);
            }
            let frame = match polled {
                Poll::Ready(Ok(frame)) => frame,
                Poll::Ready(Err(error)) => {
                    let failure = wire::ended(&error, connection.is_closing());
                    return self.lost(epoch, failure);
                }
                Poll::Pending if connection.is_broken() => return self.lost(epoch, Failure::Transport),
                Poll::Pending => return Found::Nothing,
            };
            *frames = left;
            match &frame {
                Frame::Close(frame) => {
                    // The codec has queued its answer; it goes out if the socket takes it at once.
                    let _ = connection.socket.poll_flush(cx);
                    let failure = wire::closed(frame.clone());
                    return self.lost(epoch, failure);
                }
                Frame::Ping(_) => connection.pinged(),
                Frame::Pong(_) => {
                    let asked = connection.asked.take();
                    let took = asked.map(|asked| now.mono.elapsed().saturating_sub(asked.mono.elapsed()));
                    self.round_trip = took.or(self.round_trip);
                }
                Frame::Text(_) | Frame::Binary(_) | Frame::Frame(_) => {}
            }
            let Some(incoming) = wire::incoming(&frame) else {
                self.parts.machine.heard(epoch);
                continue;
            };
            let received = self.parts.machine.receive(now, epoch, incoming);
            debug_assert!(received.is_ok(), "the machine's outputs are always drained");
            let deliver = received == Ok(Received::Deliver);
            // Before anything else is read: a reply that has come is one, though the connection ends behind it.
            let Parts { machine, ledger, .. } = &mut self.parts;
            if deliver
                && let Some(message) = wire::message(frame)
                && let Some(message) = ledger.take_replies(machine.dialect(), message)
            {
                self.inbox.push(message);
            }
            // A message of the dialect's may ask for nothing now, and for something sooner than was planned.
            if !deliver || !self.parts.machine.is_waiting() {
                self.act(now);
                return Found::Acted;
            }
        }
    }

    fn lost(&mut self, epoch: Epoch, failure: Failure) -> Found {
        self.drop_connection(epoch);
        Found::Input(Input::Ended { epoch, failure, retry_after: None })
    }

    /// Writes to each connection; true when one of them may be read now: for what it said last, as it takes no more, or because it
    /// has taken what it was held up by.
    fn write(&mut self, cx: &Context<'_>, now: Now) -> bool {
        let Parts { machine, outbox, ledger, .. } = &mut self.parts;
        let mut readable = false;
        for connection in self.connections.iter_mut().filter(|connection| !connection.is_broken()) {
            let live = self.live == Some(connection.epoch);
            let was_held_up = connection.is_held_up();
            if let Poll::Ready(Err(_)) = connection.poll_write(cx, outbox, live, ledger) {
                connection.broke();
                readable = true;
            }
            if connection.is_closing() && connection.socket.take_wrote() {
                machine.wrote(now, connection.epoch);
            }
            readable |= was_held_up && !connection.is_held_up();
        }
        readable
    }
}
