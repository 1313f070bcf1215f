//! What watches a client: its metrics, and its audit trail, if there is one.

use std::sync::Arc;

use async_trait::async_trait;
use audit::metrics::{Metrics, Snapshot};
use audit::{Mode, Summary, Trail};
use auth_core::fingerprint::FingerprintKey;
use auth_core::observe::{EventClass, Observers, Recorder, Unrecorded};
use auth_core::time::Timestamp;
use auth_core::{AuthEvent, Observer, TokenSource};
use auth_http::freshness::{Freshness as _, SystemFreshness};
use auth_http::recorded::Recorded;

/// Kept by each client, which has its verbs by [`verbs`].
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) trail: Option<Trail>,
    /// Everybody else who is told.
    pub(crate) others: Observers,
}

impl Witness {
    pub(crate) fn metrics(&self) -> Snapshot {
        self.metrics.snapshot()
    }

    pub(crate) fn close_audit(&self) -> Option<Summary> {
        self.trail.as_ref().map(Trail::close)
    }

    /// The tokens of `source`, each let out once that is on record, where the log is to have them more safely than by best effort.
    pub(crate) fn recorded(&self, source: Arc<dyn TokenSource>) -> Arc<dyn TokenSource> {
        let strict = self.trail.as_ref().filter(|trail| trail.mode(EventClass::Issuing) != Mode::BestEffort);
        let Some(trail) = strict else { return source };
        let records = Records { trail: trail.clone(), others: self.others.clone() };
        let names = FingerprintKey::new(SystemFreshness.random());
        Arc::new(Recorded::new(source, Arc::new(records), names))
    }
}

/// Records in the trail, and then tells everybody else.
struct Records {
    trail: Trail,
    others: Observers,
}

impl Observer for Records {
    fn observe(&self, event: &AuthEvent) {
        self.trail.observe(event);
        self.others.observe(event);
    }
}

#[async_trait]
impl Recorder for Records {
    async fn record(&self, event: &AuthEvent) -> Result<(), Unrecorded> {
        self.trail.record(event).await?;
        self.others.observe(event);
        Ok(())
    }

    async fn record_at(&self, event: &AuthEvent, at: Timestamp) -> Result<(), Unrecorded> {
        self.trail.record_at(event, at).await?;
        self.others.observe(event);
        Ok(())
    }
}

/// The verbs of a client for its [`Witness`].
macro_rules! verbs {
    ($self:ident => $witness:expr) => {
        /// What happened so far, in numbers: attempts, successes, how long they took, tokens, connections. Counted from the moment the
        /// client was built, whether or not there is an audit.
        #[must_use]
        pub fn metrics(&$self) -> audit::metrics::Snapshot {
            $witness.metrics()
        }

        /// Writes out the audit trail and closes it, if there is one; says what became of the events. Blocks until the disk has
        /// them, and until its hooks have had their while. Where no token is let out without a record, none is from then on.
        #[must_use]
        pub fn close_audit(&$self) -> Option<audit::Summary> {
            $witness.close_audit()
        }
    };
}
pub(crate) use verbs;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use audit::deliver::Outlet;

    use super::*;

    #[tokio::test]
    async fn what_is_recorded_later_keeps_its_time_and_counts_once() {
        let times = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&times);
        let outlet = Outlet::closure("kept", move |entry| {
            if entry.event.name() == "token_revoked" {
                told.lock().unwrap().push(entry.at);
            }
        });
        let trail = Trail::builder().outlet(outlet).open().unwrap();
        let records = Records { trail: trail.clone(), others: Observers::default() };
        let event = AuthEvent::TokenRevoked { token: None, target: None, peer: None };
        let long_ago = Timestamp::from_millis(7);
        records.record(&event).await.unwrap();
        records.record_at(&event, long_ago).await.unwrap();
        let _ = trail.close();
        let times = times.lock().unwrap();
        assert!(times.len() == 2 && times[0] > long_ago && times[1] == long_ago, "{times:?}");
        assert_eq!(trail.metrics().snapshot().events(EventClass::Revoking), 1);
    }
}
