//! The task of a session: between the channels of its handle and the engine.

use std::fmt;
use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use tokio::sync::mpsc::error::{SendError as NoReader, TrySendError};
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{oneshot, watch};

use super::{Message, SendError, Status};
use crate::driver::Unsent;
use crate::driver::polled::{Engine, Ledger, Task};
use crate::machine::Input;

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
    pub(super) to_send: mpsc::Receiver<Outgoing>,
    pub(super) deliver: mpsc::Sender<Message>,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) publish: watch::Sender<Status>,
}

/// A message and whoever waits to hear what became of it.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) message: Message,
    pub(super) sent: oneshot::Sender<Result<(), SendError>>,
}

/// What the handle wants. That it is gone says that the session is to be closed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    Renew,
    NetworkChanged,
}

/// Waits for room in the reader's queue.
pub(super) type Room = Task<Result<OwnedPermit<Message>, NoReader<()>>>;

/// Tells each sender what became of its message. A failed send is a sender that no longer waits.
pub(super) struct Acknowledge;

impl Ledger for Acknowledge {
    type Parcel = Outgoing;

    fn message(parcel: &Outgoing) -> &Message {
        &parcel.message
    }

    fn sent(&mut self, parcel: Outgoing) {
        let _ = parcel.sent.send(Ok(()));
    }

    fn returned(&mut self, parcel: Outgoing, reason: Unsent) {
        let _ = parcel.sent.send(Err(SendError::new(parcel.message, reason)));
    }
}

impl Driver {
    /// Runs until the session has ended for good: closed, dropped, or failed.
    pub async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
        let Self { mut engine, channels: Channels { mut to_send, deliver, commands, publish }, room, .. } =
            self;
        // Nothing of the session is left but what others still hand in: its reader learns of the end now.
        drop((deliver, room, commands, publish));
        to_send.close();
        // Until the last sender that was let in has put its message down.
        while let Some(outgoing) = to_send.recv().await {
            engine.send(outgoing);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.take_commands(cx);
        while self.engine.has_room()
            && let Poll::Ready(Some(outgoing)) = self.channels.to_send.poll_recv(cx)
        {
            self.engine.send(outgoing);
        }
        let was_full = !self.engine.has_room();
        let mut more = self.engine.drive(cx);
        self.publish();
        let delivered = self.deliver(cx);
        if self.engine.has_ended() {
            // A slow reader gets what had arrived, for as long as there is one.
            return delivered;
        }
        // Each stopped for want of room that there is now.
        more |= was_full && self.engine.has_room();
        more |= self.engine.is_stalled() && delivered.is_ready();
        if more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn take_commands(&mut self, cx: &mut Context<'_>) {
        while !self.closing
            && let Poll::Ready(command) = self.channels.commands.poll_recv(cx)
        {
            match command {
                Some(Command::Renew) => self.engine.tell(Input::Renew),
                Some(Command::NetworkChanged) => self.engine.tell(Input::NetworkChanged),
                None => {
                    self.closing = true;
                    // What was sent before goes out before the close.
                    self.channels.to_send.close();
                    while let Ok(outgoing) = self.channels.to_send.try_recv() {
                        self.engine.send(outgoing);
                    }
                    self.engine.tell(Input::Close);
                }
            }
        }
    }

    /// Hands messages to their reader; pending while it is too slow.
    fn deliver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.engine.has_message() {
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

    fn publish(&self) {
        let (state, error) = (self.engine.machine().state(), self.engine.machine().error());
        let now = self.engine.now();
        let valid_for = self.engine.machine().valid_for(now);
        self.channels.publish.send_if_modified(|status| {
            let changed = status.state != state;
            if changed {
                (status.state, status.error) = (state, error.cloned());
            }
            // Nobody waits for this one.
            if status.expires.map(|expires| expires.remaining(now)) != valid_for {
                status.expires = valid_for.map(|left| now.expiry(left));
            }
            changed
        });
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
