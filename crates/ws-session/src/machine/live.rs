//! The live connection: how it becomes that, and how it stops.

use std::time::Duration;

use auth_core::time::Now;
use auth_core::{AuthEvent, Demand};

use super::held::Held;
use super::phase::{Attempt, Life, Live, Renewal, Silence, Suspension};
use super::timers::Timer;
use super::{Epoch, Output, Session};
use crate::dialect;

impl Session {
    /// The server has accepted the credential of the attempt: its connection takes over.
    pub(super) fn accepted(&mut self, now: Now) {
        let attempt = std::mem::replace(&mut self.attempt, Attempt::Idle);
        let Attempt::LoggingIn { epoch, held, since, captures, .. } = attempt else {
            self.attempt = attempt;
            return;
        };
        self.timers.clear_attempt();
        self.timers.set(Timer::Suspend, None);
        self.suspension = Suspension::Not;
        let held = held.limited_to(now, captures.expires_in());
        let replaced = self.live();
        self.drop_live();
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
            heard: false,
            silence: Silence::Unasked,
        });
        self.timers.set(Timer::Stable, Some(now.timer(self.config.stable)));
        self.schedule(now, held);
        self.listen(now);
        self.forget(held.ticket);
        if let Some(replaced) = replaced {
            self.retire(now, replaced);
        }
    }

    /// Sets the timers of the credential that the live connection is on.
    pub(super) fn schedule(&mut self, now: Now, held: Held) {
        use dialect::{Renewal, RenewalTime};
        let (renew, expiry) = match &self.dialect.renewal {
            Renewal::Never => (None, None),
            Renewal::InBand { when: RenewalTime::AtExpiry, .. }
            | Renewal::Reconnect { when: RenewalTime::AtExpiry, .. } => {
                let grace = self.config.fetch.saturating_add(self.answer_timeout());
                let expiry = held.valid_for(now).map(|left| now.expiry(left.saturating_add(grace)));
                (held.renewal(now, RenewalTime::AtExpiry), expiry)
            }
            Renewal::InBand { .. } | Renewal::Reconnect { .. } => {
                (held.renewal(now, RenewalTime::Early), held.expires)
            }
        };
        self.timers.set(Timer::Renew, renew);
        self.timers.set(Timer::Expiry, expiry);
    }

    /// The connection is no longer the live one.
    pub(super) fn drop_live(&mut self) {
        if let Some(Live { renewal: Renewal::Presented { next, .. }, .. }) = self.live.take() {
            self.forget(next.ticket);
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

    pub(super) fn suspend(&mut self) {
        if self.live.is_none() && matches!(self.life, Life::Running) {
            self.suspension = Suspension::Due;
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
            self.drop_live();
            self.lost(epoch, "the credential expired and there is no newer one", None, None);
            return self.fail(error);
        }
        self.abandon_live(now, "the credential expired before it could be renewed");
    }

    /// How long the session waits for the next look at its silence, and what it does then.
    pub(super) fn listen(&mut self, now: Now) {
        let wait = self.silence_allowed();
        self.timers.set(Timer::Silence, wait.map(|wait| now.timer(wait)));
    }

    fn silence_allowed(&self) -> Option<Duration> {
        if self.asks() {
            return self.config.keep_alive.map(|interval| interval / 2);
        }
        let promised = self.live.as_ref()?.captures.idle()?;
        Some(promised.saturating_add(IDLE_GRACE) / 2)
    }

    /// Whether a silent connection is asked.
    fn asks(&self) -> bool {
        let can = match self.dialect.ping {
            dialect::Ping::Frame => self.config.ping_frames,
            dialect::Ping::Message(_) => true,
            dialect::Ping::Never => false,
        };
        can && self.config.keep_alive.is_some()
    }

    /// Half of an interval has passed: a connection of which nothing was heard is asked, or has broken half of its promise; the
    /// next time it is given up.
    pub(super) fn look_at_silence(&mut self, now: Now) {
        let asks = self.asks();
        let Some(live) = &mut self.live else { return };
        let silent = !std::mem::take(&mut live.heard);
        let (next, given_up) = match (silent, live.silence) {
            (false, _) => (Silence::Unasked, false),
            (true, Silence::Unasked) if asks => (Silence::Asked, false),
            (true, Silence::Unasked) => (Silence::HalfPromised, false),
            (true, Silence::Asked | Silence::HalfPromised) => (Silence::Unasked, true),
        };
        live.silence = next;
        let epoch = live.epoch;
        if given_up {
            return self.abandon_live(now, "nothing was heard of the server");
        }
        if next == Silence::Asked {
            self.ask(epoch);
        }
        self.listen(now);
    }

    fn ask(&mut self, epoch: Epoch) {
        self.outputs.push_back(match self.dialect.ping {
            dialect::Ping::Message(_) => {
                Output::Send { epoch, message: super::DialectMessage::Ping, ticket: None }
            }
            dialect::Ping::Frame | dialect::Ping::Never => Output::Ping { epoch },
        });
    }

    /// The computer slept, or its network is another: what was thought to live is asked, and nothing waits for long.
    pub(super) fn network_changed(&mut self, now: Now) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        if self.asks() {
            if let Some(live) = &mut self.live {
                live.heard = false;
                live.silence = Silence::Asked;
                let epoch = live.epoch;
                self.ask(epoch);
                let patience = self.config.keep_alive.unwrap_or(PROBE).min(PROBE * 2) / 2;
                self.timers.set(Timer::Silence, Some(now.timer(patience)));
            }
        }
        // What the server asked for is waited for, whatever happens here.
        if let (Attempt::BackingOff { advised: false, .. }, Some(deadline)) =
            (&self.attempt, self.timers.get(Timer::Backoff))
        {
            let soon = now.timer(self.config.backoff.delay(0, &mut self.jitter));
            self.timers.set(Timer::Backoff, Some(deadline.earlier(soon, now)));
        }
    }
}

/// What is added to the silence that a server promises not to exceed: Ably's figure.
const IDLE_GRACE: Duration = Duration::from_secs(10);

/// How long a connection that may have died in its sleep may take to answer.
const PROBE: Duration = Duration::from_secs(5);
