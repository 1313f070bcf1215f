//! The server's half, dialect by dialect.

mod builtin;
mod dialects;
mod login;
mod peer;
mod random;
mod time;
