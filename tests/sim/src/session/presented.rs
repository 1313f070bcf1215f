//! What is checked of each request for a token, each attempt, and each credential that leaves the client.

use std::time::Duration;

use auth_core::time::Now;
use ws_session::machine::{Epoch, Ticket};

use super::properties::Property;
use super::world::World;
use crate::clock::{MINUTE, duration};

/// The clocks are read in nanoseconds and milliseconds; a deadline may be missed by no more than this.
pub(crate) const ROUNDING: Duration = Duration::from_millis(2);

impl World {
    /// The machine is about to ask for a token.
    pub(crate) fn check_fetch(&mut self, now: Now) {
        if let Some(last) = self.fetches.last().filter(|last| !last.done && !last.void && !last.disturbed) {
            let age = duration(self.clocks.at - last.since);
            if age + ROUNDING < self.plan.settings.fetch && !self.clocks.suspended_since(last.since) {
                self.violate(
                    Property::OneFetch,
                    format!("a token is asked for, and {:?} was, {age:?} ago", last.ticket),
                );
            }
        }
        // What a server names is over by either clock, and the wall clock goes wrong.
        let tolerance = ROUNDING + Duration::from_millis(150);
        if let Some((until, advised)) = self.seen.not_before
            && now.mono.elapsed() + tolerance < until
        {
            let early = until - now.mono.elapsed();
            self.violate(
                Property::Backoff,
                format!("a token is asked for {early:?} before the wait is over; advised: {advised}"),
            );
        }
        self.seen.not_before = None;
        self.seen.renewal_waits = false;
    }

    /// A connection is about to be opened.
    pub(crate) fn check_attempt(&mut self, ticket: Ticket, epoch: Epoch) {
        let latest = self.client.held.keys().next_back() == Some(&ticket);
        let Some(held) = self.client.held.get_mut(&ticket) else { return };
        if let Some(other) = held.used.replace(epoch) {
            self.violate(Property::Fresh, format!("{epoch:?} takes the token that {other:?} was made with"));
        } else if !latest {
            self.violate(Property::Fresh, format!("{epoch:?} takes {ticket:?}, which is not the latest"));
        }
        let known = self.links.iter().rev().take(8).filter(|link| link.known).count();
        if known > 3 {
            self.violate(Property::Protocol, format!("{known} connections are known"));
        }
        self.coverage.saw("machine: attempts");
    }

    /// An attempt failed, or a connection: after each the machine waits, so that they are as many as the backoff allows.
    pub(crate) fn count_failure(&mut self) {
        let at = self.clocks.at;
        let attempts = &mut self.seen.attempts;
        attempts.push_back(at);
        while attempts.front().is_some_and(|first| at - first > 10 * MINUTE) {
            attempts.pop_front();
        }
        let (ten, minute) =
            (attempts.len(), attempts.iter().rev().take_while(|first| at - **first <= MINUTE).count());
        self.seen.most_in_ten = self.seen.most_in_ten.max(ten);
        self.seen.most_in_a_minute = self.seen.most_in_a_minute.max(minute);
        if minute > MOST_IN_A_MINUTE || ten > MOST_IN_TEN {
            self.violate(Property::Backoff, format!("{minute} failures in a minute, {ten} in ten"));
        }
    }

    /// A text leaves the client that may hold the credential of a ticket.
    pub(crate) fn presents(&mut self, now: Now, ticket: Ticket, link: usize, text: &str) {
        let Some(held) = self.client.held.get_mut(&ticket) else { return };
        if !text.contains(held.secret.expose()) {
            return;
        }
        let epoch = self.links[link].epoch;
        let (token, told, again) = (held.token, held.told, held.again);
        let (handed, handed_at) = (held.handed, held.handed_at);
        if held.used.replace(epoch).is_some_and(|other| other != epoch) {
            self.violate(Property::Fresh, format!("{epoch:?} is shown the token of another connection"));
        }
        self.coverage.saw("machine: presents");
        self.links[link].presented.push(token);
        self.links[link].ticket = Some(ticket);
        let issued = &mut self.issued[token];
        issued.presented += 1;
        // A source that serves it again when another is wanted may confuse who has no numbers.
        issued.again |= again;
        let issued_again = issued.again;
        let (presented, refused, ends) = (issued.presented, issued.refused, issued.ends);
        if self.plan.is_once() && presented > 1 {
            self.violate(
                Property::Once,
                format!("token {token}, which serves once, is presented for the {presented}. time"),
            );
        }
        if refused && !again && !issued_again {
            self.violate(Property::Fresh, format!("token {token} is presented, which was refused"));
        }
        let Some(told) = told else { return };
        // What a suspend hides that follows a clock set back, nothing shows.
        let blind = self.clocks.hidden_between(handed_at);
        let life = now.mono.elapsed().saturating_sub(handed.mono.elapsed());
        let tolerance = duration(self.clocks.at - handed_at) / 1_000 + ROUNDING;
        let over = ends.is_some_and(|ends| duration(self.clocks.at.saturating_sub(ends)) > tolerance);
        let brief = told.remaining(handed) < ROUNDING;
        if (told.passed(now) && !brief) || (over && !blind) {
            self.violate(
                Property::Alive,
                format!("token {token} is presented after its end, {life:?} after it was handed over"),
            );
        }
    }
}

/// What was measured of the bounds is below them; without waits it is far above.
const MOST_IN_A_MINUTE: usize = 60;
const MOST_IN_TEN: usize = 240;
