//! Genesys Cloud: the document's login by a message, and the notification channels.

use std::time::Duration;

use serde_json::json;

use super::super::{
    Acceptance, Captured, Dialect, Matcher, On, Phase, Ping, Placement, Reconnection, Renewal, RenewalTime,
    Resumed, Rule, Template, Verdict,
};
use super::first;

impl Dialect {
    /// The dialect of the Genesys Cloud WebSocket document: `{"type":"auth","token":…}` as the first message,
    /// answered by `{"type":"auth","status":"ok","sessionId":…}` or `"status":"error"`, and sent again to renew. A new connection
    /// names the session of the one before in its first message, which the document has room for; what a server makes of that
    /// it does not say.
    ///
    /// From that document; no real service of Genesys speaks it.
    #[must_use]
    pub fn genesys() -> Self {
        let answer = |status: &str| Matcher::of([("/type", json!("auth")), ("/status", json!(status))]);
        let send = Template::json(json!({"type": "auth", "token": "${credential}"}));
        let resume = json!({"type": "auth", "token": "${credential}", "sessionId": "${last.session_id}"});
        Self {
            login: first(resume),
            acceptance: Acceptance::Message {
                any_of: vec![answer("ok")],
                within: Some(Duration::from_secs(10)),
            },
            captured: Captured {
                session_id: Some("/sessionId".to_owned()),
                resumed: Some(Resumed::SameSession),
                ..Captured::default()
            },
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

    /// Genesys Cloud's notification channels: the credential is the channel's URL (`connectUri`), which its source
    /// creates by `POST /api/v2/notifications/channels`; it lives for 24 h, and holds the subscriptions, so that a lost connection
    /// returns to it. The server announces that it will close, and the new connection is made first.
    ///
    /// From the vendor's source (placement, announcement, region hosts) and third-party code (heartbeats, results).
    #[must_use]
    pub fn genesys_notifications() -> Self {
        let metadata = |message: &str| {
            Matcher::of([("/topicName", json!("channel.metadata")), ("/eventBody/message", json!(message))])
        };
        let result = |code: &str| On::Message(Matcher::of([("/result", json!(code))]));
        Self {
            placement: Placement { is_url: true, ..Placement::default() },
            renewal: Renewal::Reconnect {
                overlap: true,
                asked_by: vec![Matcher::of([("/topicName", json!("v2.system.socket_closing"))])],
                when: RenewalTime::Early,
            },
            ping: Ping::Message(Template::json(json!({"message": "ping"}))),
            heartbeats: vec![metadata("WebSocket Heartbeat"), metadata("pong")],
            rules: vec![
                // The channel is no more: expired, replaced by a newer one, or its token was revoked.
                Rule::new(result("404"), Verdict::Expired),
            ],
            ..Self::new("genesys-notifications")
        }
    }
}
