//! One receiver of entries, and its bounds: what a program configures.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use auth_core::observe::Label;

use super::machine::Limits;
use super::sink::{Closure, Sink};
use crate::Entry;

/// A receiver of entries, with a queue and a thread of its own once its trail is open.
///
/// ```
/// use std::time::Duration;
///
/// use audit::deliver::Outlet;
///
/// let outlet = Outlet::closure("pager", |entry| println!("{}", entry.event.name()))
///     .queue(1_000)
///     .dead_letter("/var/lib/orders/pager-dead.jsonl");
/// # drop(outlet);
/// ```
pub struct Outlet {
    pub(super) name: Label,
    pub(super) sink: Box<dyn Sink>,
    pub(super) limits: Limits,
    pub(super) deadline: Duration,
    pub(super) dead_letter: Option<PathBuf>,
    pub(super) dead_letter_bytes: u64,
}

impl Outlet {
    /// Delivers to a sink. The name appears in counts, dead letters and the name of the thread, `audit-` and the name.
    #[must_use]
    pub fn sink(name: &str, sink: impl Sink) -> Self {
        Self {
            name: Label::new(name),
            sink: Box::new(sink),
            limits: Limits::DEFAULT,
            deadline: Duration::from_secs(10),
            dead_letter: None,
            dead_letter_bytes: 64 << 20,
        }
    }

    /// Calls a closure with one entry after the other.
    ///
    /// It may block and it may panic: an entry at which it panics is a dead letter, and while it blocks, others wait in its own queue.
    #[must_use]
    pub fn closure(name: &str, hook: impl Fn(&Entry) + Send + Sync + 'static) -> Self {
        Self::sink(name, Closure(hook))
    }

    /// Calls a closure with the text of each entry.
    pub(crate) fn text(
        name: &str,
        render: impl Fn(&Entry) -> String + Send + Sync + 'static,
        hook: impl Fn(&str) + Send + Sync + 'static,
    ) -> Self {
        Self::closure(name, move |entry| hook(&render(entry)))
    }

    /// How many entries may wait: 10,000 unless this says otherwise, at least one and at most a million. They are shared with the other outlets,
    /// so that this is the memory of as many pointers, and of entries that only this outlet still has.
    #[must_use]
    pub fn queue(mut self, entries: usize) -> Self {
        self.limits.queue = entries.clamp(1, 1_000_000);
        self
    }

    /// How many entries a call is given at most, beside the record of a hole: 400 unless this says
    /// otherwise, at least one and at most 10,000.
    #[must_use]
    pub fn batch(mut self, entries: usize) -> Self {
        self.limits.batch = entries.clamp(1, 10_000);
        self
    }

    /// How long a call may take before its entries come again: 10 s unless this says otherwise. A closure can't be cut off.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How often the same entries are tried before they are dead letters: 10 times unless this says otherwise, at least once.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.limits.attempts = attempts.max(1);
        self
    }

    /// The file for entries that the receiver never took: JSON lines with the name of the hook, the reason, the time and the entry,
    /// readable by its owner only. Without it they are dropped.
    #[must_use]
    pub fn dead_letter(mut self, path: impl Into<PathBuf>) -> Self {
        self.dead_letter = Some(path.into());
        self
    }

    /// How large that file may become: 64 MiB unless this says otherwise. What does not fit is dropped.
    #[must_use]
    pub const fn dead_letter_bytes(mut self, bytes: u64) -> Self {
        self.dead_letter_bytes = bytes;
        self
    }

    /// Pauses of another length, for tests.
    #[cfg(test)]
    pub(super) const fn backoff(mut self, backoff: auth_core::backoff::Backoff) -> Self {
        self.limits.backoff = backoff;
        self
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, sink: _, limits, deadline, dead_letter, dead_letter_bytes } = self;
        formatter
            .debug_struct("Outlet")
            .field("name", name)
            .field("limits", limits)
            .field("deadline", deadline)
            .field("dead_letter", dead_letter)
            .field("dead_letter_bytes", dead_letter_bytes)
            .finish_non_exhaustive()
    }
}
