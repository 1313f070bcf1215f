//! Servers that want fresh credentials without end, or say that none lasts: what they say, and how often they are followed.

use std::time::Duration;

use auth_core::time::{Deadline, Now};
use serde_json::{Value, json};

use super::link::Down;
use super::properties::Property;
use super::world::{Event, World};
use crate::clock::HOUR;

/// The credential that the session is on: how long it was good for when it was handed out, and until when, where its source said so.
pub(crate) type InUse = Option<(Duration, Deadline)>;

impl World {
    /// The server wants a fresh credential on each connection that is live there, as it always does.
    pub(crate) fn nag(&mut self) {
        let Some((every, wish)) = self.plan.server.nags.zip(self.plan.kind.wish()) else { return };
        for link in self.links.len().saturating_sub(4)..self.links.len() {
            if self.links[link].server.as_ref().is_some_and(|server| server.is_live()) {
                self.coverage.saw("server: asks again and again");
                self.send_down(link, Down::Text(json!({ "type": wish }).to_string()));
            }
        }
        self.schedule(self.clocks.at + every, Event::Nag);
    }

    /// What the server says, where it says of each credential that it does not last.
    pub(crate) fn understated(&mut self, text: String) -> String {
        let Some(told) = self.plan.server.understates else { return text };
        let message = serde_json::from_str::<Value>(&text).ok();
        let Some(mut message) = message.filter(|message| message.get("ttl").is_some()) else { return text };
        self.coverage.saw("server: understates a lifetime");
        message["ttl"] = Value::from(told);
        message.to_string()
    }

    /// The server has accepted a credential. A renewal within the first half of the life of the one before is the server's doing.
    pub(crate) fn count_renewal(&mut self, now: Now, connection: u64) {
        let link = self.links.iter().rev().find(|link| link.epoch.number() == connection);
        let held = link.and_then(|link| self.client.held.get(&link.ticket?));
        let in_use = held.and_then(|held| Some((held.told?.remaining(held.handed), held.told?)));
        let Some(before) = self.seen.in_use.replace(in_use) else { return };
        if before.is_some_and(|(life, until)| 2 * until.remaining(now) <= life + Duration::from_millis(20)) {
            return;
        }
        let at = self.clocks.at;
        let renewals = &mut self.seen.early_renewals;
        renewals.push_back(at);
        while renewals.front().is_some_and(|first| at - first > HOUR) {
            renewals.pop_front();
        }
        let count = renewals.len();
        self.seen.most_early_renewals = self.seen.most_early_renewals.max(count);
        if count > MOST_IN_AN_HOUR {
            self.violate(Property::Renewals, format!("{count} renewals in an hour before their time"));
        }
    }
}

/// What the machine promises, whatever a server says.
const MOST_IN_AN_HOUR: usize = 400;
