//! What a server says during a login that must be known or repeated: names, lifetimes, promises, nonces.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use auth_core::Secret;
use auth_core::observe::Label;
use auth_core::time::{Deadline, Now};
use serde_json::Value;

use super::matcher::value_at;
use super::{InForm, InUnit, Matcher};

/// Where in the messages of a login the server says what. Places are JSON pointers (RFC 6901).
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Captured {
    /// The session's name at the server.
    pub session_id: Option<String>,
    /// How long the credential is good for from now, which may be less than its source said.
    pub expires_in: Option<InUnit>,
    /// When it ends, by a clock that is expected to agree with ours; where both are said, what leaves less time counts. What can't be
    /// read, and what has passed or is beyond the year 9999, is ignored, and told as an
    /// [`ExpiryIgnored`](auth_core::AuthEvent::ExpiryIgnored).
    pub expires_at: Option<InForm>,
    /// The longest silence that the server promises; zero is no promise.
    pub idle: Option<InUnit>,
    /// How long the server keeps the session when its connection is lost: after that it counts as
    /// [`Suspended`](crate::machine::State::Suspended), whatever the configuration says, and is not asked to be taken up.
    pub kept: Option<InUnit>,
    /// What says that the server has taken up the session of the connection before.
    pub resumed: Option<Resumed>,
    /// The number that says why, in a message that ends the connection; told if it is less than 65,536, as close codes are.
    pub reason_code: Option<String>,
    /// Others by name, for templates (`${name}`) and for an [`Authenticator`](super::Authenticator).
    pub named: BTreeMap<String, String>,
}

impl Captured {
    /// The number that says why, in a message that ends the connection.
    pub(crate) fn code_in(&self, message: &Value) -> Option<u16> {
        value_at(message, self.reason_code.as_ref()?)?.as_u64()?.try_into().ok()
    }
}

/// How a server says that it has taken up the session of the connection before, which a login asked for by what was captured on that one
/// (`${last.name}` in a [`Template`](super::Template)).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Resumed {
    /// It names the session as it did before.
    SameSession,
    /// A message of the login matches.
    Message(Matcher),
}

/// What one server said on one connection.
#[derive(Clone, Default)]
pub struct Captures {
    session_id: Option<Label>,
    /// In the place of that, where it is not to be shown.
    withheld: Option<Secret>,
    withholds: bool,
    expires_in: Option<Duration>,
    /// When that is over, from when it was said.
    expires: Option<Deadline>,
    /// What was said of it last could not be meant.
    strange: Option<&'static str>,
    idle: Option<Duration>,
    kept: Option<Duration>,
    named: BTreeMap<String, Value>,
    resumed: Option<bool>,
    /// Of the connection before; gone once this one is accepted.
    last: Option<Box<Self>>,
}

impl Captures {
    /// Nothing yet, after a connection of which this is known.
    #[must_use]
    pub(crate) fn following(last: Option<&Self>) -> Self {
        Self { last: last.cloned().map(Box::new), ..Self::default() }
    }

    /// The server has accepted the credential: nothing more is said, and what was said before is over.
    pub(crate) fn accepted(&mut self, places: &Captured) {
        let last = self.last.take();
        if places.resumed == Some(Resumed::SameSession) {
            let before = last.as_ref().and_then(|last| last.session_name());
            self.resumed = Some(before.is_some() && before == self.session_name());
        }
    }

    /// What was said on the connection before, while this one is being made.
    #[must_use]
    pub fn last(&self) -> Option<&Self> {
        self.last.as_deref()
    }

    /// Whether the server has taken up the session of the connection before, where the dialect tells.
    #[must_use]
    pub const fn resumed(&self) -> Option<bool> {
        self.resumed
    }

