//! One connection: frames in and out, each as far as the socket's patience goes.

use std::io::ErrorKind;
use std::time::Duration;

use tungstenite::Message as Frame;
use tungstenite::error::Error as CodecError;

use super::dial::Socket;
use crate::dialect::Failure;
use crate::driver::wire;
use crate::machine::Epoch;

/// A connection that is live, being logged in, or being closed.
pub(super) struct Connection {
    pub(super) epoch: Epoch,
    socket: Box<Socket>,
    /// Whether the codec, or TLS, holds what the operating system has not taken yet.
    unflushed: bool,
    /// How many bytes of the dialect's own messages were handed over since all was flushed.
    answers: usize,
    /// Whether nothing more can be written. What the server said before it went is still read.
    broken: bool,
    /// The dialect's last word, until it goes out.
    farewell: Option<Frame>,
    /// The close frame goes out behind it, rather than when it is answered.
    closes: bool,
    goodbye: Goodbye,
    accepted: bool,
}

/// How much of the dialect's own may wait for a peer to read, in bytes: one that asks for more is not read meanwhile.
const MOST_ANSWERS: usize = 64 * 1024;

/// How far our own end is: the dialect's farewell, and the close frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goodbye {
    NotDue,
    /// It begins as soon as none of the user's messages waits.
    AfterMessages,
    /// The farewell has gone out, and none of the user's messages goes out behind it.
    Said,
    /// The close frame has gone out.
    Sent,
}

impl Connection {
    pub(super) const fn new(epoch: Epoch, socket: Box<Socket>) -> Self {
        Self {
            epoch,
            socket,
            unflushed: false,
            answers: 0,
            broken: false,
            farewell: None,
            closes: false,
            goodbye: Goodbye::NotDue,
            accepted: false,
        }
    }

    /// The server has accepted the credential: from now on its messages may be larger.
    pub(super) fn accepted(&mut self) {
        if !self.accepted {
            self.accepted = true;
            self.socket.set_config(|config| *config = wire::limits());
        }
    }

    pub(super) const fn goodbye(&self) -> Goodbye {
        self.goodbye
    }

    /// Whether something waits for the peer to read.
    pub(super) const fn is_held_up(&self) -> bool {
        self.unflushed && !self.broken
    }

    /// Whether the peer has asked for more than it reads.
    pub(super) const fn owes_too_much(&self) -> bool {
        self.answers > MOST_ANSWERS && self.is_held_up()
    }

    /// Whether one of the user's messages may be handed over.
    pub(super) const fn takes_messages(&self) -> bool {
        !self.broken && matches!(self.goodbye, Goodbye::NotDue | Goodbye::AfterMessages)
    }

    fn takes_frames(&self) -> bool {
        !self.broken && self.goodbye != Goodbye::Sent
    }

    /// Hands a frame to the codec, which keeps what the socket does not take.
    pub(super) fn write(&mut self, frame: Frame) {
        if self.takes_frames() {
            self.unflushed = true;
            self.begin_call(Duration::ZERO);
            let written = self.socket.write(frame);
            self.wrote(written);
        }
    }

    /// Hands over a message of the dialect's, which nobody's patience but the peer's own bounds.
    pub(super) fn answer(&mut self, frame: Frame) {
        self.answers += frame.len();
        self.write(frame);
    }

    /// Writes the dialect's last word, behind the user's messages where there may be some.
    pub(super) fn bid_farewell(&mut self, farewell: Frame, is_live: bool) {
        self.farewell = Some(farewell);
        self.goodbye = Goodbye::AfterMessages;
        if !is_live {
            self.take_leave();
        }
    }

    /// Writes the close frame once the user's messages are written, and the farewell behind them.
    pub(super) fn close_after_messages(&mut self) {
        self.closes = true;
        match self.goodbye {
            Goodbye::NotDue => self.goodbye = Goodbye::AfterMessages,
            Goodbye::Said => self.close(),
            Goodbye::AfterMessages | Goodbye::Sent => {}
        }
    }

    /// The user's messages are written: the farewell is due, or the close frame.
    pub(super) fn take_leave(&mut self) {
        if let Some(farewell) = self.farewell.take() {
            self.write(farewell);
            self.goodbye = Goodbye::Said;
            if !self.closes {
                return;
            }
        }
        self.close();
    }

    /// Writes the close frame now, behind what was written before.
    pub(super) fn close(&mut self) {
        if self.takes_frames() {
            self.goodbye = Goodbye::Sent;
            self.unflushed = true;
            self.begin_call(Duration::ZERO);
            let written = self.socket.close(Some(wire::goodbye()));
            self.wrote(written);
        }
    }

    /// Whether the operating system has all that was handed over, after another attempt.
    pub(super) fn flush(&mut self) -> bool {
        if self.unflushed && !self.broken {
            self.begin_call(Duration::ZERO);
            match self.socket.flush() {
                Ok(()) => (self.unflushed, self.answers) = (false, 0),
                written => self.wrote(written),
            }
        }
        !self.unflushed
    }

    /// The next frame; nothing if none is whole within `patience`.
    pub(super) fn read(&mut self, patience: Duration) -> Result<Option<Frame>, Failure> {
        self.begin_call(patience);
        match self.socket.read() {
            Ok(Frame::Close(frame)) => {
                // The codec has queued its answer; it goes out if the socket takes it at once.
                let _ = self.socket.flush();
                Err(wire::closed(frame))
            }
            Ok(frame) => {
                // The codec answers a ping with its next flush.
                self.unflushed |= matches!(frame, Frame::Ping(_));
                Ok(Some(frame))
            }
            Err(CodecError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {
                if self.broken {
                    Err(Failure::Transport)
                } else {
                    Ok(None)
                }
            }
            Err(error) => Err(wire::ended(&error, self.goodbye == Goodbye::Sent)),
        }
    }

    /// Whether any bytes came since this was asked last.
    pub(super) fn take_heard(&mut self) -> bool {
        self.socket.get_mut().take_heard()
    }

    /// Whether its end has begun, and the system has taken any of what goes out there since this was asked last.
    pub(super) fn takes_leave(&mut self) -> bool {
        self.goodbye != Goodbye::NotDue && self.socket.get_mut().take_wrote()
    }

    fn begin_call(&mut self, patience: Duration) {
        self.socket.get_mut().begin_call(patience);
    }

    fn wrote(&mut self, result: Result<(), CodecError>) {
        match result {
            Ok(()) => {}
            Err(CodecError::Io(error)) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.broken = true,
        }
    }
}
