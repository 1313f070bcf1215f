//! Directus' realtime API.

use serde_json::json;

use super::super::{
    Condition, Dialect, Matcher, On, Phase, Reconnection, Renewal, RenewalTime, Reply, Rule, Step, Template,
    Trigger, Verdict,
};
use super::said;

impl Dialect {
    /// Directus: `{"type":"auth","access_token":…}` as the first message, and again when the server says `TOKEN_EXPIRED`.
    ///
    /// Ran against Directus 11.1.0 in its mode `public` (its mode `handshake` never answers a good credential); that it wants its pings
    /// answered is documentation.
    #[must_use]
    pub fn directus() -> Self {
        let answer = |status: &str| Matcher::of([("/type", json!("auth")), ("/status", json!(status))]);
        let error = |code: &str| answer("error").and("/error/code", Condition::Equals(json!(code)));
        let send = Template::json(json!({"type": "auth", "access_token": "${credential}"}));
        let kind = |name: &str| Matcher::of([("/type", json!(name))]);
        Self {
            login: vec![Step { on: Trigger::Open, send: send.clone() }],
            acceptance: said([answer("ok")]),
            renewal: Renewal::InBand {
                send,
                accepted: vec![answer("ok")],
                asked_by: vec![error("TOKEN_EXPIRED")],
                when: RenewalTime::WhenAsked,
            },
            reconnection: Reconnection::Fresh,
            replies: vec![Reply { on: kind("ping"), send: Template::json(json!({"type": "pong"})) }],
            rules: vec![
                Rule::new(On::Message(error("AUTH_TIMEOUT")), Verdict::AuthenticationTimeout)
                    .in_phases([Phase::Login]),
                Rule::new(On::Message(answer("error")), Verdict::Expired).in_phases([Phase::Login]),
                // A live connection that got no fresh credential in time, or a bad one.
                Rule::new(On::Message(error("AUTH_TIMEOUT")), Verdict::Expired)
                    .in_phases([Phase::Live, Phase::Renewing]),
                Rule::new(On::Message(error("AUTH_FAILED")), Verdict::Expired).in_phases([Phase::Renewing]),
            ],
            ..Self::new("directus")
        }
    }
}
