//! The harness of the cross-crate tests: a token endpoint by script, counterparts that misbehave, and a recorder.

pub mod counterparts;
pub mod raw_socket;
pub mod recorder;
pub mod script;
