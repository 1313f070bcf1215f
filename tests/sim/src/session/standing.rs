//! What must hold at any time: of the live connection, of a session without one, and of one that is over.

use std::time::Duration;

use auth_core::time::Now;
use ws_session::dialect::{Renewal, RenewalTime};
use ws_session::machine::State;

use super::client::Cause;
use super::properties::Property;
use super::world::World;
use crate::clock::{duration, length};

impl World {
    pub(crate) fn check_nothing_left(&mut self) {
        let known: Vec<_> =
            self.links.iter().rev().take(8).filter(|link| link.known).map(|link| link.epoch).collect();
        let held: Vec<_> =
            self.client.held.iter().filter(|(_, held)| !held.forgotten).map(|(ticket, _)| *ticket).collect();
        let deadline = self.client.deadline.is_some();
        if !known.is_empty() || !held.is_empty() || deadline {
            self.violate(
                Property::NothingLeft,
                format!("at the end there are {known:?}, {held:?}, and a deadline: {deadline}"),
            );
        }
    }

    /// What must hold of the live connection at any time.
    pub(crate) fn check_live(&mut self, now: Now, cause: &Cause) {
        let Some(link) = self.client.live().and_then(|live| self.link_of(live)) else { return };
        if matches!(cause, Cause::Message(..) | Cause::Stale) || self.client.state() == State::Closing {
            return;
        }
        let state = &self.links[link];
        let silent = now.mono.elapsed().saturating_sub(state.heard);
        let settings = &self.plan.settings;
        if let Some(interval) = settings.keep_alive.filter(|_| self.plan.asks())
            && silent > 2 * interval + Duration::from_secs(7)
        {
            self.violate(Property::HalfOpen, format!("nothing was heard for {silent:?}"));
            return;
        }
        let grace = match self.plan.dialect.renewal {
            Renewal::InBand { when: RenewalTime::Early, .. }
            | Renewal::Reconnect { when: RenewalTime::Early, .. } => Duration::ZERO,
            Renewal::InBand { .. } | Renewal::Reconnect { .. } => settings.fetch + Duration::from_secs(25),
            _ => return,
        };
        let over = state.in_use.filter(|deadline| deadline.passed(now));
        if over.is_some() && grace.is_zero() {
            self.violate(
                Property::Clocks,
                "a connection is live beyond the end of its credential".to_owned(),
            );
        }
    }

    pub(crate) fn check_suspended(&mut self, now: Now, cause: &Cause) {
        let Some((_, since)) = self.seen.down_since else { return };
        let down = now.mono.elapsed().saturating_sub(since);
        let limit = self.plan.settings.suspended_after;
        let state = self.client.state();
        let early = state == State::Suspended && down + Duration::from_millis(50) < limit;
        let late = state == State::Disconnected
            && down > limit + Duration::from_secs(5)
            && !matches!(cause, Cause::Message(..));
        if early || late {
            self.violate(Property::Suspended, format!("{state:?} after {down:?} without a connection"));
        }
    }

    /// Nobody stays away for long once nothing fails any more.
    pub(crate) fn check_recovery(&mut self) {
        let (state, at) = (self.client.state(), self.clocks.at);
        let Some((since, _)) = self.seen.down_since else { return };
        if state.is_final() || matches!(state, State::Initialized | State::Closing) || at < self.plan.calm {
            return;
        }
        let settings = &self.plan.settings;
        let slow =
            duration(2 * self.plan.source.slowest + 8 * self.plan.network.slowest + self.plan.server.slowest);
        // What had begun before: a request that hangs, an upgrade, a login; and each wait there may be.
        let under_way = settings.fetch + settings.open + Duration::from_secs(20) + settings.close;
        let bound = if since < self.plan.calm + length(under_way) {
            under_way + 2 * settings.cap + slow + Duration::from_secs(15)
        } else {
            settings.close + settings.cap + 2 * slow + Duration::from_secs(12)
        };
        if self.clocks.now(0).mono.elapsed() < self.seen.advised_until {
            return;
        }
        let from = since.max(self.plan.calm);
        let down = duration(at.saturating_sub(from));
        if down > bound {
            self.violate(
                Property::Recovery,
                format!("{state:?} for {down:?}, and nothing has failed since; {bound:?} would do"),
            );
        }
    }
}
