//! Sessions that their owner polls: a stream of messages and a sink for them, with no task and no channel inside.

mod ahead;
mod builder;
mod connection;
mod engine;
mod looking;
mod opening;
mod parts;
mod runtime;
mod socket;
mod wakers;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;

pub use self::builder::Builder;
pub(super) use self::engine::Engine;
pub(super) use self::parts::Ledger;
pub use self::runtime::{ByteStream, Runtime, Task};
use self::wakers::{Half, Wakers};
pub use super::{ConnectBudget, Events, Message, SendError, Server, SessionEvent, Target, Unsent};
use crate::Error;
use crate::machine::{Input, State};
use crate::outbox::Outbox;
pub use crate::outbox::{Limit, Overflow};

/// A session that keeps itself connected and authenticated while it is polled, as a stream or as a sink.
///
/// Each poll of either half does all there is to do: fetches tokens, logs in, reads, writes, answers pings, renews. While nobody
/// polls, nothing happens: a session that is left alone for long loses its connection. Both halves may be polled by
/// different tasks, by whatever splits a stream and a sink.
///
/// The stream ends when the session has ended for good; [`error`](Self::error) says why, unless its user closed it. Up to 64
/// messages, or 64 KiB of them, wait for whoever reads; beyond that nothing is read until they are taken. Messages of up
/// to 1 MiB are read (64 KiB before the server has accepted the credential); a larger one costs the connection.
///
/// The sink takes messages at any time, up to 256 or a mebibyte of them ([by default](Builder::with_queue)), and is flushed when they are with the operating system. An
/// error of the sink holds the message that was not sent, or may not have been; the sink goes on working until the session
/// has ended. Closing it closes the session behind all that was sent.
///
/// Dropping the session drops its connection without a word.
#[derive(Debug)]
pub struct Session {
    engine: Engine<Returns>,
    wakers: Wakers,
    closing: bool,
    /// The last drive stopped because it was somebody else's turn.
    more_to_do: bool,
    /// How much the reader has taken since it last had to wait, in bytes, each message with [`COST`].
    taken: usize,
}

/// What it costs to take a message, beside its bytes.
const COST: usize = 1024;

/// How much a reader may take before it is the turn of others: whatever polls it, and however much was read ahead.
const MOST_TAKEN: usize = 256 * COST;

/// Messages that came back.
#[derive(Debug)]
struct Returns {
    /// As many as there were in a connection, or in the queue.
    returned: VecDeque<SendError>,
    /// The newest of those that still newer ones took the place of: no more than may wait to be sent.
    dropped: Outbox<SendError>,
}

impl Returns {
    const fn new(limit: Limit) -> Self {
        Self { returned: VecDeque::new(), dropped: Outbox::new(limit) }
    }

    fn pop(&mut self) -> Option<SendError> {
        self.returned.pop_front().or_else(|| self.dropped.withdraw())
    }
}

impl Ledger for Returns {
    type Parcel = Message;

    fn message(parcel: &Message) -> &Message {
        parcel
    }

    fn sent(&mut self, _: Message) {}

    fn returned(&mut self, parcel: Message, reason: Unsent) {
        let length = parcel.len();
        let returned = SendError::new(parcel, reason);
        if reason == Unsent::Dropped {
            drop(self.dropped.push_instead(returned, length));
        } else {
            self.returned.push_back(returned);
        }
    }
}

