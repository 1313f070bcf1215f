//! What takes entries: the trait of sinks, why one does not take them, and closures as sinks.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::Entry;

/// Takes batches of entries, one call at a time, on the thread of its [`Outlet`](super::Outlet), inside a tokio runtime of
/// that thread.
///
/// ```
/// use std::sync::Arc;
///
/// use audit::Entry;
/// use audit::deliver::{Outlet, Sink, SinkError};
///
/// struct Printed;
///
/// #[async_trait::async_trait]
/// impl Sink for Printed {
///     async fn deliver(&self, batch: &[Arc<Entry>]) -> Result<(), SinkError> {
///         for entry in batch {
///             println!("{} {}", entry.sequence, entry.event.name());
///         }
///         Ok(())
///     }
/// }
///
/// let outlet = Outlet::sink("printed", Printed).queue(1_000).batch(100);
/// # drop(outlet);
/// ```
#[async_trait]
pub trait Sink: Send + Sync + 'static {
    /// Takes these entries. `Ok` says that the receiver has them all: they are never delivered again.
    ///
    /// The call is dropped when its deadline has passed, and its entries come again. A panic counts as a refusal.
    ///
    /// # Errors
    ///
    /// [`SinkError`] says what is to become of them.
    async fn deliver(&self, batch: &[Arc<Entry>]) -> Result<(), SinkError>;

    /// How long a call may take, where the outlet was told this. `None` is for a sink that must not be interrupted: then only
    /// closing ends a call.
    fn deadline(&self, outlet: Duration) -> Option<Duration> {
        Some(outlet)
    }

    /// How many of the first entries of a call that was cut off are delivered all the same. The others come again.
    fn interrupted_after(&self) -> usize {
        0
    }

    /// Says goodbye to the receiver: after the last call, when the trail is closed. Given a second.
    async fn close(&self) {}
}

/// Why a sink did not take a batch, and what is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinkError {
    pub(super) verdict: Verdict,
    pub(super) delivered: usize,
    /// Whether it is about the first that was not delivered, and about no other.
    pub(super) one: bool,
}

/// What is to become of entries that were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Retry(Option<Duration>),
    Refused,
    Denied,
    Panicked,
}

impl SinkError {
    const fn new(verdict: Verdict) -> Self {
        Self { verdict, delivered: 0, one: false }
    }

    /// The receiver can't be reached, or has too much to do: the same again after a pause.
    #[must_use]
    pub const fn retry() -> Self {
        Self::new(Verdict::Retry(None))
    }

    /// The same, and the receiver named the shortest pause.
    #[must_use]
    pub const fn retry_after(pause: Duration) -> Self {
        Self::new(Verdict::Retry(Some(pause)))
    }

    /// The receiver does not take these entries, or one of them: whoever sends fewer finds out which.
    #[must_use]
    pub const fn refused() -> Self {
        Self::new(Verdict::Refused)
    }

    /// The receiver does not take the entry at this index. Those before it were delivered; those after it come again.
    #[must_use]
    pub const fn refused_at(index: usize) -> Self {
        Self { verdict: Verdict::Refused, delivered: index, one: true }
    }

    /// The receiver takes nothing from us, whatever it is: a wrong token, a wrong address. All of the batch are dead letters.
    #[must_use]
    pub const fn denied() -> Self {
        Self::new(Verdict::Denied)
    }

    pub(super) const fn panicked() -> Self {
        Self::new(Verdict::Panicked)
    }

    pub(super) const fn panicked_at(index: usize) -> Self {
        Self { verdict: Verdict::Panicked, delivered: index, one: true }
    }

    /// That the first so many of the batch were delivered: this is about the others.
    #[must_use]
    pub const fn after_first(self, delivered: usize) -> Self {
        Self { delivered, ..self }
    }
}

impl fmt::Display for SinkError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.verdict {
            Verdict::Retry(_) => "the receiver does not take entries now; they are kept for it",
            Verdict::Refused => "the receiver does not take these entries; look at the dead letters",
            Verdict::Denied => "the receiver takes nothing from us; check its address and our credential",
            Verdict::Panicked => "the hook panicked; correct it",
        })
    }
}

impl std::error::Error for SinkError {}

/// A closure that is given one entry after the other. One at which it panics is a dead letter.
pub(super) struct Closure<F>(pub(super) F);

#[async_trait]
impl<F: Fn(&Entry) + Send + Sync + 'static> Sink for Closure<F> {
    async fn deliver(&self, batch: &[Arc<Entry>]) -> Result<(), SinkError> {
        for (taken, entry) in batch.iter().enumerate() {
            catch_unwind(AssertUnwindSafe(|| (self.0)(entry))).map_err(|_| SinkError::panicked_at(taken))?;
        }
        Ok(())
    }
}
