//! How early to renew, how hard to try, and how often a token serves: each default with its reason.

use core::time::Duration;

use crate::backoff::{Backoff, Jitter};

/// The settings of a [`Renewal`](super::Renewal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    lead: Duration,
    longest_lifetime: Duration,
    pub(super) attempts: u32,
    pub(super) flight: Duration,
    pub(super) backoff: Backoff,
    pub(super) pause: Backoff,
    pub(super) spacing: Duration,
    pub(super) keep_warm: bool,
    pub(super) background: bool,
    pub(super) late_replay: bool,
    pub(super) uses: Use,
}

/// How often a token serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Many,
    Once { prefetch: bool },
}

impl Policy {
    /// The defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lead: Duration::from_secs(120),
            longest_lifetime: Duration::from_secs(86_400),
            attempts: 3,
            flight: Duration::from_secs(30),
            backoff: Backoff::new(Duration::from_millis(500), Duration::from_secs(30)),
            pause: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
            spacing: Duration::from_secs(1),
            keep_warm: false,
            background: true,
            late_replay: true,
            uses: Use::Many,
        }
    }

    /// How long before its expiry a token is renewed: 120 s by default, the figure of the Genesys document, and
    /// never more than half of the token's lifetime, so that a short-lived token is still cached, nor less than the last
    /// tenth or ten seconds of it, in which callers wait for the next token. A longer lead survives a longer outage of the
    /// token endpoint.
    #[must_use]
    pub fn with_lead(self, lead: Duration) -> Self {
        Self { lead, ..self }
    }

    /// The longest lifetime believed: a day by default, a second at least. A token that says more is renewed daily all the same, so that a
    /// mistake of the server's, or a revocation that nobody reports, is noticed within a day.
    #[must_use]
    pub fn with_longest_lifetime(self, longest_lifetime: Duration) -> Self {
        Self { longest_lifetime: longest_lifetime.max(Duration::from_secs(1)), ..self }
    }

    /// How many tries, at the store or at the endpoint, may fail before the flight does, and whoever waits for it: 3 by default, at
    /// least 1. Replays of a refresh token whose answer was lost are counted apart. Three ride out a broken
    /// connection and one bad answer, and still tell the caller within seconds.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        Self { attempts: attempts.max(1), ..self }
    }

    /// The time that one flight may take in all, retries, the store and its lock included: 30 s by default, from 1 s to ten
    /// minutes.
    /// A caller waits no longer than that, nor than its patience of a minute; it is longer than a slow but working endpoint takes, since the
    /// answer to a refresh token must not be given up lightly.
    #[must_use]
    pub fn with_flight(self, flight: Duration) -> Self {
        Self { flight: flight.clamp(Duration::from_secs(1), Duration::from_secs(600)), ..self }
    }

    /// The wait between the attempts of a flight: up to 0.5 s at first, at most 30 s, with full jitter, so that clients
    /// that failed together do not come back together.
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// The pause after a failed flight, in which nothing is asked: up to 1 s at first, at most 60 s, never less than half
    /// of that, so that it bounds the rate of requests whatever the number of callers. A `Retry-After` (up to 300 s) is waited for in
    /// full, and after a verdict the pause is 60 s whatever is set here. While a token is alive a pause takes
    /// no more than a quarter of what is left of it, so that several flights still fit.
    #[must_use]
    pub fn with_pause(self, pause: Backoff) -> Self {
        Self { pause, ..self }
    }

    /// The least time from a token's arrival to the next request: 1 s by default, a minute at most. It bounds what callers can cause who keep
    /// asking for a newer token, and what an endpoint can cause that issues tokens which are as good as expired. A policy
    /// of [single use](Self::single_use) has no such time.
    #[must_use]
    pub fn with_spacing(self, spacing: Duration) -> Self {
        Self { spacing: spacing.min(Duration::from_secs(60)), ..self }
    }

    /// Keeps a token at hand although nobody asks, from the start. By default a token that nobody has used for as long
    /// as it lives is not renewed; a policy of single use keeps none warm: a program that idles should not keep an endpoint busy.
    #[must_use]
    pub fn with_keep_warm(self) -> Self {
        Self { keep_warm: true, ..self }
    }

    /// Renews for those who ask, and never by time alone: a token in use is by default renewed before it expires, also after
    /// the last caller. A token that is due when it is asked for is served, and renewed meanwhile. For a login that must
    /// expire when nobody uses it, as Spatium's sessions do; a credential that is [kept warm](Self::with_keep_warm) is
    /// renewed all the same.
    #[must_use]
    pub fn without_background_renewal(self) -> Self {
        Self { background: false, ..self }
    }

    /// Never sends a refresh token again once ten seconds have passed since an attempt whose answer was lost; a person must
    /// log in then. By default it is tried again when there is no living access token left to lose: had the
    /// server not seen the first attempt, this saves the session, and had it, the session was lost anyway. Servers that
    /// raise an alarm on each reuse are what this is for.
    #[must_use]
    pub fn without_late_replay(self) -> Self {
        Self { late_replay: false, ..self }
    }

    /// Each token is handed out once, to one caller, as for Optave's JSON Web Tokens. One is fetched ahead after each that
    /// is handed out, so that a reconnect need not wait; it is dropped when it expires unused.
    #[must_use]
    pub fn single_use(self) -> Self {
        Self { uses: Use::Once { prefetch: true }, ..self }
    }

    /// As [`single_use`](Self::single_use), without fetching ahead: for endpoints that count or bill what they issue.
    #[must_use]
    pub fn single_use_on_demand(self) -> Self {
        Self { uses: Use::Once { prefetch: false }, ..self }
    }

    pub(super) const fn is_single_use(&self) -> bool {
        matches!(self.uses, Use::Once { .. })
    }

    pub(super) fn believed(&self, life: Duration) -> Duration {
        life.min(self.longest_lifetime)
    }

    /// How long after the request a token that lives for `life` is renewed, at the latest: each is renewed a little earlier, at a moment
    /// drawn for it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use auth_core::renewal::Policy;
    ///
    /// let hour = Duration::from_secs(3_600);
    /// assert_eq!(Policy::new().with_lead(Duration::from_secs(60)).renews_by(hour), Duration::from_secs(3_540));
    /// ```
    #[must_use]
    pub fn renews_by(&self, life: Duration) -> Duration {
        let lead = self.lead.min(life / 2).max(margin(life));
        life.saturating_sub(lead)
    }

    /// When, after the request, a token of lifetime `life` is renewed.
    ///
    /// Jitter comes off the front, up to a tenth of the lifetime and at most 30 s, and is drawn once for each
    /// token: tokens issued together would otherwise be renewed together.
    pub(super) fn renew_after(&self, life: Duration, jitter: &mut Jitter) -> Duration {
        let spread = (life / 10).min(Duration::from_secs(30));
        self.renews_by(life).saturating_sub(jitter.between(Duration::ZERO, spread))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::new()
    }
}

