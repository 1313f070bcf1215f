//! How connections, attempts and the session end, and what follows.

use std::time::Duration;

use auth_core::observe::Label;
use auth_core::time::Now;
use auth_core::{AuthEvent, Demand};

use super::held::Held;
use super::over::{LOOK_AT_MESSAGES, Over, advice_on, describe, fatal, only_one};
use super::phase::{Attempt, Goodbye, Life, Live, Renewal};
use super::timers::Timer;
use super::{Epoch, Output, Session};
use crate::Error;
use crate::dialect::{self, Captures, Disposition, Failure, Occurrence, Phase, Reconnection, Verdict};

/// A server that takes a little now and then is waited for as many times as long as one that takes nothing.
const CLOSE_TIMEOUTS: u32 = 12;

impl Session {
    pub(super) fn ended(&mut self, now: Now, epoch: Epoch, failure: &Failure, retry_after: Option<Duration>) {
        if matches!(self.life, Life::Closing { epoch: closing, .. } if closing == epoch) {
            let lasted = self.lasted(now);
            self.drop_live();
            self.life = Life::Closed;
            return self.told_closed(lasted);
        }
        if self.retiring == Some(epoch) {
            self.retiring = None;
            return self.retired(now);
        }
        if self.live() != Some(epoch) && self.attempt.epoch() != Some(epoch) {
            return;
        }
        let (phase, _) = self.whereabouts(now, epoch);
        let (reason, code) = describe(failure, phase);
        let verdict = self.verdict_on(now, epoch, failure);
        let advice = advice_on(failure, phase);
        let over = Over { code, verdict, retry_after, advice, ..Over::unanswered(reason) };
        self.over(now, epoch, over);
    }

    /// What a failure of a connection means where that connection is.
    fn verdict_on(&self, now: Now, epoch: Epoch, failure: &Failure) -> Verdict {
        let (phase, elapsed) = self.whereabouts(now, epoch);
        self.dialect.verdict(&Occurrence { phase, elapsed, failure })
    }

    /// The live connection, or else that of the attempt, is over.
    fn over(&mut self, now: Now, epoch: Epoch, over: Over) {
        if self.live() == Some(epoch) { self.live_over(now, over) } else { self.attempt_over(now, over) }
    }

    /// Where a connection is, and since when.
    pub(super) fn whereabouts(&self, now: Now, epoch: Epoch) -> (Phase, Duration) {
        let (phase, since) = match (&self.live, &self.attempt) {
            (Some(Live { epoch: live, renewal: Renewal::Presented { since, .. }, .. }), _)
                if *live == epoch =>
            {
                (Phase::Renewing, *since)
            }
            (Some(live), _) if live.epoch == epoch => (Phase::Live, live.since),
            (_, Attempt::LoggingIn { entered, .. }) => (Phase::Login, *entered),
            (_, Attempt::Opening { entered, .. }) => (Phase::Upgrade, *entered),
            _ => match self.life {
                Life::Closing { entered, .. } if self.awaiting(epoch).is_some() => (Phase::Login, entered),
                _ => (Phase::Upgrade, now),
            },
        };
        (phase, now.mono.elapsed().saturating_sub(since.mono.elapsed()))
    }

    /// Drops a live connection that is of no more use, and goes for another.
    pub(super) fn abandon_live(&mut self, now: Now, reason: &'static str, failure: &Failure) {
        let Some(epoch) = self.live() else { return };
        self.outputs.push_back(Output::Abort { epoch });
        let verdict = self.verdict_on(now, epoch, failure);
        self.live_over(now, Over { verdict, ..Over::unanswered(reason) });
    }

    /// Drops the connection of an attempt that leads nowhere.
    pub(super) fn abandon_attempt(&mut self, now: Now, reason: &'static str) {
        let Some(epoch) = self.attempt.epoch() else { return };
        self.outputs.push_back(Output::Abort { epoch });
        let verdict = self.verdict_on(now, epoch, &Failure::Timeout);
        self.attempt_over(now, Over { verdict, timed_out: true, ..Over::unanswered(reason) });
    }

