//! Who is to hear what: senders of their messages, those who asked of their replies, those who wanted a renewal of its end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use auth_core::observe::Label;
use auth_core::token::Generation;
use serde_json::Value;
use tokio::sync::oneshot;

use super::queue::Room;
use super::request::Progress;
use super::{Message, RequestError, SendError};
use crate::dialect::{Dialect, Incoming};
use crate::driver::polled::Ledger;
use crate::driver::{SessionEvent, Unsent};
use crate::machine::Epoch;
use crate::requests::Pending;

/// What the handle puts down.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) parcel: Parcel,
    /// Who waits for a reply to it.
    pub(super) question: Option<Question>,
}

/// A message on its way, and whoever is to hear of it.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) message: Message,
    pub(super) whose: Whose,
    /// Held until the message is with the operating system, or back.
    pub(super) room: Option<Room>,
}

#[derive(Debug)]
pub(super) enum Whose {
    Sender(oneshot::Sender<Result<(), SendError>>),
    Request { number: u64, progress: Arc<Progress> },
}

#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: Value,
    pub(super) answer: Answer,
}

type Renewed = oneshot::Sender<Result<(), RenewalError>>;

type Answer = oneshot::Sender<Result<Value, RequestError>>;

/// Why a renewal that was asked for has not happened.
#[derive(Debug, Clone)]
pub struct RenewalError {
    reason: Label,
    retry_in: Option<Duration>,
}

impl Outgoing {
    /// Newer ones took its place: tells whoever put it down.
    pub(super) fn dropped(self) {
        let Self { parcel, question } = self;
        match (parcel.whose, question) {
            (Whose::Sender(sent), _) => {
                drop(sent.send(Err(SendError::new(parcel.message, Unsent::Dropped))));
            }
            (Whose::Request { .. }, Some(Question { answer, .. })) => {
                drop(answer.send(Err(RequestError::NotSent(Unsent::Dropped))));
            }
            (Whose::Request { .. }, None) => {}
        }
    }
}

/// How many senders there is room for at rest.
const KEPT: usize = 32;

/// How many requests may wait for their replies.
const MOST_REQUESTS: usize = 256;

/// Tells each what became of it. Nothing is wrong with one that no longer waits.
#[derive(Debug)]
pub(super) struct Acknowledge {
    pending: Pending<Answer>,
    renewals: Vec<Renewed>,
    /// Those who wait for a certain credential.
    presentations: Vec<(Generation, Renewed)>,
    /// Those whose messages were sent together, and the room of these.
    sent: Vec<oneshot::Sender<Result<(), SendError>>>,
    left: Option<Room>,
    /// Why the last renewal, or attempt to connect, failed.
    failure: Option<(Label, Option<Duration>)>,
}

impl Acknowledge {
    pub(super) const fn new() -> Self {
        Self {
            pending: Pending::new(MOST_REQUESTS),
            renewals: Vec::new(),
            presentations: Vec::new(),
            sent: Vec::new(),
            left: None,
            failure: None,
        }
    }

    /// Has whoever asks wait for the reply; gives back what is to be sent, unless nobody wants that any more.
    pub(super) fn register(&mut self, outgoing: Outgoing) -> Option<Parcel> {
        let Outgoing { parcel, question } = outgoing;
        if let (Some(Question { id, answer }), Whose::Request { number, progress }) =
            (question, &parcel.whose)
        {
            if progress.is_given_up() {
                return None;
            }
            let pushed = self.pending.push(*number, id, answer, oneshot::Sender::is_closed);
            if let Err((answer, reason)) = pushed {
                let _ = answer.send(Err(reason.into()));
                return None;
            }
        }
        Some(parcel)
    }

    pub(super) fn wants_renewal(&mut self, done: Renewed) {
        self.begins_to_wait();
        self.renewals.retain(|waits| !waits.is_closed());
        self.renewals.push(done);
    }

