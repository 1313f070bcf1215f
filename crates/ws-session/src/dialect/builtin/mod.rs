//! The dialects that are known by name.

use std::time::Duration;

use serde_json::json;

use super::*;

impl Dialect {
    /// The dialect of the Genesys Cloud WebSocket document: `{"type":"auth","token":…}` as the first message,
    /// answered by `{"type":"auth","status":"ok","sessionId":…}` or `"status":"error"`, and sent again to renew.
    #[must_use]
    pub fn genesys() -> Self {
        let answer = |status: &str| Matcher::of([("/type", json!("auth")), ("/status", json!(status))]);
        let send = Template::json(json!({"type": "auth", "token": "${credential}"}));
        Self {
            login: vec![Step { on: Trigger::Open, send: send.clone() }],
            acceptance: Acceptance::Message {
                any_of: vec![answer("ok")],
                within: Some(Duration::from_secs(10)),
            },
            captured: Captured { session_id: Some("/sessionId".to_owned()), ..Captured::default() },
            renewal: Renewal::InBand {
                send,
                accepted: vec![answer("ok")],
                asked_by: Vec::new(),
                when: RenewalTime::Early,
            },
            reconnection: Reconnection::Fresh,
            rules: vec![
                Rule::new(On::Message(answer("error")), Verdict::Expired)
                    .in_phases([Phase::Login, Phase::Renewing]),
            ],
            ..Self::new("genesys")
        }
    }
}
