//! What must follow from what an input said: of each way in which a connection can end, and of each failure to get a token.

use std::time::Duration;

use auth_core::time::Now;
use auth_core::{AuthEvent, Retry};
use serde_json::Value;
use ws_session::dialect::{Disposition, Failure, Occurrence, On, Phase, Verdict};
use ws_session::machine::State;

use super::client::{Cause, Drained};
use super::dialects::meaning;
use super::presented::ROUNDING;
use super::properties::Property;
use super::world::World;

/// The most that advice is followed.
const LONGEST_ADVICE: Duration = Duration::from_secs(300);

impl World {
    pub(crate) fn judge_outcome(&mut self, now: Now, cause: &Cause, drained: &Drained) {
        match cause {
            Cause::Ended { link, failure, advice } => {
                let phase = self.links[*link].phase();
                let verdict = meaning(phase, failure);
                self.note_advice(now, *advice);
                self.judge_end(*link, verdict, failure, *advice, drained);
            }
            Cause::Message(link, value) => {
                if let Some(verdict) = self.refusal(*link, value) {
                    self.judge_refusal_by_message(*link, verdict, drained);
                }
            }
            Cause::NoToken(error) => {
                let advice = match error.retry() {
                    Retry::After(advice) => Some(advice),
                    _ => None,
                };
                self.note_advice(now, advice);
                let hopeless = matches!(error.retry(), Retry::Never | Retry::Reauthorize);
                self.judge_no_token(hopeless, advice, drained);
            }
            _ => {}
        }
        let failed = self.client.state() == State::Failed && drained.before != Some(State::Failed);
        if failed && !self.seen.final_cause {
            self.violate(Property::Fatal, "the session failed, and nothing final was met".to_owned());
        }
    }

    fn note_advice(&mut self, now: Now, advice: Option<Duration>) {
        if let Some(advice) = advice {
            let until = now.mono.elapsed() + advice.min(LONGEST_ADVICE) + Duration::from_secs(6);
            self.seen.advised_until = self.seen.advised_until.max(until);
        }
    }

    /// Whether a message of the server's ends something.
    fn refusal(&self, link: usize, value: &Value) -> Option<Verdict> {
        let link = &self.links[link];
        let failure = Failure::Message(value.clone());
        let phase = match link.phase_before {
            Phase::Live if link.renewing_before => Phase::Renewing,
            phase => phase,
        };
        let occurrence = Occurrence { phase, elapsed: Duration::ZERO, failure: &failure };
        let rules = self.plan.dialect.rules.iter().filter(|rule| matches!(rule.on, On::Message(_)));
        rules.into_iter().find(|rule| rule.matches(&occurrence)).map(|rule| rule.verdict)
    }

    /// A refusal of the credential that a link was shown last.
    fn count_refusal(&mut self, link: usize) -> u32 {
        let presented = self.links[link].presented.clone();
        if let [only] = presented[..] {
            self.issued[only].refused = true;
        }
        let count =
            if presented.is_empty() { &mut self.seen.refused_upgrades } else { &mut self.seen.refusals };
        *count += 1;
        *count
    }

    fn judge_end(
        &mut self,
        link: usize,
        verdict: Verdict,
        failure: &Failure,
        advice: Option<Duration>,
        drained: &Drained,
    ) {
        let before = drained.before.unwrap_or(State::Initialized);
        let epoch = self.links[link].epoch;
        let was_live = drained.live_before == Some(epoch);
        if self.links[link].closing || matches!(before, State::Closing) || before.is_final() {
            return;
        }
        self.saw_verdict(verdict);
        let state = self.client.state();
        let other_live = drained.live_before.is_some() && !was_live;
        let code = match failure {
            Failure::Closed { code, .. } => *code,
            Failure::Status(status) => Some(*status),
            _ => None,
        };
        if self.links[link].lost != 1 {
            self.violate(Property::Observed, format!("{epoch:?} ended, and nobody was told"));
        }
        let disposition = verdict.disposition();
        let refusals = match disposition {
            // With a newer credential on its way, the old one may be refused.
            Disposition::RetryWithFreshToken if was_live && self.client.under_way => 1,
            Disposition::RetryWithFreshToken => self.count_refusal(link),
            _ => 0,
        };
        let is_final = disposition == Disposition::Fatal || refusals >= 2;
        self.seen.final_cause |= is_final;
        if is_final && !other_live && state != State::Failed {
            let property = if refusals >= 2 { Property::Refusals } else { Property::Fatal };
            self.violate(
                property,
                format!("{state:?} after {verdict:?} (code {code:?}, {refusals} refusals)"),
            );
        } else if !is_final && state == State::Failed {
            let property = if refusals == 1 { Property::Refusals } else { Property::Fatal };
            self.violate(property, format!("failed after {verdict:?} (code {code:?})"));
        } else if other_live && self.client.live() != drained.live_before && !self.was_due() {
            self.violate(Property::Kept, format!("the live connection is gone with the attempt {epoch:?}"));
        } else if state != State::Failed && !other_live {
            self.judge_wait(verdict, advice, drained);
        }
    }