    /// The server ended a connection by a message: it is dropped.
    pub(super) fn ended_by_message(&mut self, now: Now, epoch: Epoch, verdict: Verdict, code: Option<u16>) {
        self.outputs.push_back(Output::Abort { epoch });
        if let Some(Live { epoch: live, renewal: Renewal::Presented { next, .. }, .. }) = &self.live
            && *live == epoch
            && verdict.disposition() == Disposition::RetryWithFreshToken
        {
            // It may be the answer to this one, which is no better then.
            self.refused = self.refused.max(Some(next.generation));
        }
        let reason = match verdict {
            Verdict::Expired | Verdict::Rejected => "the server refused the credential",
            Verdict::Forbidden => "the server forbids what the credential is for",
            Verdict::Misuse if self.live() == Some(epoch) => {
                "the server does not understand what it was sent"
            }
            Verdict::Misuse => "the server does not understand the login",
            Verdict::Transient
            | Verdict::RateLimited
            | Verdict::ReconnectNow
            | Verdict::AuthenticationTimeout => "the server ended the session",
        };
        let advice = (self.live() == Some(epoch)).then_some(LOOK_AT_MESSAGES);
        self.over(now, epoch, Over { verdict, code, advice, ..Over::unanswered(reason) });
    }

    /// The live connection is over.
    pub(super) fn live_over(&mut self, now: Now, mut over: Over) {
        let Some((epoch, held)) = self.live.as_ref().map(|live| (live.epoch, live.held)) else { return };
        over.lasted = self.lasted(now);
        self.drop_live();
        self.timers.arm(Timer::Suspend, now.timer(self.suspended_after()));
        if matches!(self.attempt, Attempt::Idle) {
            return self.retry(now, epoch, over, Some(held));
        }
        // The next connection is on its way already, with a newer credential.
        if over.verdict.disposition() == Disposition::Fatal {
            self.lost(epoch, over, None);
            return self.fail(Some(epoch), fatal(over, true));
        }
        if !self.config.reconnects {
            self.lost(epoch, over, None);
            return self.fail(Some(epoch), only_one(over));
        }
        let wait = self.timers.get(Timer::Backoff).map_or(Duration::ZERO, |due| due.remaining(now));
        self.lost(epoch, over, Some(wait));
    }

    /// The attempt is over.
    fn attempt_over(&mut self, now: Now, mut over: Over) {
        let Some(epoch) = self.attempt.epoch() else { return };
        // In an upgrade that held no credential none is to blame.
        let blamed = match self.attempt {
            Attempt::LoggingIn { held, .. } => Some(held),
            Attempt::Opening { held, .. } if self.dialect.presents_in_upgrade() => Some(held),
            _ => None,
        };
        let in_upgrade = matches!(self.attempt, Attempt::Opening { .. });
        self.end_attempt();
        if !matches!(over.verdict, Verdict::Transient | Verdict::Expired) {
            // What it was asked to take up may be what it refuses, unless that is the credential.
            let took_up = self.following().last().is_some() && self.dialect.takes_up_in_upgrade();
            self.starts_anew = true;
            // A status says less than the dialect's own words, which mean what they say.
            if took_up && in_upgrade && matches!(over.verdict, Verdict::Misuse | Verdict::Rejected) {
                over.verdict = Verdict::Transient;
            }
        }
        self.retry(now, epoch, over, blamed);
    }

    /// Whatever the attempt holds is let go of; its connection is somebody else's business.
    pub(super) fn end_attempt(&mut self) {
        if let Some(held) = self.attempt.held() {
            let ticket = held.ticket;
            self.forget(ticket);
        }
        self.attempt = Attempt::Idle;
        self.timers.clear_attempt();
    }

