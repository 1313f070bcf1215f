//! Ably's error numbers, and what a client must do about each.

use alloc::borrow::Cow;

use super::error_table::TABLE;
use crate::{Error, ErrorKind, Retry};

/// One of Ably's five-digit error numbers. An unknown one keeps its number, and is treated by its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u32);

/// What a client must do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a client must consider every action")]
pub enum Action {
    /// Get a new token and try once more with it (RSC10, RSA4b). A second error of this kind is final.
    RenewToken,
    /// Try again later, with backoff.
    RetryLater,
    /// Sign a new token request: this one was used, or its timestamp is too old. With the server's time if the clock is
    /// in doubt.
    SignAgain,
    /// Correct the call; the same one fails again. The connection goes on.
    FixCaller,
    /// The channel that it speaks of has failed; the connection goes on.
    FailChannel,
    /// Stop: nothing that a client can do by itself helps.
    GiveUp,
    /// Nothing: it tells of something that has been dealt with.
    Nothing,
}

/// One row of the table: a number, or a range of them, and what is known about it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) status: u16,
    pub(super) action: Action,
    pub(super) meaning: &'static str,
}

impl ErrorCode {
    /// 40000: a bad request, a malformed capability among them.
    pub const BAD_REQUEST: Self = Self(40_000);
    /// 40003: a parameter has a value that it can't have.
    pub const INVALID_PARAMETER: Self = Self(40_003);
    /// 40012: a clientId that can't be.
    pub const INVALID_CLIENT_ID: Self = Self(40_012);
    /// 40101: wrong credentials.
    pub const INVALID_CREDENTIALS: Self = Self(40_101);
    /// 40102: credentials that don't fit each other.
    pub const INCOMPATIBLE_CREDENTIALS: Self = Self(40_102);
    /// 40103: Basic authentication without TLS.
    pub const BASIC_WITHOUT_TLS: Self = Self(40_103);
    /// 40104: the timestamp of a token request is outside the window.
    pub const TIMESTAMP_NOT_CURRENT: Self = Self(40_104);
    /// 40105: the nonce of a token request was used before.
    pub const NONCE_REPLAYED: Self = Self(40_105);
    /// 40106: no way to authenticate is configured.
    pub const NO_MEANS: Self = Self(40_106);
    /// 40140: the token was not accepted.
    pub const TOKEN_REFUSED: Self = Self(40_140);
    /// 40142: the token has expired.
    pub const TOKEN_EXPIRED: Self = Self(40_142);
    /// 40144: the JWT is invalid.
    pub const INVALID_JWT: Self = Self(40_144);
    /// 40160: the capability does not allow it.
    pub const CAPABILITY: Self = Self(40_160);
    /// 40162: it needs the key itself.
    pub const NEEDS_BASIC: Self = Self(40_162);
    /// 40170: the auth callback or auth URL failed.
    pub const PROVIDER_FAILED: Self = Self(40_170);
    /// 40171: the token can't be renewed, as there is no means to.
    pub const CANNOT_RENEW: Self = Self(40_171);
    /// 40300: refused.
    pub const FORBIDDEN: Self = Self(40_300);
    /// 40400: unknown application, key or path; a malformed key.
    pub const NOT_FOUND: Self = Self(40_400);
    /// 42910: too many requests.
    pub const RATE_LIMITED: Self = Self(42_910);
    /// 50000: the server failed.
    pub const INTERNAL: Self = Self(50_000);
    /// 50003: the server timed out.
    pub const TIMEOUT: Self = Self(50_003);
    /// 80019: the connection could not be authenticated by the client's own provider; the cause tells why.
    pub const AUTHENTICATION_FAILED: Self = Self(80_019);

