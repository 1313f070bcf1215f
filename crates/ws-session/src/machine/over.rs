//! What is said of a connection that is over, and of a session that ends with it.

use std::time::Duration;

use crate::dialect::{Disposition, Failure, Phase, Verdict};
use crate::{Error, ErrorKind};

/// Why a connection, or an attempt to make one, is over.
#[derive(Clone, Copy)]
pub(super) struct Over {
    pub(super) reason: &'static str,
    pub(super) code: Option<u16>,
    pub(super) verdict: Verdict,
    pub(super) retry_after: Option<Duration>,
    /// It was not made in time.
    pub(super) timed_out: bool,
    /// How long it had been live, where it was.
    pub(super) lasted: Option<Duration>,
    /// What to do about it, where neither the server nor the credential is to blame.
    pub(super) advice: Option<&'static str>,
}

impl Over {
    pub(super) const fn unanswered(reason: &'static str) -> Self {
        Self {
            reason,
            code: None,
            verdict: Verdict::Transient,
            retry_after: None,
            timed_out: false,
            lasted: None,
            advice: None,
        }
    }
}

/// The error of a session that a verdict has ended.
pub(super) fn fatal(over: Over, blamed: bool) -> Error {
    if let (Verdict::Misuse, Some(advice)) = (over.verdict, over.advice) {
        return Error::new(ErrorKind::ConnectionRefused, over.code, over.reason).with_advice(advice);
    }
    let (kind, text) = match over.verdict {
        Verdict::Forbidden => (
            ErrorKind::Forbidden,
            "the server forbids this with the credential; check what the credential may do",
        ),
        Verdict::Rejected => (
            ErrorKind::AuthenticationRefused,
            "the server refused the credential for good; check whose it is",
        ),
        Verdict::Misuse => (
            ErrorKind::ConnectionRefused,
            "the server refuses this connection; check its URL, its dialect and its configuration",
        ),
        _ if blamed => (
            ErrorKind::AuthenticationRefused,
            "the server refused a fresh credential too; check what the credential may do",
        ),
        _ => (
            ErrorKind::ConnectionRefused,
            "the server refuses this connection before any credential; check its URL, and who may reach it",
        ),
    };
    Error::new(kind, over.code, text)
}

/// The error of a session that makes one connection, and has had it.
pub(super) fn only_one(over: Over) -> Error {
    let kind = match over.verdict.disposition() {
        _ if over.timed_out => ErrorKind::Timeout,
        Disposition::RetryWithFreshToken => ErrorKind::AuthenticationRefused,
        _ => ErrorKind::ConnectionLost,
    };
    Error::new(kind, over.code, over.reason).with_advice(
        "; this session does not reconnect: open another, with a fresh credential where each serves once",
    )
}

pub(super) const fn describe(failure: &Failure, phase: Phase) -> (&'static str, Option<u16>) {
    match failure {
        Failure::Status(status) => ("the server refused the upgrade", Some(*status)),
        Failure::Closed { code, .. } => ("the server closed the connection", *code),
        Failure::Message(_) => ("the server ended the session", None),
        Failure::Timeout => ("no answer came in time", None),
        Failure::Transport if matches!(phase, Phase::Upgrade) => ("the server can't be reached", None),
        Failure::Transport => ("the connection broke", None),
        Failure::Protocol if matches!(phase, Phase::Upgrade) => ("the server does not speak WebSocket", None),
        Failure::Protocol => ("the server broke the WebSocket protocol", None),
        Failure::TooLarge => ("a message was larger than we read", None),
        Failure::Proxy(status) => ("the proxy opened no tunnel to the server", Some(*status)),
        Failure::NoProxy => ("what answered for the proxy does not speak HTTP", None),
        Failure::ProxyUntrusted => ("the proxy's certificate is not to be trusted", None),
        Failure::Untrusted => ("the server's certificate is not to be trusted", None),
        Failure::Subprotocol => ("the server selected no subprotocol of ours", None),
        Failure::Unplaceable => {
            ("the credential, or what the server said before, can't stand where the dialect wants it", None)
        }
    }
}

/// What was sent over a connection that was good is more likely to blame than its URL.
pub(super) const LOOK_AT_MESSAGES: &str = "; check the messages that were sent, and the dialect";

pub(super) const fn advice_on(failure: &Failure, phase: Phase) -> Option<&'static str> {
    Some(match failure {
        Failure::Unplaceable => "; check where the token comes from, and the dialect",
        Failure::Protocol if !matches!(phase, Phase::Upgrade) => {
            "; look at the server, and at what stands between, such as a proxy"
        }
        Failure::Closed { .. } if matches!(phase, Phase::Live) => LOOK_AT_MESSAGES,
        Failure::Proxy(_) => "; look at the proxy's URL, its credentials, and what it allows",
        Failure::NoProxy => "; check the proxy's URL and its port",
        Failure::ProxyUntrusted => "; check the proxy's URL, and whose certificates are trusted",
        _ => return None,
    })
}
