//! Delivery of entries to hooks: closures and sinks, each behind its own queue and on its own thread.
//!
//! An [`Outlet`] is one receiver: a closure ([`Outlet::closure`]) or a [`Sink`] ([`Outlet::sink`]). Whatever it does (block for
//! ever, panic, fail, be slow), it costs its own counts and nothing else: the trail puts an entry into the outlet's queue
//! and goes on.
//!
//! # What is promised
//!
//! - **Accounts**: at every moment, `accepted = delivered + queued + dropped + dead_lettered`, see [`HookCounts`].
//! - **Order**: a receiver is given entries in their order. What was told to be delivered is not delivered again.
//! - **At least once**, where a sink acknowledges: if a call takes longer than its deadline, nobody knows what became of it,
//!   and its entries are delivered again. A receiver tells them apart by their sequence numbers.
//! - **Holes are told**: when entries were dropped or dead-lettered, the next batch begins with an `events_dropped` record
//!   ([`TrailEvent::EventsDropped`](crate::TrailEvent::EventsDropped)) in their place, of which the sequence number is that of
//!   the last that is missing. The exception is a record of a hole that the sink itself refuses.
//!
//! # When the receiver fails
//!
//! A call that fails is repeated after a pause that grows, with jitter, from half a second to 30 s, and is never shorter than
//! the receiver asks for (of which at most five minutes are granted). After 10 attempts its entries are dead letters. A
//! batch that is *refused* is halved until the entry that the sink does not take is alone, and only that is a dead letter. A sink that
//! does nothing but fail or refuse is asked less and less often, across batches, until it takes something again.
//!
//! When the queue is full, the **oldest** entry is dropped: what is happening now matters most to whoever watches, the log
//! has the rest, and the hole is always at one place, so that a single record tells of it.

mod dead_letters;
pub mod hec;
mod machine;
mod outlet;
mod running;
mod sink;
#[cfg(feature = "syslog")]
pub mod syslog;

pub use self::machine::HookCounts;
pub use self::outlet::Outlet;
pub use self::running::{Hook, Running};
pub(crate) use self::running::{close_all, is_outlet};
pub use self::sink::{Sink, SinkError};
