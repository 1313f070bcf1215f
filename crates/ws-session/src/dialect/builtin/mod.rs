//! The dialects that are known by name.
//!
//! Each says how its facts were verified: *ran* (the service's or a third party's own software, on loopback), *source* (read in the
//! vendor's own), or *documentation*. What stands in doubt is marked where it stands.

mod ably;
mod anycable;
mod bearer;
mod centrifugo;
mod directus;
mod genesys;
mod graphql;
mod home_assistant;
mod nats;
mod optave;
mod signalr;
mod socket_io;
mod subprotocol;
#[cfg(test)]
mod tests;
mod url;

use serde_json::Value;

use super::{Acceptance, Codes, Dialect, Matcher, On, Step, Template, Trigger};

/// Each name and its dialect, in the order of the alphabet.
const BUILTIN: [(&str, Built); 24] = [
    ("ably", Dialect::ably),
    ("anycable", Dialect::anycable),
    ("azure-web-pubsub", Dialect::azure_web_pubsub),
    ("bearer-header", Dialect::bearer_header),
    ("bearer-query", Dialect::bearer_query),
    ("bearer-subprotocol", Dialect::bearer_subprotocol),
    ("centrifugo", Dialect::centrifugo),
    ("deepgram", Dialect::deepgram),
    ("directus", Dialect::directus),
    ("genesys", Dialect::genesys),
    ("genesys-notifications", Dialect::genesys_notifications),
    ("graphql-transport-ws", Dialect::graphql_transport_ws),
    ("hasura", Dialect::hasura),
    ("home-assistant", Dialect::home_assistant),
    ("jupyter", Dialect::jupyter),
    ("kubernetes", Dialect::kubernetes),
    ("nats", Dialect::nats),
    ("openai-realtime", Dialect::openai_realtime),
    ("optave", Dialect::optave),
    ("optave-query", Dialect::optave_query),
    ("phoenix", Dialect::phoenix),
    ("signalr", Dialect::signalr),
    ("slack-socket-mode", Dialect::slack_socket_mode),
    ("socket.io", Dialect::socket_io),
];

type Built = fn() -> Dialect;

impl Dialect {
    /// The built-in dialect of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, dialect)| dialect())
    }

    /// The names of all built-in dialects, in the order of the alphabet.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }
}

/// A login by one message, as soon as the connection is open.
fn first(send: Value) -> Vec<Step> {
    vec![Step { on: Trigger::Open, send: Template::json(send) }]
}

/// In by any of these messages, in the time that the session allows.
fn said<const N: usize>(any_of: [Matcher; N]) -> Acceptance {
    Acceptance::Message { any_of: any_of.into(), within: None }
}

/// A close with one of these codes, whatever the reason.
fn closed<const N: usize>(codes: [u16; N]) -> On {
    On::Close { codes: Codes::each(codes), reason: None }
}

/// The end of a connection without a close, or with one that says nothing.
const fn ended() -> On {
    On::Close { codes: Codes::none(), reason: None }
}
