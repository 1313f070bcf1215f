//! Whether an event is good news, and as which failure it counts.

use audit::format::Weight;
use audit::{Event, TrailEvent};
use auth_core::AuthEvent;
use auth_core::observe::ScopeVerdict;
use serde::Serialize;

/// What sort of news an event is, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::audit_command) enum Tone {
    /// Something went well.
    Good,
    /// Something is under way.
    Neutral,
    /// Something went wrong.
    Warning,
    /// Somebody should look at it now.
    Bad,
}

impl Tone {
    pub(super) const ALL: [Self; 4] = [Self::Good, Self::Neutral, Self::Warning, Self::Bad];

    /// Its class in the page.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Neutral => "neutral",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }

    /// What the legend calls it.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Good => "went well",
            Self::Neutral => "under way",
            Self::Warning => "went wrong",
            Self::Bad => "alarm",
        }
    }

    /// What every other receiver of events is told too, in fewer steps.
    pub(in crate::audit_command) const fn of(event: &Event) -> Self {
        match Weight::of(event) {
            Weight::Routine => Self::Neutral,
            Weight::Normal | Weight::Notable => Self::Good,
            Weight::Warning => Self::Warning,
            Weight::Alarm => Self::Bad,
        }
    }
}

/// How many times what an event tells of happened: a flood is summed up in one record.
pub(super) const fn times(event: &Event) -> u64 {
    match event {
        Event::Auth(
            AuthEvent::TokenDenied { repeated, .. }
            | AuthEvent::TokenConsumed { repeated, .. }
            | AuthEvent::ReplayRejected { repeated, .. }
            | AuthEvent::ClientRejected { repeated, .. },
        ) => repeated.saturating_add(1),
        _ => 1,
    }
}

/// What failed and why, where the event tells of a failure and not of what follows from one.
pub(super) fn failure(event: &Event) -> Option<(&'static str, String)> {
    let told = match event {
        Event::Trail(TrailEvent::RecordsDropped { reason, .. }) => ("records dropped", word(reason)),
        Event::Trail(TrailEvent::LogFault { step, .. }) => ("log fault", word(step)),
        Event::Trail(_) => return None,
        Event::Auth(event) => match event {
            AuthEvent::TokenRequestFailed { kind, code, .. } => {
                ("token request failed", with_code(word(kind), code.map(u64::from)))
            }
            AuthEvent::RateLimited { .. } => ("token request failed", "rate limited".to_owned()),
            AuthEvent::RefreshInDoubt { kind, .. } => ("refresh token in doubt", word(kind)),
            AuthEvent::RefreshTokenRefused { .. } => ("refresh token refused", String::new()),
            AuthEvent::StoreFailed { step, kind, .. } => {
                ("token store failed", format!("{}: {}", word(step), word(kind)))
            }
            AuthEvent::TokenExpired { .. } => ("token expired", "before there was another".to_owned()),
            AuthEvent::TokenRejected { .. } => ("token rejected", "by the server".to_owned()),
            AuthEvent::ScopesChecked { verdict, missing, .. } if *verdict != ScopeVerdict::Allowed => {
                ("scope missing", missing.iter().next().map(str::to_owned).unwrap_or_default())
            }
            AuthEvent::RenewalFailed { reason, .. } => ("renewal failed", reason.to_string()),
            AuthEvent::ConnectionLost { reason, code, .. } => {
                ("connection lost", with_code(reason.to_string(), code.map(u64::from)))
            }
            AuthEvent::SessionFailed { reason, code, .. } => {
                ("session failed", with_code(reason.to_string(), code.map(u64::from)))
            }
            AuthEvent::RevocationFailed { kind, code, .. } => {
                ("revocation failed", with_code(word(kind), code.map(u64::from)))
            }
            AuthEvent::TokenDenied { reason, .. } => ("token denied", reason.to_string()),
            AuthEvent::ReplayRejected { replayed, .. } => ("replay rejected", word(replayed)),
            AuthEvent::ClientRejected { reason, code, .. } => {
                ("client rejected", with_code(reason.to_string(), code.map(u64::from)))
            }
            _ => return None,
        },
    };
    Some(told)
}

/// A word of a closed list, as it is serialized, with spaces.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value);
    value.as_ref().ok().and_then(|value| value.as_str()).unwrap_or("other").replace('_', " ")
}

fn with_code(text: String, code: Option<u64>) -> String {
    match code {
        Some(code) if !text.contains(&code.to_string()) => format!("{text} ({code})"),
        _ => text,
    }
}
