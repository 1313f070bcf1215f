//! Metrics of authentication and of the trail itself, counted from the events.
//!
//! [`Metrics`] counts in atomics: observing neither waits nor allocates. Labels have closed sets of values, so that no client
//! can make a time series. [`Metrics::snapshot`] has the figures that programs ask for; `prometheus` (feature `prometheus`) and
//! `opentelemetry` (feature `opentelemetry`) have all of them:
//!
//! | Metric | Type | Labels |
//! | --- | --- | --- |
//! | `rtauth_events_total` | counter | `class` |
//! | `rtauth_token_requests_total` | counter | `end`, `grant`, `outcome`, `error_type` |
//! | `rtauth_token_request_duration_seconds` | histogram | `outcome` |
//! | `rtauth_replay_rejected_total` | counter | `kind` |
//! | `rtauth_store_errors_total` | counter | `op` |
//! | `rtauth_store_duration_seconds` | histogram | `op` |
//! | `rtauth_ws_handshakes_total` | counter | `end`, `outcome` |
//! | `rtauth_ws_handshake_duration_seconds` | histogram | `end`, `outcome` |
//! | `rtauth_ws_connections` | gauge | `end`, `state` |
//! | `rtauth_ws_closed_total` | counter | `end`, `code` |
//! | `rtauth_ws_connection_duration_seconds` | histogram | `end` |
//! | `rtauth_revocation_propagation_seconds` | histogram | `path` |
//! | `rtauth_audit_records_total` | counter | |
//! | `rtauth_audit_sync_duration_seconds` | histogram | |
//! | `rtauth_audit_batch_records` | histogram | |
//! | `rtauth_audit_events_dropped_total` | counter | `reason` |
//! | `rtauth_audit_queue_records` | gauge | |
//! | `rtauth_audit_hook_dropped_total` | counter | `hook` |
//! | `rtauth_audit_hook_retries_total` | counter | `hook` |
//! | `rtauth_audit_hook_dead_letter_total` | counter | `hook` |
//! | `rtauth_audit_hook_queue_records` | gauge | `hook` |
//!
//! `end` is `client` for what this process does as a client, `server` for what it lets others do; only a server knows the `grant`, and
//! only failures have an `error_type`. A refusal that stands for a flood of them counts as all of these, but is one event: how long it
//! took is counted once.
//!
//! # How long a store took
//!
//! What a store is asked counts where an event tells of its end: each failure, and of what succeeds `load` where it brought a token
//! of another process, `save_intent` where a refresh token was about to be sent, `save_token` where one is safe, and, at a server,
//! `consume`: the whole verdict on a token that serves once and was accepted. So `lock` and `clear_intent` have failures only.
//!
//! # How long a revocation took
//!
//! From the moment at which a server took it to that at which it closed the connection, or dropped it because its client reads
//! nothing: with the time that it gave the client for another token, 10 s or 30 s, in dialects in which it asks for one. `path` is `local`
//! where the revocation was made at the server itself; a server that learns of it from others says how, by
//! [`RevocationPath`](auth_core::observe::RevocationPath).
//!
//! No event tells how long a server took for a token, how a client's credential travelled, how long a client tried in vain to be let
//! in, or how many connections are not authenticated yet or are closing: there is no metric of these.

mod cells;
#[cfg_attr(
    not(any(feature = "prometheus", feature = "opentelemetry")),
    expect(dead_code, reason = "families are read by exporters")
)]
mod family;
mod labels;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
#[cfg(feature = "prometheus")]
mod prometheus;
mod snapshot;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use auth_core::observe::EventClass;
use auth_core::{AuthEvent, ErrorKind, Observer};

use self::cells::{Counter, Histogram, Scale};
use self::labels::{CODES, ERRORS, GRANTS, OPS, PATHS, REPLAYED, STEPS};
pub use self::snapshot::Snapshot;
use crate::deliver::Hook;
use crate::format::Attempt;
use crate::trail::Accounts;

