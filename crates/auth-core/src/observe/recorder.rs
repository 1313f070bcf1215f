//! An observer that can be waited for: what must not happen unless it is on record.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;

use async_trait::async_trait;

use super::{AuthEvent, Observer, Unobserved};
use crate::time::Timestamp;

/// An observer that says when an event is on record.
///
/// How safely depends on the event's [class](super::EventClass) and on the recorder. `Ok` means that whoever asks may go on;
/// [`Unrecorded`] means that what the event tells of must not happen: no record, no token. A server answers 503 then.
#[async_trait]
pub trait Recorder: Observer {
    /// Records `event`, and returns when it is as safe as its class asks for.
    ///
    /// # Errors
    ///
    /// [`Unrecorded`] where the event's class is strict, and it could not be recorded.
    async fn record(&self, event: &AuthEvent) -> Result<(), Unrecorded>;

    /// Records `event` as [`record`](Self::record) does, as of `at`, when it happened: for one that [`record`](Self::record) was
    /// asked for before, and could not record. What counts events has counted it then. An event that stands for many is of the
    /// first of them.
    ///
    /// A recorder that does not say otherwise gives it the time of the call, by [`record`](Self::record). One that hands events
    /// on to another recorder must hand this on too: else the other one has the wrong time, and counts the event twice.
    ///
    /// # Errors
    ///
    /// As those of [`record`](Self::record).
    async fn record_at(&self, event: &AuthEvent, at: Timestamp) -> Result<(), Unrecorded> {
        let _ = at;
        self.record(event).await
    }
}

/// Nothing is recorded, and nothing waits for it.
#[async_trait]
impl Recorder for Unobserved {
    async fn record(&self, _event: &AuthEvent) -> Result<(), Unrecorded> {
        Ok(())
    }
}

/// Any observer as a recorder: it is told of every event, and nothing ever waits for it or fails.
///
/// ```
/// use auth_core::observe::{AuthEvent, Recorder, Unconfirmed};
///
/// let told = Unconfirmed(|event: &AuthEvent| println!("{}", event.name()));
/// let recorder: &dyn Recorder = &told;
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it is nothing but a name for the observer in it")]
pub struct Unconfirmed<O>(pub O);

impl<O: Observer> Observer for Unconfirmed<O> {
    fn observe(&self, event: &AuthEvent) {
        self.0.observe(event);
    }
}

#[async_trait]
impl<O: Observer> Recorder for Unconfirmed<O> {
    async fn record(&self, event: &AuthEvent) -> Result<(), Unrecorded> {
        self.0.observe(event);
        Ok(())
    }
}

/// An event that had to be recorded, and was not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded(Cow<'static, str>);

impl Unrecorded {
    /// Says why: a lowercase fragment that says what to do next, without any secret.
    #[must_use]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl fmt::Display for Unrecorded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the audit log can't record this: {}", self.0)
    }
}

impl core::error::Error for Unrecorded {}
