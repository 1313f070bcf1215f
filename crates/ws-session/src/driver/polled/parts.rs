//! What an engine is made of, and who is told of what it does.

use std::sync::Arc;

use auth_core::{Observer, TokenSource};
use http::HeaderMap;

use super::runtime::Runtime;
use crate::dialect::Dialect;
use crate::driver::budget::ConnectBudget;
use crate::driver::events::SessionEvent;
use crate::driver::{Message, Target, Unsent};
use crate::machine::{self, Epoch};
use crate::outbox::{Outbox, Overflow};

/// Whoever is to hear what became of each message.
pub(in crate::driver) trait Ledger {
    /// A message, and what it takes to tell its sender.
    type Parcel;

    fn message(parcel: &Self::Parcel) -> &Message;

    /// It is with the operating system, together with others.
    fn sent(&mut self, parcel: Self::Parcel);

    /// Those were all.
    fn all_sent(&mut self) {}

    /// It was not sent, or may not have been.
    fn returned(&mut self, parcel: Self::Parcel, reason: Unsent);

    /// Whether anybody still wants it sent.
    #[cfg(feature = "tokio")]
    fn is_wanted(&mut self, _parcel: &Self::Parcel) -> bool {
        true
    }

    /// It is about to be given to this connection. False when nobody wants it sent any more.
    fn hand_over(&mut self, _parcel: &Self::Parcel, _epoch: Epoch) -> bool {
        true
    }

    /// A message has been read: gives back what is the reader's, and not a reply to whoever waits for it.
    fn take_replies(&mut self, _dialect: &Dialect, message: Message) -> Option<Message> {
        Some(message)
    }

    /// This connection is gone.
    fn gone(&mut self, _epoch: Epoch) {}

    /// Nothing is to be sent for now, nor was of late.
    fn rest(&mut self) {}

    /// Something happened to the session.
    fn happened(&mut self, _event: &SessionEvent) {}
}

/// What an engine is made of.
pub(in crate::driver) struct Parts<L: Ledger> {
    pub(in crate::driver) machine: machine::Session,
    pub(in crate::driver) target: Target,
    pub(in crate::driver) source: Arc<dyn TokenSource>,
    pub(in crate::driver) observer: Arc<dyn Observer>,
    pub(in crate::driver) runtime: Arc<dyn Runtime>,
    pub(in crate::driver) outbox: Outbox<L::Parcel>,
    pub(in crate::driver) overflow: Overflow,
    /// Of the upgrade, beside the dialect's.
    pub(in crate::driver) headers: HeaderMap,
    pub(in crate::driver) budget: ConnectBudget,
    pub(in crate::driver) ledger: L,
}
