//! The dialects of the simulated services: logins by header, query, subprotocol and message, renewals in band and by connections.
//!
//! All speak JSON. None has cookies or a URL as its credential, replies, heartbeats, a renewal that only waits to be asked, no ping at all, or
//! code.

use std::time::Duration;

use serde_json::json;
use ws_session::dialect::{
    Acceptance, Captured, Codes, CredentialUse, Dialect, Failure, Farewell, InUnit, Matcher, On, Phase, Ping,
    Placement, Reconnection, Renewal, RenewalTime, Rule, Step, SubprotocolEntry, Template, Trigger, Unit,
    Verdict,
};

/// The kinds of services. A seed picks one by its remainder, so that each has its share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first message logs in, and again to renew: the seed document's.
    Genesys,
    /// A header, renewed by a new connection before the old one is closed.
    HeaderOverlap,
    /// A header, renewed by a new connection after the old one is closed.
    HeaderReplaced,
    /// A subprotocol entry that serves once, never renewed.
    OnceNever,
    /// A subprotocol entry that serves once, renewed by an overlapping connection.
    OnceOverlap,
    /// The server speaks first, and the credential is the answer; renewed by a new connection.
    ServerFirst,
    /// The server asks for a renewal in band, or it happens at expiry.
    AskedInBand,
    /// The server asks for a new connection.
    AskedReconnect,
    /// A parameter of the query, looked at once.
    QueryNever,
    /// A ping of its own, an expiry and an idle time that the server tells, and a farewell.
    OwnPing,
    /// A first message that serves once, and so does each renewal in band, which nobody confirms.
    OnceInBand,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::Genesys,
        Self::HeaderOverlap,
        Self::HeaderReplaced,
        Self::OnceNever,
        Self::OnceOverlap,
        Self::ServerFirst,
        Self::AskedInBand,
        Self::AskedReconnect,
        Self::QueryNever,
        Self::OwnPing,
        Self::OnceInBand,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Genesys => "dialect: genesys",
            Self::HeaderOverlap => "dialect: header, overlapping connections",
            Self::HeaderReplaced => "dialect: header, one connection at a time",
            Self::OnceNever => "dialect: single use, never renewed",
            Self::OnceOverlap => "dialect: single use, overlapping connections",
            Self::ServerFirst => "dialect: the server speaks first",
            Self::AskedInBand => "dialect: the server asks for a renewal",
            Self::AskedReconnect => "dialect: the server asks for a connection",
            Self::QueryNever => "dialect: query, never renewed",
            Self::OwnPing => "dialect: own ping, captured expiry",
            Self::OnceInBand => "dialect: single use, in band",
        }
    }

    /// The type of the message by which the server asks for a fresh credential, if it may.
    pub(crate) const fn wish(self) -> Option<&'static str> {
        match self {
            Self::AskedInBand => Some("expiring"),
            Self::AskedReconnect => Some("leave"),
            _ => None,
        }
    }

    pub(crate) fn dialect(self) -> Dialect {
        let mut dialect = match self {
            Self::Genesys => Dialect::genesys(),
            Self::HeaderOverlap => header(true, RenewalTime::Early),
            Self::HeaderReplaced => header(false, RenewalTime::AtExpiry),
            Self::OnceNever => once(Renewal::Never),
            Self::OnceOverlap => once(reconnect(true, RenewalTime::Early)),
            Self::ServerFirst => server_first(),
            Self::AskedInBand => asked_in_band(),
            Self::AskedReconnect => asked_reconnect(),
            Self::QueryNever => query(),
            Self::OwnPing => own_ping(),
            Self::OnceInBand => once_in_band(),
        };
        dialect.rules.extend([
            close_rule(HURRY..=HURRY, None, Verdict::ReconnectNow),
            close_rule(1008..=1008, Some("slow down"), Verdict::RateLimited),
            close_rule(LATE..=LATE, None, Verdict::AuthenticationTimeout).in_phases([Phase::Login]),
        ]);
        dialect
    }
}

/// A close code by which these services ask for a new connection.
pub(crate) const HURRY: u16 = 4009;
/// A close code by which they say that a credential was late.
pub(crate) const LATE: u16 = 4408;

/// What a failure means in these services, by the facts: the machine's own table is what this is held against.
pub(crate) fn meaning(phase: Phase, failure: &Failure) -> Verdict {
    match failure {
        Failure::Closed { code: Some(HURRY), .. } => Verdict::ReconnectNow,
        Failure::Closed { code: Some(1008), reason } if reason.contains("slow down") => Verdict::RateLimited,
        Failure::Closed { code: Some(LATE), .. } if phase == Phase::Login => Verdict::AuthenticationTimeout,
        Failure::Closed { code, .. } => match code {
            Some(1008 | 3000 | 4001 | 4401) => Verdict::Expired,
            Some(1013) => Verdict::RateLimited,
            Some(3003 | 4003 | 4403) => Verdict::Forbidden,
            Some(1002 | 1003 | 1007 | 1010) => Verdict::Misuse,
            Some(3500..=3999 | 4500..=4999) => Verdict::Rejected,
            _ => Verdict::Transient,
        },
        Failure::Status(401 | 403) => Verdict::Expired,
        Failure::Status(429) => Verdict::RateLimited,
        Failure::Status(408 | 425 | 500 | 502..=504) | Failure::Timeout | Failure::Transport => {
            Verdict::Transient
        }
        _ => Verdict::Misuse,
    }
}

