//! Drivers: thin loops that act on what the [machine](crate::machine) decides.

#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "polled")]
mod budget;
#[cfg(any(feature = "blocking", feature = "futures", feature = "tokio"))]
mod clock;
#[cfg(feature = "polled")]
mod events;
#[cfg(feature = "futures")]
pub mod futures;
mod head;
mod inbox;
mod message;
#[cfg(feature = "polled")]
pub mod polled;
mod target;
#[cfg(test)]
#[cfg(feature = "tokio")]
mod tests;
#[cfg(feature = "tokio")]
pub mod tokio;
mod wire;

#[cfg(feature = "polled")]
pub use self::budget::ConnectBudget;
#[cfg(feature = "polled")]
pub use self::events::{Events, SessionEvent};
pub use self::message::{Message, SendError, Unsent};
pub use self::target::{Server, Target};