    pub(super) fn wants(&mut self, generation: Generation, done: Renewed) {
        self.begins_to_wait();
        self.presentations.retain(|(_, waits)| !waits.is_closed());
        self.presentations.push((generation, done));
    }

    fn begins_to_wait(&mut self) {
        if self.renewals.is_empty() && self.presentations.is_empty() {
            self.failure = None;
        }
    }

    /// Whether anybody waits for a certain credential.
    pub(super) const fn awaits_presentation(&self) -> bool {
        !self.presentations.is_empty()
    }

    /// Whether anybody waits for a fresh one.
    pub(super) const fn awaits_renewal(&self) -> bool {
        !self.renewals.is_empty()
    }

    /// The server has accepted this credential. Whoever waits for a newer one waits in vain if nothing is on its way, and is told when
    /// the session tries again.
    pub(super) fn presented(&mut self, accepted: Option<Generation>, idle: Option<Option<Duration>>) {
        for (_, done) in self.presentations.extract_if(.., |(wanted, _)| accepted >= Some(*wanted)) {
            let _ = done.send(Ok(()));
        }
        let Some(retry_in) = idle.filter(|_| !self.presentations.is_empty()) else { return };
        let error = self.failure(retry_in);
        for (_, done) in self.presentations.drain(..) {
            let _ = done.send(Err(error.clone()));
        }
    }

    fn failure(&self, retry_in: Option<Duration>) -> RenewalError {
        let spared = || (Label::new("nothing can be renewed for now"), retry_in);
        let (reason, retry_in) = self.failure.clone().unwrap_or_else(spared);
        RenewalError { reason, retry_in }
    }

    /// Nothing is on its way any more: whoever waits for a fresh credential waits in vain.
    pub(super) fn nothing_is_renewed(&mut self, retry_in: Option<Duration>) {
        let error = self.failure(retry_in);
        for done in self.renewals.drain(..) {
            let _ = done.send(Err(error.clone()));
        }
    }
}

impl Ledger for Acknowledge {
    type Parcel = Parcel;

    fn message(parcel: &Parcel) -> &Message {
        &parcel.message
    }

    fn sent(&mut self, parcel: Parcel) {
        let Parcel { whose, room, .. } = parcel;
        match (&mut self.left, room) {
            (Some(left), Some(room)) => left.join(room),
            (None, room) => self.left = room,
            (Some(_), None) => {}
        }
        if let Whose::Sender(sent) = whose {
            self.sent.push(sent);
        }
    }

    fn all_sent(&mut self) {
        // First the room: whoever is told may have more to send.
        self.left = None;
        for sent in self.sent.drain(..) {
            let _ = sent.send(Ok(()));
        }
    }

    fn returned(&mut self, parcel: Parcel, reason: Unsent) {
        let Parcel { message, whose, room } = parcel;
        // First the room: whoever is told may try again.
        drop(room);
        match whose {
            Whose::Sender(sent) => drop(sent.send(Err(SendError::new(message, reason)))),
            Whose::Request { number, .. } => {
                if let Some(answer) = self.pending.returned(number) {
                    let _ = answer.send(Err(match reason {
                        Unsent::MayHaveArrived => RequestError::ConnectionLost,
                        reason => RequestError::NotSent(reason),
                    }));
                }
            }
        }
    }

    fn is_wanted(&mut self, parcel: &Parcel) -> bool {
        let Whose::Request { number, progress } = &parcel.whose else { return true };
        let given_up = progress.is_given_up();
        if given_up {
            drop(self.pending.returned(*number));
        }
        !given_up
    }

    fn hand_over(&mut self, parcel: &Parcel, epoch: Epoch) -> bool {
        let Whose::Request { number, progress } = &parcel.whose else { return true };
        let wanted = progress.hand_over();
        if wanted {
            self.pending.goes_out(*number, epoch);
        } else {
            drop(self.pending.returned(*number));
        }
        wanted
    }

