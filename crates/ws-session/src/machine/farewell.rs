//! The words that a dialect has for the end: said once a session that its user closes is in, and answered before the close frame.

use std::sync::Arc;

use auth_core::time::Now;
use serde_json::Value;

use super::phase::{Attempt, Goodbye, Life};
use super::{Epoch, Output, Session};
use crate::dialect::{Acceptance, Captures, Incoming, Meaning};

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
    pub(super) fn opened_too_late(&mut self, now: Now, opened: Epoch) {
        let Life::Closing { epoch, goodbye: Goodbye::Awaited, entered, .. } = &mut self.life else { return };
        if *epoch != opened {
            return;
        }
        *entered = now;
        if matches!(self.dialect.acceptance, Acceptance::Upgrade) {
            self.bid_farewell(opened);
        }
    }

    /// What was said in the login of a connection that is told farewell once it is in.
    pub(super) fn awaiting(&self, awaited: Epoch) -> Option<&Captures> {
        match &self.life {
            Life::Closing { epoch, goodbye: Goodbye::Awaited, captures, .. } if *epoch == awaited => {
                Some(captures)
            }
            _ => None,
        }
    }

    /// A message of a connection that is being closed: what lets it in or keeps it out, or answers the farewell, is what was waited for.
    pub(super) fn hear_farewell(&mut self, now: Now, from: Epoch, incoming: Incoming<'_>) {
        let dialect = Arc::clone(&self.dialect);
        let goodbye = |session: &Self| match session.life {
            Life::Closing { epoch, goodbye, .. } if epoch == from => goodbye,
            _ => Goodbye::Closing,
        };
        if goodbye(self) == Goodbye::Closing {
            return;
        }
        for message in dialect.codec.read(incoming) {
            match goodbye(self) {
                Goodbye::Awaited => self.hear_verdict(now, from, &message.value),
                Goodbye::Said if dialect.answers_farewell(&message.value) => self.leave_without_a_word(from),
                Goodbye::Said | Goodbye::Closing => {}
            }
        }
    }

    /// A message of a login whose session was closed meanwhile.
    fn hear_verdict(&mut self, now: Now, from: Epoch, message: &Value) {
        match self.meaning(now, from, message) {
            Meaning::Accepted => {
                if let Life::Closing { captures, .. } = &mut self.life {
                    captures.take(now, &self.dialect.captured, message);
                }
                self.bid_farewell(from);
            }
            Meaning::Failed(_) | Meaning::Refused(_) => self.leave_without_a_word(from),
            Meaning::Step(_) | Meaning::Renew | Meaning::Reply(_) | Meaning::Nothing | Meaning::Deliver => {}
        }
    }
}
