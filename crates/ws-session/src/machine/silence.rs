//! The silence of a live connection: when it is asked whether it lives, and when it is given up.

use std::time::Duration;

use auth_core::time::Now;

use super::phase::{Attempt, Life, Silence};
use super::timers::Timer;
use super::{DialectMessage, Epoch, Output, Session};
use crate::dialect::{Failure, Ping};

impl Session {
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
            Ping::Frame => self.config.ping_frames,
            Ping::Message(_) => true,
            Ping::Never => false,
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
            return self.abandon_live(now, "nothing was heard of the server", &Failure::Transport);
        }
        if next == Silence::Asked {
            self.ask(epoch);
        }
        self.listen(now);
    }

    fn ask(&mut self, epoch: Epoch) {
        self.outputs.push_back(match self.dialect.ping {
            Ping::Message(_) => Output::Send { epoch, message: DialectMessage::Ping, ticket: None },
            Ping::Frame | Ping::Never => Output::Ping { epoch },
        });
    }

    /// The computer slept, or its network is another: what was thought to live is asked, and nothing waits for long.
    pub(super) fn network_changed(&mut self, now: Now) {
        if !matches!(self.life, Life::Running) {
            return;
        }
        if self.asks()
            && let Some(live) = &mut self.live
        {
            let asked = std::mem::replace(&mut live.silence, Silence::Asked) == Silence::Asked;
            live.heard &= asked;
            let epoch = live.epoch;
            self.ask(epoch);
            let patience = now.timer((self.config.keep_alive.unwrap_or(PROBE) / 2).min(PROBE));
            // Asked again before it had to answer, it has no more time than it had.
            let due = match self.timers.get(Timer::Silence) {
                Some(due) if asked => due.earlier(patience, now),
                _ => patience,
            };
            self.timers.set(Timer::Silence, Some(due));
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
