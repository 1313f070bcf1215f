//! What failures mean where a dialect says nothing of them.

use super::{Failure, Verdict};

/// What a failure means by default.
///
/// Faults of the transport may pass; only an explicit verdict is final. The phase and a reason change nothing.
///
/// | What | Verdict |
/// |---|---|
/// | status 401, 403; close 1008, 3000, 4001, 4401; a message | [`Expired`](Verdict::Expired): one fresh credential, and the same answer to that is final |
/// | status 429, a proxy's too; close 1013 | [`RateLimited`](Verdict::RateLimited) |
/// | close 3003, 4003, 4403 | [`Forbidden`](Verdict::Forbidden) |
/// | other closes of 3500–3999 and 4500–4999, the classes of services that say which codes are final | [`Rejected`](Verdict::Rejected) |
/// | other statuses below 500, 501, 505; a proxy's other statuses below 500; close 1002, 1003, 1007, 1010; no WebSocket, no proxy, no trust, no subprotocol, no place | [`Misuse`](Verdict::Misuse) |
/// | status 408, 425, any other from 500, a proxy's too; any other close, or none; no answer, no transport, a message too large | [`Transient`](Verdict::Transient) |
#[must_use]
pub const fn default_verdict(failure: &Failure) -> Verdict {
    match failure {
        Failure::Message(_) => Verdict::Expired,
        Failure::Timeout | Failure::Transport | Failure::TooLarge => Verdict::Transient,
        Failure::Protocol
        | Failure::NoProxy
        | Failure::ProxyUntrusted
        | Failure::Untrusted
        | Failure::Subprotocol
        | Failure::Unplaceable => Verdict::Misuse,
        Failure::Status(status) => of_status(*status),
        // What a proxy says of itself, or of a server that it can't reach, is as good as the server's word; anything else is a verdict on us.
        Failure::Proxy(status @ (408 | 425 | 429 | 500..)) => of_status(*status),
        Failure::Proxy(_) => Verdict::Misuse,
        Failure::Closed { code: Some(code), reason: _ } => of_close_code(*code),
        Failure::Closed { code: None, reason: _ } => Verdict::Transient,
    }
}

const fn of_status(status: u16) -> Verdict {
    match status {
        // Some servers answer 403 for what they would have closed with 4401 after the upgrade.
        401 | 403 => Verdict::Expired,
        429 => Verdict::RateLimited,
        408 | 425 => Verdict::Transient,
        ..=499 | 501 | 505 => Verdict::Misuse,
        // One that is no status counts as one of 5xx (RFC 9110 §15).
        _ => Verdict::Transient,
    }
}

const fn of_close_code(code: u16) -> Verdict {
    match code {
        1008 | 3000 | 4001 | 4401 => Verdict::Expired,
        1013 => Verdict::RateLimited,
        3003 | 4003 | 4403 => Verdict::Forbidden,
        1002 | 1003 | 1007 | 1010 => Verdict::Misuse,
        3500..=3999 | 4500..=4999 => Verdict::Rejected,
        _ => Verdict::Transient,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::json;

    use super::super::{Dialect, Occurrence, Phase};
    use super::*;

    const PHASES: [Phase; 4] = [Phase::Upgrade, Phase::Login, Phase::Live, Phase::Renewing];

    /// What a dialect without rules says, which must not depend on phase, time or reason.
    fn verdict(failures: &[Failure]) -> Verdict {
        let dialect = Dialect::new("without rules");
        let mut verdicts = Vec::new();
        for failure in failures {
            for phase in PHASES {
                for elapsed in [Duration::ZERO, Duration::from_secs(86_400)] {
                    verdicts.push(dialect.verdict(&Occurrence { phase, elapsed, failure }));
                }
            }
        }
        assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]), "{failures:?}: {verdicts:?}");
        verdicts[0]
    }

    fn closed(code: impl Into<Option<u16>>) -> Vec<Failure> {
        let code = code.into();
        ["", "because", "token expired", "401"]
            .map(|reason| Failure::Closed { code, reason: reason.to_owned() })
            .into()
    }

    #[test]
    fn every_status_has_the_verdict_of_the_table() {
        let mut exceptions = BTreeMap::from([(501, Verdict::Misuse), (505, Verdict::Misuse)]);
        exceptions.extend([401, 403].map(|status| (status, Verdict::Expired)));
        exceptions.extend([(429, Verdict::RateLimited)]);
        exceptions.extend([408, 425].map(|status| (status, Verdict::Transient)));
        for status in 100..=999 {
            let class = if status < 500 { Verdict::Misuse } else { Verdict::Transient };
            let expected = exceptions.remove(&status).unwrap_or(class);
            assert_eq!(verdict(&[Failure::Status(status)]), expected, "{status}");
        }
        assert!(exceptions.is_empty(), "all were met");
    }

    #[test]
    fn every_close_code_has_the_verdict_of_the_table_whatever_the_reason() {
        let mut exceptions = BTreeMap::new();
        exceptions.extend([1008, 3000, 4001, 4401].map(|code| (code, Verdict::Expired)));
        exceptions.extend([(1013, Verdict::RateLimited)]);
        exceptions.extend([3003, 4003, 4403].map(|code| (code, Verdict::Forbidden)));
        exceptions.extend([1002, 1003, 1007, 1010].map(|code| (code, Verdict::Misuse)));
        for code in 1000..=4999 {
            let class =
                if code >= 3000 && code % 1000 >= 500 { Verdict::Rejected } else { Verdict::Transient };
            let expected = exceptions.remove(&code).unwrap_or(class);
            assert_eq!(verdict(&closed(code)), expected, "{code}");
        }
        assert!(exceptions.is_empty(), "all were met");
        assert_eq!(verdict(&closed(None)), Verdict::Transient);
    }

    #[test]
    fn what_is_no_status_and_no_close_has_the_verdict_of_the_table() {
        for (failure, expected) in [
            (Failure::Message(json!({"type": "error"})), Verdict::Expired),
            (Failure::Timeout, Verdict::Transient),
            (Failure::Transport, Verdict::Transient),
            (Failure::TooLarge, Verdict::Transient),
            (Failure::Protocol, Verdict::Misuse),
            (Failure::Untrusted, Verdict::Misuse),
            (Failure::NoProxy, Verdict::Misuse),
            (Failure::ProxyUntrusted, Verdict::Misuse),
            (Failure::Proxy(407), Verdict::Misuse),
            (Failure::Proxy(408), Verdict::Transient),
            (Failure::Proxy(425), Verdict::Transient),
            (Failure::Proxy(429), Verdict::RateLimited),
            (Failure::Proxy(501), Verdict::Misuse),
            (Failure::Proxy(502), Verdict::Transient),
            (Failure::Subprotocol, Verdict::Misuse),
            (Failure::Unplaceable, Verdict::Misuse),
        ] {
            assert_eq!(verdict(std::slice::from_ref(&failure)), expected, "{failure:?}");
        }
    }
}
