//! Dialects: how a service logs a WebSocket in, renews it and refuses it, as data.
//!
//! A [`Dialect`] says where the credential goes ([`Placement`], [`Step`]), how we know that we are in ([`Acceptance`]), how a fresh
//! credential reaches a live connection ([`Renewal`]), how often a credential serves ([`CredentialUse`]), and what each way
//! of being refused means ([`Rule`], and [`default_verdict`] for what no rule names). The same value drives the client's half
//! ([`machine`](crate::machine)) and the server's ([`server`](crate::server)). What data can't say is an [`Authenticator`].

mod asked;
mod assembly;
mod authenticator;
mod builtin;
mod capture;
mod codec;
#[cfg(feature = "description")]
pub mod description;
mod failure;
mod matcher;
mod placement;
mod renewal;
mod requests;
mod rule;
mod table;
mod template;
mod times;
mod upgrade;
mod verdict;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::assembly::Assembly;
pub use self::authenticator::{Authenticator, Meaning};
pub use self::capture::{Captured, Captures, Resumed};
pub(crate) use self::codec::Read;
pub use self::codec::{Codec, Incoming, Rendered};
pub use self::failure::{Failure, Occurrence, Phase};
pub use self::matcher::{Condition, Matcher};
pub use self::placement::{Placement, SubprotocolEntry};
pub use self::renewal::{Renewal, RenewalTime};
pub use self::requests::Requests;
pub use self::rule::{Codes, On, Rule};
pub use self::table::default_verdict;
pub(crate) use self::template::Encoding;
pub(crate) use self::template::Filling;
#[cfg(feature = "tokio")]
pub(crate) use self::template::uuid;
pub use self::template::{Fresh, InvalidTemplate, Template};
pub use self::times::{InForm, InUnit, TimeForm, Unit};
#[cfg(feature = "polled")]
pub(crate) use self::upgrade::grammar::{check_header, is_header_value};
pub use self::upgrade::{InvalidSelection, Unplaceable, UpgradeRequest};
pub use self::verdict::{Disposition, Verdict};

/// How a service wants to be logged in to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dialect {
    /// The name by which people and the command line know it.
    pub name: Cow<'static, str>,
    /// How messages are framed.
    pub codec: Codec,
    /// What of the credential goes into the upgrade.
    pub placement: Placement,
    /// The messages that log in, in order; empty when the upgrade does.
    pub login: Vec<Step>,
    /// How we know that we are in.
    pub acceptance: Acceptance,
    /// What the server says that we must know or repeat.
    pub captured: Captured,
    /// How a fresh credential reaches a live connection.
    pub renewal: Renewal,
    /// How often a credential may be presented.
    pub credential_use: CredentialUse,
    /// Which credential a new connection presents after a lost one.
    pub reconnection: Reconnection,
    /// What is answered to certain messages, at any time: pings of the dialect's own.
    pub replies: Vec<Reply>,
    /// How replies find the requests that they answer, where the service numbers them.
    pub requests: Option<Requests>,
    /// How a silent connection is asked whether it lives.
    pub ping: Ping,
    /// Messages that say no more than that the server lives, so that they are not the user's: heartbeats, answers to [`Ping::Message`].
    pub heartbeats: Vec<Matcher>,
    /// What a session says before it closes its last connection, where the service wants to be told.
    pub farewell: Option<Farewell>,
    /// What failures mean, the first that matches; [`default_verdict`] for all others.
    pub rules: Vec<Rule>,
    /// What data can't say.
    pub authenticator: Option<Arc<dyn Authenticator>>,
}

/// One message of a login.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a trigger and a message are all there is to it")]
pub struct Step {
    /// What it waits for: the upgrade, or what the server says first.
    pub on: Trigger,
    /// The message.
    pub send: Template,
}

/// What a message of a login waits for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Trigger {
    /// Nothing but the step before it, or the upgrade.
    Open,
    /// A message that matches.
    Message(Matcher),
}

