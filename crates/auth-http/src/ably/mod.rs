//! Ably.

pub mod wire;
