//! Services that take the credential as a subprotocol beside a real one.

use serde_json::{Value, json};

use super::super::{
    Captured, Codes, Condition, Dialect, Matcher, On, Phase, Ping, Placement, Rule, SubprotocolEntry,
    Template, Verdict,
};
use super::said;

impl Dialect {
    /// The Kubernetes API: `base64url.bearer.authorization.k8s.io.<token>` beside a real protocol, which is the
    /// channel protocol of `exec` and `attach` here. 403 is the verdict of its authorization, and final.
    ///
    /// The placement is from its source; the names of the channel protocols are from memory.
    #[must_use]
    pub fn kubernetes() -> Self {
        Self {
            placement: offering(
                &["v5.channel.k8s.io", "v4.channel.k8s.io"],
                "base64url.bearer.authorization.k8s.io.${credential|base64url}",
            ),
            rules: vec![Rule::new(On::Status(Codes::only(403)), Verdict::Forbidden)],
            ..Self::new("kubernetes")
        }
    }

    /// Phoenix channels from 1.8: `phoenix, base64url.bearer.phx.<token>`. Topics are joined by the user, above the session.
    /// A server may end the connection of a client that says nothing for a minute (from memory), and a session pings only a
    /// server that is silent: who just listens to a busy one sends heartbeats.
    ///
    /// Ran with the vendor's client 1.8.16.
    #[must_use]
    pub fn phoenix() -> Self {
        let mut placement = offering(&["phoenix"], "base64url.bearer.phx.${credential|base64url}");
        placement.query = vec![("vsn".to_owned(), Template::text("2.0.0"))];
        // A message is [join_ref, ref, topic, event, payload].
        let heartbeat = json!([Value::Null, "heartbeat", "phoenix", "heartbeat", {}]);
        let answered = Matcher::of([("/1", json!("heartbeat")), ("/2", json!("phoenix"))]);
        Self {
            placement,
            ping: Ping::Message(Template::json(heartbeat)),
            heartbeats: vec![answered],
            ..Self::new("phoenix")
        }
    }

    /// Deepgram with an API key: `token, <key>`. With a JWT, see [`bearer_subprotocol`](Self::bearer_subprotocol).
    ///
    /// From its client's source.
    #[must_use]
    pub fn deepgram() -> Self {
        Self { placement: offering(&["token"], "${credential}"), ..Self::new("deepgram") }
    }

    /// OpenAI's realtime API as a browser reaches it: `realtime, openai-insecure-api-key.<key>`, where the key should be one of its
    /// short-lived ones. Elsewhere, see [`bearer_header`](Self::bearer_header). The URL names the model.
    ///
    /// The placement is from its client's source; `session.created` and the error's code are from memory.
    #[must_use]
    pub fn openai_realtime() -> Self {
        let created = Matcher::of([("/type", json!("session.created"))]);
        let refused = Matcher::of([("/type", json!("error"))])
            .and("/error/code", Condition::Equals(json!("invalid_api_key")));
        Self {
            placement: offering(&["realtime"], "openai-insecure-api-key.${credential}"),
            acceptance: said([created]),
            captured: Captured { session_id: Some("/session/id".to_owned()), ..Captured::default() },
            rules: vec![Rule::new(On::Message(refused), Verdict::Expired).in_phases([Phase::Login])],
            ..Self::new("openai-realtime")
        }
    }
}

fn offering(names: &[&str], credential: &str) -> Placement {
    let names = names.iter().map(|name| SubprotocolEntry::Name((*name).to_owned()));
    let credential = SubprotocolEntry::Credential(Template::text(credential));
    Placement { subprotocols: names.chain([credential]).collect(), ..Placement::default() }
}
