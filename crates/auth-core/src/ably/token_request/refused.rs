//! Why a token request is refused, with Ably's number and HTTP status for each reason.

use alloc::string::ToString as _;

use crate::Error;
use crate::ably::{ErrorCode, ErrorInfo, InvalidClientId, InvalidNonce};
use crate::capability::InvalidCapability;

/// Why a [`TokenRequest`](super::TokenRequest) is refused. The checks come in the order of these variants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenRequestRefused {
    /// It is no JSON object with the members of a token request.
    #[error("it is no token request: a JSON object with keyName, timestamp, nonce and mac")]
    Malformed,
    /// It names another key than the one that it is verified with.
    #[error("the token request names another key")]
    OtherKey,
    /// The MAC is not the one that the key gives.
    #[error(
        "the token request's MAC does not verify; check the key, and that nothing was changed after it was signed"
    )]
    Mac,
    /// The lifetime is negative, or longer than a day.
    #[error("the token request's ttl must be from 0 to 86400000 ms")]
    Ttl,
    /// The clientId can't be.
    #[error(transparent)]
    ClientId(#[from] InvalidClientId),
    /// The capability can't be read.
    #[error(transparent)]
    Capability(#[from] InvalidCapability),
    /// The timestamp is more than [`TokenRequest::WINDOW`](super::TokenRequest::WINDOW) from the server's clock.
    #[error("the token request's timestamp is not current; sign it with the server's time")]
    Timestamp,
    /// The nonce is too short, too long, or not printable ASCII.
    #[error(transparent)]
    Nonce(#[from] InvalidNonce),
}

impl TokenRequestRefused {
    /// Ably's number.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed | Self::Capability(_) => ErrorCode::BAD_REQUEST,
            Self::OtherKey | Self::Mac => ErrorCode::INVALID_CREDENTIALS,
            Self::Ttl | Self::Nonce(_) => ErrorCode::INVALID_PARAMETER,
            Self::ClientId(_) => ErrorCode::INVALID_CLIENT_ID,
            Self::Timestamp => ErrorCode::TIMESTAMP_NOT_CURRENT,
        }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.code().status()
    }

    /// The reply that a server gives.
    #[must_use]
    pub fn to_info(&self) -> ErrorInfo {
        ErrorInfo::new(self.code(), self.status(), &self.to_string())
    }
}

impl From<TokenRequestRefused> for Error {
    fn from(refused: TokenRequestRefused) -> Self {
        refused.code().error(refused.to_string())
    }
}
