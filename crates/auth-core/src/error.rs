//! What can go wrong on the way to a token, and what may be done about it.

use alloc::borrow::Cow;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A failure to obtain, read or use a token: opaque, cheap to clone, and free of secrets and response bodies.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    code: Option<u32>,
    in_doubt: bool,
    message: Cow<'static, str>,
    source: Option<Arc<dyn core::error::Error + Send + Sync>>,
}

/// What happened, in terms that stay the same whoever the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The driver that owned the work is gone; nothing was decided about the token.
    Closed,
    /// The token lacks a scope, or the capability an operation, that is required; asking again gives the same.
    InsufficientScope,
    /// The token endpoint does not know the client, or its secret is wrong (`invalid_client`).
    InvalidClient,
    /// The refresh token or other grant is revoked, expired or already used (`invalid_grant`).
    InvalidGrant,
    /// The token itself is malformed, expired, or its signature does not verify.
    InvalidToken,
    /// The server answered with something that is no answer.
    MalformedResponse,
    /// What was asked for can't be done as configured; nothing was sent.
    Misconfigured,
    /// The server asked us to slow down (HTTP 429).
    RateLimited,
    /// The server refused for another reason that repeating the request will not change.
    Refused,
    /// The server failed (HTTP 5xx); nothing was decided about the token.
    ServerFailed,
    /// What keeps tokens between runs, or the record of what is done with them, could not be read, locked or written.
    StoreFailed,
    /// No answer came in time.
    Timeout,
    /// The server could not be reached, or the connection broke.
    Transport,
}

/// Whether trying again can help: the documented contract between a source and whoever retries.
///
/// Answer [`Backoff`](Self::Backoff) only if recovery needs no human.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a new advice must break whoever retries at compile time")]
pub enum Retry {
    /// The same request fails again until somebody changes something.
    Never,
    /// The failure may pass by itself; wait a growing time.
    Backoff,
    /// The server named the wait itself.
    After(Duration),
    /// A fresh credential, or a new login, may be accepted where this one was not.
    Reauthorize,
}

impl Error {
    /// An error of `kind` with the advice that usually goes with it.
    ///
    /// `message` is a lowercase fragment that says what to do next. It must hold no secret and no response body.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(Inner {
            kind,
            retry: kind.usual_retry(),
            code: None,
            in_doubt: kind.usually_in_doubt(),
            message: message.into(),
            source: None,
        }))
    }

    /// The same error with another advice.
    #[must_use]
    pub fn with_retry(self, retry: Retry) -> Self {
        Self(Arc::new(Inner { retry, ..self.into_inner() }))
    }

    /// The same error with the wire's own number: an HTTP status for a token endpoint, five digits for Ably
    /// ([`ErrorCode`](crate::ably::ErrorCode)).
    #[must_use]
    pub fn with_code(self, code: u32) -> Self {
        Self(Arc::new(Inner { code: Some(code), ..self.into_inner() }))
    }

    /// The same error, of a request that certainly changed nothing at the server: it was never sent, or was turned away
    /// unread.
    #[must_use]
    pub fn without_effect(self) -> Self {
        Self(Arc::new(Inner { in_doubt: false, ..self.into_inner() }))
    }

    /// The same error with its cause. The cause must hold no secret either: its text may be printed.
    #[must_use]
    pub fn with_source(self, source: impl core::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { source: Some(Arc::new(source)), ..self.into_inner() }))
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The wire's own number, where there was one: the HTTP status of a token endpoint, or Ably's five digits.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        self.0.code
    }

    /// Whether the request may have taken effect at the server although no answer that can be used arrived: a token that
    /// serves once may be spent.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.0.in_doubt
    }

    fn into_inner(self) -> Inner {
        Arc::try_unwrap(self.0).unwrap_or_else(|shared| Inner {
            kind: shared.kind,
            retry: shared.retry,
            code: shared.code,
            in_doubt: shared.in_doubt,
            message: shared.message.clone(),
            source: shared.source.clone(),
        })
    }
}

impl ErrorKind {
    const fn usual_retry(self) -> Retry {
        match self {
            // A page of HTML with status 200 is a proxy's doing as often as a wrong URL: no verdict.
            Self::MalformedResponse
            | Self::RateLimited
            | Self::ServerFailed
            | Self::StoreFailed
            | Self::Timeout
            | Self::Transport => Retry::Backoff,
            Self::InvalidGrant | Self::InvalidToken => Retry::Reauthorize,
            Self::Closed
            | Self::InsufficientScope
            | Self::InvalidClient
            | Self::Misconfigured
            | Self::Refused => Retry::Never,
        }
    }

    const fn usually_in_doubt(self) -> bool {
        match self {
            Self::MalformedResponse | Self::ServerFailed | Self::Timeout | Self::Transport => true,
            Self::Closed
            | Self::InsufficientScope
            | Self::InvalidClient
            | Self::InvalidGrant
            | Self::InvalidToken
            | Self::Misconfigured
            | Self::RateLimited
            | Self::Refused
            | Self::StoreFailed => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)?;
        match self.0.code {
            Some(status @ 0..1_000) => write!(formatter, " (status {status})"),
            Some(code) => write!(formatter, " (code {code})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, retry, code, in_doubt, message, source } = &*self.0;
        formatter
            .debug_struct("Error")
            .field("kind", kind)
            .field("retry", retry)
            .field("code", code)
            .field("in_doubt", in_doubt)
            .field("message", message)
            .field("source", source)
            .finish()
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.0.source {
            Some(source) => Some(&**source),
            None => None,
        }
    }
}

/// A mistake in driving a state machine: always a bug of the driver, never caused by what a peer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiMisuse {
    /// `handle` was called before `poll` had answered `Wait`, so an output would be acted on too late.
    OutputsPending,
}

impl fmt::Display for ApiMisuse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutputsPending => {
                formatter.write_str("call `poll` until it answers `Wait` before the next `handle`")
            }
        }
    }
}

impl core::error::Error for ApiMisuse {}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn an_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn a_clone_that_is_changed_leaves_the_original_as_it_was() {
        let original = Error::new(ErrorKind::RateLimited, "slow down");
        let changed = original.clone().with_code(429).with_retry(Retry::After(Duration::from_secs(2)));
        assert_eq!((original.code(), original.retry()), (None, Retry::Backoff));
        assert_eq!((changed.code(), changed.retry()), (Some(429), Retry::After(Duration::from_secs(2))));
        assert_eq!(changed.to_string(), "slow down (status 429)");
    }
}