/// What happened so far, in figures: an [`Observer`] that counts.
///
/// ```
/// use std::time::Duration;
///
/// use audit::metrics::Metrics;
/// use auth_core::{AuthEvent, Observer};
///
/// let metrics = Metrics::new();
/// let latency = Duration::from_millis(120);
/// metrics.observe(&AuthEvent::Authenticated { connection: 1, token: None, session_id: None, latency });
/// let snapshot = metrics.snapshot();
/// assert_eq!((snapshot.request_count, snapshot.success_count, snapshot.total_latency_ms), (1, 1, 120));
/// assert_eq!((snapshot.connections, snapshot.success_rate()), (1, 100.0));
/// ```
pub struct Metrics {
    events: [Counter; EventClass::ALL.len()],
    client: End,
    server: End,
    /// Answers of a token endpoint, as its client sees them.
    requests: Answers,
    /// How long those that brought a token took, and those that did not.
    issued_after: Histogram,
    failed_after: Histogram,
    /// Answers of this process to clients, by grant.
    grants: [Answers; GRANTS.len()],
    successes: Counter,
    failures: Counter,
    total_latency_ms: Counter,
    replayed: [Counter; REPLAYED.len()],
    store_errors: [Counter; STEPS.len()],
    store_took: [Histogram; OPS.len()],
    /// How long revocations took to end their connections.
    revoked_after: [Histogram; PATHS.len()],
    records: Counter,
    syncs: Histogram,
    batches: Histogram,
    /// Locked when a hook is added or read, and never where events are observed.
    hooks: Mutex<Vec<Arc<Hook>>>,
    /// The accounts of the trail that counts here.
    trail: OnceLock<Arc<Accounts>>,
}

/// Answers to requests for tokens.
struct Answers {
    tokens: Counter,
    errors: [Counter; ERRORS.len()],
}

/// Connections, as one end of them sees them.
struct End {
    /// Attempts that were let in.
    authenticated: Counter,
    rejected: Counter,
    let_in_after: Histogram,
    rejected_after: Histogram,
    closed: [Counter; CODES.len()],
    lasted: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            events: [const { Counter::new() }; EventClass::ALL.len()],
            client: End::new(),
            server: End::new(),
            requests: Answers::new(),
            issued_after: Histogram::new(&Scale::REQUEST),
            failed_after: Histogram::new(&Scale::REQUEST),
            grants: [const { Answers::new() }; GRANTS.len()],
            successes: Counter::new(),
            failures: Counter::new(),
            total_latency_ms: Counter::new(),
            replayed: [const { Counter::new() }; REPLAYED.len()],
            store_errors: [const { Counter::new() }; STEPS.len()],
            store_took: [const { Histogram::new(&Scale::STORE) }; OPS.len()],
            revoked_after: [const { Histogram::new(&Scale::REVOCATION) }; PATHS.len()],
            records: Counter::new(),
            syncs: Histogram::new(&Scale::SYNC),
            batches: Histogram::new(&Scale::BATCH),
            hooks: Mutex::new(Vec::new()),
            trail: OnceLock::new(),
        }
    }

    /// So many records are on the disk since now, after a sync that took so long.
    pub(crate) fn batch_written(&self, records: u64, sync: Duration) {
        self.records.add(records);
        self.batches.record(records);
        self.syncs.took(sync);
    }

    /// Shows the accounts of the trail that counts here.
    pub(crate) fn trail(&self, accounts: Arc<Accounts>) {
        // A trail has metrics of its own: there are none before.
        let _ = self.trail.set(accounts);
    }

    /// Shows the counts of one more hook. Hooks of the same name are shown as one.
    pub(crate) fn hook(&self, hook: Arc<Hook>) {
        self.hooks().push(hook);
    }

    fn hooks(&self) -> MutexGuard<'_, Vec<Arc<Hook>>> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant(&self, name: &str) -> Option<&Answers> {
        self.grants.get(labels::grant(name))
    }
}

