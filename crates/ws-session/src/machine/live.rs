//! The live connection: how it becomes that, and how it stops.

use std::time::Duration;

use auth_core::time::Now;
use auth_core::{AuthEvent, Demand};

use super::held::Held;
use super::over::Over;
use super::phase::{Attempt, Life, Live, Renewal, Silence, Suspension};
use super::timers::Timer;
use super::{Epoch, Output, Session};
use crate::dialect::{self, Captures};

impl Session {
    /// The server has accepted the credential of the attempt: its connection takes over.
    pub(super) fn accepted(&mut self, now: Now) {
        let attempt = std::mem::replace(&mut self.attempt, Attempt::Idle);
        let Attempt::LoggingIn { epoch, held, since, mut captures, .. } = attempt else {
            self.attempt = attempt;
            return;
        };
        self.timers.clear_attempt();
        self.timers.set(Timer::Suspend, None);
        self.suspension = Suspension::Not;
        let held = held.limited_to(now, captures.valid_for(now));
        let replaced = self.live();
        // A session that goes over from one connection to the next has been stable for as long.
        let stable = self.timers.get(Timer::Stable).unwrap_or_else(|| now.timer(self.config.stable));
        self.drop_live();
        captures.accepted(&self.dialect.captured);
        self.starts_anew = false;
        let session_id = captures.session_id().cloned();
        self.outputs.push_back(Output::Event(AuthEvent::Authenticated {
            connection: epoch.0,
            token: held.fingerprint,
            session_id: session_id.clone(),
            latency: now.mono.elapsed().saturating_sub(since.mono.elapsed()),
        }));
        if replaced.is_some() {
            self.outputs.push_back(Output::Event(AuthEvent::TokenRenewed {
                connection: epoch.0,
                token: held.fingerprint,
                session_id,
                in_band: false,
            }));
        }
        self.live = Some(Live {
            epoch,
            held,
            captures,
            since: now,
            credential_since: now,
            renewal: Renewal::Scheduled { demand: Demand::NewerThan(held.generation) },
            failures: 0,
            asked: false,
            spared_until: None,
            heard: false,
            silence: Silence::Unasked,
        });
        self.timers.set(Timer::Stable, Some(stable));
        self.schedule(now, held);
        self.listen(now);
        self.forget(held.ticket);
        if let Some(replaced) = replaced {
            self.retire(now, replaced);
        }
        self.follow_up(now);
    }

    /// Sets the timers of the credential that the live connection is on.
    pub(super) fn schedule(&mut self, now: Now, held: Held) {
        use dialect::{Renewal, RenewalTime};
        let (renew, expiry) = match &self.dialect.renewal {
            // Nothing ends with the credential, or the server says when it does.
            Renewal::Never
            | Renewal::InBand { when: RenewalTime::WhenAsked, .. }
            | Renewal::Reconnect { when: RenewalTime::WhenAsked, .. } => (None, None),
            Renewal::InBand { when: RenewalTime::AtExpiry, .. }
            | Renewal::Reconnect { when: RenewalTime::AtExpiry, .. } => {
                let grace = self.config.fetch.saturating_add(self.answer_timeout());
                let expiry = held.valid_for(now).map(|left| now.expiry(left.saturating_add(grace)));
                (held.renewal(now, RenewalTime::AtExpiry), expiry)
            }
            Renewal::InBand { when: RenewalTime::Early, .. }
            | Renewal::Reconnect { when: RenewalTime::Early, .. } => {
                (held.renewal(now, RenewalTime::Early), held.expires)
            }
        };
        self.timers.set(Timer::Renew, renew);
        self.timers.set(Timer::Expiry, expiry);
    }

    /// The connection is no longer the live one.
    pub(super) fn drop_live(&mut self) {
        if let Some(live) = self.live.take() {
            self.last_said = Some(live.captures);
            if let Renewal::Presented { next, .. } = live.renewal {
                self.forget(next.ticket);
            }
        }
        self.timers.clear_live();
    }

    /// Closes a connection that was replaced, or is about to be.
    pub(super) fn retire(&mut self, now: Now, epoch: Epoch) {
        if let Some(older) = self.retiring.replace(epoch) {
            self.outputs.push_back(Output::Abort { epoch: older });
        }
        self.timers.set(Timer::Retire, Some(now.timer(self.config.close)));
        self.outputs.push_back(Output::Close { epoch });
    }

    /// The server has not answered the close of the connection that was replaced.
    pub(super) fn retire_now(&mut self, now: Now) {
        if let Some(epoch) = self.retiring.take() {
            self.outputs.push_back(Output::Abort { epoch });
            self.retired(now);
        }
    }

    /// The connection that was replaced has ended.
    pub(super) fn retired(&mut self, now: Now) {
        self.timers.set(Timer::Retire, None);
        if let Attempt::Replacing { held, since } = self.attempt {
            if held.has_expired(now) {
                self.forget(held.ticket);
                let demand = Demand::NewerThan(held.generation);
                return self.delay(now, "the credential expired before it was presented", demand, None);
            }
            self.open(now, held, since);
        }
    }

    /// The connection has been up long enough to forget what was before it.
    pub(super) fn stable(&mut self) {
        self.failures = 0;
        self.tried_fresh = false;
        self.tried_upgrade = false;
        self.hurried = false;
    }

    /// How long after a connection was lost the session counts as suspended.
    pub(super) fn suspended_after(&self) -> Duration {
        let said = self.captures().or(self.last_said.as_ref()).and_then(Captures::kept);
        said.unwrap_or(self.config.suspended_after)
    }

    pub(super) fn suspend(&mut self) {
        if self.live.is_none() && matches!(self.life, Life::Running) {
            self.suspension = Suspension::Due;
            self.last_said = None;
            self.tell_of_suspension();
        }
    }

    /// Tells of the suspension once it shows: while an attempt is under way, the session is connecting.
    pub(super) fn tell_of_suspension(&mut self) {
        if self.suspension == Suspension::Due && matches!(self.attempt, Attempt::BackingOff { .. }) {
            self.suspension = Suspension::Told;
            self.outputs.push_back(Output::Event(AuthEvent::SessionSuspended { failures: self.failures }));
        }
    }

    pub(super) fn credential_expired(&mut self, now: Now) {
        let Some(live) = &self.live else { return };
        if let Renewal::Impossible(error) = &live.renewal {
            let (epoch, error) = (live.epoch, error.clone());
            self.outputs.push_back(Output::Abort { epoch });
            let reason = "the credential expired and there is no newer one";
            let over = Over { lasted: self.lasted(now), ..Over::unanswered(reason) };
            self.drop_live();
            self.lost(epoch, over, None);
            return self.fail(Some(epoch), error);
        }
        let (epoch, reason) = (live.epoch, "the credential expired before it could be renewed");
        self.outputs.push_back(Output::Abort { epoch });
        self.live_over(now, Over::unanswered(reason));
    }
}
