//! One connection of a session, and what is on its way through it.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use auth_core::time::Now;
use tungstenite::Message as Frame;
use tungstenite::error::Error as CodecError;

use super::parts::Ledger;
use super::socket::Socket;
use crate::driver::wire;
use crate::machine::Epoch;
use crate::outbox::Outbox;

/// One connection of a session. Not `Debug`: a message of a login holds its credential.
pub(super) struct Connection<P> {
    pub(super) epoch: Epoch,
    pub(super) socket: Socket,
    /// Pings and messages of the dialect's, ahead of the user's.
    control: VecDeque<Frame>,
    /// Answers to pings that the codec was to write since it was last flushed.
    pongs: usize,
    /// The user's messages that it was given while it was the live one, and that it has not passed on.
    pub(super) handed: Vec<P>,
    /// Something waits for a flush.
    dirty: bool,
    broken: bool,
    /// When it was asked whether it lives, until it has answered.
    pub(super) asked: Option<Now>,
    /// The dialect's last word, which goes out behind the user's messages.
    farewell: Option<Frame>,
    /// It has gone out, and nothing of the user's follows it.
    has_left: bool,
    closing: Closing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The close frame goes out behind everything else.
    Due,
    Sent,
}

/// How many frames wait for a peer that reads nothing, before nothing is read of it: it may ask for each of them.
const MOST_FRAMES: usize = 256;

/// How many bytes of them, the last one not counted.
const MOST_BYTES: usize = 64 * 1024;

impl<P> Connection<P> {
    pub(super) const fn new(epoch: Epoch, socket: Socket) -> Self {
        Self {
            epoch,
            socket,
            control: VecDeque::new(),
            pongs: 0,
            handed: Vec::new(),
            dirty: false,
            broken: false,
            asked: None,
            farewell: None,
            has_left: false,
            closing: Closing::No,
        }
    }

    /// Queues the dialect's last word behind everything else.
    pub(super) fn bid_farewell(&mut self, farewell: Frame) {
        self.farewell = Some(farewell);
    }

    /// Queues the close frame behind everything else.
    pub(super) fn close(&mut self) {
        if self.closing == Closing::No {
            self.closing = Closing::Due;
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing != Closing::No || self.has_left || self.farewell.is_some()
    }

    /// Queues a ping, or a message of the dialect's.
    pub(super) fn say(&mut self, frame: Frame) {
        if !self.broken {
            self.control.push_back(frame);
        }
    }

    /// The codec has an answer to a ping to write.
    pub(super) const fn pinged(&mut self) {
        self.dirty = true;
        self.pongs += 1;
    }

    /// Whether so much waits for its peer that nothing is read of it.
    pub(super) fn is_held_up(&self) -> bool {
        let frames = self.control.len() + self.pongs;
        let bytes = || self.control.iter().map(Frame::len).sum::<usize>();
        !self.broken && (frames >= MOST_FRAMES || bytes() >= MOST_BYTES)
    }

    /// It takes no more, and may still have something to say.
    pub(super) fn broke(&mut self) {
        self.broken = true;
        self.control.clear();
    }

    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Writes what may go out, and flushes when there is no more, or when as much as may wait has been written. The live one has the user's messages too.
    ///
    /// Pending means that the peer takes no more for now.
    pub(super) fn poll_write<L: Ledger<Parcel = P>>(
        &mut self,
        cx: &Context<'_>,
        outbox: &mut Outbox<P>,
        live: bool,
        ledger: &mut L,
    ) -> Poll<Result<(), CodecError>> {
        loop {
            let may_send = live && !self.has_left && self.closing != Closing::Sent;
            let is_leaving = self.farewell.is_some() || self.closing == Closing::Due;
            if self.control.is_empty() && (!may_send || outbox.is_empty()) && !is_leaving {
                break;
            }
            // A writer that always has more keeps nothing that has gone out: before the codec takes more, it may have to pass on what it has.
            if !self.socket.is_ready() || (live && outbox.is_handed_over()) {
                ready!(self.poll_flush(cx, outbox, live, ledger))?;
            }
            let frame = if let Some(frame) = self.control.pop_front() {
                frame
            } else if may_send && let Some(parcel) = next_wanted(outbox, ledger, self.epoch) {
                Frame::from(L::message(parcel))
            } else if let Some(farewell) = self.farewell.take() {
                self.has_left = true;
                farewell
            } else if self.closing == Closing::Due {
                self.closing = Closing::Sent;
                Frame::Close(Some(wire::goodbye()))
            } else {
                break;
            };
            self.dirty = true;
            self.socket.start_send(cx, frame)?;
        }
        if self.dirty { self.poll_flush(cx, outbox, live, ledger) } else { Poll::Ready(Ok(())) }
    }

    /// Has the codec pass on what it was given: that has been sent.
    fn poll_flush<L: Ledger<Parcel = P>>(
        &mut self,
        cx: &Context<'_>,
        outbox: &mut Outbox<P>,
        live: bool,
        ledger: &mut L,
    ) -> Poll<Result<(), CodecError>> {
        ready!(self.socket.poll_flush(cx))?;
        self.dirty = false;
        self.pongs = 0;
        for parcel in self.handed.drain(..) {
            ledger.sent(parcel);
        }
        if live {
            for parcel in outbox.flushed() {
                ledger.sent(parcel);
            }
        }
        ledger.all_sent();
        Poll::Ready(Ok(()))
    }
}

/// Hands over the next message that is still wanted.
fn next_wanted<'a, L: Ledger>(
    outbox: &'a mut Outbox<L::Parcel>,
    ledger: &mut L,
    epoch: Epoch,
) -> Option<&'a L::Parcel> {
    while let Some(parcel) = outbox.next() {
        if ledger.hand_over(parcel, epoch) {
            return outbox.hand_over();
        }
        drop(outbox.withdraw());
    }
    None
}
