//! What is checked at the end of a world.

use ws_session::machine::State;

use super::properties::Property;
use super::user::Fate;
use super::world::World;
use crate::clock::{MINUTE, SECOND};

impl World {
    pub(crate) fn judge(&mut self) {
        self.check_recovery();
        let state = self.client.state();
        self.coverage.saw(match state {
            State::Connected => "end: connected",
            State::Closed => "end: closed",
            State::Failed => "end: failed",
            _ => "end: on its way",
        });
        self.judge_close();
        self.judge_messages();
        self.judge_credential();
    }

    /// Whoever closes a session finds it closed.
    fn judge_close(&mut self) {
        let due = self.plan.closes.is_some_and(|at| at + 2 * MINUTE < self.plan.span);
        let state = self.client.state();
        if due && !state.is_final() {
            self.violate(Property::NothingLeft, format!("{state:?}, and the user closed it long ago"));
        }
    }

    /// Each message has one fate, and what was sent on a sound connection has arrived.
    fn judge_messages(&mut self) {
        let (over, end) = (self.client.state().is_final(), self.clocks.at);
        for number in 0..self.messages.len() {
            let message = &self.messages[number];
            let (fate, arrivals, settled) = (message.fate, message.arrivals, message.settled);
            let sound = message.link.is_some_and(|link| !self.links[link].faulted && !self.links[link].mute);
            if over && fate == Fate::Waiting {
                self.violate(Property::GivenBack, format!("nobody knows what became of message {number}"));
            }
            if fate == Fate::NotSent && arrivals > 0 {
                self.violate(Property::GivenBack, format!("message {number} was given back, and arrived"));
            }
            let time = settled + MINUTE < end;
            if fate == Fate::Sent && arrivals == 0 && sound && time {
                self.violate(Property::Messages, format!("message {number} was sent, and never arrived"));
            }
        }
    }

    /// In the end the session is on a credential that lives.
    fn judge_credential(&mut self) {
        let Some(link) = self.client.live().and_then(|live| self.link_of(live)) else { return };
        let renews = !matches!(self.plan.dialect.renewal, ws_session::dialect::Renewal::Never);
        let ends = self.links[link].accepted.and_then(|token| self.issued[token].ends);
        let grace = 3 * MINUTE + 5 * SECOND;
        let deaf = self.links[link].deaf_up || self.links[link].deaf_down;
        if renews && self.plan.source.tells && !deaf && ends.is_some_and(|ends| ends + grace < self.clocks.at)
        {
            self.violate(Property::Clocks, "in the end the credential in use is long over".to_owned());
        }
    }
}
