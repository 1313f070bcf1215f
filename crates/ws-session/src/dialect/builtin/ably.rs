//! Ably's realtime protocol, in JSON.

use serde_json::json;

use super::super::{
    Captured, Condition, Dialect, Farewell, InUnit, Matcher, On, Placement, Renewal, RenewalTime, Requests,
    Resumed, Rule, Template, Unit, Verdict,
};
use super::said;

const HEARTBEAT: i64 = 0;
const CONNECTED: i64 = 4;
const DISCONNECTED: i64 = 6;
const CLOSE: i64 = 7;
const CLOSED: i64 = 8;
const ERROR: i64 = 9;
const AUTH: i64 = 17;

impl Dialect {
    /// Ably: the token in the query, in with CONNECTED, renewed by AUTH, which the server may ask for. An ERROR of a channel is
    /// the user's; the codes 40140 to 40149 of the connection want a fresh token (RTN14b, RTN15h, RTN22). A connection that was lost is
    /// resumed by its key (RTN15b), and the same `connectionId` says that it was (RTN15c6); `connectionStateTtl` says for how long (RTN14e,
    /// RTN21). A session that ends says CLOSE, and waits for CLOSED (RTN12). Of requests, a HEARTBEAT alone comes back with its `id` (RTN13).
    ///
    /// `access_token` is what Ably's own SDKs send; its specification says `accessToken` (RTN2e), and servers take
    /// both. The source of the token decides who the client is.
    ///
    /// Ran with ably-js 2.28; codes from the vendor's specification and source.
    #[must_use]
    pub fn ably() -> Self {
        let action = |number: i64| Matcher::of([("/action", json!(number))]);
        let connected = action(CONNECTED).and("/connectionDetails", Condition::Exists(true));
        let query = [
            ("access_token", "${credential}"),
            ("format", "json"),
            // Heartbeats as messages, since not every transport shows ping frames.
            ("heartbeats", "true"),
            ("v", "6"),
            ("resume", "${last.connection_key}"),
        ];
        let query = query.map(|(name, value)| (name.to_owned(), Template::text(value)));
        Self {
            placement: Placement { query: query.into(), ..Placement::default() },
            acceptance: said([connected.clone()]),
            captured: Captured {
                session_id: Some("/connectionId".to_owned()),
                idle: milliseconds("/connectionDetails/maxIdleInterval"),
                kept: milliseconds("/connectionDetails/connectionStateTtl"),
                resumed: Some(Resumed::SameSession),
                reason_code: Some("/error/code".to_owned()),
                named: [("connection_key".to_owned(), "/connectionDetails/connectionKey".to_owned())].into(),
                ..Captured::default()
            },
            renewal: Renewal::InBand {
                send: Template::json(json!({"action": AUTH, "auth": {"accessToken": "${credential}"}})),
                accepted: vec![connected],
                asked_by: vec![action(AUTH)],
                when: RenewalTime::Early,
            },
            requests: Some(Requests::new("/id")),
            heartbeats: vec![action(HEARTBEAT).and("/id", Condition::Exists(false))],
            farewell: Some(Farewell {
                send: Template::json(json!({"action": CLOSE})),
                answered: vec![action(CLOSED)],
            }),
            rules: rules(),
            ..Self::new("ably")
        }
    }
}

fn milliseconds(at: &str) -> Option<InUnit> {
    Some(InUnit { at: at.to_owned(), unit: Unit::Milliseconds })
}

/// What ends the connection. With a channel, even a null one, an error is that channel's.
fn rules() -> Vec<Rule> {
    let ended =
        |by: Condition| Matcher::default().and("/action", by).and("/channel", Condition::Exists(false));
    let either = || ended(Condition::OneOf(vec![json!(ERROR), json!(DISCONNECTED)]));
    let error = || ended(Condition::Equals(json!(ERROR)));
    let code = |matcher: Matcher, condition| matcher.and("/error/code", condition);
    let status = |status: u16| error().and("/error/statusCode", Condition::Equals(json!(status)));
    // Of the account's, the application's and the token's limits; 40110 and 40113 are none: disabled, blocked.
    let limits = [40_111, 40_112, 40_114, 40_115, 40_150, 40_151].map(|code| json!(code));
    let rules = [
        (code(either(), Condition::Between(40_140, 40_149)), Verdict::Expired),
        (code(either(), Condition::OneOf(limits.into())), Verdict::RateLimited),
        (code(error(), Condition::Between(42_910, 42_919)), Verdict::RateLimited),
        (code(error(), Condition::Between(40_300, 40_399)), Verdict::Forbidden),
        (status(403), Verdict::Forbidden),
        (status(401), Verdict::Rejected),
        // Any other error of the connection is final (RTN14g, RTN15i), and any other end of it is not.
        (error(), Verdict::Misuse),
        (ended(Condition::Equals(json!(DISCONNECTED))), Verdict::Transient),
    ];
    rules.map(|(matcher, verdict)| Rule::new(On::Message(matcher), verdict)).into()
}
