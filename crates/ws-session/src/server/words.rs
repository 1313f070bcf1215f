//! What a server says in its dialect's own words: acceptance, refusals, requests for a fresh credential.

use std::time::Duration;

use auth_core::time::Timestamp;
use serde_json::{Map, Value};

use crate::dialect::{
    Acceptance, Codec, Dialect, Failure, InUnit, Matcher, Occurrence, On, Phase, Renewal, Rule, Trigger,
    Unit, Verdict,
};

/// What a server tells of itself and of a connection, where the dialect has places for it.
#[derive(Debug)]
pub(super) struct Announced<'a> {
    pub(super) session_id: &'a str,
    pub(super) expires_in: Option<Duration>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) idle: Option<Duration>,
}

/// Where a connection is, as its client sees it, and what it is to understand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occasion {
    pub(super) phase: Phase,
    pub(super) elapsed: Duration,
    pub(super) verdict: Verdict,
}

/// The smallest message that matches, with what is announced as far as that does not change its meaning.
pub(super) fn message(dialect: &Dialect, matcher: &Matcher, announced: &Announced<'_>) -> Value {
    let mut message = matcher.message();
    // Of NATS's messages this alone has room for more.
    if dialect.codec == Codec::Nats && message["verb"] != "INFO" {
        return message;
    }
    let places = &dialect.captured;
    let mut values = Vec::new();
    // A nonce, say: nothing else that the server has is as fresh.
    for at in places.session_id.iter().chain(places.named.values()) {
        values.push((at, Value::from(announced.session_id)));
    }
    values.extend(duration(places.expires_in.as_ref(), announced.expires_in));
    let end = places.expires_at.as_ref().zip(announced.expires_at);
    values.extend(end.map(|(place, time)| (&place.at, place.write(time))));
    values.extend(duration(places.idle.as_ref(), announced.idle));
    for (at, value) in values {
        let mut with = message.clone();
        put(&mut with, at, value);
        if matchers(dialect).all(|matcher| matcher.matches(&with) == matcher.matches(&message)) {
            message = with;
        }
    }
    message
}

/// All by which a client tells the messages of a dialect apart.
fn matchers(dialect: &Dialect) -> impl Iterator<Item = &Matcher> {
    let triggers = dialect.login.iter().filter_map(|step| match &step.on {
        Trigger::Message(matcher) => Some(matcher),
        Trigger::Open => None,
    });
    let acceptance = match &dialect.acceptance {
        Acceptance::Message { any_of, .. } => &any_of[..],
        Acceptance::Upgrade => &[],
    };
    let (accepted, asked_by) = match &dialect.renewal {
        Renewal::InBand { accepted, asked_by, .. } => (&accepted[..], &asked_by[..]),
        Renewal::Reconnect { asked_by, .. } => (&[][..], &asked_by[..]),
        Renewal::Never => (&[][..], &[][..]),
    };
    let rules = dialect.rules.iter().filter_map(|rule| match &rule.on {
        On::Message(matcher) => Some(matcher),
        _ => None,
    });
    let renewal = accepted.iter().chain(asked_by);
    triggers
        .chain(acceptance)
        .chain(renewal)
        .chain(dialect.replies.iter().map(|reply| &reply.on))
        .chain(&dialect.heartbeats)
        .chain(dialect.farewell.iter().flat_map(|farewell| &farewell.answered))
        .chain(rules)
}

/// The message by which the dialect tells of this, if it does.
pub(super) fn refusal(dialect: &Dialect, occasion: Occasion, reason: &str) -> Option<Value> {
    let messages = rules(dialect, occasion).filter_map(|rule| match &rule.on {
        On::Message(matcher) => Some((matcher, Failure::Message(matcher.message()))),
        _ => None,
    });
    let (matcher, failure) = choose(dialect, occasion, messages.collect())?;
    let Failure::Message(plain) = failure else { return None };
    let mut message = plain.clone();
    if let (Codec::Json, Value::Object(members)) = (dialect.codec, &mut message) {
        members.entry("message").or_insert_with(|| Value::from(reason));
    }
    Some(if matcher.matches(&message) { message } else { plain })
}

