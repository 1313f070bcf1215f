//! What a message of the server means to the session, and whether it is the user's.

use auth_core::observe::Label;
use auth_core::time::Now;
use auth_core::{ApiMisuse, AuthEvent};
use serde_json::Value;

use super::phase::{Attempt, Life, Renewal};
use super::{DialectMessage, Epoch, Output, Received, Session};
use crate::dialect::{self, Incoming, Meaning, Phase, Trigger};

impl Session {
    /// Takes a message of the connection `epoch`.
    ///
    /// A frame may hold several messages of the dialect; it is the user's as soon as one of them is.
    ///
    /// # Errors
    ///
    /// As [`handle`](Self::handle).
    pub fn receive(&mut self, now: Now, epoch: Epoch, incoming: Incoming<'_>) -> Result<Received, ApiMisuse> {
        self.drained()?;
        self.heard(epoch);
        if self.retiring == Some(epoch)
            || matches!(self.life, Life::Closing { epoch: closing, .. } if closing == epoch)
        {
            // It served until now: what the server sent before it knew is the user's.
            let served = self.retiring == Some(epoch) || self.live() == Some(epoch);
            let received = if served { self.last_words(epoch, incoming) } else { Received::Consumed };
            self.hear_farewell(now, epoch, incoming);
            return Ok(received);
        }
        let logging_in = self.attempt.epoch() == Some(epoch);
        if self.live() != Some(epoch) && !logging_in {
            return Ok(Received::Consumed);
        }
        // Only what may be the dialect's is parsed: the user's messages pass untouched.
        if !logging_in && !self.may_concern_us(incoming) {
            return Ok(Received::Deliver);
        }
        let dialect = std::sync::Arc::clone(&self.dialect);
        let mut received = Received::Consumed;
        let mut messages = 0;
        for message in dialect.codec.read(incoming) {
            messages += 1;
            if self.message_received(now, epoch, &message.value) == Received::Deliver {
                received = Received::Deliver;
            }
        }
        let unreadable = messages == 0 && self.live() == Some(epoch);
        Ok(if unreadable { Received::Deliver } else { received })
    }

    /// A message of a connection that is being closed: the dialect's own are answered no more.
    fn last_words(&self, epoch: Epoch, incoming: Incoming<'_>) -> Received {
        // One that was replaced is told no farewell: nothing there answers one.
        let told = self.dialect.farewell.is_some()
            && matches!(self.life, Life::Closing { epoch: closing, .. } if closing == epoch);
        if !told && !self.may_concern(incoming, true) {
            return Received::Deliver;
        }
        let is_ours = |message: &Value| {
            self.dialect.is_of_dialect(message) || (told && self.dialect.answers_farewell(message))
        };
        let mut messages = self.dialect.codec.read(incoming).peekable();
        let ours = messages.peek().is_some() && messages.all(|message| is_ours(&message.value));
        if ours { Received::Consumed } else { Received::Deliver }
    }

    /// Whether a message of the live connection may be one of the dialect's: a test without parsing.
    fn may_concern_us(&self, incoming: Incoming<'_>) -> bool {
        let Some(live) = &self.live else { return false };
        self.may_concern(incoming, matches!(live.renewal, Renewal::Presented { .. }))
    }

    fn may_concern(&self, incoming: Incoming<'_>, renewing: bool) -> bool {
        // Whether bytes are text takes a look at each of them.
        if !self.dialect.concerns_any(renewing) {
            return false;
        }
        let text = match incoming {
            Incoming::Text(text) => text,
            Incoming::Binary(bytes) => match str::from_utf8(bytes) {
                Ok(text) => text,
                Err(_) => return self.dialect.authenticator.is_some(),
            },
        };
        self.dialect.may_concern(text, renewing)
    }

