//! The life of one session: which phase it was in when, and the tokens that it lived on.

use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::fingerprint::Fingerprint;
use auth_core::observe::RenewalReason;
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
    Unknown,
    Failed,
}

/// What became of a token, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fate {
    InUse,
    Renewed,
    Left,
    Expired,
    Revoked,
    Rejected,
}

impl Phase {
    pub(super) const ALL: [Self; 7] = [
        Self::Connecting,
        Self::Connected,
        Self::Renewing,
        Self::BackingOff,
        Self::Suspended,
        Self::Unknown,
        Self::Failed,
    ];

    /// Its class in the page.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Renewing => "renewing",
            Self::Connecting => "connecting",
            Self::BackingOff => "backing",
            Self::Suspended => "suspended",
            Self::Unknown => "unknown",
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
            Self::Unknown => "ended without a word",
            Self::Failed => "failed for good",
        }
    }
}

impl Fate {
    pub(super) const ALL: [Self; 6] =
        [Self::InUse, Self::Renewed, Self::Left, Self::Expired, Self::Revoked, Self::Rejected];

    /// Its class in the page.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::InUse => "used",
            Self::Renewed => "renewed",
            Self::Left => "left",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Rejected => "rejected",
        }
    }

    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::InUse => "in use at the end",
            Self::Renewed => "replaced by its successor",
            Self::Left => "in use until its session ended",
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
    /// The highest number of a connection since the session began.
    pub(super) newest: u64,
    /// When the program was last heard of before a first token was wanted, which may have been for the session's new life.
    before_first: Option<Timestamp>,
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
            newest: 0,
            before_first: None,
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

    /// Takes note of an event; `before` is the time of the one before it, whichever session that was of.
    pub(super) fn take(&mut self, at: Timestamp, before: Timestamp, event: &AuthEvent) {
        match event {
            AuthEvent::Connecting { connection, .. } => self.connects(at, before, *connection),
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
                self.ends(at, Some((Phase::Failed, reason.to_string())));
            }
            AuthEvent::SessionClosed { .. } => self.ends(at, None),
            AuthEvent::RenewalStarted { reason, .. } => {
                if *reason == RenewalReason::First {
                    // There is no token, so whoever used one or renewed it is not there any more.
                    self.renews(before);
                    self.leaves(before, Fate::Left);
                    self.before_first.get_or_insert(before);
                }
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
        self.leaves(at, Fate::InUse);
    }

    /// The session is over: what was renewed for it is not any more, and its token serves no more.
    fn ends(&mut self, at: Timestamp, last: Option<(Phase, String)>) {
        self.enters(at, last);
        self.renews(at);
        self.leaves(at, Fate::Left);
        self.newest = 0;
        self.before_first = None;
    }

    fn connects(&mut self, at: Timestamp, before: Timestamp, connection: u64) {
        let first = self.before_first.take();
        // A session counts its connections: it begins anew where they do, and told nobody that it had ended.
        if connection == 1 && self.newest > 0 {
            self.begins_anew(at, first, before);
        }
        self.newest = self.newest.max(connection);
        // A connection that is to take the place of a live one takes nothing from that yet.
        if !matches!(self.phase, Some((Phase::Connected, ..))) {
            self.enters(at, Some((Phase::Connecting, format!("connection {connection}"))));
        }
    }

    /// The program that had the session has ended: it said so, or it is there `again`, and had said nothing.
    pub(super) fn loses_program(&mut self, ended: Timestamp, again: Option<Timestamp>) {
        // What had failed for good was over before.
        let is_live = self.phase.as_ref().is_some_and(|(phase, ..)| *phase != Phase::Failed);
        let note = "the program ended without a word, and so did the session".to_owned();
        self.ends(ended, (is_live && again.is_some()).then_some((Phase::Unknown, note)));
        if let Some(again) = again {
            self.enters(again, None);
        }
    }

    /// Ends the life of a session whose process ended without a word, when it was heard of last.
    fn begins_anew(&mut self, at: Timestamp, first: Option<Timestamp>, before: Timestamp) {
        let heard = first.unwrap_or(before);
        if self.phase.is_some() {
            let note = "the session begins anew after this, and no record tells of its end".to_owned();
            self.enters(heard, Some((Phase::Unknown, note)));
            self.enters(at, None);
        }
        // What began after that is of the new life.
        if self.renewing.as_ref().is_some_and(|(since, _)| *since < heard) {
            self.renews(heard);
        }
        if self.token.as_ref().is_some_and(|token| token.since <= heard) {
            self.leaves(heard, Fate::Left);
        }
        self.newest = 0;
    }

    /// Ends the token at the latest with its own lifetime.
    fn leaves(&mut self, at: Timestamp, fate: Fate) {
        if let Some(token) = &self.token {
            let end = token.since.saturating_add(token.lives);
            // A lifetime of zero is one that nobody said.
            let is_over = end < at && !token.lives.is_zero();
            let (until, fate) = if is_over { (end, Fate::Expired) } else { (at, fate) };
            self.ends_token(until, None, fate);
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

#[cfg(test)]
mod tests;
