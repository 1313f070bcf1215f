//! The life of one session: which phase it was in when, and the tokens that it lived on.

use std::collections::HashMap;
use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::fingerprint::Fingerprint;
use auth_core::time::Timestamp;

use super::span::{Span, Track};

/// What a session does, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Connected,
    Renewing,
    Connecting,
    BackingOff,
    Suspended,
    Failed,
}

/// What became of a token, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    InUse,
    Renewed,
    Expired,
    Revoked,
    Rejected,
}

impl Phase {
    pub(super) const ALL: [Self; 6] =
        [Self::Connecting, Self::Connected, Self::Renewing, Self::BackingOff, Self::Suspended, Self::Failed];

    /// Its class in the page.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Renewing => "renewing",
            Self::Connecting => "connecting",
            Self::BackingOff => "backing",
            Self::Suspended => "suspended",
            Self::Failed => "failed",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Renewing => "renewing the token",
            Self::Connecting => "connecting",
            Self::BackingOff => "backing off",
            Self::Suspended => "suspended",
            Self::Failed => "failed for good",
        }
    }
}

impl Fate {
    pub(super) const ALL: [Self; 5] =
        [Self::InUse, Self::Renewed, Self::Expired, Self::Revoked, Self::Rejected];

    /// Its class in the page.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::InUse => "used",
            Self::Renewed => "renewed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Rejected => "rejected",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::InUse => "in use at the end",
            Self::Renewed => "replaced by its successor",
            Self::Expired => "expired without a successor",
            Self::Revoked => "revoked",
            Self::Rejected => "rejected by the server",
        }
    }
}

/// The life of a session.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) phases: Track<Phase>,
    pub(super) renewals: Track<Phase>,
    pub(super) tokens: Track<Fate>,
    pub(super) connections: u64,
    pub(super) lost: u64,
    phase: Option<(Phase, Timestamp, String)>,
    connection: u64,
    renewing: Option<(Timestamp, String)>,
    token: Option<Token>,
}

/// A token that is in use.
#[derive(Debug)]
struct Token {
    name: Fingerprint,
    since: Timestamp,
    lives: Duration,
}

impl Lane {
    pub(super) const fn new() -> Self {
        Self {
            phases: Track::new(),
            renewals: Track::new(),
            tokens: Track::new(),
            connections: 0,
            lost: 0,
            phase: None,
            connection: 0,
            renewing: None,
            token: None,
        }
    }

    /// Whether an event is about a client's session, and not about a server's connections or tokens.
    pub(super) const fn concerns(event: &AuthEvent) -> bool {
        !matches!(
            event,
            AuthEvent::TokenMinted { .. }
                | AuthEvent::TokenDenied { .. }
                | AuthEvent::TokenConsumed { .. }
                | AuthEvent::ReplayRejected { .. }
                | AuthEvent::ClientAuthenticated { .. }
                | AuthEvent::ClientReauthenticated { .. }
                | AuthEvent::ClientRejected { .. }
                | AuthEvent::ClientDisconnected { .. }
                | AuthEvent::TokenRequestSigned { .. }
                | AuthEvent::TokenRevoked { peer: Some(_), .. }
        )
    }

