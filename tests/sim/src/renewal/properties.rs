//! What must hold at each step, by the numbers of the facts; each violation names its property.

use std::sync::Arc;
use std::time::Duration;

use auth_core::renewal::{Attempt, Credential, Input, Record};
use auth_core::time::Now;
use auth_core::token::Generation;
use auth_core::{Demand, ErrorKind};

use super::world::{Work, World};
use crate::clock::{At, SECOND, duration};
use crate::runner;

/// What was violated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Property {
    /// One piece of work at a time, and one refresh token under way over all who share a store.
    P1,
    /// No refresh token again after a definite answer, nor late, nor without a note under the lock.
    P2,
    /// Callers that leave change nothing upstream.
    P3,
    /// No token after its end, nor a refused one.
    P4,
    /// Each caller is answered once, and in time.
    P5,
    /// The rate of requests is bounded.
    P6,
    /// A third of each life is served from memory.
    P7,
    /// One refusal causes one request at most.
    P8,
    /// No secret in what can be printed.
    P9,
    /// A crash loses no session, and leaves a record that can be read.
    P10,
    /// A fleet spreads over the band.
    P11,
    /// A living token is served whatever fails.
    Alive,
    /// Nobody waits for nothing, and nothing spins.
    Progress,
    /// Everything works again once nothing fails any more.
    Recovery,
    /// What nobody uses is not renewed.
    Idle,
    /// `handle` and `poll` do as they say.
    Contract,
}

/// A violation.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    pub(crate) property: Property,
    pub(crate) what: String,
}

impl From<Violation> for runner::Violation {
    fn from(Violation { property, what }: Violation) -> Self {
        Self { property: format!("{property:?}"), what }
    }
}

/// The clocks are read in nanoseconds and milliseconds; a deadline may be missed by no more than this.
pub(crate) const ROUNDING: Duration = Duration::from_millis(2);
const REPLAY_WINDOW: Duration = Duration::from_secs(10);
/// What a caller without patience of its own waits at most.
pub(crate) const FLIGHT: Duration = Duration::from_secs(60);

pub(crate) fn since(now: Now, then: Now) -> Duration {
    now.mono.elapsed().saturating_sub(then.mono.elapsed())
}

impl World {
    /// Before an input is handled: true if it is a refusal that must cause no work.
    pub(crate) fn before(&mut self, process: usize, now: Now, input: &Input) -> bool {
        let state = &mut self.processes[process];
        state.known.published_now = false;
        let Input::Rejected { generation } = input else { return false };
        let due = state.deadline.is_some_and(|deadline| deadline.passed(now));
        let number = self.number(*generation);
        let known = &self.processes[process].known;
        let stale = number < known.newest || known.refused_generations.contains(&number);
        if !stale {
            self.mark_refused(process, number);
        }
        stale && !due
    }

    /// Somebody says that the token of this generation was refused; counts if it is the one in use.
    pub(crate) fn mark_refused(&mut self, process: usize, number: u64) {
        let known = &mut self.processes[process].known;
        if number != known.newest || self.plan.single_use() {
            return;
        }
        if let Some(published) = &known.published {
            known.refused.insert(published.secret().expose().to_owned());
            known.refused_generations.insert(number);
            known.disturbed = true;
            // What was spared for the sake of this token need not be spared any more.
            known.paused_until = Duration::ZERO;
            let now = self.clocks.now(process);
            self.in_use(process, now);
        }
    }

    /// Somebody uses the token in use: for the length of its life that is a reason to renew it.
    pub(crate) fn in_use(&mut self, process: usize, now: Now) {
        let known = &mut self.processes[process].known;
        let published = known.published.as_ref().map(|credential| credential.secret().expose());
        let told = published
            .and_then(|text| self.endpoint.issued(text))
            .map_or(Duration::ZERO, |issued| issued.life);
        // Where a token was told twice, a peer may hold it by the longer terms.
        let life = told.max(duration(self.plan.life));
        let slack = self.plan.explains();
        known.explained_until =
            known.explained_until.max(now.mono.elapsed() + life.min(self.plan.longest()) + slack);
    }

