//! What a failed connection means for the next attempt: the default table of codes and statuses.

/// What a failure means for the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a session must decide about every disposition")]
pub enum Disposition {
    /// Back off and try again; the same credential may serve.
    Retry,
    /// Try again with a fresh credential, once: the same answer to that is fatal.
    RetryWithFreshToken,
    /// Trying again gives the same answer until somebody changes something.
    Fatal,
}

/// How a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a table must classify every failure")]
pub enum Failure {
    /// The server answered the upgrade with this HTTP status.
    Status(u16),
    /// The server closed with this code, or without one. An empty reason changes nothing.
    Closed(Option<u16>),
    /// The server refused the credential in a message.
    Refused,
    /// No answer came in time.
    Timeout,
    /// The transport failed.
    Transport,
    /// The server answered the upgrade with something that is no WebSocket.
    Protocol,
    /// A message was larger than we read.
    TooLarge,
    /// The server's certificate is not to be trusted.
    Untrusted,
}

/// The default table.
///
/// Faults of the transport may pass; only an explicit verdict is fatal. An unknown private code follows the
/// convention of 4000 to 4499 for what may pass and 4500 to 4999 for what may not.
#[must_use]
pub const fn classify(failure: Failure) -> Disposition {
    use Disposition::{Fatal, Retry, RetryWithFreshToken};
    match failure {
        Failure::Refused => RetryWithFreshToken,
        Failure::Timeout | Failure::Transport | Failure::TooLarge | Failure::Closed(None) => Retry,
        Failure::Protocol | Failure::Untrusted => Fatal,
        Failure::Status(status) => match status {
            // Some servers answer 403 for what they would have closed with 4401 after the upgrade.
            401 | 403 => RetryWithFreshToken,
            408 | 425 | 429 | 500 | 502..=504 | 506..=599 => Retry,
            _ => Fatal,
        },
        Failure::Closed(Some(code)) => match code {
            1008 | 3000 | 4001 | 4401 => RetryWithFreshToken,
            1002 | 1003 | 1007 | 1010 | 3003 | 4003 | 4403 => Fatal,
            3500..=3999 | 4500..=4999 => Fatal,
            _ => Retry,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::Disposition::{Fatal, Retry, RetryWithFreshToken};
    use super::*;

    #[test]
    fn statuses_of_a_refused_upgrade_are_classified() {
        for (disposition, statuses) in [
            (RetryWithFreshToken, &[401, 403][..]),
            (Retry, &[408, 425, 429, 500, 502, 503, 504, 599]),
            (Fatal, &[200, 302, 400, 404, 405, 426, 501, 505]),
        ] {
            for &status in statuses {
                assert_eq!(classify(Failure::Status(status)), disposition, "{status}");
            }
        }
    }

    #[test]
    fn close_codes_are_classified() {
        for (disposition, codes) in [
            (RetryWithFreshToken, &[1008, 3000, 4001, 4401][..]),
            (Retry, &[1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 1014, 3008, 3400, 4000, 4429, 4499]),
            (Fatal, &[1002, 1003, 1007, 1010, 3003, 3500, 4003, 4403, 4500, 4999]),
        ] {
            for &code in codes {
                assert_eq!(classify(Failure::Closed(Some(code))), disposition, "{code}");
            }
        }
        assert_eq!(classify(Failure::Closed(None)), Retry);
    }
}
