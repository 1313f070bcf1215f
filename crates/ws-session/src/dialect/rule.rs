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
    /// A message that matches. It ends the connection.
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
    /// Ranges, both ends included.
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

    /// A close without a code.
    #[must_use]
    pub const fn none() -> Self {
        Self { ranges: Vec::new(), or_none: true }
    }

    fn contain(&self, code: Option<u16>) -> bool {
        match code {
            Some(code) => self.ranges.iter().any(|range| range.contains(&code)),
            None => self.or_none,
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