/// How we know that we are in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Acceptance {
    /// The upgrade itself says so.
    Upgrade,
    /// A message that matches any of these says so.
    Message {
        /// What may say so.
        any_of: Vec<Matcher>,
        /// How long the server may take, where the dialect knows better than the session's configuration.
        within: Option<Duration>,
    },
}

/// How often a credential may be presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialUse {
    /// As often as it is alive.
    Many,
    /// To one connection, ever: it is spent as soon as a byte of the upgrade may have left.
    Once,
}

/// Which credential a new connection presents after a lost one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reconnection {
    /// A newer one than the lost connection presented, if one can be had: the server may have dropped the
    /// connection because of the old one, and a live token that it refuses costs another round.
    Fresh,
    /// Any that is alive.
    Current,
}

/// An answer to a certain message.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a trigger and a message are all there is to it")]
pub struct Reply {
    /// The message.
    pub on: Matcher,
    /// The answer; it holds no credential.
    pub send: Template,
}

/// What a session says before it closes its last connection, because its user closes the session: a session that is still on its way in
/// says it once it is in. A [blocking session](crate::driver::blocking::Session) that is dropped sends the close frame alone.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a message and its answer are all there is to it")]
pub struct Farewell {
    /// The message, behind the user's; it holds no credential.
    pub send: Template,
    /// What answers it: the close frame waits for that, or, where nothing does, follows at once.
    pub answered: Vec<Matcher>,
}

/// How a silent connection is asked whether it lives.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Ping {
    /// By a ping frame (RFC 6455 §5.5.2).
    Frame,
    /// By a message of the dialect's own, without a credential.
    Message(Template),
    /// Not at all: the server speaks at least as often as it promised, or nothing is known.
    Never,
}

impl Dialect {
    /// A dialect that places no credential and is in with the upgrade: what others are built from. JSON messages, ping frames,
    /// renewal never needed, any live credential after a loss.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            codec: Codec::Json,
            placement: Placement::default(),
            login: Vec::new(),
            acceptance: Acceptance::Upgrade,
            captured: Captured::default(),
            renewal: Renewal::Never,
            credential_use: CredentialUse::Many,
            reconnection: Reconnection::Current,
            replies: Vec::new(),
            requests: None,
            ping: Ping::Frame,
            heartbeats: Vec::new(),
            farewell: None,
            rules: Vec::new(),
            authenticator: None,
        }
    }

    /// What a failure means: what the first rule that matches says, else the [default](default_verdict).
    #[must_use]
    pub fn verdict(&self, occurrence: &Occurrence<'_>) -> Verdict {
        let ruled = self.rules.iter().find(|rule| rule.matches(occurrence)).map(|rule| rule.verdict);
        ruled.unwrap_or_else(|| default_verdict(occurrence.failure))
    }
}

/// Two dialects are equal when they do the same: their authenticators, which can't be compared, are the same one.
impl PartialEq for Dialect {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            name,
            codec,
            placement,
            login,
            acceptance,
            captured,
            renewal,
            credential_use,
            reconnection,
            replies,
            requests,
            ping,
            heartbeats,
            farewell,
            rules,
            authenticator,
        } = self;
        let same_code = match (authenticator, &other.authenticator) {
            (None, None) => true,
            (Some(one), Some(another)) => Arc::ptr_eq(one, another),
            _ => false,
        };
        same_code
            && *name == other.name
            && *codec == other.codec
            && *placement == other.placement
            && *login == other.login
            && *acceptance == other.acceptance
            && *captured == other.captured
            && *renewal == other.renewal
            && *credential_use == other.credential_use
            && *reconnection == other.reconnection
            && *replies == other.replies
            && *requests == other.requests
            && *ping == other.ping
            && *heartbeats == other.heartbeats
            && *farewell == other.farewell
            && *rules == other.rules
    }
}
