//! The server's half of [`wire`](crate::wire): requests read and replies built as values, without I/O.

pub mod ably;
pub mod optave;
pub mod spatium;
mod token;

pub use self::token::{Grant, Issued, Refusal, TokenCall};
