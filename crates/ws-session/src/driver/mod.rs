//! Drivers: thin loops that act on what the [machine](crate::machine) decides.

pub mod tokio;
