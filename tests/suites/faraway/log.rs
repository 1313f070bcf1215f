//! What happened in a story, and what of it must not have.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use auth_core::AuthEvent;

use super::story::{ATTEMPTS, BOUND, REPAIRED};

/// What happened.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// A client began, for the first time or after a crash.
    Began,
    /// What its session told.
    Told(AuthEvent),
    /// It put a token on the wire that lives for so long; zero if it lives no more.
    Presented(Duration),
    /// The message with this number came back.
    Heard(u64),
}

/// Everything that happened: when, and to which client.
#[derive(Debug, Clone)]
pub(super) struct Log {
    entries: Arc<Mutex<Vec<(Duration, usize, Entry)>>>,
    /// Whether a session may have two connections at a time: what comes by the old one may be late then.
    overlaps: bool,
}

/// What a client heard in one of its lives, and what excuses a gap in it.
#[derive(Default)]
struct Heard {
    numbers: BTreeSet<u64>,
    last: u64,
    /// A connection was lost, and what came by it may not have been read yet.
    lost: bool,
    /// There is another connection than the one by which the last message came.
    other: bool,
}

impl Log {
    pub(super) fn new(overlaps: bool) -> Self {
        Self { entries: Arc::default(), overlaps }
    }

    pub(super) fn add(&self, client: usize, entry: Entry) {
        let at = turmoil::sim_elapsed().unwrap_or_default();
        self.entries().push((at, client, entry));
    }

    /// All of it as text.
    pub(super) fn text(&self) -> String {
        self.entries().iter().fold(String::new(), |mut text, (at, client, entry)| {
            let _ = writeln!(text, "{at:?} client {client}: {entry:?}");
            text
        })
    }

    pub(super) fn presented(&self) -> usize {
        self.count(|entry| matches!(entry, Entry::Presented(_)))
    }

    pub(super) fn lost(&self) -> usize {
        self.count(|entry| matches!(entry, Entry::Told(AuthEvent::ConnectionLost { .. })))
    }

    /// How many attempts each client made.
    pub(super) fn attempts(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.clients()).map(|wanted| {
            let entries = self.entries();
            let connecting = |entry: &&(Duration, usize, Entry)| {
                entry.1 == wanted && matches!(entry.2, Entry::Told(AuthEvent::Connecting { .. }))
            };
            entries.iter().filter(connecting).count()
        })
    }

    /// What must not have happened.
    pub(super) fn violations(&self) -> Vec<String> {
        let mut violations: Vec<_> =
            (0..self.clients()).flat_map(|client| self.violations_of(client)).collect();
        for (client, attempts) in self.attempts().enumerate() {
            if attempts > ATTEMPTS {
                violations.push(format!("client {client} made {attempts} attempts"));
            }
        }
        violations
    }

    fn violations_of(&self, client: usize) -> Vec<String> {
        let mut violations = Vec::new();
        let mut heard = Heard::default();
        let mut back = None;
        for (at, _, entry) in self.entries().iter().filter(|(_, of, _)| *of == client) {
            match entry {
                Entry::Began => heard = Heard::default(),
                Entry::Presented(Duration::ZERO) => {
                    violations.push(format!("client {client} presented a token that had expired, at {at:?}"));
                }
                Entry::Presented(_) => {}
                Entry::Heard(number) => {
                    // A connection that was given up by plan says no goodbye to a network that is down, and where two
                    // overlap, what comes by the old one may be late.
                    let troubled = *at < REPAIRED + BOUND;
                    let gap = *number > heard.last && (heard.lost || heard.other);
                    let in_order = *number == heard.last + 1 || (troubled && (gap || self.overlaps));
                    if !heard.numbers.insert(*number) || !in_order {
                        let last = heard.last;
                        violations.push(format!(
                            "client {client} heard {number} out of order, after {last}, at {at:?}"
                        ));
                    }
                    heard.last = *number;
                    heard.other = false;
                    if *at >= REPAIRED {
                        back.get_or_insert(*at);
                    }
                }
                Entry::Told(event) => {
                    match event {
                        AuthEvent::ConnectionLost { .. } => heard.lost = true,
                        AuthEvent::Authenticated { .. } => (heard.lost, heard.other) = (false, true),
                        AuthEvent::SessionFailed { reason, .. } => {
                            violations.push(format!("client {client} has failed: {reason}, at {at:?}"));
                        }
                        _ => {}
                    }
                    if format!("{event:?}").contains("secret") {
                        violations.push(format!("client {client} told its token, at {at:?}"));
                    }
                }
            }
        }
        if back.is_none_or(|back| back > REPAIRED + BOUND) {
            violations.push(format!("client {client} is not back in time, but at {back:?}"));
        }
        violations
    }

    fn clients(&self) -> usize {
        self.entries().iter().map(|(_, client, _)| client + 1).max().unwrap_or_default()
    }

    fn count(&self, matches: impl Fn(&Entry) -> bool) -> usize {
        self.entries().iter().filter(|(_, _, entry)| matches(entry)).count()
    }

    fn entries(&self) -> MutexGuard<'_, Vec<(Duration, usize, Entry)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