    /// After all outputs of an input.
    pub(crate) fn after(&mut self, process: usize, now: Now) {
        if self.processes[process].known.published_now {
            let waiting = &self.processes[process].waiting;
            let disturbed = waiting.values().any(|waits| waits.demand != Demand::Current);
            self.processes[process].known.disturbed = disturbed;
        }
        if let Some((_, first)) = self.processes[process].waiting.first_key_value()
            && since(now, first.since) > first.patience.unwrap_or(FLIGHT).max(FLIGHT) + duration(SECOND)
        {
            self.violate(Property::P5, format!("a caller has waited for {:?}", since(now, first.since)));
        }
    }

    /// A request is about to be sent.
    pub(crate) fn check_request(&mut self, process: usize, now: Now, attempt: &Attempt) {
        if let Some(token) = &attempt.refresh_token {
            let token = token.expose().to_owned();
            self.check_refresh_token(process, now, &token);
        }
        let state = &self.processes[process];
        let known = &state.known;
        let single_use = self.plan.single_use();
        if now.mono.elapsed() + ROUNDING < known.paused_until {
            self.violate(Property::P6, "a request in a pause".to_owned());
            return;
        }
        if !single_use {
            if known.arrived.is_some_and(|arrived| since(now, arrived) + ROUNDING < self.plan.spacing) {
                self.violate(Property::P6, "a request too soon after the last token".to_owned());
                return;
            }
            if !self.plan.keep_warm && state.waiting.is_empty() && now.mono.elapsed() > known.explained_until
            {
                self.violate(Property::Idle, "a request although nobody has used the token".to_owned());
                return;
            }
            self.check_cached(process);
        }
        let at = self.clocks.at;
        self.processes[process].known.sent.push_back(at);
        self.check_rate(process);
    }

    /// P7.
    fn check_cached(&mut self, process: usize) {
        let known = &self.processes[process].known;
        let Some(published) = known.published.as_ref().filter(|_| !known.disturbed && !known.interrupted)
        else {
            return;
        };
        let Some(issued) = self.endpoint.issued(published.secret().expose()) else { return };
        let mut life = issued.life.min(self.plan.longest());
        if issued.end.is_none() || issued.told.len() > 1 {
            // What is assumed where it told none is the machine's affair; and of a token told twice the rest was short.
            return;
        }
        if let Some(end) = issued.own_end {
            life = life.min(duration(end.saturating_sub(issued.sent)));
        } else if self.plan.jwt {
            life = life.min(duration(self.plan.life / 2));
        }
        let age = duration(self.clocks.at - issued.sent);
        if life >= Duration::from_secs(1) && age < life / 3 && self.clocks.undisturbed_since(issued.sent) {
            self.violate(Property::P7, format!("a request {age:?} into a life of {life:?}"));
        }
    }

