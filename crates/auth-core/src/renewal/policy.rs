//! How early to renew, and how hard to try: each default with its reason.

use core::time::Duration;

use crate::backoff::{Backoff, Jitter};

/// The settings of a [`Renewal`](super::Renewal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    lead: Duration,
    pub(super) attempts: u32,
    pub(super) flight: Duration,
    pub(super) backoff: Backoff,
    pub(super) pause: Backoff,
}

impl Policy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lead: Duration::from_secs(120),
            attempts: 3,
            flight: Duration::from_secs(30),
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
            pause: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
        }
    }

    /// How long before its expiry a token is renewed: 120 s by default, the figure of the Genesys document, and
    /// never more than half of the token's lifetime, so that a short-lived token is still cached. A longer lead
    /// survives a longer outage of the token endpoint.
    #[must_use]
    pub fn with_lead(self, lead: Duration) -> Self {
        Self { lead, ..self }
    }

    /// How often one flight asks before it fails whoever waits for it: 3 by default, at least 1. A flight also
    /// ends when the next attempt would begin more than 30 s after the first.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts: attempts.max(1), ..self }
    }

    /// The wait between the attempts of a flight: up to 0.5 s at first, at most 30 s.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// When, after the request, a token of lifetime `life` is renewed.
    ///
    /// Jitter comes off the front, up to a tenth of the lifetime and at most 30 s, and is drawn once for each
    /// token: tokens issued together would otherwise be renewed together.
    pub(super) fn renew_after(&self, life: Duration, jitter: &mut Jitter) -> Duration {
        let lead = self.lead.min(life / 2);
        let spread = (life / 10).min(Duration::from_secs(30));
        life.saturating_sub(lead).saturating_sub(jitter.between(Duration::ZERO, spread))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

/// The lifetime assumed when neither the endpoint nor the token states one: an hour, the commonest value.
pub(super) const USUAL_LIFETIME: Duration = Duration::from_secs(3_600);

/// The longest lifetime believed: a day. A token that says more is renewed daily all the same.
pub(super) const LONGEST_LIFETIME: Duration = Duration::from_secs(86_400);

/// The pause after a verdict, which a human must change: a minute, so that a corrected configuration is noticed
/// and an uncorrected one costs a request a minute.
pub(super) const PAUSE_AFTER_VERDICT: Duration = Duration::from_secs(60);
