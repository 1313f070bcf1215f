//! Dialects: how a service logs a WebSocket in, renews it and refuses it, as data.
//!
//! The same [`Dialect`] drives the client's half ([`machine`](crate::machine)) and the server's
//! ([`server`](crate::server)). What a close code or an HTTP status means is one table for all, [`classify`].

mod matcher;
mod rejection;
mod template;

pub use self::matcher::Matcher;
pub use self::rejection::{Disposition, Failure, classify};
pub use self::template::{InvalidTemplate, Template};

/// How a service wants to be logged in to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dialect {
    /// Where the credential goes.
    pub placement: Placement,
    /// How we know that we are in.
    pub acceptance: Acceptance,
    /// How a fresh credential reaches a live connection.
    pub renewal: Renewal,
    /// Which credential a new connection presents after a lost one.
    pub reconnection: Reconnection,
}

/// Where the credential goes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Placement {
    /// Into the first message after the upgrade.
    FirstMessage(Template),
}

/// How we know that we are in, or are not.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Acceptance {
    /// A message says so.
    Message {
        /// Matches the message that accepts.
        accepted: Matcher,
        /// Matches the message that refuses.
        refused: Matcher,
        /// The member of the accepting message that names the session.
        session_id: &'static str,
    },
}

/// How a fresh credential reaches a live connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Renewal {
    /// By the message of the placement, sent again on the live connection and answered as the first was.
    InBand,
}

/// Which credential a new connection presents after a lost one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconnection {
    /// A newer one than the lost connection presented, if one can be had: the server may have dropped the
    /// connection because of the old one, and a live token that it refuses costs another round.
    Fresh,
}

impl Dialect {
    /// The dialect of the Genesys Cloud WebSocket document: `{"type":"auth","token":…}` as the first message,
    /// answered by `{"type":"auth","status":"ok","sessionId":…}` or `"status":"error"`, and sent again to renew.
    #[must_use]
    pub fn genesys() -> Self {
        let answer = |status| Matcher::of([("type", "auth"), ("status", status)]);
        Self {
            placement: Placement::FirstMessage(Template::around(r#"{"type":"auth","token":"#, "}")),
            acceptance: Acceptance::Message {
                accepted: answer("ok"),
                refused: answer("error"),
                session_id: "sessionId",
            },
            renewal: Renewal::InBand,
            reconnection: Reconnection::Fresh,
        }
    }

    /// The message that presents a credential.
    pub(crate) const fn login(&self) -> &Template {
        let Placement::FirstMessage(template) = &self.placement;
        template
    }
}