    fn check_refresh_token(&mut self, process: usize, now: Now, token: &str) {
        let owner = (process, self.processes[process].incarnation);
        if self.plan.store {
            let others = self.processes.iter().filter_map(|other| match other.work {
                Some(Work::Request { request, .. }) => Some(request),
                Some(Work::Operation { .. }) | None => None,
            });
            if others.into_iter().any(|request| self.requests[request].refresh_token.is_some()) {
                self.violate(Property::P1, "two processes redeem a refresh token at once".to_owned());
            }
            let record = self.store.record.as_ref();
            let held = record
                .and_then(|record| record.refresh_token.as_ref())
                .is_some_and(|held| held.expose() == token);
            let noted = record.is_some_and(|record| record.intent.is_some());
            if self.store.lock != Some(owner) {
                self.violate(Property::P2, "a refresh token is sent without the lock".to_owned());
            } else if !held || !noted {
                self.violate(
                    Property::P2,
                    format!("a refresh token is sent; the store holds it: {held}, a note: {noted}"),
                );
            }
        }
        let known = &self.processes[process].known;
        if known.spent.contains(token) {
            self.violate(Property::P2, "a refresh token is sent after a definite answer to it".to_owned());
            return;
        }
        let late =
            known.doubtful.get(token).is_some_and(|first| since(now, *first) > REPLAY_WINDOW + ROUNDING);
        if late {
            self.coverage.saw("machine: late replay");
            let lives = self.living(process, now).is_some();
            if lives || !self.plan.late_replay {
                self.violate(Property::P2, format!("a late replay; a token lives: {lives}"));
            }
        } else if known.doubtful.contains_key(token) {
            self.coverage.saw("machine: replay within the window");
        }
    }

    /// P6: how many requests one machine may send in a minute, and in ten.
    fn check_rate(&mut self, process: usize) {
        let (at, single_use) = (self.clocks.at, self.plan.single_use());
        let known = &mut self.processes[process].known;
        while known.sent.front().is_some_and(|sent| at - sent > 600 * SECOND) {
            known.sent.pop_front();
        }
        let within = |length: At| known.sent.iter().rev().take_while(|sent| at - **sent <= length).count();
        let (minute, ten) = (within(60 * SECOND), known.sent.len());
        known.most_in_a_minute = known.most_in_a_minute.max(minute);
        let quiet = known.arrived_at.is_none_or(|arrived| at - arrived > 600 * SECOND);
        known.most_in_an_outage =
            if quiet { known.most_in_an_outage.max(ten) } else { known.most_in_an_outage };
        let callers = if single_use { 4 * known.demands_since(at.saturating_sub(600 * SECOND)) } else { 0 };
        if minute > MOST_IN_A_MINUTE + callers || ten > MOST_IN_TEN_MINUTES + callers {
            self.violate(Property::P6, format!("{minute} requests in a minute, {ten} in ten"));
        } else if quiet && ten > MOST_IN_AN_OUTAGE + callers {
            self.violate(Property::P6, format!("{ten} requests in ten minutes without a success"));
        }
    }

    /// What readers see has changed.
    pub(crate) fn published(&mut self, process: usize, now: Now, credential: Option<Arc<Credential>>) {
        let alive = self.living(process, now).is_some();
        let number = credential
            .as_ref()
            .map(|credential| credential.generation())
            .map(|generation| self.number(generation));
        let own = credential.as_ref().is_some_and(|credential| {
            self.processes[process].known.received.contains_key(credential.secret().expose())
        });
        self.coverage.saw(match (&credential, own) {
            (Some(_), true) => "machine: published its own token",
            (Some(_), false) => "machine: published a peer's token",
            (None, _) => "machine: published that there is none",
        });
        // One that was published before may be so again, with deadlines that suit a clock that was set.
        let ended = credential.as_ref().is_some_and(|credential| credential.expires_in(now).is_zero());
        // The last fraction of a millisecond of a life may be lost to rounding.
        let just = credential.as_ref().is_some_and(|credential| {
            let told = self.processes[process].known.received.get(credential.secret().expose());
            told.into_iter().flatten().any(|(sent, life)| {
                let elapsed = since(now, *sent);
                elapsed < *life && elapsed + ROUNDING >= *life
            })
        });
        if ended && !just && number > Some(self.processes[process].known.newest) {
            self.violate(Property::P4, "a token is published that has ended".to_owned());
        }
        let known = &mut self.processes[process].known;
        if let Some(number) = number {
            let older = number < known.newest;
            if number > known.newest {
                known.newest = number;
                known.published_now = true;
                known.paused_until = Duration::ZERO;
                // One of a peer's may come in the midst of a flight that fails all the same.
                known.pauses = if own { 0 } else { known.pauses };
                known.arrived = own.then_some(now);
                known.interrupted &= !own;
                known.arrived_at = Some(self.clocks.at);
            }
            if older {
                self.violate(Property::Contract, "the generations go backwards".to_owned());
            }
        } else if alive && self.processes[process].closing.is_none() {
            self.violate(Property::Alive, "a living token was withdrawn from readers".to_owned());
        }
        // Where there is none now, the last one counts until it ends or is refused.
        if credential.is_some() {
            self.processes[process].known.published = credential;
        }
    }

