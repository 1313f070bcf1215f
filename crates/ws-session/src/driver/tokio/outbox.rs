//! What is on its way to the peer: each message until it is with the operating system, or back with its sender.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink as _;
use tokio::sync::oneshot;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message as Frame, protocol::CloseFrame};

use super::connect::Socket;
use super::{Message, SendError};

/// A message and whoever waits to hear what became of it.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) message: Message,
    pub(super) sent: oneshot::Sender<Result<(), SendError>>,
}

impl Outgoing {
    fn give_back(self, may_have_arrived: bool) {
        // A failed send is a sender that no longer waits.
        let _ = self.sent.send(Err(SendError { message: Some(self.message), may_have_arrived }));
    }
}

/// The frames of one driver, in the order in which they go out. Not `Debug`: a login message holds its credential.
#[derive(Default)]
pub(super) struct Outbox {
    /// Login messages, ahead of the user's.
    control: VecDeque<Frame>,
    waiting: VecDeque<Outgoing>,
    /// Handed to the codec, not yet flushed.
    unflushed: Vec<Outgoing>,
    /// The last frame of all, once the user closes.
    close: Option<Frame>,
    dirty: bool,
}

/// How many of the user's messages are taken from their channel at a time: enough to fill a flush.
const TAKEN: usize = 64;

impl Outbox {
    /// Whether more of the user's messages should be taken.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < TAKEN
    }

    pub(super) fn push(&mut self, outgoing: Outgoing) {
        self.waiting.push_back(outgoing);
    }

    pub(super) fn push_login(&mut self, text: &str) {
        self.control.push_back(Frame::text(text));
    }

    /// Queues the close frame behind everything else.
    pub(super) fn push_close(&mut self) {
        self.close = Some(Frame::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })));
    }

    /// The connection is gone: what may have left goes back to its senders, what has not waits for the next one.
    pub(super) fn connection_lost(&mut self) {
        self.control.clear();
        self.close = None;
        self.dirty = false;
        for outgoing in self.unflushed.drain(..) {
            outgoing.give_back(true);
        }
    }

    /// A pong waits in the codec, and goes out with the next flush.
    pub(super) const fn needs_flush(&mut self) {
        self.dirty = true;
    }

    /// The session is gone: everything goes back.
    pub(super) fn session_ended(&mut self) {
        self.connection_lost();
        for outgoing in self.waiting.drain(..) {
            outgoing.give_back(false);
        }
    }

    /// Writes what may go out, and flushes once when there is no more. `live` lets the user's messages go.
    ///
    /// Pending means that the peer takes no more for now; an error means that the connection is gone.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut Socket,
        live: bool,
    ) -> Poll<Result<(), ()>> {
        let mut socket = Pin::new(socket);
        while self.has_frame(live) {
            ready!(socket.as_mut().poll_ready(cx)).map_err(drop)?;
            let Some(frame) = self.next_frame(live) else { break };
            self.dirty = true;
            socket.as_mut().start_send(frame).map_err(drop)?;
        }
        if self.dirty {
            ready!(socket.as_mut().poll_flush(cx)).map_err(drop)?;
            self.dirty = false;
            for outgoing in self.unflushed.drain(..) {
                let _ = outgoing.sent.send(Ok(()));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn has_frame(&self, live: bool) -> bool {
        !self.control.is_empty() || (live && !self.waiting.is_empty()) || self.close.is_some()
    }

    fn next_frame(&mut self, live: bool) -> Option<Frame> {
        if let Some(frame) = self.control.pop_front() {
            return Some(frame);
        }
        let Some(outgoing) = live.then(|| self.waiting.pop_front()).flatten() else {
            return self.close.take();
        };
        let frame = match &outgoing.message {
            Message::Text(text) => Frame::text(text.as_str()),
            Message::Binary(bytes) => Frame::Binary(bytes.clone()),
        };
        self.unflushed.push(outgoing);
        Some(frame)
    }
}
