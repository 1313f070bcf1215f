//! What a client's messages mean, by where the connection stands.

use std::sync::Arc;

use auth_core::Secret;
use auth_core::time::Now;

use super::session::Stage;
use super::{AUTHENTICATED_TWICE, Output, ServerSession, UNAUTHORIZED};
use crate::dialect::{Captures, Filling, Fresh, Incoming, Ping, Read, Renewal, Template};

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Addressee {
    /// The application.
    Application,
    /// The dialect, and nobody else may see it.
    Credential,
    /// The dialect, or nobody.
    Dialect,
}

impl ServerSession {
    /// Whether the connection ends because its client has said farewell.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        self.left
    }

    /// What one message means.
    pub(super) fn received(&mut self, now: Now, message: &Read<'_>) -> Addressee {
        match self.stage {
            Stage::Login { .. } => self.received_login(now, message),
            Stage::Deciding if self.is_login(message) => {
                self.close(Some(AUTHENTICATED_TWICE), "one credential at a time");
            }
            Stage::Deciding => self.close(Some(UNAUTHORIZED), BEFORE),
            Stage::Live | Stage::Renewing => return self.received_live(now, message),
            Stage::Upgrading | Stage::Closed => {}
        }
        Addressee::Dialect
    }

    fn received_login(&mut self, now: Now, message: &Read<'_>) {
        let Stage::Login { step, credential } = &mut self.stage else { return };
        let Some(found) = self.login.get(*step).and_then(|step| read(&step.send, message)) else {
            return self.close(Some(UNAUTHORIZED), BEFORE);
        };
        if found.is_some() && credential.is_some() && found != *credential {
            return self.close(Some(AUTHENTICATED_TWICE), "one credential at a time");
        }
        *step += 1;
        *credential = found.or_else(|| credential.take());
        self.proceed(now);
    }

    fn received_live(&mut self, now: Now, message: &Read<'_>) -> Addressee {
        if let Renewal::InBand { send, .. } = &self.dialect.renewal
            && let Some(credential) = send.read_message(message)
        {
            if matches!(self.stage, Stage::Renewing) {
                self.close(Some(AUTHENTICATED_TWICE), "one credential at a time");
            } else {
                self.enter(now, Stage::Renewing);
                if let Some(lease) = &mut self.lease {
                    // Who renews need not be asked to.
                    lease.ask = None;
                }
                self.outputs.push_back(Output::Verify { credential, renewal: true });
            }
            return Addressee::Credential;
        }
        if self.is_login(message) {
            self.close(Some(AUTHENTICATED_TWICE), "authenticated already");
            return Addressee::Credential;
        }
        if let Ping::Message(ping) = &self.dialect.ping
            && ping.fits(message)
        {
            let answer = self.answer(now, message);
            self.push(answer);
            return Addressee::Dialect;
        }
        if let Some(farewell) = &Arc::clone(&self.dialect).farewell
            && farewell.send.fits(message)
        {
            self.left = true;
            if let Some(answer) = farewell.answered.first() {
                self.send(&answer.message());
            }
            self.close(Some(NORMAL), "");
            return Addressee::Dialect;
        }
        if self.is_reply(now, message) { Addressee::Dialect } else { Addressee::Application }
    }

    /// What answers a ping of the dialect's own: what its client would answer; or else what shows a client that the server lives; or
    /// the same again, as many services do.
    fn answer(&self, now: Now, ping: &Read<'_>) -> Secret {
        let reply = self.dialect.replies.iter().find(|reply| reply.on.matches(&ping.value));
        let heartbeat = self.dialect.heartbeats.first().map(|heartbeat| self.spell(&heartbeat.message()));
        let answer = reply.and_then(|reply| rendered(&reply.send, now)).or(heartbeat);
        answer.unwrap_or_else(|| Secret::from(ping.text))
    }

    /// Whether a message answers one of ours, and says nothing beside that.
    fn is_reply(&self, now: Now, message: &Read<'_>) -> bool {
        self.dialect.replies.iter().filter_map(|reply| rendered(&reply.send, now)).any(|reply| {
            let frame = self.dialect.codec.write(reply);
            let alike = |reply: &Read<'_>| {
                reply.text == message.text || (!reply.value.is_null() && reply.value == message.value)
            };
            self.dialect.codec.read(Incoming::Text(frame.text.expose())).any(|reply| alike(&reply))
        })
    }

    /// Whether a message is one of the login that holds a credential.
    fn is_login(&self, message: &Read<'_>) -> bool {
        self.login.iter().any(|step| step.send.read_message(message).is_some())
    }
}

const BEFORE: &str = "authenticate before anything else";

/// The code of a close that is meant so (RFC 6455 §7.4.1).
const NORMAL: u16 = 1_000;

/// A message into which no credential goes.
fn rendered(template: &Template, now: Now) -> Option<Secret> {
    let captures = Captures::default();
    let fresh = Fresh { now, random: [0; 16] };
    template.render(&Filling { credential: None, captures: &captures, fresh, authenticator: None }).ok()
}

/// Whether a message has this form, and the credential in it.
fn read(template: &Template, message: &Read<'_>) -> Option<Option<Secret>> {
    if template.has_credential() {
        template.read_message(message).map(Some)
    } else {
        template.fits(message).then_some(None)
    }
}