fn close_rule(codes: std::ops::RangeInclusive<u16>, reason: Option<&str>, verdict: Verdict) -> Rule {
    Rule::new(On::Close { codes: Codes::of([codes]), reason: reason.map(str::to_owned) }, verdict)
}

const fn reconnect(overlap: bool, when: RenewalTime) -> Renewal {
    Renewal::Reconnect { overlap, asked_by: Vec::new(), when }
}

fn is(kind: &str) -> Matcher {
    Matcher::of([("/type", json!(kind))])
}

fn says(kind: &str) -> Template {
    Template::json(json!({"type": kind}))
}

fn presents(kind: &str) -> Template {
    Template::json(json!({"type": kind, "token": "${credential}"}))
}

fn accepted_by(kind: &str) -> Acceptance {
    Acceptance::Message { any_of: vec![is(kind)], within: None }
}

fn refused_by(kind: &str) -> Rule {
    Rule::new(On::Message(is(kind)), Verdict::Expired).in_phases([Phase::Login, Phase::Renewing])
}

fn header(overlap: bool, when: RenewalTime) -> Dialect {
    let mut dialect = Dialect::new("header");
    dialect.placement = Placement::default();
    dialect.placement.headers.push(("Authorization".to_owned(), Template::text("Bearer ${credential}")));
    dialect.renewal = reconnect(overlap, when);
    dialect
}

fn once(renewal: Renewal) -> Dialect {
    let mut dialect = Dialect::new("once");
    dialect.placement.subprotocols = vec![
        SubprotocolEntry::Name("sim-v1".to_owned()),
        SubprotocolEntry::Credential(Template::text("${credential}")),
    ];
    dialect.credential_use = CredentialUse::Once;
    dialect.renewal = renewal;
    dialect
}

fn query() -> Dialect {
    let mut dialect = Dialect::new("query");
    dialect.placement.query.push(("access_token".to_owned(), Template::text("${credential}")));
    dialect.reconnection = Reconnection::Fresh;
    dialect
}

fn server_first() -> Dialect {
    let mut dialect = Dialect::new("server-first");
    dialect.login = vec![Step { on: Trigger::Message(is("auth_required")), send: presents("auth") }];
    dialect.acceptance = accepted_by("auth_ok");
    dialect.renewal = reconnect(true, RenewalTime::Early);
    dialect.rules = vec![refused_by("auth_invalid")];
    dialect
}

fn asked_in_band() -> Dialect {
    let mut dialect = Dialect::new("asked-in-band");
    dialect.login = vec![Step { on: Trigger::Open, send: presents("auth") }];
    dialect.acceptance = accepted_by("connected");
    dialect.renewal = Renewal::InBand {
        send: presents("renew"),
        accepted: vec![is("renewed")],
        asked_by: vec![is("expiring")],
        when: RenewalTime::AtExpiry,
    };
    dialect.rules = vec![refused_by("refused")];
    dialect
}

fn asked_reconnect() -> Dialect {
    let mut dialect = header(true, RenewalTime::AtExpiry);
    dialect.renewal =
        Renewal::Reconnect { overlap: true, asked_by: vec![is("leave")], when: RenewalTime::AtExpiry };
    dialect
}

fn own_ping() -> Dialect {
    let mut dialect = Dialect::new("own-ping");
    dialect.login = vec![Step { on: Trigger::Open, send: presents("auth") }];
    dialect.acceptance = accepted_by("connected");
    dialect.captured = Captured::default();
    dialect.captured.session_id = Some("/session".to_owned());
    dialect.captured.expires_in = Some(InUnit { at: "/ttl".to_owned(), unit: Unit::Milliseconds });
    dialect.renewal = Renewal::InBand {
        send: presents("renew"),
        accepted: vec![is("renewed")],
        asked_by: Vec::new(),
        when: RenewalTime::Early,
    };
    dialect.ping = Ping::Message(says("ping"));
    dialect.farewell = Some(Farewell { send: says("bye"), answered: vec![is("bye_ok")] });
    dialect.rules = vec![refused_by("refused")];
    dialect
}

fn once_in_band() -> Dialect {
    let mut dialect = Dialect::new("once-in-band");
    dialect.login = vec![Step { on: Trigger::Open, send: presents("auth") }];
    dialect.acceptance =
        Acceptance::Message { any_of: vec![is("connected")], within: Some(Duration::from_secs(6)) };
    dialect.credential_use = CredentialUse::Once;
    dialect.renewal = Renewal::InBand {
        send: presents("renew"),
        accepted: Vec::new(),
        asked_by: Vec::new(),
        when: RenewalTime::Early,
    };
    dialect.rules = vec![refused_by("refused")];
    dialect
}