    pub(super) fn take(&mut self, at: Timestamp, event: &AuthEvent) {
        match event {
            AuthEvent::Connecting { connection, .. } => self.connects(at, *connection),
            AuthEvent::Authenticated { connection, token, session_id, latency } => {
                self.connections += 1;
                self.connection = *connection;
                let mut note = format!("connection {connection}, after {}", super::text::lasting(*latency));
                note.push_str(&named("session", session_id.as_ref()));
                note.push_str(&named("token", token.as_ref()));
                self.enters(at, Some((Phase::Connected, note)));
            }
            AuthEvent::TokenRenewed { connection, in_band: false, .. } => {
                self.connection = *connection;
                self.enters(at, Some((Phase::Connected, format!("connection {connection}, took over"))));
            }
            AuthEvent::ConnectionLost { connection, reason, retry_in, .. } => {
                self.loses(at, *connection, &reason.to_string(), *retry_in);
            }
            AuthEvent::ConnectionDelayed { reason, failures, .. } => {
                let note = format!(
                    "no token: {reason}; {} in a row",
                    super::text::counted(u64::from(*failures), "failure")
                );
                self.enters(at, Some((Phase::BackingOff, note)));
            }
            AuthEvent::SessionSuspended { failures } => {
                let note = format!("after {}", super::text::counted(u64::from(*failures), "failure"));
                self.enters(at, Some((Phase::Suspended, note)));
            }
            AuthEvent::SessionFailed { reason, .. } => {
                self.enters(at, Some((Phase::Failed, reason.to_string())));
            }
            AuthEvent::SessionClosed { .. } => self.enters(at, None),
            AuthEvent::RenewalStarted { reason, .. } => {
                let reason = serde_json::to_value(reason).ok();
                let reason =
                    reason.as_ref().and_then(|reason| reason.as_str()).unwrap_or("").replace('_', " ");
                self.renewing.get_or_insert_with(|| (at, format!("reason: {reason}")));
            }
            AuthEvent::RenewalPaused { .. } => self.renews(at),
            AuthEvent::TokenIssued { token, expires_in, .. }
            | AuthEvent::TokenAdopted { token, expires_in, .. } => {
                self.renews(at);
                self.ends_token(at, None, Fate::Renewed);
                self.token = Some(Token { name: *token, since: at, lives: *expires_in });
            }
            AuthEvent::TokenExpired { token, .. } => self.ends_token(at, Some(*token), Fate::Expired),
            AuthEvent::TokenRejected { token, .. } => self.ends_token(at, Some(*token), Fate::Rejected),
            AuthEvent::TokenRevoked { token: Some(token), .. } => {
                self.ends_token(at, Some(*token), Fate::Revoked);
            }
            _ => {}
        }
    }

    /// Ends what is still under way when the log does.
    pub(super) fn finish(&mut self, at: Timestamp) {
        self.enters(at, None);
        self.renews(at);
        if let Some(token) = &self.token {
            let end = token.since.saturating_add(token.lives);
            let (until, fate) = if end < at { (end, Fate::Expired) } else { (at, Fate::InUse) };
            self.ends_token(until, None, fate);
        }
    }

    fn connects(&mut self, at: Timestamp, connection: u64) {
        // A connection that is to take the place of a live one takes nothing from that yet.
        if !matches!(self.phase, Some((Phase::Connected, ..))) {
            self.enters(at, Some((Phase::Connecting, format!("connection {connection}"))));
        }
    }

    fn loses(&mut self, at: Timestamp, connection: u64, reason: &str, retry_in: Option<Duration>) {
        let is_live = matches!(self.phase, Some((Phase::Connected, ..)));
        if is_live && connection != self.connection {
            return;
        }
        self.lost += u64::from(is_live);
        let next = retry_in.map(|retry_in| {
            (Phase::BackingOff, format!("{reason}; again in {}", super::text::lasting(retry_in)))
        });
        self.enters(at, next);
    }

    fn enters(&mut self, at: Timestamp, next: Option<(Phase, String)>) {
        if let Some((phase, since, note)) = self.phase.take() {
            self.phases.push(Span::new(since, at, phase, note));
        }
        self.phase = next.map(|(phase, note)| (phase, at, note));
    }

    fn renews(&mut self, at: Timestamp) {
        if let Some((since, note)) = self.renewing.take() {
            self.renewals.push(Span::new(since, at, Phase::Renewing, note));
        }
    }

    fn ends_token(&mut self, at: Timestamp, named: Option<Fingerprint>, fate: Fate) {
        let ends = |token: &mut Token| named.is_none_or(|name| name == token.name);
        if let Some(token) = self.token.take_if(ends) {
            let note = format!("{}, issued for {}", token.name, super::text::lasting(token.lives));
            let expiry = token.since.saturating_add(token.lives);
            self.tokens.push(Span::new(token.since, at, fate, note).possible_until(expiry));
        }
    }
}

fn named(what: &str, value: Option<&impl std::fmt::Display>) -> String {
    value.map_or_else(String::new, |value| format!(", {what} {value}"))
}

/// The sessions of a log, by the names that the program gave them.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) lanes: Vec<(Option<String>, Lane)>,
    places: HashMap<Option<String>, usize>,
    /// Events of sessions that are not drawn, because so many came before them.
    pub(super) left_out: u64,
}

impl Lanes {
    /// The most sessions that are drawn.
    pub(super) const MOST: usize = 40;

    pub(super) fn new() -> Self {
        Self { lanes: Vec::new(), places: HashMap::new(), left_out: 0 }
    }

    pub(super) fn take(&mut self, at: Timestamp, session: Option<&str>, event: &AuthEvent) {
        let name = session.map(str::to_owned);
        let place = match self.places.get(&name) {
            Some(place) => *place,
            None if self.lanes.len() == Self::MOST => {
                self.left_out += 1;
                return;
            }
            None => {
                self.places.insert(name.clone(), self.lanes.len());
                self.lanes.push((name, Lane::new()));
                self.lanes.len() - 1
            }
        };
        self.lanes[place].1.take(at, event);
    }
}

