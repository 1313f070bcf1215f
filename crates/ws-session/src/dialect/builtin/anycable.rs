//! AnyCable, which speaks Action Cable.

use serde_json::{Value, json};

use super::super::{Captured, Dialect, Matcher, On, Placement, Rule, SubprotocolEntry, Template, Verdict};
use super::said;

impl Dialect {
    /// AnyCable with a JWT as subprotocol: `actioncable-v1-json, anycable-token.<jwt>`, in with `welcome`. It says why it
    /// disconnects: `token_expired` wants a fresh token, `unauthorized` is final.
    ///
    /// From its client's source; that `ping` comes by itself, and that `welcome` may hold `sid`, is from memory.
    #[must_use]
    pub fn anycable() -> Self {
        let kind = |name: &str| Matcher::of([("/type", json!(name))]);
        let disconnect =
            |at: &str, value: Value| On::Message(Matcher::of([("/type", json!("disconnect")), (at, value)]));
        let subprotocols = vec![
            SubprotocolEntry::Name("actioncable-v1-json".to_owned()),
            SubprotocolEntry::Credential(Template::text("anycable-token.${credential}")),
        ];
        Self {
            placement: Placement { subprotocols, ..Placement::default() },
            acceptance: said([kind("welcome")]),
            captured: Captured { session_id: Some("/sid".to_owned()), ..Captured::default() },
            heartbeats: vec![kind("ping")],
            rules: vec![
                Rule::new(disconnect("/reason", json!("token_expired")), Verdict::Expired),
                Rule::new(disconnect("/reason", json!("unauthorized")), Verdict::Rejected),
                Rule::new(disconnect("/reconnect", json!(true)), Verdict::ReconnectNow),
                Rule::new(disconnect("/reconnect", json!(false)), Verdict::Rejected),
            ],
            ..Self::new("anycable")
        }
    }
}
