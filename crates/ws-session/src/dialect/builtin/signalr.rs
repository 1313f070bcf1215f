//! SignalR, without its negotiation.

use serde_json::json;

use super::super::{
    Codec, Condition, Dialect, Matcher, On, Phase, Placement, Reply, Rule, Template, Verdict,
};
use super::{first, said};

impl Dialect {
    /// SignalR in JSON: `?access_token=<token>`, then `{"protocol":"json","version":1}`, in with `{}`. The negotiation over HTTP, which
    /// may name another URL and token, is its token source's part; a server also takes a connection without one.
    ///
    /// From its client's source; the types of its messages (6 ping, 7 close) are from its documentation.
    #[must_use]
    pub fn signalr() -> Self {
        let kind = |number: u8| Matcher::of([("/type", json!(number))]);
        let query = vec![("access_token".to_owned(), Template::text("${credential}"))];
        let failed = Matcher::default().and("/error", Condition::Exists(true));
        let returning = kind(7).and("/allowReconnect", Condition::Equals(json!(true)));
        Self {
            codec: Codec::JsonRecordSeparator,
            placement: Placement { query, ..Placement::default() },
            login: first(json!({"protocol": "json", "version": 1})),
            acceptance: said([Matcher::of([("", json!({}))])]),
            // The server wants to hear something every 30 s, and pings every 15 s itself.
            replies: vec![Reply { on: kind(6), send: Template::json(json!({"type": 6})) }],
            rules: vec![
                Rule::new(On::Message(failed), Verdict::Misuse).in_phases([Phase::Login]),
                Rule::new(On::Message(returning), Verdict::ReconnectNow).in_phases([Phase::Live]),
            ],
            ..Self::new("signalr")
        }
    }
}