    /// Takes what a message of the login, received just now, says; what was said before and is not said again stays.
    pub fn take(&mut self, now: Now, places: &Captured, message: &Value) {
        if let Some(label) = places.session_id.as_ref().and_then(|at| value_at(message, at)).and_then(label) {
            self.session_id = Some(label);
            if self.withholds {
                self.withhold();
            }
        }
        let life = places.expires_in.as_ref().and_then(|place| place.read(message));
        let end = places.expires_at.as_ref().and_then(|place| place.read(now, message));
        let said: Vec<_> = [life, end].into_iter().flatten().collect();
        self.strange = said.iter().find_map(|said| said.err()).or(self.strange);
        if let Some(life) = said.into_iter().filter_map(Result::ok).min() {
            (self.expires_in, self.expires) = (Some(life), Some(now.expiry(life)));
        }
        if let Some(Ok(duration)) = places.idle.as_ref().and_then(|place| place.read(message)) {
            // Servers write a promise that they do not make as zero.
            self.idle = (!duration.is_zero()).then_some(duration);
        }
        if let Some(Ok(duration)) = places.kept.as_ref().and_then(|place| place.read(message)) {
            self.kept = Some(duration);
        }
        if let Some(Resumed::Message(matcher)) = &places.resumed {
            self.resumed = Some(self.resumed == Some(true) || matcher.matches(message));
        }
        for (name, at) in &places.named {
            if let Some(value) = value_at(message, at) {
                self.named.insert(name.clone(), value.clone());
            }
        }
    }

    /// What was said of a lifetime was said of another credential.
    pub(crate) const fn forget_lifetime(&mut self) {
        (self.expires_in, self.expires) = (None, None);
    }

    /// Why what was said of the credential's end is ignored, if it is; told once.
    pub(crate) const fn take_strange(&mut self) -> Option<&'static str> {
        self.strange.take()
    }

    /// The session's name is not shown any more: the server has put a credential there.
    pub(crate) fn withhold(&mut self) {
        self.withholds = true;
        if let Some(label) = self.session_id.take() {
            self.withheld = Some(Secret::from(label.as_str()));
        }
    }

    /// The session's name at the server, for the server alone.
    pub(crate) fn session_name(&self) -> Option<&str> {
        self.session_id.as_ref().map(Label::as_str).or_else(|| self.withheld.as_ref().map(Secret::expose))
    }

    /// The session's name at the server, unless that is a credential, or holds one.
    #[must_use]
    pub const fn session_id(&self) -> Option<&Label> {
        self.session_id.as_ref()
    }

    /// How long the credential is good for, from when the server said so.
    #[must_use]
    pub const fn expires_in(&self) -> Option<Duration> {
        self.expires_in
    }

    /// How much of that is left.
    pub(crate) fn valid_for(&self, now: Now) -> Option<Duration> {
        self.expires.map(|expires| expires.remaining(now))
    }

    /// The longest silence that the server promises.
    #[must_use]
    pub const fn idle(&self) -> Option<Duration> {
        self.idle
    }

    /// How long the server keeps the session when its connection is lost.
    #[must_use]
    pub const fn kept(&self) -> Option<Duration> {
        self.kept
    }

    /// What the server said under this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.named.get(name)
    }
}

impl fmt::Debug for Captures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A server may have said something that only we may repeat: names alone. Whether it has named the session by the credential
        // is not known before it accepts that.
        let Self {
            session_id,
            withheld,
            withholds: _,
            expires_in,
            expires: _,
            strange,
            idle,
            kept,
            named,
            resumed,
            last: _,
        } = self;
        formatter
            .debug_struct("Captures")
            .field("has_session_id", &(session_id.is_some() || withheld.is_some()))
            .field("expires_in", expires_in)
            .field("strange", strange)
            .field("idle", idle)
            .field("kept", kept)
            .field("named", &named.keys())
            .field("resumed", resumed)
            .finish()
    }
}

