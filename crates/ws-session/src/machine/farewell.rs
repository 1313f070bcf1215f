//! The words that a dialect has for the end: said once a session that its user closes is in, and answered before the close frame.

use super::phase::{Attempt, Goodbye, Life};
use super::{Epoch, Output, Session};
use crate::dialect::{Acceptance, Incoming};

impl Session {
    /// How a session ends that its user closes now.
    pub(super) fn goodbye(&self) -> Goodbye {
        if self.dialect.farewell.is_none() {
            return Goodbye::Closing;
        }
        let steps = self.dialect.login.len();
        match self.attempt {
            _ if self.live.is_some() => Goodbye::Said,
            // Where the login has said all that it has to say, it may be accepted yet.
            Attempt::LoggingIn { step, .. } if step >= steps => Goodbye::Awaited,
            Attempt::Opening { .. } if steps == 0 => Goodbye::Awaited,
            _ => Goodbye::Closing,
        }
    }

    /// Says the farewell, and where nothing answers it the close frame behind it.
    pub(super) fn bid_farewell(&mut self, epoch: Epoch) {
        let Life::Closing { goodbye, .. } = &mut self.life else { return };
        *goodbye = Goodbye::Said;
        self.outputs.push_back(Output::Farewell { epoch });
        if self.dialect.farewell.as_ref().is_some_and(|farewell| farewell.answered.is_empty()) {
            self.leave_without_a_word(epoch);
        }
    }

    /// Nothing more is said, or waited for, but the close frame.
    pub(super) fn leave_without_a_word(&mut self, leaving: Epoch) {
        if let Life::Closing { epoch, goodbye, .. } = &mut self.life
            && *epoch == leaving
            && *goodbye != Goodbye::Closing
        {
            *goodbye = Goodbye::Closing;
            self.outputs.push_back(Output::Close { epoch: leaving });
        }
    }

    /// The upgrade has succeeded of a connection whose session was closed meanwhile.
    pub(super) fn opened_too_late(&mut self, opened: Epoch) {
        if matches!(self.life, Life::Closing { epoch, goodbye: Goodbye::Awaited, .. } if epoch == opened)
            && matches!(self.dialect.acceptance, Acceptance::Upgrade)
        {
            self.bid_farewell(opened);
        }
    }

    /// A message of a connection that is being closed: what lets it in, or answers the farewell, is what was waited for.
    pub(super) fn hear_farewell(&mut self, from: Epoch, incoming: Incoming<'_>) {
        let Life::Closing { epoch, goodbye, .. } = self.life else { return };
        if epoch != from || goodbye == Goodbye::Closing {
            return;
        }
        let (dialect, awaited) = (&self.dialect, goodbye == Goodbye::Awaited);
        let is_it = dialect.codec.read(incoming).any(|message| match awaited {
            true => dialect.accepts_login(&message.value),
            false => dialect.answers_farewell(&message.value),
        });
        match (is_it, awaited) {
            (true, true) => self.bid_farewell(from),
            (true, false) => self.leave_without_a_word(from),
            (false, _) => {}
        }
    }
}