    fn message_received(&mut self, now: Now, epoch: Epoch, message: &Value) -> Received {
        match self.meaning(now, epoch, message) {
            Meaning::Accepted => self.told_accepted(now, epoch, message),
            Meaning::Step(index) => {
                self.capture(now, message);
                self.take_step(now, index);
                self.take_open_steps(now);
            }
            Meaning::Renew => self.asked_to_renew(now),
            Meaning::Failed(verdict) => {
                let code = self.dialect.captured.code_in(message);
                self.ended_by_message(now, epoch, verdict, code);
            }
            Meaning::Refused(verdict) => self.renewal_refused(now, verdict),
            Meaning::Reply(index) => {
                let message = DialectMessage::Reply(index);
                // A frame full of pings is answered once.
                let same = |output: &Output| matches!(output, Output::Send { message: other, .. } if *other == message);
                if !self.outputs.iter().any(same) {
                    self.outputs.push_back(Output::Send { epoch, message, ticket: None });
                }
            }
            Meaning::Nothing => {}
            Meaning::Deliver => return Received::Deliver,
        }
        Received::Consumed
    }

    pub(super) fn meaning(&self, now: Now, epoch: Epoch, message: &Value) -> Meaning {
        // An earlier message of the same frame may have ended the connection.
        let live = self.live.as_ref().filter(|live| live.epoch == epoch);
        let login = match &self.attempt {
            Attempt::LoggingIn { epoch: known, step, captures, .. } if *known == epoch => {
                Some((*step, captures))
            }
            // It has said all that there is to say.
            _ => self.awaiting(epoch).map(|captures| (usize::MAX, captures)),
        };
        let (phase, elapsed) = self.whereabouts(now, epoch);
        let in_login = || login.map(|(_, captures)| captures);
        let Some(captures) = live.map(|live| &live.captures).or_else(in_login) else {
            return Meaning::Nothing;
        };
        let authenticator = self.dialect.authenticator.as_deref();
        if let Some(meaning) =
            authenticator.and_then(|authenticator| authenticator.read(phase, message, captures))
        {
            return meaning;
        }
        if let Some((verdict, of_renewal)) = self.dialect.message_verdict(phase, elapsed, message) {
            return if of_renewal { Meaning::Refused(verdict) } else { Meaning::Failed(verdict) };
        }
        let any = |matchers: &[dialect::Matcher]| matchers.iter().any(|matcher| matcher.matches(message));
        match (phase, &self.dialect.renewal) {
            (Phase::Login, _) => {
                let (step, _) = login.unwrap_or((usize::MAX, captures));
                if let Some(dialect::Step { on: Trigger::Message(matcher), .. }) =
                    self.dialect.login.get(step)
                    && matcher.matches(message)
                {
                    return Meaning::Step(step);
                }
                if self.dialect.accepts_login(message) {
                    return Meaning::Accepted;
                }
            }
            (Phase::Renewing, dialect::Renewal::InBand { accepted, .. }) if any(accepted) => {
                return Meaning::Accepted;
            }
            (_, dialect::Renewal::InBand { asked_by, .. } | dialect::Renewal::Reconnect { asked_by, .. })
                if any(asked_by) =>
            {
                return Meaning::Renew;
            }
            _ => {}
        }
        if let Some(index) = self.dialect.replies.iter().position(|reply| reply.on.matches(message)) {
            return Meaning::Reply(index);
        }
        if phase == Phase::Login || any(&self.dialect.heartbeats) {
            Meaning::Nothing
        } else {
            Meaning::Deliver
        }
    }

    fn capture(&mut self, now: Now, message: &Value) {
        if let Attempt::LoggingIn { epoch, captures, .. } = &mut self.attempt {
            captures.take(now, &self.dialect.captured, message);
            let told = captures.take_strange().map(|reason| ignored(*epoch, reason));
            self.outputs.extend(told);
        }
    }

    fn told_accepted(&mut self, now: Now, epoch: Epoch, message: &Value) {
        if self.attempt.epoch() == Some(epoch) {
            self.capture(now, message);
            return self.accepted(now);
        }
        let Some(live) = &mut self.live else { return };
        live.captures.forget_lifetime();
        live.captures.take(now, &self.dialect.captured, message);
        let told = live.captures.take_strange().map(|reason| ignored(epoch, reason));
        let expires_in = live.captures.expires_in();
        self.outputs.extend(told);
        self.renewed(now, expires_in);
    }
}

fn ignored(epoch: Epoch, reason: &str) -> Output {
    Output::Event(AuthEvent::ExpiryIgnored { connection: epoch.0, reason: Label::new(reason) })
}