impl Observer for Metrics {
    fn observe(&self, event: &AuthEvent) {
        add(&self.events, class(event.class()), 1);
        if let Some(Attempt { succeeded, latency_ms, times }) = Attempt::ended_by(event) {
            if succeeded { &self.successes } else { &self.failures }.add(times);
            self.total_latency_ms.add(latency_ms.unwrap_or_default());
        }
        if let Some((op, took)) = labels::asked_of_store(event) {
            self.store_took.get(op).iter().for_each(|op| op.took(took));
        }
        match event {
            AuthEvent::TokenIssued { took, .. } => {
                self.requests.token();
                took.iter().for_each(|took| self.issued_after.took(*took));
            }
            AuthEvent::TokenRequestFailed { kind, took, .. } => {
                self.requests.error(labels::error(*kind), 1);
                took.iter().for_each(|took| self.failed_after.took(*took));
            }
            AuthEvent::RateLimited { took, .. } => {
                self.requests.error(labels::error(ErrorKind::RateLimited), 1);
                took.iter().for_each(|took| self.failed_after.took(*took));
            }
            AuthEvent::TokenMinted { grant, .. } => {
                self.grant(grant.as_str()).iter().for_each(|answers| answers.token());
            }
            AuthEvent::TokenDenied { grant, reason, repeated, .. } => {
                let error = labels::place(&ERRORS, reason.as_str());
                self.grant(grant.as_str()).iter().for_each(|answers| answers.error(error, times(*repeated)));
            }
            AuthEvent::Authenticated { latency, .. } => self.client.let_in(*latency),
            AuthEvent::ClientAuthenticated { latency, .. } => self.server.let_in(*latency),
            AuthEvent::ConnectionLost { lasted: None, .. } => self.client.rejected.add(1),
            AuthEvent::ClientRejected { repeated, latency, .. } => {
                self.server.rejected.add(times(*repeated));
                latency.iter().for_each(|latency| self.server.rejected_after.took(*latency));
            }
            AuthEvent::ConnectionLost { lasted: Some(lasted), code, .. } => {
                self.client.closed(*code, Some(*lasted));
            }
            AuthEvent::SessionClosed { lasted: Some(lasted) } => self.client.closed(None, Some(*lasted)),
            // The connection that it took the place of ended, and no event says how long that had been.
            AuthEvent::TokenRenewed { in_band: false, .. } => self.client.closed(None, None),
            AuthEvent::ClientDisconnected { code, lasted, revoked_for, revoked_via, .. } => {
                self.server.closed(*code, Some(*lasted));
                let path = self.revoked_after.get(labels::path(*revoked_via));
                path.zip(*revoked_for).iter().for_each(|(path, after)| path.took(*after));
            }
            AuthEvent::ReplayRejected { replayed, repeated, .. } => {
                add(&self.replayed, labels::replayed(*replayed), times(*repeated));
            }
            AuthEvent::StoreFailed { step, .. } => add(&self.store_errors, labels::step(*step), 1),
            _ => {}
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot().fmt(formatter)
    }
}

impl Answers {
    const fn new() -> Self {
        Self { tokens: Counter::new(), errors: [const { Counter::new() }; ERRORS.len()] }
    }

    fn token(&self) {
        self.tokens.add(1);
    }

    fn error(&self, error: usize, count: u64) {
        add(&self.errors, error, count);
    }
}

impl End {
    const fn new() -> Self {
        Self {
            authenticated: Counter::new(),
            rejected: Counter::new(),
            let_in_after: Histogram::new(&Scale::REQUEST),
            rejected_after: Histogram::new(&Scale::REQUEST),
            closed: [const { Counter::new() }; CODES.len()],
            lasted: Histogram::new(&Scale::CONNECTION),
        }
    }

    fn let_in(&self, latency: Duration) {
        self.authenticated.add(1);
        self.let_in_after.took(latency);
    }

    fn closed(&self, code: Option<u16>, lasted: Option<Duration>) {
        add(&self.closed, labels::code(code), 1);
        lasted.iter().for_each(|lasted| self.lasted.took(*lasted));
    }

    /// How many connections are authenticated.
    fn connections(&self) -> u64 {
        // The ends are read first: what ends between must not be taken from what had not begun.
        let ended: u64 = self.closed.iter().map(Counter::read).sum();
        self.authenticated.read().saturating_sub(ended)
    }
}

/// How many refusals an event stands for: itself, and the flood that it sums up.
const fn times(repeated: u64) -> u64 {
    repeated.saturating_add(1)
}

/// Where a class stands in [`EventClass::ALL`].
const fn class(class: EventClass) -> usize {
    match class {
        EventClass::Issuing => 0,
        EventClass::Consuming => 1,
        EventClass::Revoking => 2,
        EventClass::Deciding => 3,
        EventClass::Progress => 4,
    }
}

fn add(counters: &[Counter], place: usize, count: u64) {
    if let Some(counter) = counters.get(place) {
        counter.add(count);
    }
}

#[cfg(test)]
mod tests;