/// The code and the reason by which the dialect closes for this; `default`, where the dialect does not say otherwise.
pub(super) fn close(dialect: &Dialect, occasion: Occasion, default: u16) -> (Option<u16>, Option<&str>) {
    let mut closes = Vec::new();
    for rule in rules(dialect, occasion) {
        if let On::Close { codes, reason } = &rule.on {
            let sendable = codes.ranges.iter().flat_map(Clone::clone).find(|code| may_close_with(*code));
            let code = sendable.map(Some).or_else(|| codes.or_none.then_some(None));
            closes.extend(code.map(|code| ((code, reason.as_deref()), closed(code, reason.as_deref()))));
        }
    }
    closes.push(((Some(default), None), closed(Some(default), None)));
    choose(dialect, occasion, closes).map_or((Some(default), None), |(close, _)| close)
}

/// The status by which the dialect refuses an upgrade for this; `default`, where the dialect does not say otherwise.
pub(super) fn status(dialect: &Dialect, occasion: Occasion, default: u16) -> u16 {
    let mut statuses = Vec::new();
    for rule in rules(dialect, occasion) {
        if let On::Status(codes) = &rule.on {
            let status =
                codes.ranges.iter().flat_map(Clone::clone).find(|status| (400..=599).contains(status));
            statuses.extend(status.map(|status| (status, Failure::Status(status))));
        }
    }
    statuses.push((default, Failure::Status(default)));
    choose(dialect, occasion, statuses).map_or(default, |(status, _)| status)
}

fn rules(dialect: &Dialect, occasion: Occasion) -> impl Iterator<Item = &Rule> {
    let here = move |rule: &&Rule| rule.phases.is_empty() || rule.phases.contains(&occasion.phase);
    dialect.rules.iter().filter(here).filter(move |rule| rule.after <= occasion.elapsed)
}

/// The first of some failures that a client understands as it should. For a credential that is no good any other refusal will do, but one that
/// has merely expired must not be called worse: its client would give up.
fn choose<T>(dialect: &Dialect, occasion: Occasion, from: Vec<(T, Failure)>) -> Option<(T, Failure)> {
    let Occasion { phase, elapsed, verdict } = occasion;
    let understood = |failure: &Failure| dialect.verdict(&Occurrence { phase, elapsed, failure });
    let will_do = |failure: &Failure| {
        matches!(verdict, Verdict::Rejected | Verdict::Forbidden)
            && matches!(understood(failure), Verdict::Rejected | Verdict::Forbidden | Verdict::Expired)
    };
    let exactly = from.iter().position(|(_, failure)| understood(failure) == verdict);
    let at = exactly.or_else(|| from.iter().position(|(_, failure)| will_do(failure)))?;
    from.into_iter().nth(at)
}

fn closed(code: Option<u16>, reason: Option<&str>) -> Failure {
    Failure::Closed { code, reason: reason.unwrap_or_default().to_owned() }
}

/// Whether a close frame may bear this code (RFC 6455 §7.4).
const fn may_close_with(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

fn duration(place: Option<&InUnit>, duration: Option<Duration>) -> Option<(&String, Value)> {
    let (place, duration) = place.zip(duration)?;
    let number = match place.unit {
        Unit::Milliseconds => u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        _ => duration.as_secs(),
    };
    Some((&place.at, Value::from(number)))
}

/// Sets the value at a JSON pointer (RFC 6901); what is no object on the way there becomes one.
fn put(message: &mut Value, at: &str, value: Value) {
    let mut place = message;
    for name in at.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        if let (Value::Array(members), Ok(index)) = (&*place, name.parse::<usize>())
            && index < members.len()
        {
            place = &mut place[index];
            continue;
        }
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[name];
    }
    *place = value;
}