#[cfg(test)]
mod tests {
    use auth_core::Secret;
    use auth_core::fingerprint::FingerprintKey;
    use auth_core::observe::Label;

    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn token(name: &str) -> Fingerprint {
        FingerprintKey::new([1; 32]).fingerprint(&Secret::from(name))
    }

    fn issued(name: &str, generation: u64) -> AuthEvent {
        let generation = serde_json::from_value(generation.into()).unwrap();
        let (expires_in, renews_in) = (Duration::from_secs(60), Duration::from_secs(40));
        AuthEvent::TokenIssued { token: token(name), generation, expires_in, renews_in, took: None }
    }

    fn authenticated(connection: u64) -> AuthEvent {
        AuthEvent::Authenticated {
            connection,
            token: None,
            session_id: None,
            latency: Duration::from_millis(80),
        }
    }

    fn lost(connection: u64, retry_in: Option<u64>) -> AuthEvent {
        let retry_in = retry_in.map(Duration::from_secs);
        AuthEvent::ConnectionLost {
            connection,
            reason: Label::new("gone"),
            code: None,
            lasted: None,
            retry_in,
        }
    }

    fn played(events: &[(u64, AuthEvent)], end: u64) -> Lane {
        let mut lane = Lane::new();
        for (second, event) in events {
            lane.take(at(*second), event);
        }
        lane.finish(at(end));
        lane
    }

    fn seconds<K: Copy + Ord>(track: &Track<K>) -> Vec<(u64, u64, K)> {
        let spans = track.spans().iter();
        spans.map(|span| (span.begin.as_secs(), span.end.as_secs(), span.kind)).collect()
    }

    #[test]
    fn a_session_is_in_one_phase_after_the_other() {
        let connecting = |connection| AuthEvent::Connecting { connection, failures: 0 };
        let failed =
            AuthEvent::SessionFailed { connection: None, reason: Label::new("forbidden"), code: Some(403) };
        let lane = played(
            &[
                (0, connecting(1)),
                (1, authenticated(1)),
                (10, lost(1, Some(2))),
                (12, connecting(2)),
                (13, lost(2, None)),
                (13, failed),
            ],
            20,
        );
        let expected = [
            (0, 1, Phase::Connecting),
            (1, 10, Phase::Connected),
            (10, 12, Phase::BackingOff),
            (12, 13, Phase::Connecting),
            (13, 20, Phase::Failed),
        ];
        assert_eq!(seconds(&lane.phases), expected);
        assert_eq!((lane.connections, lane.lost), (1, 1));
    }

    #[test]
    fn a_connection_that_takes_over_interrupts_nothing() {
        let renewed =
            AuthEvent::TokenRenewed { connection: 2, token: None, session_id: None, in_band: false };
        let connecting = AuthEvent::Connecting { connection: 2, failures: 0 };
        let lane = played(&[(0, authenticated(1)), (5, connecting), (6, renewed), (7, lost(1, None))], 9);
        assert_eq!(seconds(&lane.phases), [(0, 6, Phase::Connected), (6, 9, Phase::Connected)]);
    }

    #[test]
    fn a_token_ends_as_the_log_says_it_did() {
        let expired = AuthEvent::TokenExpired {
            token: token("b"),
            generation: serde_json::from_value(2.into()).unwrap(),
        };
        let lane =
            played(&[(0, issued("a", 1)), (40, issued("b", 2)), (100, expired), (101, issued("c", 3))], 120);
        let expected = [(0, 40, Fate::Renewed), (40, 100, Fate::Expired), (101, 120, Fate::InUse)];
        assert_eq!(seconds(&lane.tokens), expected);
    }

    #[test]
    fn a_token_that_outlives_nothing_ends_with_its_own_lifetime() {
        assert_eq!(seconds(&played(&[(0, issued("a", 1))], 300).tokens), [(0, 60, Fate::Expired)]);
    }

    #[test]
    fn the_sessions_that_are_drawn_are_bounded() {
        let mut lanes = Lanes::new();
        for number in 0..1_000 {
            lanes.take(at(number), Some(&number.to_string()), &authenticated(1));
        }
        assert_eq!((lanes.lanes.len(), lanes.left_out), (Lanes::MOST, 1_000 - Lanes::MOST as u64));
    }
}
