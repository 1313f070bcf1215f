//! Events as `tracing` events: one each, with the fields that it has.

use alloc::string::String;

use serde_json::Value;
use tracing::{Level, enabled, event};

use super::{AuthEvent, Observer};

/// The observer that hands each event to `tracing`, under the target `realtime_auth`.
///
/// Failures are warnings, what changes a credential or a connection is information, and the rest is for debugging. The field
/// `event` has the event's name; the others have the names and units of its JSON form, and `details` has all of that.
/// No field can hold a secret.
///
/// ```
/// use std::sync::Arc;
/// use auth_core::observe::{Observers, Traced};
///
/// let mut observers = Observers::default();
/// observers.push(Arc::new(Traced)); // beside whoever else is told
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Traced;

/// One event at a level that `tracing` must know at compile time.
macro_rules! trace_at {
    ($level:expr, $observed:expr) => {
        if enabled!(target: "realtime_auth", $level) {
            let fields = serde_json::to_value($observed).unwrap_or_default();
            let number = |name: &str| fields.get(name).and_then(Value::as_u64);
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let details: String = serde_json::to_string(&fields).unwrap_or_default();
            event!(
                target: "realtime_auth",
                $level,
                event = text("event"),
                reason = text("reason"),
                step = text("step"),
                kind = text("kind"),
                token = text("token"),
                generation = number("generation"),
                connection = number("connection"),
                attempt = number("attempt"),
                failures = number("failures"),
                code = number("code"),
                retry_in_ms = number("retry_in_ms"),
                valid_for_ms = number("valid_for_ms"),
                expires_in_ms = number("expires_in_ms"),
                renews_in_ms = number("renews_in_ms"),
                details,
            );
        }
    };
}

impl Observer for Traced {
    fn observe(&self, observed: &AuthEvent) {
        match observed {
            AuthEvent::RenewalPaused { .. }
            | AuthEvent::RateLimited { .. }
            | AuthEvent::TokenRequestFailed { .. }
            | AuthEvent::TokenExpired { .. }
            | AuthEvent::ClockSetBack { .. }
            | AuthEvent::RefreshInDoubt { .. }
            | AuthEvent::RefreshTokenRefused { .. }
            | AuthEvent::StoreFailed { .. }
            | AuthEvent::TokenRejected { .. }
            | AuthEvent::RenewalFailed { .. }
            | AuthEvent::ExpiryIgnored { .. }
            | AuthEvent::ConnectionDelayed { .. }
            | AuthEvent::ConnectionLost { .. }
            | AuthEvent::SessionSuspended { .. }
            | AuthEvent::SessionFailed { .. }
            | AuthEvent::RevocationFailed { .. }
            | AuthEvent::TokenDenied { .. }
            | AuthEvent::ReplayRejected { .. }
            | AuthEvent::ClientRejected { .. } => trace_at!(Level::WARN, observed),
            AuthEvent::TokenIssued { .. }
            | AuthEvent::TokenAdopted { .. }
            | AuthEvent::ServerClockLearned { .. }
            | AuthEvent::ScopesChecked { .. }
            | AuthEvent::Authenticated { .. }
            | AuthEvent::TokenRenewed { .. }
            | AuthEvent::SessionClosed { .. }
            | AuthEvent::TokenRequestSigned { .. }
            | AuthEvent::TokenRevoked { .. }
            | AuthEvent::TokenMinted { .. }
            | AuthEvent::TokenConsumed { .. }
            | AuthEvent::ClientAuthenticated { .. }
            | AuthEvent::ClientReauthenticated { .. }
            | AuthEvent::ClientDisconnected { .. } => trace_at!(Level::INFO, observed),
            AuthEvent::RenewalStarted { .. }
            | AuthEvent::RenewalDelayed { .. }
            | AuthEvent::TokenRequested { .. }
            | AuthEvent::TokenUnused { .. }
            | AuthEvent::RefreshTokenSaved { .. }
            | AuthEvent::TokenReleased { .. }
            | AuthEvent::Connecting { .. } => trace_at!(Level::DEBUG, observed),
        }
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Debug;
    use core::time::Duration;
    use std::format;
    use std::sync::{Arc, Mutex};
    use std::vec::Vec;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;
    use crate::ErrorKind;

    /// Keeps each event as text.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<String>>>);

    struct Line(String);

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0 += &format!(" {}={value:?}", field.name());
        }
    }

    impl Subscriber for Kept {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            *metadata.level() <= Level::INFO
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &Event<'_>) {
            let mut line = Line(format!("{} {}", event.metadata().level(), event.metadata().target()));
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn an_event_becomes_one_line_with_its_reason_and_the_time_left() {
        let kept = Kept::default();
        tracing::subscriber::with_default(kept.clone(), || {
            Traced.observe(&AuthEvent::RenewalPaused {
                kind: ErrorKind::ServerFailed,
                failures: 2,
                retry_in: Duration::from_secs(2),
                valid_for: Some(Duration::from_secs(90)),
            });
            Traced.observe(&AuthEvent::TokenRequested {
                attempt: 1,
                redeems: false,
                noted: None,
                valid_for: None,
            });
        });
        let lines = kept.0.lock().unwrap();
        assert_eq!(lines.len(), 1, "the request is for debugging: {lines:?}");
        let expected = "WARN realtime_auth event=\"renewal_paused\" kind=\"server_failed\" failures=2 \
                        retry_in_ms=2000 valid_for_ms=90000 details=";
        assert!(lines[0].starts_with(expected), "{}", lines[0]);
    }
}
