//! Ably's realtime protocol as a server speaks it, without I/O: one connection from its first frame to its last.
//!
//! [`Opening`] reads the request for a WebSocket, and [`Connection`] takes the frames that come over it: it answers `AUTH`, asks for
//! it before a token expires, enforces expiry and revocation, and lets channels be attached and published to within the
//! capability. After each input, [`Connection::poll`] until it answers [`Output::Wait`]. What is published goes out as
//! [`Output::Publish`]: whoever drives the connections hands it to all those that [hear](Connection::hears) it.
//!
//! Frames are JSON. Nothing outlives its connection: who asks to resume one gets a new one, and is told so (80018, RTN15c7).
//! Presence is checked and acknowledged, and told to nobody.
//!
//! ```
//! use auth_core::Secret;
//! use auth_core::ably::ApiKey;
//! use auth_core::time::{Moment, Now, Timestamp};
//! use auth_http::endpoint::ably::realtime::{Connection, Identity, Opening, Output};
//! use auth_http::endpoint::ably::{Records, ServedKey};
//! use http::Request;
//!
//! let now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };
//! let mut records = Records::new([1; 32]);
//! records.serve(ServedKey::new(ApiKey::parse("appid1.keyid1:SecretSecretSecret")?));
//! let opening = Opening::read(&Request::get("/?key=appid1.keyid1:SecretSecretSecret&v=6").body(())?);
//! let identity = Identity { connection_id: "WJoKIDOcGf".to_owned(), connection_key: Secret::from("WJoKIDOcGf!1") };
//! let mut connection = Connection::open(now, identity, &opening, opening.caller(&records, now));
//! let Output::Send(connected) = connection.poll() else { panic!() };
//! assert!(connected.contains(r#""action":4"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod channels;
mod connection;
mod modes;
mod opening;
mod protocol;
mod publication;
#[cfg(test)]
mod tests;

use std::time::Duration;

use auth_core::Secret;
use auth_core::time::Deadline;

pub use self::connection::Connection;
pub use self::opening::Opening;
pub use self::publication::Publication;

/// The largest frame that should be read, in bytes; connections announce it. A message of [`LARGEST_MESSAGE`] is longer in JSON.
pub const LARGEST_FRAME: usize = 256 * 1_024;

/// The largest message that can be published, in bytes, as at Ably; connections announce it.
pub const LARGEST_MESSAGE: usize = 64 * 1_024;

/// The most messages that can be published at once.
pub const MOST_MESSAGES: usize = 1_000;

/// The most channels that one connection can be attached to, as at Ably.
pub const MOST_CHANNELS: usize = 200;

/// The longest silence of a server; connections announce it.
pub const IDLE: Duration = Duration::from_secs(15);

/// How a connection is called. Both must be random: whoever knows the key is taken for the connection's owner.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "whoever opens a connection builds it")]
pub struct Identity {
    /// Its public name, which others read in each message that it publishes.
    pub connection_id: String,
    /// What its owner would present to resume it.
    pub connection_key: Secret,
}

/// What the driver of a connection must do.
#[derive(Debug)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "a new output must break a driver at compile time")]
pub enum Output {
    /// Send this text frame.
    Send(String),
    /// Send this binary frame.
    SendBinary(Vec<u8>),
    /// Send a ping of WebSocket's.
    Ping,
    /// From now on, [ask](Connection::hears) this connection about what is published on the channel.
    Join {
        /// The channel.
        channel: String,
    },
    /// It no longer listens there.
    Leave {
        /// The channel.
        channel: String,
    },
    /// Hand this to all connections of the same application that hear it.
    Publish(Publication),
    /// The connection goes on under a fresh token; its client is told so next.
    Renewed,
    /// Close the connection: what there is to say has been said.
    Close,
    /// Nothing more to do before this deadline, or before the next input if there is none.
    Wait(Option<Deadline>),
}
