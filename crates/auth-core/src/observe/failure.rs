//! A request for a token that failed, as an event.

use core::time::Duration;

use super::AuthEvent;
use crate::{Error, ErrorKind, Retry};

/// What is known of a request for a token that failed, beside why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever tells of a failure says all of it")]
pub struct FailedRequest {
    /// Which attempt of its flight it was, from 1.
    pub attempt: u32,
    /// How long it was under way, where it was sent.
    pub took: Option<Duration>,
    /// The wait before the next attempt; `None` when there is none.
    pub retry_in: Option<Duration>,
    /// How long the token in use still lives.
    pub valid_for: Option<Duration>,
}

impl AuthEvent {
    /// [`RateLimited`](Self::RateLimited) where the token endpoint asked to slow down, else
    /// [`TokenRequestFailed`](Self::TokenRequestFailed).
    ///
    /// ```
    /// use auth_core::observe::{AuthEvent, FailedRequest};
    /// use auth_core::{Error, ErrorKind};
    ///
    /// let request = FailedRequest { attempt: 1, took: None, retry_in: None, valid_for: None };
    /// let error = Error::new(ErrorKind::ServerFailed, "the token endpoint failed");
    /// assert_eq!(AuthEvent::of_failure(&error, request).name(), "token_request_failed");
    /// ```
    #[must_use]
    pub fn of_failure(error: &Error, request: FailedRequest) -> Self {
        let FailedRequest { attempt, took, retry_in, valid_for } = request;
        match (error.kind(), error.retry()) {
            (ErrorKind::RateLimited, advice) => {
                let retry_after = if let Retry::After(wait) = advice { Some(wait) } else { None };
                Self::RateLimited { attempt, took, retry_after, retry_in, valid_for }
            }
            (kind, _) => {
                Self::TokenRequestFailed { attempt, kind, code: error.code(), took, retry_in, valid_for }
            }
        }
    }
}
