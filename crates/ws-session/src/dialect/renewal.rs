//! How a fresh credential reaches a live connection.

use super::{Matcher, Template};

/// How a fresh credential reaches a live connection.
///
/// A server that asks for one (`asked_by`) gets it at once, unless the credential in use is fresh: younger than 30 seconds, and than half of
/// what it had left when it was accepted. Then it waits for up to a second at first, and for longer each time, up to that age; the
/// connection stays, a wait of more than a second is told as an [`AuthEvent::RenewalDelayed`](auth_core::AuthEvent::RenewalDelayed), and after two
/// minutes without such a wish those before are forgotten. Whatever a server says, it gets no more than 400 renewals an hour.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Renewal {
    /// It does not: the server looks at the credential once. Should it end the connection together with the credential, the next
    /// connection brings a fresh one.
    Never,
    /// By a message on the connection.
    InBand {
        /// The message.
        send: Template,
        /// What says that it was accepted; empty when the server says nothing, and the credential counts as accepted once it is sent.
        accepted: Vec<Matcher>,
        /// Messages by which the server asks for it.
        asked_by: Vec<Matcher>,
        /// When, if nobody asks.
        when: RenewalTime,
    },
    /// By a new connection.
    Reconnect {
        /// Whether the new connection is made before the old one is closed.
        overlap: bool,
        /// Messages by which the server asks for it.
        asked_by: Vec<Matcher>,
        /// When, if nobody asks.
        when: RenewalTime,
    },
}

/// When a credential is renewed if nobody asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenewalTime {
    /// Before it expires, when its source advises.
    Early,
    /// When it has expired: the server allows a grace.
    AtExpiry,
    /// Not at all: the server asks in time, or the connection outlives the credential.
    WhenAsked,
}
