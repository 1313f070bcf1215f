//! The figures that programs ask for.

use auth_core::observe::EventClass;

use super::Metrics;
use super::cells::Counter;
use crate::format::{ratio, success_rate};

/// [`Metrics`] at one moment. The first four are those of the Genesys document: attempts to authenticate a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// Attempts that were let in.
    pub success_count: u64,
    /// Attempts that were not, or could not be made for want of a token.
    pub failure_count: u64,
    /// How long those that were let in took together, in milliseconds.
    pub total_latency_ms: u64,
    /// All attempts.
    pub request_count: u64,
    /// Connections that are authenticated now, at either end.
    pub connections: u64,
    /// Connections that ended after they had been authenticated.
    pub disconnections: u64,
    /// Tokens that a token endpoint gave to this process.
    pub tokens_issued: u64,
    /// Requests for a token that failed.
    pub token_failures: u64,
    /// Tokens that this process gave to others.
    pub tokens_minted: u64,
    /// Requests of others for a token that this process refused.
    pub tokens_denied: u64,
    /// What was presented again and refused.
    pub replays_rejected: u64,
    /// Failures of the store of tokens.
    pub store_errors: u64,
    /// Records that are on the disk, with those of the log itself.
    pub records: u64,
    events: [u64; EventClass::ALL.len()],
}

impl Snapshot {
    /// How many attempts of all succeeded, in per cent; 100 before the first, since none has failed.
    #[must_use]
    pub fn success_rate(&self) -> f64 {
        success_rate(self.success_count, self.request_count)
    }

    /// How long those that were let in took on average, in milliseconds; `None` before the first.
    #[must_use]
    pub fn average_latency_ms(&self) -> Option<f64> {
        ratio(self.total_latency_ms, self.success_count)
    }

    /// How many events of this class were observed.
    #[must_use]
    pub const fn events(&self, class: EventClass) -> u64 {
        self.events[super::class(class)]
    }
}

impl Metrics {
    /// The figures of now. Each is right; together they may be of moments that lie microseconds apart.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let total = |counters: &[Counter]| counters.iter().map(Counter::read).sum::<u64>();
        let (success_count, failure_count) = (self.successes.read(), self.failures.read());
        Snapshot {
            success_count,
            failure_count,
            total_latency_ms: self.total_latency_ms.read(),
            request_count: success_count.saturating_add(failure_count),
            connections: self.client.connections() + self.server.connections(),
            disconnections: total(&self.client.closed) + total(&self.server.closed),
            tokens_issued: self.requests.tokens.read(),
            token_failures: total(&self.requests.errors),
            tokens_minted: self.grants.iter().map(|answers| answers.tokens.read()).sum(),
            tokens_denied: self.grants.iter().map(|answers| total(&answers.errors)).sum(),
            replays_rejected: total(&self.replayed),
            store_errors: total(&self.store_errors),
            records: self.records.read(),
            events: EventClass::ALL.map(|class| self.events[super::class(class)].read()),
        }
    }
}
