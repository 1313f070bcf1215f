//! A line of a dialect's table: which failure, where and when, and what it means.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Failure, Matcher, Occurrence, Phase, Verdict};

/// What a certain failure means in a dialect.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a dialect is written with it, field by field")]
pub struct Rule {
    /// Where the connection must be; anywhere, if empty.
    pub phases: Vec<Phase>,
    /// How long it must have been there at least.
    pub after: Duration,
    /// What must have happened.
    pub on: On,
    /// What it means.
    pub verdict: Verdict,
}

/// What a rule looks for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum On {
    /// One of these HTTP statuses.
    Status(Codes),
    /// A close with one of these codes.
    Close {
        /// The codes.
        codes: Codes,
        /// What the reason must contain, if anything.
        reason: Option<String>,
    },
    /// A message that matches. It ends the connection, unless the rule is for [`Phase::Renewing`] and not for [`Phase::Live`]: then it
    /// refuses the fresh credential, and the connection goes on with what it has.
    Message(Matcher),
    /// An answer that did not come in time.
    Timeout,
    /// A transport that failed.
    Transport,
}

/// A set of status or close codes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a dialect is written with it, field by field")]
pub struct Codes {
    /// Ranges, both ends included. What is never on the wire, 1005, 1006 and 1015 (RFC 6455 §7.4.1), counts as none.
    pub ranges: Vec<RangeInclusive<u16>>,
    /// Whether a close without a code, or a connection that ended without a close, is meant too.
    pub or_none: bool,
}

impl Codes {
    /// These codes.
    #[must_use]
    pub fn of(ranges: impl IntoIterator<Item = RangeInclusive<u16>>) -> Self {
        Self { ranges: ranges.into_iter().collect(), or_none: false }
    }

    /// This code.
    #[must_use]
    pub fn only(code: u16) -> Self {
        Self::of([code..=code])
    }

    /// Each of these codes.
    #[must_use]
    pub fn each<const N: usize>(codes: [u16; N]) -> Self {
        Self::of(codes.map(|code| code..=code))
    }

    /// A close without a code.
    #[must_use]
    pub const fn none() -> Self {
        Self { ranges: Vec::new(), or_none: true }
    }

    fn contain(&self, code: Option<u16>) -> bool {
        match code {
            // What an interface like a browser's says where there was none.
            None | Some(1005 | 1006 | 1015) => self.or_none,
            Some(code) => self.ranges.iter().any(|range| range.contains(&code)),
        }
    }
}

impl Rule {
    /// A rule for any phase and time.
    #[must_use]
    pub const fn new(on: On, verdict: Verdict) -> Self {
        Self { phases: Vec::new(), after: Duration::ZERO, on, verdict }
    }

    /// The same rule, in these phases only.
    #[must_use]
    pub fn in_phases(self, phases: impl IntoIterator<Item = Phase>) -> Self {
        Self { phases: phases.into_iter().collect(), ..self }
    }

    /// The same rule, for a connection that has been in its phase for so long at least.
    #[must_use]
    pub fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }

    /// Whether it speaks of this.
    #[must_use]
    pub fn matches(&self, occurrence: &Occurrence<'_>) -> bool {
        self.applies(occurrence.phase, occurrence.elapsed) && self.on.matches(occurrence.failure)
    }

    /// Whether it speaks of a connection in this phase, after so long.
    pub(crate) fn applies(&self, phase: Phase, elapsed: Duration) -> bool {
        (self.phases.is_empty() || self.phases.contains(&phase)) && elapsed >= self.after
    }
}

