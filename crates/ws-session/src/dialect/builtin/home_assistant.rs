//! Home Assistant's WebSocket API.

use std::time::Duration;

use serde_json::json;

use super::super::{Dialect, Matcher, On, Phase, Reconnection, Rule, Step, Template, Trigger, Verdict};
use super::{ended, said};

impl Dialect {
    /// Home Assistant: the server speaks first (`auth_required`), refuses by a message (`auth_invalid`, then a close that
    /// says 1000), and just ends the connection of whoever says nothing for 10 s, or whose token was revoked.
    ///
    /// Ran against Home Assistant 2024.3.3.
    #[must_use]
    pub fn home_assistant() -> Self {
        let kind = |name: &str| Matcher::of([("/type", json!(name))]);
        Self {
            login: vec![Step {
                on: Trigger::Message(kind("auth_required")),
                send: Template::json(json!({"type": "auth", "access_token": "${credential}"})),
            }],
            acceptance: said([kind("auth_ok")]),
            reconnection: Reconnection::Fresh,
            rules: vec![
                Rule::new(On::Message(kind("auth_invalid")), Verdict::Expired).in_phases([Phase::Login]),
                // Ten seconds by the server's clock, which began before ours.
                Rule::new(ended(), Verdict::AuthenticationTimeout)
                    .in_phases([Phase::Login])
                    .after(Duration::from_secs(9)),
            ],
            ..Self::new("home-assistant")
        }
    }
}