fn label(value: &Value) -> Option<Label> {
    match value {
        Value::String(text) => Some(Label::new(text)),
        Value::Number(number) => Some(Label::new(&number.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::{Moment, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::dialect::Unit;

    const NOW: Now = Now { wall: Timestamp::from_millis(1_700_000_000_000), mono: Moment::ORIGIN };

    fn at(at: &str, unit: Unit) -> Option<InUnit> {
        Some(InUnit { at: at.to_owned(), unit })
    }

    fn places() -> Captured {
        Captured {
            session_id: Some("/d/sid".to_owned()),
            expires_in: at("/d/ttl", Unit::Seconds),
            idle: at("/d/ping", Unit::Milliseconds),
            kept: at("/d/kept", Unit::Seconds),
            named: BTreeMap::from([("nonce".to_owned(), "/d/nonce".to_owned())]),
            ..Captured::default()
        }
    }

    #[test]
    fn what_was_said_stays_until_it_is_said_again() {
        let mut captures = Captures::default();
        let first = json!({"d": {"sid": "s", "ttl": 60, "ping": 25_000, "nonce": {"a": 1}}});
        captures.take(NOW, &places(), &first);
        captures.take(NOW, &places(), &json!({"d": {"ttl": 1.5}}));
        captures.take(NOW, &places(), &json!("else"));
        assert_eq!(captures.session_id().unwrap().as_str(), "s");
        assert_eq!(captures.expires_in(), Some(Duration::from_millis(1_500)));
        assert_eq!(captures.idle(), Some(Duration::from_secs(25)));
        assert_eq!(captures.named("nonce"), Some(&json!({"a": 1})));
        captures.take(NOW, &places(), &json!({"d": {"sid": 7, "ping": 0, "kept": 0}}));
        assert_eq!(captures.session_id().unwrap().as_str(), "7");
        assert_eq!(captures.idle(), None, "zero takes the promise back");
        assert_eq!(captures.kept(), Some(Duration::ZERO), "and keeps nothing");
    }

    #[test]
    fn what_is_left_of_a_lifetime_is_counted_from_when_it_was_said() {
        let mut captures = Captures::default();
        captures.take(NOW, &places(), &json!({"d": {"ttl": 60}}));
        let elapsed = Duration::from_secs(9);
        let later = Now { wall: NOW.wall.saturating_add(elapsed), mono: Moment::since_origin(elapsed) };
        captures.take(later, &places(), &json!("ok"));
        assert_eq!(captures.valid_for(later), Some(Duration::from_secs(51)));
        captures.forget_lifetime();
        assert_eq!(captures.valid_for(later), None);
    }

    #[test]
    fn what_is_no_duration_is_not_taken_and_told_once_where_it_is_a_lifetime() {
        for wrong in [json!(-1), json!(-0.5), json!("60"), json!(true), json!([1]), json!({}), json!(null)] {
            let mut captures = Captures::default();
            let message = json!({"d": {"ttl": wrong, "ping": wrong, "kept": wrong, "sid": [wrong]}});
            captures.take(NOW, &places(), &message);
            assert_eq!((captures.expires_in(), captures.idle(), captures.session_id()), (None, None, None));
            assert_eq!(captures.kept(), None);
            // Null says nothing, which is nothing strange.
            assert_eq!(captures.take_strange().is_some(), !wrong.is_null(), "{wrong}");
            assert_eq!(captures.take_strange(), None);
        }
    }

    #[test]
    fn of_a_lifetime_and_an_end_what_leaves_less_counts_and_what_is_strange_hides_neither() {
        let end = InForm { at: "/end".to_owned(), form: crate::dialect::TimeForm::EpochSeconds };
        let places = Captured { expires_at: Some(end), expires_in: at("/ttl", Unit::Seconds), ..places() };
        let now = 1_700_000_000;
        for (ttl, end, seconds, strange) in [
            (json!(60), json!(now + 90), 60, false),
            (json!(60), json!(now + 30), 30, false),
            (json!("60"), json!(now + 30), 30, true),
            (json!(60), json!("soon"), 60, true),
        ] {
            let mut captures = Captures::default();
            captures.take(NOW, &places, &json!({"ttl": ttl, "end": end}));
            assert_eq!(captures.expires_in(), Some(Duration::from_secs(seconds)), "{ttl}, {end}");
            assert_eq!(captures.take_strange().is_some(), strange, "{ttl}, {end}");
        }
    }

    #[test]
    fn debug_names_what_was_said_and_does_not_repeat_it() {
        let mut captures = Captures::default();
        captures.take(NOW, &places(), &json!({"d": {"nonce": "canary", "sid": "canary", "ttl": "canary"}}));
        let shown = format!("{captures:?}");
        assert!(shown.contains("nonce") && !shown.contains("canary"), "{shown}");
    }
}
