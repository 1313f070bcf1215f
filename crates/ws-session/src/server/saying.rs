//! What a server sends: messages, refusals, the close.

use std::borrow::Cow;
use std::sync::Arc;

use auth_core::Secret;
use auth_core::time::Now;
use serde_json::Value;

use super::session::Stage;
use super::words::{self, Announced, Occasion};
use super::{Output, Refusal, ServerSession};
use crate::dialect::{Matcher, Phase, Verdict};

impl ServerSession {
    pub(super) fn say(&mut self, now: Now, matcher: &Matcher) {
        let expires_in = self.lease.map(|lease| lease.expiry.remaining(now));
        let announced = Announced {
            session_id: &self.session_id,
            expires_in,
            expires_at: expires_in.map(|left| now.wall.saturating_add(left)),
            idle: self.idle(),
        };
        let message = words::message(&self.dialect, matcher, &announced);
        self.send(&message);
    }

    pub(super) fn send(&mut self, message: &Value) {
        let text = self.spell(message);
        self.push(text);
    }

    pub(super) fn occasion(&self, now: Now, verdict: Verdict) -> Occasion {
        let phase = match self.stage {
            Stage::Upgrading => Phase::Upgrade,
            Stage::Login { .. } | Stage::Deciding => Phase::Login,
            Stage::Renewing => Phase::Renewing,
            Stage::Live | Stage::Closed => Phase::Live,
        };
        Occasion { phase, elapsed: now.mono.elapsed().saturating_sub(self.since.elapsed()), verdict }
    }

    /// Refuses the upgrade.
    pub(super) fn refuse(&mut self, now: Now, refusal: Refusal) {
        let default = refusal.status();
        let status = words::status(&self.dialect, self.occasion(now, refusal.verdict), default);
        self.stage = Stage::Closed;
        self.outputs.push_back(Output::Refuse { status, reason: refusal.reason });
    }

    /// Ends the connection in the dialect's own words.
    pub(super) fn end(&mut self, now: Now, refusal: Refusal) {
        let dialect = Arc::clone(&self.dialect);
        let occasion = self.occasion(now, refusal.verdict);
        if let Some(message) = words::refusal(&dialect, occasion, refusal.reason) {
            self.send(&message);
        }
        let (code, reason) = words::close(&dialect, occasion, refusal.close_code());
        self.close(
            code,
            reason.map_or(Cow::Borrowed(refusal.reason), |reason| Cow::Owned(reason.to_owned())),
        );
    }

    pub(super) fn close(&mut self, code: Option<u16>, reason: impl Into<Cow<'static, str>>) {
        self.stage = Stage::Closed;
        // No credential is spent on a connection that ends.
        self.outputs.retain(|output| !matches!(output, Output::Verify { .. }));
        self.outputs.push_back(Output::Close { code, reason: reason.into() });
    }

    /// The words of a message that clients see as this value.
    pub(super) fn spell(&self, message: &Value) -> Secret {
        // Where anything matches, there is nothing smaller to say.
        Secret::from(if message.is_null() { "{}".to_owned() } else { self.dialect.codec.spell(message) })
    }

    /// Sends a message, or the view of one, in the frame that the dialect wants.
    pub(super) fn push(&mut self, message: Secret) {
        let rendered = self.dialect.codec.write(message);
        let text = rendered.text.expose().to_owned();
        self.outputs.push_back(Output::Send { text, binary: rendered.binary });
    }
}