impl On {
    fn matches(&self, failure: &Failure) -> bool {
        match (self, failure) {
            (Self::Status(codes), Failure::Status(status)) => codes.contain(Some(*status)),
            (Self::Close { codes, reason }, Failure::Closed { code, reason: given }) => {
                codes.contain(*code) && reason.as_ref().is_none_or(|wanted| given.contains(wanted.as_str()))
            }
            // A connection that just ends says as little as a close without a code.
            (Self::Close { codes, reason: None }, Failure::Transport) => codes.or_none,
            (Self::Message(matcher), Failure::Message(message)) => matcher.matches(message),
            (Self::Timeout, Failure::Timeout) | (Self::Transport, Failure::Transport) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Dialect;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(phase: Phase, elapsed: Duration, failure: &Failure) -> Occurrence<'_> {
        Occurrence { phase, elapsed, failure }
    }

    fn closed(code: impl Into<Option<u16>>, reason: &str) -> Failure {
        Failure::Closed { code: code.into(), reason: reason.to_owned() }
    }

    fn close(codes: Codes) -> On {
        On::Close { codes, reason: None }
    }

    fn with(rules: impl IntoIterator<Item = Rule>) -> Dialect {
        Dialect { rules: rules.into_iter().collect(), ..Dialect::new("of rules") }
    }

    #[test]
    fn the_first_rule_that_matches_decides_and_the_default_what_none_matches() {
        let dialect = with([
            Rule::new(close(Codes::only(4403)), Verdict::Expired),
            Rule::new(close(Codes::of([4400..=4499])), Verdict::Misuse),
            Rule::new(close(Codes::of([4000..=4999])), Verdict::RateLimited),
        ]);
        for (code, expected) in [
            (4403, Verdict::Expired),
            (4400, Verdict::Misuse),
            (4499, Verdict::Misuse),
            (4399, Verdict::RateLimited),
            (4500, Verdict::RateLimited),
            (3999, Verdict::Rejected),
            (1011, Verdict::Transient),
        ] {
            assert_eq!(dialect.verdict(&at(Phase::Login, SECOND, &closed(code, ""))), expected, "{code}");
        }
    }

    #[test]
    fn a_rule_of_one_phase_says_nothing_of_another() {
        let dialect =
            with([Rule::new(close(Codes::only(1002)), Verdict::Expired)
                .in_phases([Phase::Login, Phase::Renewing])]);
        for (phase, expected) in [
            (Phase::Upgrade, Verdict::Misuse),
            (Phase::Login, Verdict::Expired),
            (Phase::Live, Verdict::Misuse),
            (Phase::Renewing, Verdict::Expired),
        ] {
            assert_eq!(
                dialect.verdict(&at(phase, SECOND, &closed(1002, "bad token"))),
                expected,
                "{phase:?}"
            );
        }
    }

    #[test]
    fn a_connection_that_just_ends_after_the_known_limit_was_waiting_for_a_credential() {
        let dialect = with([Rule::new(close(Codes::none()), Verdict::AuthenticationTimeout)
            .in_phases([Phase::Login])
            .after(10 * SECOND)]);
        let ends = [
            Failure::Transport,
            closed(None, ""),
            // What a browser says of the same.
            closed(1005, ""),
            closed(1006, ""),
            closed(1015, ""),
        ];
        for failure in &ends {
            for (phase, elapsed, expected) in [
                (Phase::Login, 10 * SECOND, Verdict::AuthenticationTimeout),
                (Phase::Login, 11 * SECOND, Verdict::AuthenticationTimeout),
                (Phase::Login, 10 * SECOND - Duration::from_nanos(1), Verdict::Transient),
                (Phase::Live, 11 * SECOND, Verdict::Transient),
                (Phase::Upgrade, 11 * SECOND, Verdict::Transient),
            ] {
                let found = dialect.verdict(&at(phase, elapsed, failure));
                assert_eq!(found, expected, "{failure:?} {phase:?} {elapsed:?}");
            }
        }
        let spoken = closed(1000, "");
        assert_eq!(dialect.verdict(&at(Phase::Login, 11 * SECOND, &spoken)), Verdict::Transient);
    }

    #[test]
    fn codes_that_are_never_on_the_wire_are_in_no_range() {
        let every_code = close(Codes::of([0..=u16::MAX]));
        for failure in [closed(None, ""), closed(1005, ""), closed(1006, ""), Failure::Transport] {
            assert!(!every_code.matches(&failure), "{failure:?}");
        }
        assert!(every_code.matches(&closed(1000, "")));
    }

    #[test]
    fn a_rule_that_wants_a_reason_takes_no_close_without_it() {
        let on = On::Close {
            codes: Codes { or_none: true, ..Codes::only(1008) },
            reason: Some("expired".to_owned()),
        };
        assert!(on.matches(&closed(1008, "token expired at noon")));
        assert!(on.matches(&closed(None, "expired")));
        for failure in
            [closed(1008, ""), closed(1008, "Expired"), closed(1007, "expired"), Failure::Transport]
        {
            assert!(!on.matches(&failure), "{failure:?}");
        }
    }

    #[test]
    fn a_rule_that_wants_no_reason_takes_any() {
        let on = close(Codes::only(4403));
        for reason in ["", "Forbidden", "expired"] {
            assert!(on.matches(&closed(4403, reason)), "{reason:?}");
        }
    }

    #[test]
    fn what_the_server_said_decides_before_the_code_with_which_it_closes() {
        // Home Assistant refuses with a message and then closes with 1000, which by itself would pass.
        let dialect =
            with([Rule::new(On::Message(Matcher::of([("/type", json!("auth_invalid"))])), Verdict::Expired)]);
        let said = Failure::Message(json!({"type": "auth_invalid", "message": "Invalid access token"}));
        assert_eq!(dialect.verdict(&at(Phase::Login, SECOND, &said)), Verdict::Expired);
        assert_eq!(dialect.verdict(&at(Phase::Login, SECOND, &closed(1000, ""))), Verdict::Transient);
    }

    #[test]
    fn each_failure_is_matched_by_rules_of_its_own_kind_alone() {
        let every = Codes { ranges: vec![0..=u16::MAX], or_none: true };
        let kinds = [
            On::Status(every.clone()),
            On::Close { codes: every, reason: None },
            On::Message(Matcher::default()),
            On::Timeout,
            On::Transport,
        ];
        for (failure, expected) in [
            (Failure::Status(403), [true, false, false, false, false]),
            (closed(4401, ""), [false, true, false, false, false]),
            (closed(None, ""), [false, true, false, false, false]),
            (Failure::Message(json!({})), [false, false, true, false, false]),
            (Failure::Timeout, [false, false, false, true, false]),
            (Failure::Transport, [false, true, false, false, true]),
            (Failure::Protocol, [false; 5]),
            (Failure::TooLarge, [false; 5]),
            (Failure::Proxy(403), [false; 5]),
            (Failure::NoProxy, [false; 5]),
            (Failure::ProxyUntrusted, [false; 5]),
            (Failure::Untrusted, [false; 5]),
            (Failure::Subprotocol, [false; 5]),
            (Failure::Unplaceable, [false; 5]),
        ] {
            assert_eq!(kinds.clone().map(|on| on.matches(&failure)), expected, "{failure:?}");
        }
    }
}
