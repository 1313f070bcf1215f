//! The suite of scale: ten thousand sessions of one process, what they weigh, what they cost to connect, and the storm when all are lost.
//!
//! | Cases | What is measured | Beside |
//! | --- | --- | --- |
//! | `resident_*` | what 10,000 idle, authenticated sessions add to their process, by `/proc/self/statm` | bare tokio-tungstenite, with a read buffer of 4 KiB and with its own |
//! | `allocated_*` | the same by the counting allocator, which is exact | the same |
//! | `connecting_*` | the processor time of a connection with its login by a first message | bare tokio-tungstenite, which logs in nowhere |
//! | `storm_*` | 10,000 sessions that all lose their connections at once, under the process-wide connect budget | what the budget allows |
//!
//! Each sample is taken in a process of its own, since memory is not given back and one storm is not to feel another; their server is
//! another process, which counts by its own clock. Each of these holds a descriptor for each connection: about 10,100.

mod child;
mod connecting;
mod ends;
mod idle;
mod server;
mod source;
mod storm;
mod storming;

pub(crate) use self::child::Part;
use self::server::Server;
use crate::case::Case;

/// How many sessions a process holds.
const SESSIONS: u32 = 10_000;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = idle::cases();
    cases.extend(connecting::cases());
    cases.extend(storm::cases());
    cases
}
