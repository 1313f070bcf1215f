//! Centrifugo, and servers on its library.

use serde_json::{Value, json};

use super::super::{
    Captured, Codec, Codes, Condition, Dialect, InUnit, Matcher, On, Phase, Renewal, RenewalTime, Reply,
    Rule, Template, Unit, Verdict,
};
use super::{closed, first, said};

/// The command that connects, which must be the first.
const CONNECT: u32 = 1;
/// The command that renews: a number that a user's own commands do not reach.
const REFRESH: u32 = 2_147_483_647;

impl Dialect {
    /// Centrifugo in JSON: `connect` as the first command, `refresh` when the time that the server stated is over (it allows 25 s more),
    /// an empty object as ping and as pong. The user's commands have other ids than 1 and 2147483647.
    ///
    /// Ran with the vendor's client centrifuge 5.8.0; codes from the server's source.
    #[must_use]
    pub fn centrifugo() -> Self {
        let answer = |id: u32, what: &str| {
            Matcher::of([("/id", json!(id))]).and(format!("/{what}"), Condition::Exists(true))
        };
        let refused = |code: Value| {
            let ours = Condition::OneOf(vec![json!(CONNECT), json!(REFRESH)]);
            let error = Matcher::default().and("/id", ours).and("/error/code", Condition::Equals(code));
            On::Message(error)
        };
        let refused = |code: i64, verdict| {
            Rule::new(refused(json!(code)), verdict).in_phases([Phase::Login, Phase::Renewing])
        };
        let place = |at: &str| InUnit { at: at.to_owned(), unit: Unit::Seconds };
        let empty = || Matcher::of([("", json!({}))]);
        let range = |codes| On::Close { codes: Codes::of([codes]), reason: None };
        Self {
            codec: Codec::JsonLines,
            login: first(json!({"id": CONNECT, "connect": {"token": "${credential}", "name": "rust"}})),
            acceptance: said([answer(CONNECT, "connect")]),
            captured: Captured {
                session_id: Some("/connect/client".to_owned()),
                expires_in: Some(place("/connect/ttl")),
                idle: Some(place("/connect/ping")),
                ..Captured::default()
            },
            renewal: Renewal::InBand {
                send: Template::json(json!({"id": REFRESH, "refresh": {"token": "${credential}"}})),
                accepted: vec![answer(REFRESH, "refresh")],
                asked_by: Vec::new(),
                when: RenewalTime::AtExpiry,
            },
            replies: vec![Reply { on: empty(), send: Template::json(json!({})) }],
            rules: vec![
                refused(109, Verdict::Expired),
                refused(101, Verdict::Rejected),
                refused(103, Verdict::Forbidden),
                refused(100, Verdict::Transient),
                refused(111, Verdict::Transient),
                // Expired; its state at the server is no longer valid.
                Rule::new(closed([3005, 3014]), Verdict::Expired),
                Rule::new(closed([3013]), Verdict::RateLimited),
                // No connect in 15 s.
                Rule::new(closed([3502]), Verdict::AuthenticationTimeout),
                Rule::new(closed([3501]), Verdict::Misuse),
                Rule::new(closed([3507]), Verdict::Forbidden),
                // The classes: these reconnect, and the rest of 3500–3999 and 4500–4999 never does.
                Rule::new(range(3000..=3499), Verdict::Transient),
                Rule::new(range(4000..=4499), Verdict::Transient),
            ],
            ..Self::new("centrifugo")
        }
    }
}
