//! Telling whoever runs the program that its log fails, and when it is well again.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

type Hook = Box<dyn Fn(&str) + Send + Sync>;

/// What is called for it.
#[derive(Default)]
pub(super) struct FaultHook(pub(super) Option<Hook>);

impl FaultHook {
    pub(super) fn tell(&self, text: &str) {
        // It is of the caller's making, and must not take the writer with it.
        if let Self(Some(hook)) = self
            && catch_unwind(AssertUnwindSafe(|| hook(text))).is_err()
        {
            tracing::warn!("what is told of the audit log's faults panicked");
        }
    }
}

impl fmt::Debug for FaultHook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FaultHook")
    }
}
