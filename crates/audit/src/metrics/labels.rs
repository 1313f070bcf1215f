//! The closed sets of what labels may say: a stranger's text is one of these, or `other`.

use std::time::Duration;

use auth_core::observe::{Replayed, RevocationPath, StoreStep};
use auth_core::{AuthEvent, ErrorKind};

/// By which grant a server was asked.
pub(super) const GRANTS: [&str; 15] = [
    "authorization_code",
    "client_credentials",
    "device_code",
    "jwt_bearer",
    "password",
    "refresh_token",
    "token_exchange",
    "ably_key",
    "ably_token_request",
    "optave_ticket",
    "spatium_credentials",
    "spatium_security_factors",
    "spatium_merchant_key",
    "spatium_refresh",
    OTHER,
];

/// Why there was no token: the kinds of our errors, and the codes of RFC 6749 §5.2 and its extensions.
pub(super) const ERRORS: [&str; 27] = [
    "closed",
    "insufficient_scope",
    "invalid_client",
    "invalid_grant",
    "invalid_token",
    "malformed_response",
    "misconfigured",
    "rate_limited",
    "refused",
    "server_failed",
    "store_failed",
    "timeout",
    "transport",
    "access_denied",
    "invalid_dpop_proof",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "use_dpop_nonce",
    "authorization_pending",
    "expired_token",
    OTHER,
];

/// What an ended connection was closed with: close codes (RFC 6455 §7.4), HTTP statuses, and none.
pub(super) const CODES: [&str; 26] = [
    "1000", "1001", "1002", "1003", "1004", "1005", "1006", "1007", "1008", "1009", "1010", "1011", "1012",
    "1013", "1014", "1015", "3xxx", "4xxx", "401", "403", "404", "429", "500", "503", NONE, OTHER,
];

pub(super) const STEPS: [&str; 6] = ["load", "lock", "save_intent", "save_token", "clear_intent", OTHER];

/// What stores are asked: those of tokens for each of their steps, and those of used tokens whether one is spent.
pub(super) const OPS: [&str; 7] =
    ["load", "lock", "save_intent", "save_token", "clear_intent", "consume", OTHER];

/// On which way a revocation came to the server that ends the connection.
pub(super) const PATHS: [&str; 5] = ["local", "stream", "pubsub", "poll", OTHER];

pub(super) const REPLAYED: [&str; 6] = ["token", "nonce", "refresh", "dpop", "assertion", OTHER];

const OTHER: &str = "other";
const NONE: &str = "none";

/// Where `text` stands among `names`, of which the last is `other`.
pub(super) fn place(names: &[&str], text: &str) -> usize {
    names.iter().position(|name| *name == text).unwrap_or(names.len() - 1)
}

pub(super) fn grant(text: &str) -> usize {
    // RFC 7523, RFC 8628 and RFC 8693 name theirs by URN, of which the last part is enough.
    let name = text.rsplit(':').next().unwrap_or(text);
    place(
        &GRANTS,
        if name == "jwt-bearer" {
            "jwt_bearer"
        } else if name == "token-exchange" {
            "token_exchange"
        } else {
            name
        },
    )
}

pub(super) fn error(kind: ErrorKind) -> usize {
    let name = match kind {
        ErrorKind::Closed => "closed",
        ErrorKind::InsufficientScope => "insufficient_scope",
        ErrorKind::InvalidClient => "invalid_client",
        ErrorKind::InvalidGrant => "invalid_grant",
        ErrorKind::InvalidToken => "invalid_token",
        ErrorKind::MalformedResponse => "malformed_response",
        ErrorKind::Misconfigured => "misconfigured",
        ErrorKind::RateLimited => "rate_limited",
        ErrorKind::Refused => "refused",
        ErrorKind::ServerFailed => "server_failed",
        ErrorKind::StoreFailed => "store_failed",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Transport => "transport",
        _ => OTHER,
    };
    place(&ERRORS, name)
}

pub(super) fn code(code: Option<u16>) -> usize {
    match code {
        None => place(&CODES, NONE),
        Some(code @ 1_000..=1_015) => usize::from(code - 1_000),
        Some(3_000..=3_999) => place(&CODES, "3xxx"),
        Some(4_000..=4_999) => place(&CODES, "4xxx"),
        Some(401) => place(&CODES, "401"),
        Some(403) => place(&CODES, "403"),
        Some(404) => place(&CODES, "404"),
        Some(429) => place(&CODES, "429"),
        Some(500) => place(&CODES, "500"),
        Some(503) => place(&CODES, "503"),
        Some(_) => place(&CODES, OTHER),
    }
}

pub(super) fn step(step: StoreStep) -> usize {
    place(&STEPS, name_of(step))
}

const fn name_of(step: StoreStep) -> &'static str {
    match step {
        StoreStep::Load => "load",
        StoreStep::Lock => "lock",
        StoreStep::SaveIntent => "save_intent",
        StoreStep::SaveToken => "save_token",
        StoreStep::ClearIntent => "clear_intent",
        _ => OTHER,
    }
}

/// What a store was asked that has ended with this event, and how long that took.
pub(super) fn asked_of_store(event: &AuthEvent) -> Option<(usize, Duration)> {
    let (op, took) = match event {
        AuthEvent::TokenAdopted { took, .. } => (name_of(StoreStep::Load), took),
        AuthEvent::TokenRequested { noted, .. } => (name_of(StoreStep::SaveIntent), noted),
        AuthEvent::RefreshTokenSaved { took, .. } => (name_of(StoreStep::SaveToken), took),
        AuthEvent::StoreFailed { step, took, .. } => (name_of(*step), took),
        AuthEvent::TokenConsumed { took, .. } => ("consume", took),
        _ => return None,
    };
    took.map(|took| (place(&OPS, op), took))
}

pub(super) fn path(path: Option<RevocationPath>) -> usize {
    let name = match path {
        Some(RevocationPath::Local) => "local",
        Some(RevocationPath::Stream) => "stream",
        Some(RevocationPath::PubSub) => "pubsub",
        Some(RevocationPath::Poll) => "poll",
        _ => OTHER,
    };
    place(&PATHS, name)
}

pub(super) fn replayed(replayed: Replayed) -> usize {
    let name = match replayed {
        Replayed::Token => "token",
        Replayed::Nonce => "nonce",
        Replayed::RefreshToken => "refresh",
        Replayed::DpopProof => "dpop",
        Replayed::Assertion => "assertion",
        _ => OTHER,
    };
    place(&REPLAYED, name)
}