    /// How long the machine waits after the end of a connection.
    fn judge_wait(&mut self, verdict: Verdict, advice: Option<Duration>, drained: &Drained) {
        let wait = drained.events.iter().find_map(|event| match event {
            AuthEvent::ConnectionLost { retry_in, .. } => Some(*retry_in),
            _ => None,
        });
        // Where the next connection is on its way already, there is nothing to wait for.
        let Some(Some(wait)) = wait else { return };
        let under_way = matches!(self.client.state(), State::Connecting) && drained.fetches.is_empty();
        if under_way || self.client.under_way || std::mem::take(&mut self.seen.waiting) {
            return;
        }
        let settings = &self.plan.settings;
        let hurry = verdict == Verdict::ReconnectNow && !std::mem::replace(&mut self.seen.hurried, true);
        self.seen.counted += u32::from(!hurry);
        let least = match advice {
            Some(advice) => advice.min(LONGEST_ADVICE),
            None if verdict == Verdict::RateLimited => settings.cap / 2,
            None => settings.floor().min(settings.cap),
        };
        let most = match advice {
            Some(advice) => advice.min(LONGEST_ADVICE).max(settings.cap) + Duration::from_secs(5),
            None if hurry => settings.longest(0),
            None => settings.cap,
        };
        if wait + ROUNDING < least || wait > most + ROUNDING {
            self.violate(
                Property::Backoff,
                format!("a wait of {wait:?} after {verdict:?}; from {least:?} to {most:?} would be right"),
            );
        }
    }

    fn judge_refusal_by_message(&mut self, link: usize, verdict: Verdict, drained: &Drained) {
        let before = drained.before.unwrap_or(State::Initialized);
        let epoch = self.links[link].epoch;
        if self.links[link].closing || matches!(before, State::Closing) || before.is_final() {
            return;
        }
        self.saw_verdict(verdict);
        let was_live = drained.live_before == Some(epoch);
        let state = self.client.state();
        if was_live {
            self.coverage.saw("machine: a renewal is refused");
            // The connection goes on with what it has.
            if self.client.live() != Some(epoch) && !self.was_due() {
                self.violate(Property::Kept, "a renewal was refused, and the connection is gone".to_owned());
            }
            let told = drained
                .events
                .iter()
                .filter(|event| matches!(event, AuthEvent::RenewalFailed { .. }))
                .count();
            if told != 1 {
                self.violate(
                    Property::Kept,
                    format!("a renewal was refused, and that was told {told} times"),
                );
            }
            let presented = self.links[link].presented.clone();
            if let [.., last] = presented[..] {
                self.issued[last].refused = true;
            }
            self.seen.refusals += 1;
            self.seen.final_cause |= self.seen.refusals >= 2;
            return;
        }
        if self.links[link].lost != 1 {
            self.violate(Property::Observed, format!("{epoch:?} was refused, and nobody was told"));
        }
        let refusals = self.count_refusal(link);
        self.seen.final_cause |= refusals >= 2;
        if drained.live_before.is_some() {
            return;
        }
        if (refusals >= 2) != (state == State::Failed) {
            self.violate(Property::Refusals, format!("{state:?} after {refusals} refusals"));
        }
    }

    fn judge_no_token(&mut self, hopeless: bool, advice: Option<Duration>, drained: &Drained) {
        let before = drained.before.unwrap_or(State::Initialized);
        if matches!(before, State::Closing) || before.is_final() {
            return;
        }
        let state = self.client.state();
        self.seen.final_cause |= hopeless;
        if drained.live_before.is_some() {
            if self.client.live() != drained.live_before && !self.was_due() {
                self.violate(Property::Kept, "no newer token, and the connection is gone".to_owned());
            }
            let told = drained.events.iter().any(|event| matches!(event, AuthEvent::RenewalFailed { .. }));
            if !told {
                self.violate(Property::Kept, "no newer token, and nobody was told".to_owned());
            }
            return;
        }
        if hopeless != (state == State::Failed) {
            self.violate(
                Property::Fatal,
                format!("{state:?} after an error of the source, final: {hopeless}"),
            );
        }
        let wait = drained.events.iter().find_map(|event| match event {
            AuthEvent::ConnectionDelayed { retry_in, .. } => Some(*retry_in),
            _ => None,
        });
        match (wait, hopeless) {
            (None, false) => {
                self.violate(Property::Observed, "an attempt is delayed, and nobody was told".to_owned());
            }
            (Some(wait), _) => {
                let least =
                    advice.map_or_else(|| self.plan.settings.floor(), |advice| advice.min(LONGEST_ADVICE));
                if wait + ROUNDING < least {
                    self.violate(Property::Backoff, format!("a wait of {wait:?}, less than {least:?}"));
                }
            }
            (None, true) => {}
        }
    }
}