    /// Ends the session if that is the verdict on a connection; else waits for the next one.
    fn retry(&mut self, now: Now, epoch: Epoch, over: Over, blamed: Option<Held>) {
        let tried = if blamed.is_some() { &mut self.tried_fresh } else { &mut self.tried_upgrade };
        let disposition = over.verdict.disposition();
        let fatal_now = match disposition {
            Disposition::Fatal => true,
            Disposition::RetryWithFreshToken => std::mem::replace(tried, true),
            Disposition::Retry | Disposition::RetrySlowly | Disposition::RetryNow => false,
        };
        if let (Disposition::RetryWithFreshToken, Some(blamed)) = (disposition, blamed) {
            self.refused = self.refused.max(Some(blamed.generation));
        }
        if fatal_now {
            let error = fatal(over, blamed.is_some());
            self.lost(epoch, over, None);
            if self.live.is_some() {
                return self.renewal_is_impossible(now, error);
            }
            return self.fail(Some(epoch), error);
        }
        if !self.config.reconnects && self.live.is_none() {
            self.lost(epoch, over, None);
            return self.fail(Some(epoch), only_one(over));
        }
        let demand = self.next_demand();
        let wait = match disposition {
            Disposition::RetryNow if !std::mem::replace(&mut self.hurried, true) => {
                let wait = self.config.backoff.delay(0, &mut self.jitter);
                self.wait(now, demand, wait, false)
            }
            Disposition::RetrySlowly => self.back_off_slowly(now, demand, over.retry_after),
            _ => self.back_off(now, demand, over.retry_after),
        };
        self.lost(epoch, over, Some(wait));
        self.tell_of_suspension();
    }

    /// What the next connection needs.
    pub(super) fn next_demand(&self) -> Demand {
        match (self.refused, self.presented) {
            (Some(refused), _) => Demand::InsteadOf(refused),
            (None, Some(seen)) if self.wants_fresh() => Demand::NewerThan(seen),
            _ => Demand::Current,
        }
    }

    /// Whether the next connection needs another credential than the last.
    fn wants_fresh(&self) -> bool {
        let once = self.dialect.credential_use == dialect::CredentialUse::Once;
        once || self.dialect.reconnection == Reconnection::Fresh || self.live.is_some()
    }

    /// Waits before the next request for a token.
    pub(super) fn delay(&mut self, now: Now, reason: &str, demand: Demand, retry_after: Option<Duration>) {
        let retry_in = self.back_off(now, demand, retry_after);
        if self.live.is_some() {
            return self.renewal_failed(now, reason, Some(retry_in));
        }
        let (reason, failures) = (Label::new(reason), self.failures);
        self.outputs.push_back(Output::Event(AuthEvent::ConnectionDelayed { reason, failures, retry_in }));
        self.tell_of_suspension();
    }

    fn back_off(&mut self, now: Now, demand: Demand, retry_after: Option<Duration>) -> Duration {
        let failures = self.count_failure();
        let wait = self.delay_for(failures, retry_after);
        self.wait(now, demand, wait, retry_after.is_some())
    }

    /// The wait after so many failures, no shorter than the advice if there is one.
    pub(super) fn delay_for(&mut self, failures: u32, advice: Option<Duration>) -> Duration {
        let backoff = self.config.backoff;
        match advice {
            Some(advice) => backoff.delay_after(advice, failures, &mut self.jitter),
            None => backoff.delay(failures, &mut self.jitter),
        }
    }

    /// As long as there is, where the server says that we are too fast but not by how much.
    fn back_off_slowly(&mut self, now: Now, demand: Demand, retry_after: Option<Duration>) -> Duration {
        if retry_after.is_some() {
            return self.back_off(now, demand, retry_after);
        }
        let wait = self.config.backoff.pause(u32::MAX, &mut self.jitter);
        let _ = self.count_failure();
        self.wait(now, demand, wait, true)
    }

    /// One more failure, of the live connection's renewal or on the way to a connection: how many there were before.
    fn count_failure(&mut self) -> u32 {
        let failures = self.live.as_mut().map_or(&mut self.failures, |live| &mut live.failures);
        let before = *failures;
        *failures = before.saturating_add(1);
        before
    }

    fn wait(&mut self, now: Now, demand: Demand, wait: Duration, advised: bool) -> Duration {
        self.timers.clear_attempt();
        if self.live.is_none() {
            // The connection that this one was to replace was the last stable one.
            self.timers.set(Timer::Stable, None);
        }
        // A server's advice is over after a sleep of that length too.
        let until = if advised { now.expiry(wait) } else { now.timer(wait) };
        self.timers.set(Timer::Backoff, Some(until));
        self.attempt = Attempt::BackingOff { demand, advised };
        wait
    }

