//! The audit trail of authenticated realtime connections: on record before anybody goes on, and without holding up a
//! session.
//!
//! A [`Trail`] is an [`Observer`](auth_core::Observer): it queues each event and returns at once. It is a
//! [`Recorder`](auth_core::observe::Recorder) too, for whoever must know that an event is safe before going on. A thread of
//! its own writes and syncs. [`verify()`] reads a log back and names the first record that does not fit. Events can't hold
//! a secret.
//!
//! ```
//! use audit::{LogOptions, Trail};
//! use auth_core::{AuthEvent, Observer};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("audit");
//! let trail = Trail::builder().log(LogOptions::new(&path)).open()?;
//! trail.named("orders").observe(&AuthEvent::SessionClosed { lasted: None });
//! let summary = trail.close();
//! assert_eq!((summary.written, summary.dropped), (1, 0));
//! // The log's own first record, that it was opened, what was observed, and that it was closed.
//! let verified = audit::verify(&path)?;
//! assert_eq!((verified.records, verified.opened, verified.closed), (4, 1, 1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is promised
//!
//! - What [`record`](auth_core::observe::Recorder::record) acknowledged as durable or strict is on the disk: it was written
//!   and synced before, and neither the end of the process nor that of the power loses it.
//! - An event is in the log, or it is counted and the log has a `records_dropped` record where it would be:
//!   [`Summary`] adds up at every moment.
//! - `observe` does no I/O and waits for nobody, whatever the disk or a receiver does.
//! - A failed sync is final for its file. What was not acknowledged is written again in a new segment, after a `log_fault`
//!   record.
//! - Opening repairs what a crash leaves, which is after the last whole record, and says so in a `log_recovered` record.
//!   Where its newest segment is bad anywhere else, or does not reach as far as its newest checkpoint, a log is refused, and
//!   stays as it is for whoever looks into it.
//!
//! - Whoever opens a log says so in a `trail_opened` record: which program, and how the one before ended. Whoever closes it says
//!   so in a `trail_closed` record, the last one. Where that is missing, the process crashed, was killed, or ended without closing it.
//!
//! Each is as good as the disk: one that says that bytes are safe when they are not loses them. Opening reads only the newest
//! segment; [`verify()`] reads all.
//!
//! # What the chain shows, and what it does not
//!
//! A record that was changed, removed, moved or doubled breaks the chain at its place, unless whoever did it computed
//! every later hash anew, as anybody can who may write the files. Records cut off the end leave a shorter chain that is
//! whole. Checkpoints show both, where a [`signing_key`](LogOptions::signing_key) is set: each segment is sealed with one when
//! the next begins, unless it was moved away before, and while records come and the disk takes them the newest is about a second
//! old ([`checkpoint_every`](LogOptions::checkpoint_every)). While the disk fails none is written.
//!
//! Whoever has the signing key, as the machine that writes the log does, can sign another past. Against them only a
//! checkpoint helps that is out of their reach: while the disk has room the outlets are given each one as a
//! `checkpoint_signed` entry, to be kept on another machine, and [`verify::Verification::with_checkpoint`] holds the log to
//! it. One key signs all segments, and does not evolve: a stolen one puts the past in doubt as far back as no checkpoint was
//! kept elsewhere.

mod chain;
pub mod checkpoint;
mod clock;
pub mod deliver;
mod entry;
pub mod format;
mod log;
pub mod metrics;
mod opener;
mod trail;
pub mod verify;

pub use self::entry::{DropReason, Entry, Event, LogStep, PreviousEnd, SegmentReason, TrailEvent};
pub use self::log::{LogOptions, Mode, Modes, OpenError};
pub use self::trail::{Summary, Trail, TrailBuilder};
pub use self::verify::{Verified, VerifyError, verify};