    /// The code with this number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// What the number means, in a few words; `None` for one that is not in the table.
    #[must_use]
    pub fn meaning(self) -> Option<&'static str> {
        self.row().map(|row| row.meaning)
    }

    /// The HTTP status that usually goes with the number; for an unknown one, its first three digits if they are a status.
    #[must_use]
    pub fn status(self) -> u16 {
        let class = || u16::try_from(self.0 / 100).ok().filter(|status| (400..600).contains(status));
        self.row().map_or_else(|| class().unwrap_or(400), |row| row.status)
    }

    /// Whether this is a token error, which a new token may cure: status 401 and 40140 to 40149 (RSC10, RTN14b). ably-js
    /// looks at the number only, and so renews a JWT that lacks claims (40144 with status 400); the next would lack them too.
    #[must_use]
    pub const fn is_token_error(self, status: u16) -> bool {
        status == 401 && matches!(self.0, 40_140..40_150)
    }

    /// What to do about it, given the status that came with it.
    #[must_use]
    pub fn action(self, status: u16) -> Action {
        match (self.0, status) {
            _ if self.is_token_error(status) => Action::RenewToken,
            (40_140..40_150, _) => Action::FixCaller,
            // The provider said no, rather than failed to answer (RSA4d).
            (80_019, 403) => Action::GiveUp,
            _ => self.row().map_or_else(|| by_class(status), |row| row.action),
        }
    }

    /// The kind of our errors that it belongs to, given the status that came with it.
    #[must_use]
    pub fn kind(self, status: u16) -> ErrorKind {
        match (self.0, status) {
            (40_140..40_150, _) => ErrorKind::InvalidToken,
            (40_160 | 40_165, _) => ErrorKind::InsufficientScope,
            (40_100..=40_102 | 40_130..=40_132, _) => ErrorKind::InvalidClient,
            (40_012 | 40_103 | 40_106 | 40_171, _) => ErrorKind::Misconfigured,
            (40_104 | 40_105, _) => ErrorKind::InvalidGrant,
            (40_170, _) => ErrorKind::MalformedResponse,
            (42_910 | 42_920 | 42_921, _) | (_, 429) => ErrorKind::RateLimited,
            (50_003 | 80_014 | 90_007, _) | (_, 408) => ErrorKind::Timeout,
            (50_000..60_000, _) | (_, 500..600) => ErrorKind::ServerFailed,
            (80_001..=80_003, _) => ErrorKind::Transport,
            _ => ErrorKind::Refused,
        }
    }

    /// An error of this number, its kind and its advice as the table has them. `message` says what to do next; it must hold
    /// no secret and nothing that a stranger wrote.
    #[must_use]
    pub fn error(self, message: impl Into<Cow<'static, str>>) -> Error {
        self.error_with_status(self.status(), message)
    }

    /// The same, for a number that came with a status.
    pub(super) fn error_with_status(self, status: u16, message: impl Into<Cow<'static, str>>) -> Error {
        Error::new(self.kind(status), message)
            .with_retry(self.action(status).retry())
            .with_code(self.number())
    }

    fn row(self) -> Option<&'static Row> {
        let index = TABLE.partition_point(|row| row.last < self.0);
        TABLE.get(index).filter(|row| row.first <= self.0)
    }
}

/// An unknown number: a failure of the server passes, a refusal does not.
const fn by_class(status: u16) -> Action {
    match status {
        408 | 429 | 500..600 => Action::RetryLater,
        401 | 403 => Action::GiveUp,
        _ => Action::FixCaller,
    }
}

