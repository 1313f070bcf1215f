//! The sessions of a log: all are counted, and those with the most trouble are drawn.

use std::cmp::Reverse;
use std::collections::HashMap;

use audit::TrailEvent;
use auth_core::AuthEvent;
use auth_core::observe::RenewalReason;
use auth_core::time::Timestamp;

use super::lane::Lane;
use super::tone::Tone;

/// The sessions of a log, by the names that the program gave them.
#[derive(Debug)]
pub(super) struct Lanes {
    /// Those that are drawn.
    pub(super) lanes: Vec<Drawn>,
    sessions: HashMap<Option<String>, Tally>,
    /// Events of sessions that are not even counted, because so many came before them.
    pub(super) uncounted: u64,
    clock: Clock,
}

/// A session that is drawn.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) name: Option<String>,
    pub(super) lane: Lane,
    last: Timestamp,
}

/// What is known of every session.
#[derive(Debug)]
struct Tally {
    /// Its place among those that are drawn.
    place: Option<usize>,
    alarms: u64,
    warnings: u64,
    /// How many came before it.
    number: usize,
}

/// When the program was heard of.
#[derive(Debug)]
struct Clock {
    last: Timestamp,
    /// The last time before it seems to have been started anew.
    restart: Option<Timestamp>,
    /// Whether the log tells when the program is started: then nobody need guess.
    is_told: bool,
}

impl Clock {
    const fn new() -> Self {
        Self { last: Timestamp::from_millis(0), restart: None, is_told: false }
    }

    /// When the program was last heard of before this event, as far as a session knows that was last told of itself.
    fn before(&mut self, drawn: &Drawn, event: &AuthEvent) -> Timestamp {
        // Another session of the same program may have told of the new start already.
        let before = self.restart.filter(|restart| drawn.last <= *restart).unwrap_or(self.last);
        let begins = matches!(
            event,
            AuthEvent::RenewalStarted { reason: RenewalReason::First, .. }
                | AuthEvent::Connecting { connection: 1, .. }
        );
        if begins && drawn.lane.newest > 0 && !self.is_told {
            self.restart = Some(before);
        }
        before
    }
}

impl Lanes {
    /// The most sessions that are drawn.
    pub(super) const MOST: usize = 40;
    /// The most sessions that are counted.
    pub(super) const MOST_COUNTED: usize = 200_000;

    pub(super) fn new() -> Self {
        Self { lanes: Vec::new(), sessions: HashMap::new(), uncounted: 0, clock: Clock::new() }
    }

    /// How many sessions there are, drawn or not.
    pub(super) fn count(&self) -> u64 {
        self.sessions.len() as u64
    }

    /// Counts an event, and draws it if its session is among the first.
    pub(super) fn take(&mut self, at: Timestamp, session: Option<&str>, event: &AuthEvent, tone: Tone) {
        let name = session.map(str::to_owned);
        if !self.sessions.contains_key(&name) {
            let number = self.sessions.len();
            if number == Self::MOST_COUNTED {
                self.uncounted += 1;
                self.clock.last = at;
                return;
            }
            let place = (number < Self::MOST).then_some(number);
            if place.is_some() {
                self.lanes.push(Drawn::new(name.clone()));
            }
            self.sessions.insert(name.clone(), Tally { place, alarms: 0, warnings: 0, number });
        }
        if let Some(tally) = self.sessions.get_mut(&name) {
            match tone {
                Tone::Bad => tally.alarms += 1,
                Tone::Warning => tally.warnings += 1,
                Tone::Good | Tone::Neutral => {}
            }
        }
        self.draw(at, &name, event);
    }

    /// Takes note of when the program that writes the log began and ended.
    pub(super) fn hear(&mut self, at: Timestamp, event: &TrailEvent) {
        let (ended, again) = match event {
            // Where it had not said that it ends, it was there for as long as it was heard of.
            TrailEvent::TrailOpened { .. } => (self.clock.last, Some(at)),
            TrailEvent::TrailClosed { .. } => (at, None),
            _ => return,
        };
        self.clock.is_told = true;
        self.lanes.iter_mut().for_each(|drawn| drawn.lane.loses_program(ended, again));
    }

    /// Begins the drawing anew with the sessions that have the most trouble: `false` where all are drawn already.
    pub(super) fn choose(&mut self) -> bool {
        if self.sessions.len() <= Self::MOST {
            return false;
        }
        let mut sessions: Vec<_> = self.sessions.iter_mut().collect();
        sessions.sort_by_key(|(_, tally)| (Reverse((tally.alarms, tally.warnings)), tally.number));
        self.lanes.clear();
        self.clock = Clock::new();
        for (place, (name, tally)) in sessions.into_iter().enumerate() {
            tally.place = (place < Self::MOST).then_some(place);
            if tally.place.is_some() {
                self.lanes.push(Drawn::new(name.clone()));
            }
        }
        true
    }

    /// Draws an event that was counted before.
    pub(super) fn draw(&mut self, at: Timestamp, name: &Option<String>, event: &AuthEvent) {
        let place = self.sessions.get(name).and_then(|tally| tally.place);
        if let Some(drawn) = place.and_then(|place| self.lanes.get_mut(place)) {
            let before = self.clock.before(drawn, event);
            drawn.lane.take(at, before, event);
            drawn.last = at;
        }
        self.clock.last = at;
    }
}