impl Session {
    /// Where the session stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.engine.machine().state()
    }

    /// Why the session failed, if it did.
    #[must_use]
    pub const fn error(&self) -> Option<&Error> {
        self.engine.machine().error()
    }

    /// How long the credential of the live connection is still good, where that is known.
    #[must_use]
    pub fn valid_for(&self) -> Option<Duration> {
        self.engine.machine().valid_for(self.engine.now())
    }

    /// Waits until the session is authenticated for the first time, or again after a lost connection. Messages that come meanwhile
    /// wait for their reader.
    ///
    /// # Errors
    ///
    /// Why the session ended for good. A fault that may pass is no error: the session keeps trying.
    pub async fn authenticated(&mut self) -> Result<(), Error> {
        poll_fn(|cx| {
            self.drive(Half::Read, cx);
            let polled = match self.state() {
                State::Connected => Poll::Ready(Ok(())),
                state if state.is_final() => {
                    Poll::Ready(Err(self.error().cloned().unwrap_or_else(Error::closed)))
                }
                _ => Poll::Pending,
            };
            self.tell_half(Half::Read, cx, polled)
        })
        .await
    }

    /// How long the last ping took to be answered, if one was: a connection is pinged when it has been silent.
    #[must_use]
    pub const fn round_trip(&self) -> Option<Duration> {
        self.engine.round_trip()
    }

    /// The events of the session from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.engine.subscribing().events(self.engine.now())
    }

    /// The next message; `None` when the session has ended.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Sends a message once the session is authenticated, and returns when it is with the operating system. Dropping
    /// the future takes a message back that waits for room, and no other.
    ///
    /// # Errors
    ///
    /// [`SendError`] holds a message that was not sent: this one, or one that came back before it.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        poll_fn(|cx| Pin::new(&mut *self).poll_ready(cx)).await?;
        Pin::new(&mut *self).start_send(message.into())?;
        poll_fn(|cx| Pin::new(&mut *self).poll_flush(cx)).await
    }

    /// Asks for a fresh credential on the connection now, or for a connection now rather than after a wait. Poll the session
    /// for it to happen.
    pub fn renew(&mut self) {
        self.tell(Input::Renew);
    }

    /// Says that the network changed: a live connection is asked whether it lives, and a wait for the next attempt is over.
    pub fn network_changed(&mut self) {
        self.tell(Input::NetworkChanged);
    }

    /// Begins to close the session, behind all that was sent. Poll the session until it ends: as a stream, for what
    /// the server still has to say, or by closing the sink. What the server takes no more of for the
    /// [close timeout](crate::machine::Config::with_close_timeout) comes back, as does what waits for a connection.
    pub fn close(&mut self) {
        if !self.closing {
            self.closing = true;
            self.tell(Input::Close);
        }
    }

    /// The messages that came back since this, or a flush, told of them: when a connection broke, or the session ended. Of those that newer ones
    /// took the place of, the newest are kept, as many as may wait to be sent.
    pub fn take_returned(&mut self) -> impl Iterator<Item = SendError> + '_ {
        std::iter::from_fn(|| self.engine.ledger().pop())
    }

    fn tell(&mut self, input: Input) {
        self.engine.tell(input);
        // Whoever waits in a poll of the other half has something to do.
        self.wakers.waker().wake_by_ref();
    }

    /// Does all that can be done now, on behalf of a half.
    fn drive(&mut self, half: Half, cx: &Context<'_>) {
        self.wakers.register(half, cx);
        self.wakers.take_woken();
        let before = self.progress();
        let waker = self.wakers.waker().clone();
        self.more_to_do = self.engine.drive(&mut Context::from_waker(&waker));
        if self.more_to_do || self.progress() != before {
            self.wakers.wake_other(half);
        }
    }

    /// What a half is told. One that must wait comes back at once where there is more to do; one that was told something comes
    /// back by itself.
    fn tell_half<T>(&mut self, half: Half, cx: &Context<'_>, polled: Poll<T>) -> Poll<T> {
        self.wakers.waits(half, polled.is_pending());
        if polled.is_pending() && std::mem::take(&mut self.more_to_do) {
            cx.waker().wake_by_ref();
        }
        polled
    }

    /// What the other half may be waiting for.
    fn progress(&self) -> (bool, bool, bool, bool) {
        let engine = &self.engine;
        (engine.has_ended(), engine.has_message(), engine.has_room(), engine.is_flushed())
    }
}

impl Stream for Session {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let session = self.get_mut();
        if session.taken >= MOST_TAKEN {
            session.taken = 0;
            session.more_to_do = true;
            return session.tell_half(Half::Read, cx, Poll::Pending);
        }
        // What was read together is taken together, unless something else happened meanwhile.
        if !session.engine.has_message() || session.wakers.take_woken() {
            session.drive(Half::Read, cx);
        }
        let polled = match session.engine.next() {
            Some(message) => {
                session.taken = session.taken.saturating_add(COST + message.len());
                Poll::Ready(Some(message))
            }
            None if session.engine.has_ended() => Poll::Ready(None),
            None => {
                session.taken = 0;
                Poll::Pending
            }
        };
        session.tell_half(Half::Read, cx, polled)
    }
}

impl FusedStream for Session {
    fn is_terminated(&self) -> bool {
        self.engine.has_ended() && !self.engine.has_message()
    }
}

impl Sink<Message> for Session {
    type Error = SendError;

    /// Ready when there is room, or when the session has ended: a message is given back then, rather than lost.
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let session = self.get_mut();
        if !session.engine.has_room() {
            session.drive(Half::Write, cx);
        }
        let ready = session.engine.has_room() || session.engine.has_ended();
        session.tell_half(Half::Write, cx, if ready { Poll::Ready(Ok(())) } else { Poll::Pending })
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        let session = self.get_mut();
        if session.closing || session.engine.has_ended() {
            return Err(SendError::new(message, Unsent::Ended));
        }
        if session.engine.refuses(message.len()) {
            return Err(SendError::new(message, Unsent::QueueFull));
        }
        session.engine.send(message);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let session = self.get_mut();
        session.drive(Half::Write, cx);
        let polled = match session.engine.ledger().pop() {
            Some(returned) => Poll::Ready(Err(returned)),
            None if session.engine.is_flushed() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        };
        session.tell_half(Half::Write, cx, polled)
    }

    /// Closes the session, and is ready when nothing of it is left. Messages that nobody reads meanwhile may be lost.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let session = self.get_mut();
        session.close();
        session.drive(Half::Write, cx);
        if session.engine.is_stalled() {
            while session.engine.next().is_some() {}
            cx.waker().wake_by_ref();
        }
        let polled = match session.engine.ledger().pop() {
            Some(returned) => Poll::Ready(Err(returned)),
            None if session.engine.has_ended() => Poll::Ready(Ok(())),
            None => Poll::Pending,
        };
        session.tell_half(Half::Write, cx, polled)
    }
}
