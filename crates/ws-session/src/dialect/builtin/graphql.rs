//! GraphQL over WebSocket, by the protocol `graphql-transport-ws`.

use serde_json::{Value, json};

use super::super::{
    Dialect, Matcher, On, Phase, Ping, Placement, Reply, Rule, SubprotocolEntry, Template, Verdict,
};
use super::{closed, first, said};

impl Dialect {
    /// The protocol of the packages `graphql-ws` and `async-graphql`: `connection_init` with the credential as
    /// `{"Authorization":"Bearer …"}`, in with `connection_ack`. What the payload holds is the server's own choice: one that
    /// wants another is a description with another `login`.
    ///
    /// Ran against graphql-ws 6.4.2 and async-graphql 7.2.1, which refuse a credential with different codes.
    #[must_use]
    pub fn graphql_transport_ws() -> Self {
        let kind = |name: &str| Matcher::of([("/type", json!(name))]);
        Self {
            placement: Placement {
                subprotocols: vec![SubprotocolEntry::Name("graphql-transport-ws".to_owned())],
                ..Placement::default()
            },
            login: first(init(&json!({"Authorization": "Bearer ${credential}"}))),
            acceptance: said([kind("connection_ack")]),
            replies: vec![Reply { on: kind("ping"), send: Template::json(json!({"type": "pong"})) }],
            ping: Ping::Message(Template::json(json!({"type": "ping"}))),
            heartbeats: vec![kind("pong")],
            rules: vec![
                // Forbidden: a check that returned false, be the credential wrong or too old. It may also end a
                // live connection, to have the client come back with a fresh one.
                Rule::new(closed([4403]), Verdict::Expired),
                // A check that threw, or that closed as with any error: async-graphql's "bad token".
                Rule::new(closed([1002, 4500]), Verdict::Expired).in_phases([Phase::Login]),
                Rule::new(closed([4408]), Verdict::AuthenticationTimeout),
                // Used before the acknowledgement; a bad message; no such protocol; initialised twice; an id in use.
                Rule::new(closed([4401, 4400, 4406, 4429, 4409]), Verdict::Misuse),
            ],
            ..Self::new("graphql-transport-ws")
        }
    }

    /// Hasura: as [`graphql_transport_ws`](Self::graphql_transport_ws), but the payload holds headers, and
    /// older versions refuse by a message. It closes when the JWT expires.
    ///
    /// From third-party reports.
    #[must_use]
    pub fn hasura() -> Self {
        let base = Self::graphql_transport_ws();
        let refused = Matcher::of([("/type", json!("connection_error"))]);
        let mut rules = vec![Rule::new(On::Message(refused), Verdict::Expired).in_phases([Phase::Login])];
        rules.extend(base.rules.iter().cloned());
        let payload = json!({"headers": {"Authorization": "Bearer ${credential}"}});
        Self { name: "hasura".into(), login: first(init(&payload)), rules, ..base }
    }
}

fn init(payload: &Value) -> Value {
    json!({"type": "connection_init", "payload": payload})
}
