//! NATS over WebSocket, with a token.

use serde_json::json;

use super::super::{
    Captured, Codec, Condition, Dialect, Matcher, On, Reply, Rule, Step, Template, Trigger, Verdict,
};
use super::said;

impl Dialect {
    /// NATS with a token: the server says `INFO`, the client `CONNECT` and `PING`, and the `PONG` is the acceptance. A refusal is
    /// `-ERR`, then a close with 1008. A user and a password go into a description with `user` and `pass` in the place of `auth_token`;
    /// a signature over the nonce, which is captured, is an [`Authenticator`](crate::dialect::Authenticator)'s.
    ///
    /// Ran against nats-server 2.9.10; that an expired user gets `User Authentication Expired` is from memory.
    #[must_use]
    pub fn nats() -> Self {
        let verb = |name: &str| Matcher::of([("/verb", json!(name))]);
        let error = |text: &str| On::Message(verb("-ERR").and("/text", Condition::Contains(text.to_owned())));
        let connect = json!({
            "verbose": false, "pedantic": false, "protocol": 1, "lang": "rust", "version": "1",
            "auth_token": "${credential}",
        });
        let say = |view| Template::json(view);
        Self {
            codec: Codec::Nats,
            login: vec![
                Step {
                    on: Trigger::Message(verb("INFO")),
                    send: say(json!({"verb": "CONNECT", "data": connect})),
                },
                Step { on: Trigger::Open, send: say(json!({"verb": "PING"})) },
            ],
            acceptance: said([verb("PONG")]),
            captured: Captured {
                session_id: Some("/data/client_id".to_owned()),
                named: [("nonce".to_owned(), "/data/nonce".to_owned())].into(),
                ..Captured::default()
            },
            replies: vec![Reply { on: verb("PING"), send: say(json!({"verb": "PONG"})) }],
            rules: vec![
                Rule::new(error("Authentication Timeout"), Verdict::AuthenticationTimeout),
                Rule::new(error("Authorization Violation"), Verdict::Expired),
                Rule::new(error("User Authentication Expired"), Verdict::Expired),
            ],
            ..Self::new("nats")
        }
    }
}
