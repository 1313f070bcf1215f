//! The suites, in one binary: linking costs more than running.
#![expect(clippy::disallowed_methods, reason = "tests spawn what they test beside themselves")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod demo;
mod genesys;
mod manager;
mod session;
