//! What is checked of each answer: that the token lives, and that the caller was answered once and in time.

use std::time::Duration;

use auth_core::renewal::Caller;
use auth_core::time::Now;
use auth_core::token::Generation;
use auth_core::{Demand, Error, ErrorKind, Token};

use super::properties::{FLIGHT, Property, ROUNDING, since};
use super::world::{World, caller};
use crate::clock::SECOND;

impl World {
    /// P4: `text` is about to be used by `whom`.
    pub(crate) fn check_token(&mut self, process: usize, now: Now, text: &str, whom: &str) {
        let at = self.clocks.at;
        let Some(issued) = self.endpoint.issued(text) else {
            return self.violate(Property::P4, format!("{whom} was served what nobody issued"));
        };
        let known = &self.processes[process].known;
        // What happened to the clocks before the token was here can't be undone; what came after, an input could show.
        let here = known.published.as_ref().is_some_and(|published| published.secret().expose() == text);
        let arrived = known.arrived_at.filter(|_| here).unwrap_or(at);
        let honest = !self.clocks.set_back_between(issued.first_sent, arrived)
            && known.blind_at.is_none_or(|blind| blind < issued.first_sent);
        let by_server = issued.end.is_some_and(|end| at >= end) && honest;
        // A `Date` has whole seconds.
        let by_itself = issued.own_end.is_some_and(|end| at >= end + SECOND)
            && self.clocks.stepped.is_none_or(|step| step < issued.first_sent);
        let ended = match known.received.get(text) {
            // By all that it was told of this token.
            Some(told) => told.iter().all(|(sent, life)| {
                let wall = now.wall.saturating_since(sent.wall);
                since(now, *sent) >= *life || wall >= *life
            }),
            // A peer's, of which the store holds what one of the answers told.
            None => issued.told.iter().all(|(sent_wall, life)| {
                Duration::from_millis(now.wall.as_millis().saturating_sub(*sent_wall)) >= *life
            }),
        };
        let refused = known.refused.contains(text);
        if refused {
            self.violate(Property::P4, format!("{whom} was served a token that had been refused"));
        } else if by_server || by_itself || ended {
            self.violate(
                Property::P4,
                format!("{whom} was served a dead token (server: {by_server}, itself: {by_itself}, our clocks: {ended})"),
            );
        }
    }

    /// A caller is served.
    pub(crate) fn served(&mut self, process: usize, now: Now, who: Caller, token: &Token) {
        let generation = self.number(token.generation());
        let text = token.secret().expose().to_owned();
        self.coverage.saw("answer: served");
        self.answered(process, now, who, Some(token.generation()));
        self.check_token(process, now, &text, "a caller");
        let single_use = self.plan.single_use();
        self.in_use(process, now);
        let known = &mut self.processes[process].known;
        known.last_answer = Some((self.clocks.at, None));
        let again = known.served.iter().any(|(_, served)| *served == text);
        if !again {
            known.served.push_back((generation, text));
        }
        if known.served.len() > 64 {
            known.served.pop_front();
        }
        if single_use && again {
            self.violate(Property::P4, "a token for one use was served twice".to_owned());
        }
    }

    /// A caller is told that there is no token.
    pub(crate) fn failed(&mut self, process: usize, now: Now, who: Caller, error: &Error) {
        self.coverage.saw(match error.kind() {
            ErrorKind::Timeout => "answer: failed, Timeout",
            ErrorKind::InvalidGrant => "answer: failed, InvalidGrant",
            ErrorKind::InvalidToken => "answer: failed, InvalidToken",
            ErrorKind::StoreFailed => "answer: failed, StoreFailed",
            ErrorKind::Closed => "answer: failed, Closed",
            _ => "answer: failed, the endpoint's error",
        });
        let waits = self.processes[process].waiting.iter().find(|(number, _)| caller(**number) == who);
        let waits = waits.map(|(_, waits)| *waits);
        self.answered(process, now, who, None);
        let known = &mut self.processes[process].known;
        known.last_answer = Some((self.clocks.at, Some(error.kind())));
        let (Some(waits), None) = (waits, self.processes[process].closing) else { return };
        if let Some(alive) = self.living(process, now)
            && (waits.demand.accepts(alive) || matches!(waits.demand, Demand::NewerThan(_)))
        {
            self.violate(
                Property::Alive,
                format!("a caller was told {:?} while a token lives", error.kind()),
            );
        }
        self.check_recovered(&waits, error);
    }

    fn answered(&mut self, process: usize, now: Now, who: Caller, with: Option<Generation>) {
        let number = self.processes[process].waiting.keys().copied().find(|number| caller(*number) == who);
        let Some(waits) = number.and_then(|number| self.processes[process].waiting.remove(&number)) else {
            return self.violate(Property::P5, format!("{who:?} is answered, and does not wait"));
        };
        self.processes[process].known.attend(now, self.plan.explains());
        let waited = since(now, waits.since);
        // Where each caller has a flight of its own, one that wants to wait for longer may have to.
        let most = if self.plan.single_use() { Duration::MAX } else { FLIGHT };
        let longest = waits.patience.map_or(FLIGHT, |patience| patience.min(most));
        if waited > longest + ROUNDING {
            self.violate(
                Property::P5,
                format!("{who:?} waited for {waited:?}, and wanted to for {longest:?}"),
            );
        }
        if with.is_some_and(|with| matches!(waits.demand, Demand::InsteadOf(old) if with <= old)) {
            self.violate(Property::P4, "a caller was served the token that it had refused".to_owned());
        }
    }
}
