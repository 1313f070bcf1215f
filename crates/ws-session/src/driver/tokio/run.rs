//! The task of a session: between the channels of its handle and the engine.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll};

use auth_core::token::Generation;
use tokio::sync::{oneshot, watch};

use super::Status;
use super::lane;
use super::ledger::{Acknowledge, Outgoing, RenewalError};
use super::queue::Taking;
use super::reading::Deliver;
use crate::driver::polled::Engine;
use crate::machine::{Input, State};

/// What makes a [`Session`](super::Session) work. It ends when the session has ended for good.
#[must_use = "a session does nothing until its driver runs"]
pub struct Driver {
    /// In a place of its own: a future that is moved about, as a task's is, holds what it is made of several times over.
    pub(super) engine: Box<Engine<Acknowledge>>,
    pub(super) channels: Channels,
    /// Taken together, to be sent one by one; empty between polls.
    pub(super) taken: VecDeque<Outgoing>,
    pub(super) closing: bool,
}

/// The driver's ends.
pub(super) struct Channels {
    pub(super) to_send: Taking,
    pub(super) deliver: Deliver,
    pub(super) commands: lane::Receiver<Command>,
    pub(super) publish: watch::Sender<Status>,
}

/// What the handle wants. That it is gone says that the session is to be closed.
#[derive(Debug)]
pub(super) enum Command {
    Renew(Option<oneshot::Sender<Result<(), RenewalError>>>),
    Present(Generation, oneshot::Sender<Result<(), RenewalError>>),
    NetworkChanged,
    Close,
}

impl Driver {
    /// Runs until the session has ended for good: closed, dropped, or failed.
    pub async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
        let Self { mut engine, channels, taken, .. } = self;
        let Channels { to_send, deliver, commands, publish } = channels;
        // Nothing of the session is left but what others still handed in: its reader learns of the end now.
        drop((deliver, commands, publish));
        to_send.0.close();
        take_all(&to_send, &mut engine, taken, None);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.take_commands(cx);
        self.take(Some(cx));
        let mut more = self.engine.drive(cx);
        self.look_at_renewals();
        self.publish();
        let delivered = self.deliver(cx);
        if self.engine.has_ended() {
            // A slow reader gets what had arrived, for as long as there is one.
            return delivered;
        }
        // Reading stopped for want of room that there is now.
        more |= self.engine.is_stalled() && delivered.is_ready();
        if more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Tells those who wait for a credential to be accepted whether they wait in vain. A connection that is lost before it took a certain one
    /// is followed by one that may; not so what has been going on for too long.
    fn look_at_renewals(&mut self) {
        if self.engine.ledger().awaits_renewal() && !self.engine.machine().is_renewing() {
            let retry_in = self.engine.machine().renews_in(self.engine.now());
            self.engine.ledger().nothing_is_renewed(retry_in);
        }
        if !self.engine.ledger().awaits_presentation() {
            return;
        }
        let machine = self.engine.machine();
        let idle = match machine.state() {
            State::Connected => !machine.is_renewing(),
            state => state.is_final() || matches!(state, State::Suspended | State::Closing),
        };
        let (accepted, retry_in) = (machine.generation(), machine.renews_in(self.engine.now()));
        self.engine.ledger().presented(accepted, idle.then_some(retry_in));
    }

    fn take_commands(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(command) = self.channels.commands.poll_recv(cx) {
            match command {
                // The reader is slow, and whoever waits for anything else hears of the end now.
                Some(command) if self.engine.has_ended() => drop(command),
                // There is no other after the last, however often this is looked at.
                Some(Command::Close) if self.closing => {}
                None if self.closing => return,
                Some(Command::Renew(done)) => {
                    done.into_iter().for_each(|done| self.engine.ledger().wants_renewal(done));
                    self.engine.tell(Input::Renew);
                }
                Some(Command::Present(generation, done)) => {
                    self.engine.ledger().wants(generation, done);
                    self.engine.tell(Input::Present { generation });
                }
                Some(Command::NetworkChanged) => self.engine.tell(Input::NetworkChanged),
                Some(Command::Close) | None => {
                    self.closing = true;
                    // What was sent before goes out before the close.
                    self.channels.to_send.0.close();
                    self.take(None);
                    self.engine.tell(Input::Close);
                }
            }
        }
    }

    /// Takes what its senders have put down, of which the queue bounds how much there is.
    fn take(&mut self, cx: Option<&Context<'_>>) {
        let taken = std::mem::take(&mut self.taken);
        self.taken = take_all(&self.channels.to_send, &mut self.engine, taken, cx);
    }

    /// Hands messages to their reader; pending while it is too slow.
    fn deliver(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.engine.has_message() {
            return Poll::Ready(());
        }
        let Self { engine, channels, .. } = self;
        let delivered = channels.deliver.poll(cx, || engine.next());
        // The last may have taken the last room.
        if engine.has_message() { delivered } else { Poll::Ready(()) }
    }

    fn publish(&self) {
        let machine = self.engine.machine();
        let (expires, round_trip) = (machine.expires(), self.engine.round_trip());
        self.channels.publish.send_if_modified(|status| {
            let changed = status.state != machine.state();
            if changed {
                (status.state, status.error) = (machine.state(), machine.error().cloned());
            }
            (status.expires, status.round_trip) = (expires, round_trip);
            changed
        });
    }
}

/// Takes what was put down, until there is no more; gives back the empty queue.
fn take_all(
    to_send: &Taking,
    engine: &mut Engine<Acknowledge>,
    mut taken: VecDeque<Outgoing>,
    cx: Option<&Context<'_>>,
) -> VecDeque<Outgoing> {
    while let Poll::Ready(given_up) = to_send.take(&mut taken, cx) {
        if given_up {
            engine.forget_unwanted();
        }
        for outgoing in taken.drain(..) {
            if let Some(parcel) = engine.ledger().register(outgoing) {
                engine.send(parcel);
            }
        }
    }
    taken
}

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, channels: _, taken: _, closing } = self;
        formatter
            .debug_struct("Driver")
            .field("engine", engine)
            .field("closing", closing)
            .finish_non_exhaustive()
    }
}
