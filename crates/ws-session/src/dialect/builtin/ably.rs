//! Ably's realtime protocol, in JSON.

use serde_json::json;

use super::super::{
    Captured, Condition, Dialect, InUnit, Matcher, On, Phase, Placement, Reconnection, Renewal, RenewalTime,
    Rule, Template, Unit, Verdict,
};
use super::said;

const HEARTBEAT: i64 = 0;
const CONNECTED: i64 = 4;
const DISCONNECTED: i64 = 6;
const ERROR: i64 = 9;
const AUTH: i64 = 17;

impl Dialect {
    /// Ably: the token in the query, in with CONNECTED, renewed by AUTH, which the server may ask for. An ERROR of a channel is
    /// the user's; the codes 40140 to 40149 of the connection want a fresh token (RTN14b, RTN15h, RTN22).
    ///
    /// `access_token` is what Ably's own SDKs send; its specification says `accessToken` (RTN2e), and servers take
    /// both. The source of the token decides who the client is.
    ///
    /// Ran with ably-js 2.28; codes from the vendor's specification and source.
    #[must_use]
    pub fn ably() -> Self {
        let action = |number: i64| Matcher::of([("/action", json!(number))]);
        let connected = action(CONNECTED).and("/connectionDetails", Condition::Exists(true));
        // With a channel, even a null one, it is that channel's.
        let failed = |number: i64| action(number).and("/channel", Condition::Exists(false));
        let rule = |number, at: &str, condition, verdict| {
            Rule::new(On::Message(failed(number).and(at, condition)), verdict)
        };
        let code = |low, high| Condition::Between(low, high);
        // 40110 and 40113 are no limits: the account is disabled or blocked.
        let passing_limits =
            Condition::OneOf([40_111, 40_112, 40_114, 40_115, 40_150, 40_151].map(|code| json!(code)).into());
        let query = [
            ("access_token", "${credential}"),
            ("format", "json"),
            // Heartbeats as messages, since not every transport shows ping frames.
            ("heartbeats", "true"),
            ("v", "6"),
        ];
        let query = query.map(|(name, value)| (name.to_owned(), Template::text(value)));
        let mut rules = Vec::new();
        for number in [ERROR, DISCONNECTED] {
            rules.extend([
                rule(number, "/error/code", code(40_140, 40_149), Verdict::Expired),
                // Limits of the account, the application and the token, which may pass.
                rule(number, "/error/code", passing_limits.clone(), Verdict::RateLimited),
            ]);
        }
        rules.extend([
            rule(ERROR, "/error/code", code(40_300, 40_399), Verdict::Forbidden),
            rule(ERROR, "/error/statusCode", code(403, 403), Verdict::Forbidden),
            rule(ERROR, "/error/statusCode", code(401, 401), Verdict::Rejected),
            rule(ERROR, "/error/code", code(42_910, 42_919), Verdict::RateLimited),
            // Any other error of the connection is final (RTN14g, RTN15i), and any other end of it is not.
            Rule::new(On::Message(failed(ERROR)), Verdict::Misuse),
            Rule::new(On::Message(failed(DISCONNECTED)), Verdict::Transient),
        ]);
        let rules =
            rules.into_iter().map(|rule| rule.in_phases([Phase::Login, Phase::Live, Phase::Renewing]));
        Self {
            placement: Placement { query: query.into(), ..Placement::default() },
            acceptance: said([connected.clone()]),
            captured: Captured {
                session_id: Some("/connectionId".to_owned()),
                idle: Some(InUnit {
                    at: "/connectionDetails/maxIdleInterval".to_owned(),
                    unit: Unit::Milliseconds,
                }),
                ..Captured::default()
            },
            renewal: Renewal::InBand {
                send: Template::json(json!({"action": AUTH, "auth": {"accessToken": "${credential}"}})),
                accepted: vec![connected],
                asked_by: vec![action(AUTH)],
                when: RenewalTime::Early,
            },
            reconnection: Reconnection::Current,
            heartbeats: vec![action(HEARTBEAT).and("/id", Condition::Exists(false))],
            rules: rules.collect(),
            ..Self::new("ably")
        }
    }
}
