//! What a session tells of itself, as lines: for scripts, for a person at a terminal, or for a log.

use std::time::Duration;

use auth_core::AuthEvent;
use auth_core::time::Timestamp;

use super::lines::Line;
use super::words::{Mark, Style, during, no_token, numbered};
use crate::clock;

/// Follows a session by its events.
pub(super) struct Story {
    json: bool,
    style: Style,
    state: &'static str,
    reason: String,
    attempt: u32,
    retry_at: Option<Timestamp>,
    /// The number of the live connection.
    live: Option<u64>,
    was_connected: bool,
    reconnects: u32,
}

/// What is to be written of an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// To standard output.
    Line(String),
    /// To standard error.
    Note(String),
}

impl Story {
    pub(super) const fn new(json: bool, style: Style) -> Self {
        Self {
            json,
            style,
            state: "initialized",
            reason: String::new(),
            attempt: 1,
            retry_at: None,
            live: None,
            was_connected: false,
            reconnects: 0,
        }
    }

    pub(super) const fn state(&self) -> &'static str {
        self.state
    }

    /// Whether it was ever authenticated.
    pub(super) const fn was_connected(&self) -> bool {
        self.was_connected
    }

    /// How often it came back.
    pub(super) const fn reconnects(&self) -> u32 {
        self.reconnects
    }

    /// The attempt that is under way, from 1.
    pub(super) const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Why there is no connection, if there was one or an attempt at one.
    pub(super) fn reason(&self) -> Option<&str> {
        Some(self.reason.as_str()).filter(|reason| !reason.is_empty())
    }

    /// How long it still waits before the next attempt.
    pub(super) fn retry_in(&self) -> Option<Duration> {
        Some(self.retry_at?.saturating_since(clock::now().wall))
    }

    /// The session begins.
    pub(super) fn begins(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        self.enter("connecting", &mut told);
        told
    }

    /// Somebody wants it to end.
    pub(super) fn closes(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        if self.state != "closing" {
            self.enter("closing", &mut told);
        }
        told
    }

    /// It ends by itself, and why.
    pub(super) fn fails(&mut self, kind: &str, code: Option<u32>, message: &str) -> Vec<Told> {
        let mut told = Vec::new();
        self.retry_at = None;
        if self.state != "failed" {
            self.reason = message.to_owned();
            self.state_line("failed", None, None, &mut told);
        }
        // The exit says it to whoever does not read JSON.
        self.line(&Line::Failed { kind, code, message }, &mut told);
        told
    }

    /// What an event means to whoever watches.
    pub(super) fn event(&mut self, event: &AuthEvent) -> Vec<Told> {
        let mut told = Vec::new();
        match event {
            AuthEvent::Connecting { failures, .. } => self.connecting(failures.saturating_add(1), &mut told),
            AuthEvent::Authenticated { connection, session_id, latency, .. } => {
                let session_id = session_id.as_ref().map(auth_core::observe::Label::as_str);
                if self.live.replace(*connection).is_none() {
                    self.connected(session_id, &mut told);
                }
                let latency = Some(*latency);
                self.line(&Line::Authenticated { session_id, connection: *connection, latency }, &mut told);
            }
            AuthEvent::TokenRenewed { in_band, .. } => {
                self.line(&Line::Renewed { in_band: *in_band }, &mut told);
                let how = if *in_band { "over the live connection" } else { "by a new connection" };
                self.note(Mark::Good, &format!("the token was renewed {how}"), &mut told);
            }
            AuthEvent::RenewalFailed { reason, retry_in, .. } => {
                self.renewal_failed(reason.as_str(), *retry_in, &mut told);
            }
            AuthEvent::ConnectionDelayed { reason, failures, retry_in } => {
                self.attempt = failures.saturating_add(1);
                self.waits(reason.as_str(), None, *retry_in, &mut told);
            }
            AuthEvent::ConnectionLost { connection, reason, code, retry_in, .. } => {
                if self.live.is_some_and(|live| live != *connection) {
                    self.renewal_failed(reason.as_str(), *retry_in, &mut told);
                    return told;
                }
                self.lost(reason.as_str(), *code, *retry_in, &mut told);
            }
            AuthEvent::SessionSuspended { failures } => {
                self.attempt = failures.saturating_add(1);
                let attempt = Some(self.attempt);
                self.state_line("suspended", None, attempt, &mut told);
                self.note(
                    Mark::Setback,
                    "no connection for so long that the server will have forgotten the session",
                    &mut told,
                );
            }
            AuthEvent::SessionFailed { reason, code, .. } => {
                self.retry_at = None;
                self.reason = reason.as_str().to_owned();
                self.state_line("failed", *code, None, &mut told);
            }
            AuthEvent::SessionClosed { .. } => {
                if self.live.take().is_some() {
                    self.line(&Line::Closed { code: Some(NORMAL), reason: "closed by us" }, &mut told);
                }
                self.enter("closed", &mut told);
            }
            AuthEvent::RateLimited { retry_in: Some(wait), .. } => {
                let text = format!("the token endpoint asks us to slow down; again in {}", during(*wait));
                self.note(Mark::Setback, &text, &mut told);
            }
            AuthEvent::TokenRequestFailed { kind, retry_in: Some(wait), .. } => {
                let text = format!("no token yet: {}; again in {}", no_token(*kind), during(*wait));
                self.note(Mark::Setback, &text, &mut told);
            }
            _ => {}
        }
        told
    }

    fn connecting(&mut self, attempt: u32, told: &mut Vec<Told>) {
        // A connection that is made before the old one is closed changes nothing yet.
        if self.live.is_some() {
            return;
        }
        let is_new = self.state != "connecting" || self.attempt != attempt;
        self.attempt = attempt;
        self.retry_at = None;
        if is_new {
            self.enter("connecting", told);
        }
    }

    fn connected(&mut self, session_id: Option<&str>, told: &mut Vec<Told>) {
        if std::mem::replace(&mut self.was_connected, true) {
            self.reconnects = self.reconnects.saturating_add(1);
        }
        self.reason.clear();
        self.enter("connected", told);
        let named = session_id.map(|id| format!(", session {id}")).unwrap_or_default();
        let again = if self.reconnects > 0 { " again" } else { "" };
        self.note(Mark::Good, &format!("connected{again}{named}"), told);
    }

    fn lost(&mut self, reason: &str, code: Option<u16>, retry_in: Option<Duration>, told: &mut Vec<Told>) {
        let was_live = self.live.take().is_some();
        // Below a thousand it is the status of a refused upgrade.
        if was_live || code.is_some_and(|code| code >= NORMAL) {
            self.line(&Line::Closed { code, reason }, told);
        }
        match retry_in {
            Some(wait) => self.waits(reason, code, wait, told),
            None => self.reason = reason.to_owned(),
        }
    }

    fn waits(&mut self, reason: &str, code: Option<u16>, wait: Duration, told: &mut Vec<Told>) {
        self.reason = code.map_or_else(|| reason.to_owned(), |code| format!("{reason} ({})", numbered(code)));
        self.retry_at = Some(clock::now().wall.saturating_add(wait));
        self.state = "disconnected";
        let line = Line::State {
            state: self.state,
            reason: Some(reason),
            code,
            attempt: Some(self.attempt),
            retry_in: Some(wait),
        };
        self.line(&line, told);
        let text = format!("{}; again in {}", self.reason, during(wait));
        self.note(Mark::Setback, &text, told);
    }

    fn renewal_failed(&self, reason: &str, retry_in: Option<Duration>, told: &mut Vec<Told>) {
        self.line(&Line::RenewalFailed { reason, retry_in }, told);
        let again = retry_in
            .map_or_else(|| "no further attempt".to_owned(), |wait| format!("again in {}", during(wait)));
        self.note(Mark::Setback, &format!("the token was not renewed: {reason}; {again}"), told);
    }

    fn enter(&mut self, state: &'static str, told: &mut Vec<Told>) {
        let attempt = (state == "connecting").then_some(self.attempt);
        self.retry_at = None;
        self.state = state;
        let line = Line::State { state, reason: None, code: None, attempt, retry_in: None };
        self.line(&line, told);
    }

    /// A state that has a reason.
    fn state_line(
        &mut self,
        state: &'static str,
        code: Option<u16>,
        attempt: Option<u32>,
        told: &mut Vec<Told>,
    ) {
        self.state = state;
        let retry_in = self.retry_in();
        let line = Line::State { state, reason: self.reason(), code, attempt, retry_in };
        let line = self.json.then(|| Told::Line(line.render()));
        told.extend(line);
    }

    fn line(&self, line: &Line<'_>, told: &mut Vec<Told>) {
        if self.json {
            told.push(Told::Line(line.render()));
        }
    }

    fn note(&self, mark: Mark, text: &str, told: &mut Vec<Told>) {
        if !self.json {
            told.push(Told::Note(self.style.note(mark, text)));
        }
    }
}

/// The code of a close that is meant so (RFC 6455 §7.4.1).
const NORMAL: u16 = 1_000;
