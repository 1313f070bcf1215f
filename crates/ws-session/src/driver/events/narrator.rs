//! From the machine's events and its state to the session's own events.

use auth_core::AuthEvent;
use auth_core::observe::Label;
use auth_core::time::Now;

use super::SessionEvent;
use crate::dialect::Captures;
use crate::machine::{Session, State};

/// Follows a machine. It decides nothing.
#[derive(Debug)]
pub(in crate::driver) struct Narrator {
    state: State,
    /// Why the state will have changed, once all is told that happened at once.
    reason: Option<Label>,
}

impl Narrator {
    pub(in crate::driver) const fn new() -> Self {
        Self { state: State::Initialized, reason: None }
    }

    /// What an event of the machine is to the session's user.
    pub(in crate::driver) fn hear(
        &mut self,
        now: Now,
        machine: &Session,
        event: &AuthEvent,
    ) -> Option<SessionEvent> {
        Some(match event {
            AuthEvent::Authenticated { session_id, latency, .. } => SessionEvent::Authenticated {
                session_id: session_id.clone(),
                latency: *latency,
                resumed: machine.captures().and_then(Captures::resumed),
            },
            AuthEvent::TokenRenewed { in_band, .. } => {
                SessionEvent::Renewed { in_band: *in_band, valid_for: machine.valid_for(now) }
            }
            AuthEvent::RenewalFailed { reason, retry_in, valid_for, .. } => SessionEvent::RenewalFailed {
                reason: reason.clone(),
                retry_in: *retry_in,
                valid_for: *valid_for,
            },
            AuthEvent::ConnectionLost { reason, code, retry_in, .. } => {
                self.reason = Some(reason.clone());
                SessionEvent::Closed { code: *code, reason: reason.clone(), retry_in: *retry_in }
            }
            AuthEvent::ConnectionDelayed { reason, .. } | AuthEvent::SessionFailed { reason, .. } => {
                self.reason = Some(reason.clone());
                return None;
            }
            _ => return None,
        })
    }

    /// All is told that happened at once: where that has led to, if elsewhere.
    pub(in crate::driver) fn settle(&mut self, now: Now, machine: &Session) -> Option<SessionEvent> {
        let reason = self.reason.take();
        let state = machine.state();
        if std::mem::replace(&mut self.state, state) == state {
            return None;
        }
        let retry_in = machine.retry_in(now);
        Some(SessionEvent::State { state, reason, attempt: machine.attempt(), retry_in })
    }
}
