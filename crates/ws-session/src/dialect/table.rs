//! What failures mean where a dialect says nothing of them.

use super::{Failure, Verdict};

/// What a failure means by default.
///
/// Faults of the transport may pass; only an explicit verdict is final. An unknown private close code follows the
/// convention of 4000 to 4499 for what may pass and 4500 to 4999 for what may not. A reason changes nothing.
#[must_use]
pub fn default_verdict(failure: &Failure) -> Verdict {
    match failure {
        Failure::Message(_) => Verdict::Expired,
        Failure::Timeout | Failure::Transport | Failure::TooLarge => Verdict::Transient,
        Failure::Protocol | Failure::Untrusted | Failure::Subprotocol | Failure::Unplaceable => {
            Verdict::Misuse
        }
        Failure::Status(status) => of_status(*status),
        Failure::Closed { code, .. } => code.map_or(Verdict::Transient, of_close_code),
    }
}

const fn of_status(status: u16) -> Verdict {
    match status {
        // Some servers answer 403 for what they would have closed with 4401 after the upgrade.
        401 | 403 => Verdict::Expired,
        429 => Verdict::RateLimited,
        408 | 425 | 500 | 502..=504 | 506..=599 => Verdict::Transient,
        _ => Verdict::Misuse,
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
    use super::*;

    fn closed(code: impl Into<Option<u16>>) -> Failure {
        Failure::Closed { code: code.into(), reason: String::new() }
    }

    #[test]
    fn statuses_of_a_refused_upgrade_are_classified() {
        for (verdict, statuses) in [
            (Verdict::Expired, &[401, 403][..]),
            (Verdict::RateLimited, &[429]),
            (Verdict::Transient, &[408, 425, 500, 502, 503, 504, 599]),
            (Verdict::Misuse, &[200, 302, 400, 404, 405, 426, 501, 505]),
        ] {
            for &status in statuses {
                assert_eq!(default_verdict(&Failure::Status(status)), verdict, "{status}");
            }
        }
    }

    #[test]
    fn close_codes_are_classified_with_and_without_a_reason() {
        for (verdict, codes) in [
            (Verdict::Expired, &[1008, 3000, 4001, 4401][..]),
            (Verdict::RateLimited, &[1013]),
            (
                Verdict::Transient,
                &[1000, 1001, 1005, 1006, 1009, 1011, 1012, 1014, 3008, 3400, 4000, 4429, 4499],
            ),
            (Verdict::Misuse, &[1002, 1003, 1007, 1010]),
            (Verdict::Forbidden, &[3003, 4003, 4403]),
            (Verdict::Rejected, &[3500, 3999, 4500, 4999]),
        ] {
            for &code in codes {
                assert_eq!(default_verdict(&closed(code)), verdict, "{code}");
                let with_a_reason = Failure::Closed { code: Some(code), reason: "because".to_owned() };
                assert_eq!(default_verdict(&with_a_reason), verdict, "{code}");
            }
        }
        assert_eq!(default_verdict(&closed(None)), Verdict::Transient);
    }
}
