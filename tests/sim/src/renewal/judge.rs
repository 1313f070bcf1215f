//! What is learnt on the way and judged at the end: sessions, recovery, and what a process leaves behind.

use auth_core::oauth::TokenResponse;
use auth_core::renewal::{Record, Refresh};
use auth_core::time::Now;
use auth_core::{Error, ErrorKind, Secret};

use super::endpoint::Ended;
use super::plan::Profile;
use super::properties::{Property, since};
use super::world::{Event, Waits, World};
use crate::clock::{MINUTE, SECOND};

impl World {
    /// The refresh token that a process is configured with: the session's, or a new login's where that has ended.
    pub(crate) fn configured(&mut self, process: usize) -> Option<Secret> {
        if self.plan.refresh == Refresh::Never {
            return None;
        }
        let ended = self.endpoint.ended.last().is_some_and(Option::is_some);
        let (decided, graceful) = (self.logged_in, self.plan.profile == Profile::Grace);
        let again = decided && ended && !graceful && self.fate.per_mille(700);
        if again {
            self.coverage.saw("session: a person logged in again");
            // Everybody is given the new configuration at once: of two, nobody could tell which is the newer.
            for other in (0..self.processes.len()).filter(|other| *other != process) {
                let at = self.clocks.at;
                self.schedule(at, Event::Crash { process: other });
            }
        }
        if !decided || again {
            let without = !decided && self.plan.refresh == Refresh::Preferred && self.fate.per_mille(300);
            self.session = (!without).then(|| self.endpoint.log_in());
            self.logged_in = true;
        }
        self.session.clone()
    }

    /// What the result of a request tells its process, whatever the machine makes of it.
    pub(crate) fn learn(&mut self, number: usize, result: &Result<TokenResponse, Error>) {
        let request = &self.requests[number];
        let (process, sent, sent_now) = (request.process, request.sent, request.sent_now);
        let token = request.refresh_token.clone();
        let known = &mut self.processes[process].known;
        match result {
            Ok(response) => {
                let text = response.access_token.expose().to_owned();
                let life =
                    response.expires_in.or_else(|| self.endpoint.issued(&text).map(|issued| issued.life));
                self.endpoint.told(&text, sent, sent_now.wall.as_millis(), response.expires_in);
                known.received.entry(text).or_default().push((sent_now, life.unwrap_or_default()));
                let successor = response.refresh_token.as_ref().map(|token| token.expose().to_owned());
                if let Some(token) = token {
                    known.doubtful.remove(&token);
                    if successor.as_ref().is_some_and(|successor| *successor != token) {
                        known.spent.insert(token.clone());
                        known.replaced.insert(token);
                    }
                }
                if self.plan.refresh != Refresh::Never && successor.is_some() {
                    known.latest_refresh_token = successor;
                }
            }
            Err(error) => {
                let Some(token) = token else { return };
                if error.kind() == ErrorKind::InvalidGrant {
                    known.spent.insert(token);
                } else if error.is_in_doubt() {
                    known.doubtful.entry(token).or_insert(sent_now);
                }
            }
        }
    }

    /// The machine gave up on a request: what became of it is unknown to it.
    pub(crate) fn lose(&mut self, number: usize) {
        let (process, sent_now) = (self.requests[number].process, self.requests[number].sent_now);
        self.coverage.saw("machine: gave up on a request");
        self.requests[number].given_up = true;
        if let Some(token) = self.requests[number].refresh_token.clone() {
            self.processes[process].known.doubtful.entry(token).or_insert(sent_now);
        }
    }

    /// Whether a crash would lose the only copy of what the server will take.
    pub(crate) fn unsaved(&self) -> bool {
        let stored = self.store.record.as_ref().and_then(|record| record.refresh_token.as_ref());
        let Some(token) = stored.or(self.session.as_ref()) else { return true };
        let under_way = self.requests.last().is_some_and(|request| {
            request.refresh_token.as_deref() == Some(token.expose()) && !request.succeeded
        });
        under_way || !self.endpoint.redeemable(token.expose())
    }

    /// P10: what a store holds can be read, whenever it is looked at.
    pub(crate) fn check_record(&mut self) {
        let Some(record) = &self.store.record else { return };
        let text = record.to_json();
        if Record::parse(text.expose().as_bytes()).ok().as_ref() != Some(record) {
            self.violate(Property::P10, "the record can't be read back".to_owned());
        }
    }

