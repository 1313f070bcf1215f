//! Socket.IO 4 over Engine.IO 4.

use std::time::Duration;

use serde_json::json;

use super::super::{
    Captured, Codec, Dialect, InUnit, Matcher, On, Phase, Ping, Placement, Reply, Rule, Step, Template,
    Trigger, Unit, Verdict,
};
use super::{ended, said};

impl Dialect {
    /// Socket.IO: the server opens with `0{…}`, the client logs in with `40{"token":…}`, the server answers `40{…}` or, and the
    /// socket stays open, `44{…}`. It pings with `2`, every `pingInterval`, and wants `3` for it. The URL's path is `/socket.io/` by default.
    ///
    /// Ran against socket.io 4.8.4. What the payload of the login holds is the server's own choice; `token` is the custom.
    #[must_use]
    pub fn socket_io() -> Self {
        let packet = |kind: &str| Matcher::of([("/packet", json!(kind))]);
        let query = [("EIO", "4"), ("transport", "websocket")];
        let query = query.map(|(name, value)| (name.to_owned(), Template::text(value)));
        Self {
            codec: Codec::EngineIo,
            placement: Placement { query: query.into(), ..Placement::default() },
            login: vec![Step {
                on: Trigger::Message(packet("0")),
                send: Template::json(json!({"packet": "40", "data": {"token": "${credential}"}})),
            }],
            acceptance: said([packet("40")]),
            captured: Captured {
                // The engine's, then the namespace's, which is the one that the server's handlers know.
                session_id: Some("/data/sid".to_owned()),
                idle: Some(InUnit { at: "/data/pingInterval".to_owned(), unit: Unit::Milliseconds }),
                ..Captured::default()
            },
            replies: vec![Reply { on: packet("2"), send: Template::json(json!({"packet": "3"})) }],
            ping: Ping::Never,
            rules: vec![
                Rule::new(On::Message(packet("44")), Verdict::Expired).in_phases([Phase::Login]),
                // The server's handlers end the session; the vendor's client comes back only when it is told to.
                Rule::new(On::Message(packet("41")), Verdict::Expired),
                // 45 s by default, by the server's clock, which began before ours.
                Rule::new(ended(), Verdict::AuthenticationTimeout)
                    .in_phases([Phase::Login])
                    .after(Duration::from_secs(44)),
            ],
            ..Self::new("socket.io")
        }
    }
}