impl Action {
    /// The advice for whoever asked for a token.
    #[must_use]
    pub const fn retry(self) -> Retry {
        match self {
            Self::RenewToken | Self::SignAgain => Retry::Reauthorize,
            Self::RetryLater => Retry::Backoff,
            Self::FixCaller | Self::FailChannel | Self::GiveUp | Self::Nothing => Retry::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_no_number_stands_twice() {
        assert!(TABLE.iter().all(|row| row.first <= row.last));
        assert!(TABLE.windows(2).all(|pair| pair[0].last < pair[1].first));
    }

    #[test]
    fn rsc10_only_status_401_with_40140_to_40149_is_a_token_error() {
        for number in 40_140..40_150 {
            assert!(ErrorCode::new(number).is_token_error(401));
            assert!(!ErrorCode::new(number).is_token_error(400));
            assert_eq!(ErrorCode::new(number).action(401), Action::RenewToken);
        }
        for number in [40_101, 40_139, 40_150, 40_160, 40_171, 80_019] {
            assert!(!ErrorCode::new(number).is_token_error(401), "{number}");
            assert_ne!(ErrorCode::new(number).action(401), Action::RenewToken, "{number}");
        }
        assert_eq!(ErrorCode::INVALID_JWT.action(400), Action::FixCaller);
    }

    #[test]
    fn each_kind_of_number_has_its_action() {
        for (number, status, action) in [
            (40_000, 400, Action::FixCaller),
            (40_010, 400, Action::FailChannel),
            (40_101, 401, Action::GiveUp),
            (40_104, 401, Action::SignAgain),
            (40_105, 401, Action::SignAgain),
            (40_114, 401, Action::RetryLater),
            (40_126, 401, Action::FixCaller),
            (40_160, 401, Action::FailChannel),
            (42_910, 429, Action::RetryLater),
            (42_921, 429, Action::GiveUp),
            (50_000, 500, Action::RetryLater),
            (80_018, 400, Action::Nothing),
            (80_019, 401, Action::RetryLater),
            (80_019, 403, Action::GiveUp),
        ] {
            assert_eq!(ErrorCode::new(number).action(status), action, "{number}");
        }
    }

    /// The numbers that the services and libraries of Ably send, by what a client does.
    #[test]
    fn every_number_of_the_catalogue_has_the_action_that_it_names() {
        use Action::{FailChannel, FixCaller, GiveUp, Nothing, RenewToken, RetryLater, SignAgain};
        let rows: [(Action, &[u32]); 7] = [
            (
                FixCaller,
                &[
                    40_000, 40_001, 40_002, 40_003, 40_004, 40_009, 40_012, 40_013, 40_020, 40_025, 40_106,
                    40_121, 40_125, 40_126, 40_127, 40_128, 40_133, 40_161, 40_162, 40_163, 40_164, 40_165,
                    40_166, 40_172, 40_180, 40_181, 40_182, 40_500, 90_001, 90_009,
                ],
            ),
            (
                GiveUp,
                &[
                    40_005, 40_017, 40_100, 40_101, 40_102, 40_103, 40_110, 40_113, 40_120, 40_130, 40_131,
                    40_132, 40_167, 40_171, 40_300, 40_310, 40_311, 40_320, 40_330, 40_331, 40_332, 40_400,
                    42_920, 42_921, 80_000, 80_024, 80_030,
                ],
            ),
            (RenewToken, &[40_140, 40_141, 40_142, 40_143, 40_144, 40_145]),
            (
                RetryLater,
                &[
                    40_111, 40_112, 40_114, 40_115, 40_150, 40_151, 40_170, 42_910, 50_000, 50_003, 50_004,
                    80_001, 80_002, 80_003, 80_011, 80_014, 80_019, 90_007,
                ],
            ),
            (SignAgain, &[40_104, 40_105]),
            (FailChannel, &[40_010, 40_160]),
            (Nothing, &[40_099, 80_017, 80_018]),
        ];
        let mut known = 0;
        for (action, numbers) in rows {
            for number in numbers {
                let code = ErrorCode::new(*number);
                assert_eq!(code.action(code.status()), action, "{number}");
                assert!(code.meaning().is_some(), "{number}");
                known += 1;
            }
        }
        let listed: u32 = TABLE.iter().map(|row| row.last - row.first + 1).sum();
        assert_eq!(known, listed, "a row that this test does not know");
        // The first three digits are the status, in all but the numbers that clients make.
        for row in TABLE.iter().filter(|row| row.first < 80_000) {
            let usual = match row.first {
                50_004 => 503,
                first => first / 100,
            };
            assert_eq!(u32::from(row.status), usual, "{}", row.first);
        }
    }

    #[test]
    fn an_unknown_number_keeps_it_and_goes_by_its_class() {
        let unknown = ErrorCode::new(50_099);
        assert_eq!((unknown.number(), unknown.meaning(), unknown.status()), (50_099, None, 500));
        assert_eq!(unknown.action(500), Action::RetryLater);
        assert_eq!(ErrorCode::new(40_399).action(403), Action::GiveUp);
        assert_eq!(ErrorCode::new(12_345).action(400), Action::FixCaller);
    }

    #[test]
    fn only_what_may_pass_or_be_renewed_is_tried_again() {
        for row in TABLE {
            let code = ErrorCode::new(row.first);
            let retried = code.action(row.status).retry() != Retry::Never;
            let may_pass = matches!(row.action, Action::RenewToken | Action::RetryLater | Action::SignAgain);
            assert_eq!(retried, may_pass, "{}", row.first);
        }
    }
}