/// How long before its expiry callers wait for the next token rather than be handed this one: 10 s, and no more than a tenth
/// of the lifetime. A token handed out with less than that may expire on its way.
pub(super) fn margin(life: Duration) -> Duration {
    (life / 10).min(Duration::from_secs(10))
}

/// The lifetime assumed when neither the endpoint nor the token states one, nor did one before: an hour, the commonest value.
pub(super) const USUAL_LIFETIME: Duration = Duration::from_secs(3_600);

/// The pause after a verdict, which a human must change: a minute, so that a corrected configuration is noticed
/// and an uncorrected one costs a request a minute.
pub(super) const PAUSE_AFTER_VERDICT: Duration = Duration::from_secs(60);

/// The shortest pause, however little is left of a living token.
pub(super) const SHORTEST_PAUSE: Duration = Duration::from_millis(500);

/// How long a caller waits that does not say: a minute, as [`TokenSource`](crate::TokenSource) promises. It is longer than a
/// flight by default, but where each token serves one caller, there may be many flights before one's own.
pub(super) const USUAL_PATIENCE: Duration = Duration::from_secs(60);

/// A wall clock that is further from the monotonic one than it was at the last input has been set, or the computer slept; less
/// is the slewing of a clock that is kept in time.
pub(super) const STEP: Duration = Duration::from_secs(1);

/// A token that replaced a refused one, and is itself refused within this time, shows that tokens are not the trouble.
pub(super) const FRESH: Duration = Duration::from_secs(5);

/// How long after it was first sent a refresh token whose answer was lost is sent again: 10 s. Servers that allow it at all
/// do so for that long at least, and later the same request looks like theft.
pub(super) const REPLAY_WINDOW: Duration = Duration::from_secs(10);

/// The waits before each replay: soon, because what was lost is likely a connection; then rarer.
pub(super) const REPLAY_DELAYS: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];

/// How long one access to the store may take: 5 s. It is a file or a service nearby; a token must not wait for one that hangs.
pub(super) const STORE_WAIT: Duration = Duration::from_secs(5);

/// How often the store's lock is tried for while another process holds it: that long apart, drawn anew each time.
pub(super) const LOCK_WAIT: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));

/// How long what is unsaved is still tried after the last caller has gone: 30 s.
pub(super) const LAST_SAVES: Duration = Duration::from_secs(30);