    fn take_replies(&mut self, dialect: &Dialect, message: Message) -> Option<Message> {
        let Some(requests) = dialect.requests.as_ref().filter(|_| !self.pending.is_empty()) else {
            return Some(message);
        };
        let incoming = match &message {
            Message::Text(text) => Incoming::Text(text),
            Message::Binary(bytes) => Incoming::Binary(bytes),
        };
        if !incoming.as_text().is_some_and(|text| requests.may_answer(text)) {
            return Some(message);
        }
        let mut has_reply = false;
        let mut others = Vec::new();
        for mut read in dialect.codec.read(incoming) {
            let waits = match requests.answered(&read.value) {
                Some(id) if !requests.is_interim(&read.value) => self.pending.answered(id),
                _ => None,
            };
            let Some(answer) = waits else {
                others.push(read.text);
                continue;
            };
            has_reply = true;
            let failed = requests.is_error(&read.value);
            let reply = std::mem::take(&mut read.value);
            let _ = answer.send(if failed { Err(RequestError::Refused(Box::new(reply))) } else { Ok(reply) });
        }
        if !has_reply {
            return Some(message);
        }
        let others = (!others.is_empty()).then(|| dialect.codec.together(&others))?;
        Some(match message {
            Message::Text(_) => Message::Text(others),
            Message::Binary(_) => Message::Binary(others.into()),
        })
    }

    fn gone(&mut self, epoch: Epoch) {
        for answer in self.pending.lost(epoch) {
            let _ = answer.send(Err(RequestError::ConnectionLost));
        }
    }

    fn rest(&mut self) {
        if self.sent.capacity() > KEPT {
            self.sent = Vec::new();
        }
        self.pending.rest();
    }

    fn happened(&mut self, event: &SessionEvent) {
        match event {
            SessionEvent::Authenticated { .. } | SessionEvent::Renewed { .. } => {
                self.failure = None;
                for done in self.renewals.drain(..) {
                    let _ = done.send(Ok(()));
                }
            }
            SessionEvent::RenewalFailed { reason, retry_in, .. }
            | SessionEvent::Closed { reason, retry_in, .. }
            | SessionEvent::State { reason: Some(reason), retry_in, .. } => {
                self.failure = Some((reason.clone(), *retry_in));
            }
            _ => {}
        }
    }
}

impl RenewalError {
    pub(super) fn ended() -> Self {
        Self { reason: Label::new("the session has ended"), retry_in: None }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> &Label {
        &self.reason
    }

    /// When the session tries again by itself; `None` when it does not.
    #[must_use]
    pub const fn retry_in(&self) -> Option<Duration> {
        self.retry_in
    }
}

impl fmt::Display for RenewalError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "no fresh credential was accepted: {}; ", self.reason)?;
        formatter.write_str(match self.retry_in {
            Some(_) => "the session tries again by itself",
            None => "look at its source and at the session's state",
        })
    }
}

impl std::error::Error for RenewalError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_no_longer_wait_for_a_renewal_are_forgotten() {
        let mut ledger = Acknowledge::new();
        let (patient, mut outcome) = oneshot::channel();
        ledger.wants_renewal(patient);
        for _ in 0..1_000 {
            ledger.wants_renewal(oneshot::channel().0);
            ledger.wants(Generation::NONE, oneshot::channel().0);
        }
        assert_eq!((ledger.renewals.len(), ledger.presentations.len()), (2, 1));
        ledger.nothing_is_renewed(None);
        assert!(outcome.try_recv().is_ok(), "whoever waits is told");
    }

    #[test]
    fn many_that_were_sent_together_leave_no_memory_behind() {
        let mut ledger = Acknowledge::new();
        for number in 0..256 {
            let parcel =
                Parcel { message: "x".into(), whose: Whose::Sender(oneshot::channel().0), room: None };
            ledger.sent(parcel);
            ledger.pending.push(number, number.into(), oneshot::channel().0, |_| false).unwrap();
        }
        ledger.all_sent();
        ledger.rest();
        assert!(ledger.sent.capacity() == 0 && !ledger.pending.is_empty(), "these wait still");
    }
}
