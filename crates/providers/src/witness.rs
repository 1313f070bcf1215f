//! What watches a client: its metrics, and its audit trail, if there is one.

use std::sync::Arc;

use audit::metrics::{Metrics, Snapshot};
use audit::{Summary, Trail};

/// Kept by each client, which has its verbs by [`verbs`].
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) trail: Option<Trail>,
}

impl Witness {
    pub(crate) fn metrics(&self) -> Snapshot {
        self.metrics.snapshot()
    }

    pub(crate) fn close_audit(&self) -> Option<Summary> {
        self.trail.as_ref().map(Trail::close)
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
        /// them, and until its hooks have had their while.
        #[must_use]
        pub fn close_audit(&$self) -> Option<audit::Summary> {
            $witness.close_audit()
        }
    };
}
pub(crate) use verbs;
