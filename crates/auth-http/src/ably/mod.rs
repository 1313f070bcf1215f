//! The client of Ably Auth: [`Auth`], with the verbs that its users know, over requests and replies as values
//! ([`wire`]). A realtime connection with its tokens is `providers::ably::Realtime`.
//!
//! | Ably's name | Here |
//! | --- | --- |
//! | `authorize` | [`Auth::authorize`] |
//! | `createTokenRequest` | [`Auth::create_token_request`] |
//! | `requestToken` | [`Auth::request_token`] |
//! | `revokeTokens` | [`Auth::revoke_tokens`] |
//! | `clientId`, `tokenDetails` | [`Auth::client_id`], [`Auth::token_details`] |
//! | `time` | [`Auth::query_time`] |
//! | `request` of a REST client | [`Auth::request`] |
//! | `authCallback` | [`callback`], or [`AuthCallback`](auth_core::ably::AuthCallback) |
//! | `authUrl` and its method, headers and parameters | [`AuthUrl`](auth_core::ably::AuthUrl) |
//! | `ClientOptions` | [`AuthOptions`](auth_core::ably::AuthOptions) and [`Builder`] |
//!
#![cfg_attr(all(feature = "client", feature = "tokio"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "client", feature = "tokio")), doc = "```ignore")]
//! use auth_core::Secret;
//! use auth_core::ably::{AuthOptions, AuthUrl, TokenParams};
//! use auth_http::ably::Auth;
//!
//! # async fn example() -> Result<(), auth_core::Error> {
//! let url = AuthUrl::new("https://my.example/ably-token").with_header("cookie", Secret::from("session=…"));
//! let auth = Auth::on_tokio(AuthOptions::new().with_auth_url(url))?.build()?;
//!
//! let request = http::Request::get("/channels/news/messages").body(bytes::Bytes::new());
//! # let request = request.unwrap();
//! let reply = auth.request(request).await?; // with a token, which is renewed once if the service refuses it
//!
//! let more = TokenParams::new().with_capability(r#"{"news":["subscribe"],"chat:*":["publish"]}"#.parse()?);
//! let token = auth.authorize(Some(more), None).await?; // and a live connection changes over to it
//! # Ok(())
//! # }
//! ```
//!
//! # Given replaces stored
//!
//! Parameters and options that are given to a call are used alone: nothing of the stored ones is added, not even the key.
//! `authorize` stores what it was given, in place of what was stored. To change one thing, begin with the stored whole.
//!
//! # Who shares what
//!
//! Whoever needs a token while there is none waits for the same request, or for that of an `authorize` that is under way.
//! Each `authorize` asks for itself, and the latest wins: an answer that comes after that of a later call changes nothing. A
//! token that a server refused is named by its generation, so that twenty late refusals cost one new token.
//!
//! # A live connection
//!
//! [`Auth`] is a [`TokenSource`](auth_core::TokenSource). [`Auth::changes`] tells of each new token, so that a connection can
//! present it in place (RTC8); [`Auth::connected_as`] takes in whom the service said that it speaks for. Errors of
//! a source are those of a connection: [`connection_error`] says how.
//!
//! # Another identity
//!
//! A client that was built for one [`ClientId`](auth_core::ably::ClientId) refuses a token of another (40102), and so does
//! the service on a live connection. Where people log in and out, leave the client's identity to its tokens: build it without
//! one, call `authorize` with the new user's options, and connect anew; or make a client for each.
//!
//! # Tokens that outlive the program
//!
//! [`Auth`] is also a [`Grant`](crate::grant::Grant), so that a token manager can renew its tokens ahead of time and keep
//! them in a store: build the manager over a client of its own.
//!
//! # Which errors mean what
//!
//! | Code | Is | Its `source` |
//! | --- | --- | --- |
//! | 40170 | the callback or auth URL failed, took longer than 10 s, or answered what is no token | what it failed with |
//! | 40171 | there is no way to another token | why the last token is of no use: the service's own refusal where there is one |
//! | 40300 | whoever gives the tokens refused | what it said |
//! | 80019 | the same for a connection: for good if it was a refusal, else to be tried again | any of the above |
//! | 40102 | a key or token of another client | |
//! | 40103 | a key would have gone out without TLS | |
//! | 40104 | a token request was signed with the wrong time: both times are in it. Signed here, it was signed once more with the service's time before | the refusal |
//! | 40105 | the callback's or auth URL's token request had been used: its answer is cached | the refusal |
//! | 40160 | nothing of the capability asked for, which is named, is the key's to give | the refusal |
//! | 40162 | revoking needs the key itself | |
//!
#![doc = include_str!("points.md")]

mod auth;
mod builder;
mod callback;
mod changes;
mod core;
mod obtaining;
mod requests;
mod server_clock;
mod source;
mod state;
mod surroundings;
#[cfg(test)]
mod tests;
mod told;
pub mod wire;

pub use self::auth::Auth;
pub use self::builder::{Builder, Dangerous};
pub use self::callback::callback;
pub use self::changes::Changes;
pub use self::source::connection_error;
pub use self::surroundings::Surroundings;