    /// The generation of the token that is alive as far as this process can know.
    pub(crate) fn living(&self, process: usize, now: Now) -> Option<Generation> {
        let known = &self.processes[process].known;
        let published = known.published.as_ref().filter(|_| !self.plan.single_use())?;
        let alive =
            published.expires_in(now) > ROUNDING && !known.refused.contains(published.secret().expose());
        alive.then(|| published.generation())
    }

    /// A pause begins: its length grows with the failures since the last token, and with nothing else.
    pub(crate) fn paused(
        &mut self,
        process: usize,
        now: Now,
        kind: ErrorKind,
        failures: u32,
        pause: Option<Duration>,
    ) {
        let known = &mut self.processes[process].known;
        known.paused_until = pause.map_or(Duration::ZERO, |pause| now.mono.elapsed() + pause);
        known.pauses += 1;
        if failures > known.pauses && kind != ErrorKind::InvalidToken && !self.plan.single_use() {
            self.violate(
                Property::Recovery,
                format!("failure {failures} in a row, and a token came in between"),
            );
        }
    }

    /// How long a pause must be, by the numbers of the defaults; only the wait that a server named stands above them.
    pub(crate) fn check_pause(
        &mut self,
        kind: ErrorKind,
        failures: u32,
        pause: Duration,
        left: Option<Duration>,
    ) {
        if left == Some(pause) {
            return;
        }
        let grown = Duration::from_secs(1 << failures.saturating_sub(1).min(6)).min(Duration::from_secs(60));
        let good = match (kind, left) {
            (ErrorKind::InvalidClient | ErrorKind::InvalidGrant, _) => pause >= Duration::from_secs(60),
            (ErrorKind::RateLimited, None) => pause + ROUNDING >= grown / 2,
            (ErrorKind::Transport | ErrorKind::Timeout | ErrorKind::ServerFailed, None) => {
                pause + ROUNDING >= grown / 2 && pause <= grown + ROUNDING
            }
            (ErrorKind::Transport | ErrorKind::Timeout | ErrorKind::ServerFailed, Some(left)) => {
                pause <= (left / 4).max(Duration::from_millis(500)) + ROUNDING
            }
            _ => true,
        };
        if !good {
            self.violate(
                Property::P6,
                format!("a pause of {pause:?} after failure {failures}, {kind:?}, with {left:?} left"),
            );
        }
    }

    /// A record is about to be written.
    pub(crate) fn check_save(&mut self, process: usize, record: &Record) {
        let owner = (process, self.processes[process].incarnation);
        if self.store.lock != Some(owner) {
            self.violate(Property::P1, "a record is written without the lock".to_owned());
        }
        let known = &self.processes[process].known;
        if record.refresh_token.as_ref().is_some_and(|token| known.replaced.contains(token.expose())) {
            self.violate(Property::P10, "a replaced refresh token is written over its successor".to_owned());
        }
        let older = self.store.record.as_ref().is_some_and(|stored| stored.revision > record.revision);
        if older {
            self.violate(Property::P10, "an older record is written over a newer one".to_owned());
        }
    }
}

/// What was measured of the bounds is well below them; without spacing or pauses it is far above.
pub(crate) const MOST_IN_A_MINUTE: usize = 120;
const MOST_IN_TEN_MINUTES: usize = 900;
const MOST_IN_AN_OUTAGE: usize = 160;
