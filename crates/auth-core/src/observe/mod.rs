//! Who is told of what happens to a credential, and in which words.

mod class;
mod durations;
mod event;
mod failure;
mod label;
mod reason;
mod recorder;
#[cfg(feature = "tracing")]
mod traced;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

pub use self::class::EventClass;
pub use self::event::AuthEvent;
pub use self::failure::FailedRequest;
pub use self::label::Label;
pub use self::reason::{DelayReason, RenewalReason, Replayed, RevocationPath, ScopeVerdict, StoreStep};
pub use self::recorder::{Recorder, Unconfirmed, Unrecorded};
#[cfg(feature = "tracing")]
pub use self::traced::Traced;

/// Something that is told about every decision.
///
/// `observe` is called in the path of the session: it must not block, and must not panic.
pub trait Observer: Send + Sync {
    /// Takes note of one event.
    fn observe(&self, event: &AuthEvent);
}

/// The observer that listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _event: &AuthEvent) {}
}

impl<F: Fn(&AuthEvent) + Send + Sync> Observer for F {
    fn observe(&self, event: &AuthEvent) {
        self(event);
    }
}

/// Several observers as one, told in order.
#[derive(Clone, Default)]
pub struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    /// Adds one more.
    pub fn push(&mut self, observer: Arc<dyn Observer>) {
        self.0.push(observer);
    }
}

impl Observer for Observers {
    fn observe(&self, event: &AuthEvent) {
        for observer in &self.0 {
            observer.observe(event);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Observers({})", self.0.len())
    }
}
