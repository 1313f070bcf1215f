//! The task of a session: between the channels of its handle and the engine.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use auth_core::token::Generation;
use tokio::sync::mpsc::error::{SendError as NoReader, TrySendError};
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{oneshot, watch};

use super::gate::Gate;
use super::ledger::{Acknowledge, Outgoing, RenewalError};
use super::{Message, Status};
use crate::driver::polled::{Engine, Task};
use crate::machine::{Input, State};

/// What makes a [`Session`](super::Session) work. It ends when the session has ended for good.
#[must_use = "a session does nothing until its driver runs"]
pub struct Driver {
    pub(super) engine: Engine<Acknowledge>,
    pub(super) channels: Channels,
    /// The reader's queue is full: more is delivered when there is room.
    pub(super) room: Option<Room>,
    pub(super) closing: bool,
}

/// The driver's ends.
pub(super) struct Channels {
    pub(super) to_send: mpsc::UnboundedReceiver<Outgoing>,
    pub(super) gate: Arc<Gate>,
    pub(super) deliver: mpsc::Sender<Message>,
    pub(super) commands: mpsc::Receiver<Command>,
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

/// Waits for room in the reader's queue.
pub(super) type Room = Task<Result<OwnedPermit<Message>, NoReader<()>>>;

impl Driver {
    /// Runs until the session has ended for good: closed, dropped, or failed.
    pub async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
        let Self { mut engine, channels, room, .. } = self;
        let Channels { mut to_send, gate, deliver, commands, publish } = channels;
        // Nothing of the session is left but what others still hand in: its reader learns of the end now.
        drop((deliver, room, commands, publish));
        gate.close();
        to_send.close();
        // Until the last sender that was let in has put its message down.
        while let Some(outgoing) = to_send.recv().await {
            take(&mut engine, outgoing);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.take_commands(cx);
        // The gate bounds how many there are.
        while let Poll::Ready(Some(outgoing)) = self.channels.to_send.poll_recv(cx) {
            take(&mut self.engine, outgoing);
        }
        let mut more = self.engine.drive(cx);
        if !self.engine.machine().is_renewing() {
            let retry_in = self.engine.machine().retry_in(self.engine.now());
            self.engine.ledger().nothing_is_renewed(retry_in);
        }
        self.look_at_presented();
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

    /// A connection that is lost before it took a credential is followed by one that may; not so what has been going on for too long.
    fn look_at_presented(&mut self) {
        let machine = self.engine.machine();
        let idle = match machine.state() {
            State::Connected => !machine.is_renewing(),
            state => matches!(state, State::Suspended | State::Closing),
        };
        let (accepted, retry_in) = (machine.generation(), machine.retry_in(self.engine.now()));
        self.engine.ledger().presented(accepted, idle.then_some(retry_in));
    }

    fn take_commands(&mut self, cx: &mut Context<'_>) {
        while !self.closing
            && let Poll::Ready(command) = self.channels.commands.poll_recv(cx)
        {
            match command {
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
                    self.channels.gate.close();
                    self.channels.to_send.close();
                    while let Ok(outgoing) = self.channels.to_send.try_recv() {
                        take(&mut self.engine, outgoing);
                    }
                    self.engine.tell(Input::Close);
                }
            }
        }
    }

    /// Hands messages to their reader; pending while it is too slow.
    fn deliver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.engine.has_message() {
            if self.room.is_none() && self.take_replies() {
                continue;
            }
            if let Some(room) = &mut self.room {
                // A closed channel is a user who has stopped listening.
                let permit = ready!(room.as_mut().poll(cx)).ok();
                self.room = None;
                if let (Some(message), Some(permit)) = (self.engine.next(), permit) {
                    permit.send(message);
                }
                continue;
            }
            match self.channels.deliver.try_reserve() {
                Ok(permit) => {
                    if let Some(message) = self.engine.next() {
                        permit.send(message);
                    }
                }
                Err(TrySendError::Closed(())) => drop(self.engine.next()),
                Err(TrySendError::Full(())) => {
                    self.room = Some(Box::pin(self.channels.deliver.clone().reserve_owned()));
                }
            }
        }
        Poll::Ready(())
    }

    /// Hands the next message to whoever asked for it, if anybody did.
    fn take_replies(&mut self) -> bool {
        let dialect = Arc::clone(self.engine.machine().dialect());
        let (Some(requests), true) = (&dialect.requests, self.engine.ledger().awaits_replies()) else {
            return false;
        };
        let Some(message) = self.engine.next() else { return false };
        let replies = self.engine.ledger().take_replies(requests, dialect.codec, &message);
        if !replies {
            self.engine.put_back(message);
        }
        replies
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

fn take(engine: &mut Engine<Acknowledge>, outgoing: Outgoing) {
    if let Some(parcel) = engine.ledger().register(outgoing) {
        engine.send(parcel);
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, channels: _, room: _, closing } = self;
        formatter
            .debug_struct("Driver")
            .field("engine", engine)
            .field("closing", closing)
            .finish_non_exhaustive()
    }
}