    /// A machine says that it is done.
    pub(crate) fn check_done(&mut self, process: usize, now: Now) {
        let state = &self.processes[process];
        let owner = (process, state.incarnation);
        let Some(asked) = state.closing else {
            return self.violate(Property::Contract, "a machine is done that nobody asked to end".to_owned());
        };
        let took = since(now, asked);
        if !state.waiting.is_empty() {
            self.violate(Property::P5, "a machine is done while callers wait".to_owned());
        } else if state.work.is_some() || self.store.lock == Some(owner) {
            self.violate(Property::P1, "a machine is done with work under way, or with the lock".to_owned());
        } else if took > self.plan.flight + std::time::Duration::from_secs(35) {
            self.violate(Property::Progress, format!("a machine took {took:?} to end"));
        }
        let state = &self.processes[process];
        let stored = self.store.record.as_ref().and_then(|record| record.refresh_token.as_ref());
        let failing = state.save_failed_at.is_some_and(|at| self.clocks.at - at < 40 * SECOND);
        let slow = took.as_secs() > 20;
        if let Some(latest) =
            state.known.latest_refresh_token.as_ref().filter(|_| self.plan.store && !failing && !slow)
        {
            // Somebody else may have logged in anew since.
            let lost = self.store.writer == Some(owner)
                && self.endpoint.redeemable(latest)
                && stored.is_none_or(|stored| stored.expose() != latest);
            if lost {
                self.violate(
                    Property::P10,
                    "a machine is done, and its refresh token is not in the store".to_owned(),
                );
            }
        }
    }

    /// Once nothing goes wrong any more, callers are served after the longest pause and a flight.
    pub(crate) fn check_recovered(&mut self, waits: &Waits, error: &Error) {
        let settled = self.plan.calm.max(self.clocks.asleep_until)
            + 370 * SECOND
            + crate::clock::length(self.plan.flight);
        if waits.since_at < settled {
            return;
        }
        let impatient = waits.patience.is_some_and(|patience| patience.as_secs() < 10);
        let excused = match error.kind() {
            ErrorKind::Timeout => impatient,
            ErrorKind::InvalidGrant => self.plan.refresh == Refresh::Only,
            _ => false,
        };
        if !excused {
            self.violate(
                Property::Recovery,
                format!("long after the last fault a caller is told {:?}", error.kind()),
            );
        }
    }

    /// At the end of a run without a violation.
    pub(crate) fn judge_the_whole(&mut self) {
        let late = self.clocks.asleep_until + 8 * MINUTE > self.plan.span;
        for process in 0..self.processes.len() {
            if !self.processes[process].is_open() || late {
                continue;
            }
            match self.processes[process].known.last_answer {
                Some((at, None)) if at > self.plan.calm => self.coverage.saw("end: served"),
                Some((at, Some(ErrorKind::InvalidGrant))) if at > self.plan.calm => {
                    self.coverage.saw("end: a person must log in");
                    self.judge_the_session(process);
                }
                Some((at, Some(_))) if at > self.plan.calm => self.coverage.saw("end: failed"),
                _ => self.violate(Property::Recovery, "nobody was answered after the last fault".to_owned()),
            }
        }
        if self.plan.profile == Profile::Grace {
            let ended =
                self.endpoint.ended.iter().flatten().any(|ended| matches!(ended, Ended::Reused { .. }));
            let forgiving = self.plan.grace.is_some() || !self.excused;
            if ended && forgiving {
                self.violate(
                    Property::P10,
                    "a session was lost, although its server forgives a replay".to_owned(),
                );
            }
        }
    }

    /// A person is told to log in: was that needed?
    fn judge_the_session(&mut self, process: usize) {
        let known = &self.processes[process].known;
        let stored = self.store.record.as_ref().and_then(|record| record.refresh_token.as_ref());
        let mut candidates =
            known.latest_refresh_token.iter().map(String::as_str).chain(stored.map(Secret::expose));
        let alive = candidates.any(|token| self.endpoint.redeemable(token));
        if alive && self.plan.late_replay {
            self.violate(
                Property::Recovery,
                "a person must log in, although the session is alive".to_owned(),
            );
        }
    }
}
