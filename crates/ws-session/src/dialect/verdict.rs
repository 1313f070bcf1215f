//! What a failure means, in the words of a dialect, and what follows for the next attempt.

/// What a failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It may pass: try again with backoff.
    Transient,
    /// We are too fast: try again after the wait that the server named, or after the longest of our own.
    RateLimited,
    /// The server asks for a new connection: at once the first time, with backoff when it repeats itself.
    ReconnectNow,
    /// The credential is no longer good: one attempt with a fresh one, and the same answer to that is final.
    Expired,
    /// The server waited for a credential that did not reach it in time: try again with backoff.
    AuthenticationTimeout,
    /// The credential is refused for good.
    Rejected,
    /// The credential is good, and does not allow this.
    Forbidden,
    /// The request is wrong, whatever the credential: a URL, a protocol, a configuration.
    Misuse,
}

/// What a failure means for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a session must decide about every disposition")]
pub enum Disposition {
    /// Back off and try again; the same credential may serve.
    Retry,
    /// Try again after the server's advice, or after the longest wait there is.
    RetrySlowly,
    /// Try again without a wait, once; then as [`Retry`](Self::Retry).
    RetryNow,
    /// Try again with a fresh credential, once: the same answer to that is fatal.
    RetryWithFreshToken,
    /// Trying again gives the same answer until somebody changes something.
    Fatal,
}

impl Verdict {
    /// What follows.
    #[must_use]
    pub const fn disposition(self) -> Disposition {
        match self {
            Self::Transient | Self::AuthenticationTimeout => Disposition::Retry,
            Self::RateLimited => Disposition::RetrySlowly,
            Self::ReconnectNow => Disposition::RetryNow,
            Self::Expired => Disposition::RetryWithFreshToken,
            Self::Rejected | Self::Forbidden | Self::Misuse => Disposition::Fatal,
        }
    }
}
