//! Services whose credential is the URL to connect to.

use serde_json::json;

use super::super::{
    Captured, CredentialUse, Dialect, Matcher, Placement, Reconnection, Renewal, RenewalTime,
    SubprotocolEntry,
};
use super::said;

impl Dialect {
    /// Slack's socket mode: a URL from `apps.connections.open`, another for each connection, in with `hello`. The server
    /// announces that it will end a connection.
    ///
    /// Ran with the vendor's client 3.1.0; that a URL serves only once is from memory.
    #[must_use]
    pub fn slack_socket_mode() -> Self {
        let kind = |name: &str| Matcher::of([("/type", json!(name))]);
        Self {
            placement: Placement { is_url: true, ..Placement::default() },
            acceptance: said([kind("hello")]),
            renewal: Renewal::Reconnect {
                overlap: true,
                asked_by: vec![kind("disconnect")],
                when: RenewalTime::WhenAsked,
            },
            credential_use: CredentialUse::Once,
            reconnection: Reconnection::Fresh,
            ..Self::new("slack-socket-mode")
        }
    }

    /// Azure Web PubSub: a URL with an `access_token`, from the application's server, in with the event `connected`. A close with 1008
    /// wants another URL.
    ///
    /// Ran with the vendor's client 1.0.4; its recovery of a lost connection's messages is not part of this.
    #[must_use]
    pub fn azure_web_pubsub() -> Self {
        let connected = Matcher::of([("/type", json!("system")), ("/event", json!("connected"))]);
        Self {
            placement: Placement {
                is_url: true,
                subprotocols: vec![SubprotocolEntry::Name("json.webpubsub.azure.v1".to_owned())],
                ..Placement::default()
            },
            acceptance: said([connected]),
            captured: Captured { session_id: Some("/connectionId".to_owned()), ..Captured::default() },
            reconnection: Reconnection::Fresh,
            ..Self::new("azure-web-pubsub")
        }
    }
}