    /// There will be no token for an attempt.
    pub(super) fn attempt_is_hopeless(&mut self, now: Now, error: Error) {
        self.end_attempt();
        if self.live.is_some() { self.renewal_is_impossible(now, error) } else { self.fail(None, error) }
    }

    pub(super) fn lost(&mut self, epoch: Epoch, over: Over, retry_in: Option<Duration>) {
        let Over { reason, code, lasted, .. } = over;
        self.outputs.push_back(Output::Event(AuthEvent::ConnectionLost {
            connection: epoch.0,
            reason: Label::new(reason),
            code,
            lasted,
            retry_in,
        }));
    }

    /// How long the live connection has been that, if there is one.
    pub(super) fn lasted(&self, now: Now) -> Option<Duration> {
        let since = self.live.as_ref()?.since;
        Some(now.mono.elapsed().saturating_sub(since.mono.elapsed()))
    }

    pub(super) fn fail(&mut self, ended: Option<Epoch>, error: Error) {
        self.let_go();
        let reason = match error.token_error() {
            Some(cause) => Label::new(&cause.to_string()),
            None => Label::new(&error.to_string()),
        };
        self.outputs.push_back(Output::Event(AuthEvent::SessionFailed {
            connection: ended.map(|epoch| epoch.0),
            reason,
            code: error.code(),
        }));
        self.life = Life::Failed(error);
    }

    /// The user wants the session to end.
    pub(super) fn close(&mut self, now: Now) {
        match self.life {
            Life::Initialized | Life::Running => {}
            Life::Closing { .. } | Life::Closed | Life::Failed(_) => return,
        }
        let goodbye = self.goodbye();
        let login = match &self.attempt {
            Attempt::LoggingIn { epoch, entered, captures, .. } => Some((*epoch, *entered, captures.clone())),
            Attempt::Opening { epoch, entered, .. } if goodbye == Goodbye::Awaited => {
                Some((*epoch, *entered, self.following()))
            }
            _ => None,
        };
        let live = self.live().map(|epoch| (epoch, now, Captures::default()));
        let Some((epoch, entered, captures)) = live.or(login) else { return self.closed(now) };
        // What is still being opened must not go out once its credential has expired.
        let opened = self.timers.get(Timer::Open).filter(|_| goodbye == Goodbye::Awaited);
        if let Some(other) = self.attempt.epoch().filter(|other| *other != epoch) {
            self.outputs.push_back(Output::Abort { epoch: other });
        }
        self.end_attempt();
        self.timers.clear();
        let in_time = now.timer(self.config.close);
        let due = opened.map_or(in_time, |opened| in_time.or(opened));
        self.timers.set(Timer::Close, Some(due));
        let until = now.timer(self.config.close.saturating_mul(CLOSE_TIMEOUTS));
        self.life = Life::Closing { epoch, until, goodbye, entered, captures: Box::new(captures) };
        match goodbye {
            Goodbye::Awaited => {}
            Goodbye::Said => self.bid_farewell(epoch),
            Goodbye::Closing => self.outputs.push_back(Output::Close { epoch }),
        }
    }

    /// Nothing of the session is left.
    pub(super) fn closed(&mut self, now: Now) {
        self.told_closed(self.lasted(now));
    }

    fn told_closed(&mut self, lasted: Option<Duration>) {
        self.let_go();
        self.life = Life::Closed;
        self.outputs.push_back(Output::Event(AuthEvent::SessionClosed { lasted }));
    }

    /// Drops every connection and every token that there still is.
    fn let_go(&mut self) {
        let closing = match self.life {
            Life::Closing { epoch, .. } => Some(epoch),
            _ => None,
        };
        let known = [self.live(), self.attempt.epoch(), self.retiring.take(), closing];
        self.drop_live();
        self.end_attempt();
        self.timers.clear();
        for (index, epoch) in known.iter().enumerate() {
            // Each once.
            if let Some(epoch) = *epoch
                && !known[..index].contains(&Some(epoch))
            {
                self.outputs.push_back(Output::Abort { epoch });
            }
        }
    }
}