impl Drawn {
    const fn new(name: Option<String>) -> Self {
        Self { name, lane: Lane::new(), last: Timestamp::from_millis(0) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use auth_core::observe::Label;

    use super::super::lane::Phase;
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn authenticated() -> AuthEvent {
        AuthEvent::Authenticated { connection: 1, token: None, session_id: None, latency: Duration::ZERO }
    }

    #[test]
    fn a_program_that_says_when_it_starts_and_ends_leaves_nothing_to_guess() {
        let connecting = AuthEvent::Connecting { connection: 1, failures: 0 };
        let opened = |end: &str| {
            let opened = format!(
                r#"{{"event":"trail_opened","host":null,"application":null,"version":null,"process_id":7,"library_version":"1","previous_end":"{end}","dropped_bytes":0}}"#
            );
            serde_json::from_str::<TrailEvent>(&opened).unwrap()
        };
        let closed = r#"{"event":"trail_closed","observed":4,"written":4,"dropped":0,"failed":0,"best_effort_written":4,"best_effort_lost":0,"durable_written":0,"durable_lost":0,"strict_written":0,"strict_lost":0}"#;
        let closed = serde_json::from_str::<TrailEvent>(closed).unwrap();
        // Two sessions, one program; it ends in one way or the other, and only one of them is there again.
        let played = |end: Option<&TrailEvent>, opened: &TrailEvent| {
            let mut lanes = Lanes::new();
            for (second, session, event) in [(1, "a", &connecting), (2, "a", &authenticated())] {
                lanes.take(at(second), Some(session), event, Tone::Good);
                lanes.take(at(second), Some("b"), event, Tone::Good);
            }
            if let Some(end) = end {
                lanes.hear(at(5), end);
            }
            lanes.hear(at(11), opened);
            lanes.take(at(12), Some("a"), &connecting, Tone::Good);
            lanes.take(at(13), Some("a"), &authenticated(), Tone::Good);
            lanes.lanes.iter_mut().for_each(|drawn| drawn.lane.finish(at(20)));
            let phases = lanes.lanes.iter().map(|drawn| {
                let spans = drawn.lane.phases.spans().iter();
                spans.map(|span| (span.begin.as_secs(), span.end.as_secs(), span.kind)).collect::<Vec<_>>()
            });
            phases.collect::<Vec<_>>()
        };
        use Phase::{Connected, Connecting, Unknown};
        let again = [(12, 13, Connecting), (13, 20, Connected)];
        let broken = vec![(1, 2, Connecting), (2, 2, Connected), (2, 11, Unknown)];
        let clean = vec![(1, 2, Connecting), (2, 5, Connected)];
        let with_again = |lived: &Vec<_>| [lived.as_slice(), &again].concat();
        assert_eq!(played(None, &opened("broken_off")), [with_again(&broken), broken]);
        assert_eq!(played(Some(&closed), &opened("clean")), [with_again(&clean), clean]);
    }

    #[test]
    fn all_sessions_are_counted_and_those_with_the_most_trouble_are_drawn() {
        let failed = AuthEvent::SessionFailed { connection: None, reason: Label::new("no"), code: None };
        let events = |number| match number {
            4_321 => (failed.clone(), Tone::Bad),
            _ => (authenticated(), if number == 77 { Tone::Warning } else { Tone::Good }),
        };
        let mut lanes = Lanes::new();
        for number in 0..5_000 {
            let (event, tone) = events(number);
            lanes.take(at(number), Some(&number.to_string()), &event, tone);
        }
        assert_eq!((lanes.count(), lanes.lanes.len()), (5_000, Lanes::MOST));
        assert!(lanes.choose());
        for number in 0..5_000 {
            lanes.draw(at(number), &Some(number.to_string()), &events(number).0);
        }
        let names: Vec<_> = lanes.lanes.iter().filter_map(|drawn| drawn.name.as_deref()).collect();
        assert_eq!((&names[..4], names.len()), (&["4321", "77", "0", "1"][..], Lanes::MOST));
        assert_eq!((lanes.count(), lanes.lanes[2].lane.connections), (5_000, 1), "counted and drawn once");
    }

    #[test]
    fn a_program_that_starts_anew_ends_all_its_sessions_when_it_was_last_heard_of() {
        let connecting = AuthEvent::Connecting { connection: 1, failures: 0 };
        let mut lanes = Lanes::new();
        for (second, session, event) in [
            (0, "a", &connecting),
            (1, "a", &authenticated()),
            (1, "b", &connecting),
            (2, "b", &authenticated()),
            // Ten seconds of silence.
            (12, "a", &connecting),
            (13, "a", &authenticated()),
            (14, "b", &connecting),
        ] {
            lanes.take(at(second), Some(session), event, Tone::Good);
        }
        for drawn in &mut lanes.lanes {
            drawn.lane.finish(at(20));
        }
        let phases = |place: usize| {
            let spans = lanes.lanes[place].lane.phases.spans().iter();
            spans.map(|span| (span.begin.as_secs(), span.end.as_secs(), span.kind)).collect::<Vec<_>>()
        };
        use Phase::{Connected, Connecting, Unknown};
        assert_eq!(
            phases(0),
            [
                (0, 1, Connecting),
                (1, 2, Connected),
                (2, 12, Unknown),
                (12, 13, Connecting),
                (13, 20, Connected)
            ]
        );
        assert_eq!(
            phases(1),
            [(1, 2, Connecting), (2, 2, Connected), (2, 14, Unknown), (14, 20, Connecting)]
        );
    }
}
