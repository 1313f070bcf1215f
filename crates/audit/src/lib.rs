//! An audit log of JSON lines, each chained to the one before by its hash.
//!
//! [`AuditLog`] is an [`Observer`](auth_core::Observer): it queues each event and returns at once; a thread of its
//! own writes and syncs. [`verify()`] reads a log back and names the first record that does not fit. This crate
//! knows no network, and takes events that can't hold a secret.
//!
//! ```
//! use auth_core::{AuthEvent, Observer};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("audit.jsonl");
//! let log = audit::AuditLog::open(&path)?;
//! log.observe(&AuthEvent::SessionClosed { lasted: None });
//! let summary = log.close();
//! assert_eq!((summary.written, summary.dropped), (1, 0));
//! assert_eq!(audit::verify(&path)?.records, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What the chain shows, and what it does not
//!
//! A record that was changed, removed, moved or doubled breaks the chain at its place, unless whoever did it computed
//! every later hash anew, as anybody can who may write the file. Records cut off the end leave a shorter chain that is
//! whole. Both show in [`Verified::head`] if it is kept elsewhere: a head that was seen once must be met again by
//! whoever verifies the same records later.

mod chain;
pub mod checkpoint;
pub mod deliver;
mod entry;
mod file;
pub mod format;
mod log;
mod record;
pub mod verify;

pub use self::entry::{DropReason, Entry, Event, LogStep, SegmentReason, TrailEvent};
pub use self::file::{Verified, VerifyError, verify};
pub use self::log::{AuditLog, OpenError, Summary};
