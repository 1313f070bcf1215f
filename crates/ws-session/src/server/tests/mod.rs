//! The server's half, dialect by dialect.

mod dialects;
mod login;
mod peer;
mod time;
