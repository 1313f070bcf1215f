//! Dialects in files: [`Dialect::from_toml`] and [`Dialect::to_toml`].
//!
//! A description says in TOML what a [`Dialect`] says as a value. All but the name has a default, so that the smallest ones are short. A
//! token in a header, in with the upgrade:
//!
//! ```
//! # use ws_session::dialect::Dialect;
//! # let dialect = Dialect::from_toml(r#"
//! name = "mine"
//! place.headers.Authorization = "Bearer ${credential}"
//! # "#)?;
//! # assert_eq!(dialect.placement.headers.len(), 1);
//! # Ok::<(), ws_session::dialect::description::InvalidDescription>(())
//! ```
//!
//! A first message, and the answer that means that we are in:
//!
//! ```
//! # use ws_session::dialect::Dialect;
//! # let dialect = Dialect::from_toml(r#"
//! name = "mine"
//! login.send = { type = "auth", token = "${credential}" }
//! accept.message = { "/type" = "auth", "/status" = "ok" }
//! # "#)?;
//! # assert_eq!(dialect.login.len(), 1);
//! # Ok::<(), ws_session::dialect::description::InvalidDescription>(())
//! ```
//!
//! One with most of what there is:
//!
//! ```
//! # use ws_session::dialect::Dialect;
//! # let dialect = Dialect::from_toml(r#"
//! name = "mine"
//! reconnect = "fresh"
//!
//! [place]
//! subprotocols = ["mine.v1"]
//!
//! [[login]]
//! on = { "/type" = "hello" }
//! send = { type = "auth", id = "${uuid}", token = "${credential}", answer = "${challenge}" }
//!
//! [accept]
//! message = { "/type" = "welcome" }
//! within_s = 5
//!
//! [capture]
//! session_id = "/session"
//! idle_ms = "/heartbeat_interval"
//! named = { challenge = "/challenge" }
//!
//! [renew]
//! how = "in_band"
//! send = { type = "token", token = "${credential}" }
//! accepted = { "/type" = "token_ok" }
//! asked_by = { "/type" = "token_wanted" }
//!
//! [[reply]]
//! on = { "/type" = "ping" }
//! send = { type = "pong" }
//!
//! [farewell]
//! send = { type = "bye" }
//! answered = { "/type" = "bye" }
//!
//! [[rule]]
//! message = { "/type" = "error", "/code" = { between = [40140, 40149] } }
//! means = "expired"
//!
//! [[rule]]
//! close = ["none", "4400-4499"]
//! phase = "login"
//! after_s = 9
//! means = "authentication_timeout"
//! # "#)?;
//! # assert_eq!(dialect.rules.len(), 2);
//! # Ok::<(), ws_session::dialect::description::InvalidDescription>(())
//! ```
//!
//! One of a service that wants an object in base64url as a subprotocol, AWS AppSync's events:
//!
//! ```
//! # use ws_session::dialect::Dialect;
//! # let dialect = Dialect::from_toml(r#"
//! name = "appsync-events"
//! login.send = { type = "connection_init" }
//! accept.message = { "/type" = "connection_ack" }
//! capture.idle_ms = "/connectionTimeoutMs"
//! heartbeat = { "/type" = "ka" }
//!
//! [place]
//! subprotocols = ["aws-appsync-event-ws", { prefix = "header-", form = { host = "…", Authorization = "${credential}" } }]
//! # "#)?;
//! # assert_eq!(dialect.placement.subprotocols.len(), 2);
//! # Ok::<(), ws_session::dialect::description::InvalidDescription>(())
//! ```
//!
//! To begin with a built-in one, write it out: `Dialect::named("directus")?.to_toml()`.
//!
//! # Reference
//!
//! Whatever is unknown, is said twice or makes no sense as a whole is refused, with the line and what to do. A description holds no
//! secret, and is at most 64 KiB long. What takes an array takes a single value as well.
//!
//! ## The dialect
//!
//! | Key | Value | Default |
//! |---|---|---|
//! | `name` | 1 to 64 visible characters of ASCII | must be there |
//! | `codec` | how messages are framed: `"json"`, `"json_lines"`, `"json_record_separator"`, `"engine_io"`, `"nats"`; see [`Codec`](super::Codec) | `"json"` |
//! | `use` | how often a credential may be presented: `"many"` times, or `"once"` | `"many"` |
//! | `reconnect` | which credential follows a lost connection: any `"current"` one, or a `"fresh"` one; see [`Reconnection`](super::Reconnection) | `"current"` |
//! | `ping` | how a silent connection is asked whether it lives: by a `"frame"`, `"never"`, or by a message: `ping.send` | `"frame"` |
//! | `heartbeat` | matchers of messages that are not the user's: heartbeats, answers to `ping.send` | none |
//!
//! ## `place`: what goes into the upgrade
//!
//! | Key | Value |
//! |---|---|
//! | `headers`, `query`, `cookies` | a table of names and [templates](#templates) |
//! | `subprotocols` | an array, in order: names; texts with `${credential}`; `{ prefix = "…", form = { … } }` for an object in base64url. The server may select the names, and only them |
//! | `url` | `true` when the credential is the URL |
//!
//! ## `login`: the messages that log in
//!
//! One table, or an array of them (`[[login]]`), in order.
//!
//! | Key | Value | Default |
//! |---|---|---|
//! | `on` | the message to wait for, a [matcher](#matchers) | the step before, or the upgrade |
//! | `send` | the message, a [template](#templates) | must be there |
//!
//! ## `accept`: how we know that we are in
//!
//! Without it, by the upgrade.
//!
//! | Key | Value | Default |
//! |---|---|---|
//! | `message` | matchers, any of which will do; `{}` is any message | must be there |
//! | `within_s`, `within_ms` | how long the server may take | what the session allows |
//!
//! ## `capture`: what the server says that must be known or repeated
//!
//! Places in the messages of the login, as JSON pointers.
//!
//! | Key | What stands there |
//! |---|---|
//! | `session_id` | the session's name at the server |
//! | `expires_in_s`, `expires_in_ms` | how long the credential is good for from then, as a number of seconds or milliseconds |
//! | `expires_at_s`, `expires_at_ms`, `expires_at_rfc3339` | instead of those: when it ends, as a number of seconds or of milliseconds since the Unix epoch, or as a text of RFC 3339 (ISO 8601 with date, time and offset: `"2026-11-22T09:30:00Z"`); see [below](#the-end-of-a-credential) |
//! | `idle_s`, `idle_ms` | the longest silence that the server promises |
//! | `kept_s`, `kept_ms` | how long the server keeps the session when its connection is lost; then it counts as suspended |
//! | `reason_code` | the number that says why, in a message that ends the connection |
//! | `named` | a table of names and places, for templates |
//! | `resumed` | what says that the server took up the session of the connection before: `"same_session"` if it names that again, or a matcher of a message of the login |
//!
//! ### The end of a credential
//!
//! What the server says of it, in the messages of the login and in the answer to a renewal in band, counts where it is less than what the
//! source of the token said. Less than 30 seconds counts as 30, so that a wrong unit renews nobody in a loop, and more than a year as a
//! year.
//!
//! A point in time needs a clock that agrees with the server's: where the server says both, a duration is the better one. What stands
//! in another form than the description names, a number in quotes or a date without an offset among them, what has passed already, and
//! what is beyond the year 9999, as milliseconds are where seconds are expected, is ignored; observers are told by an
//! [`ExpiryIgnored`](auth_core::AuthEvent::ExpiryIgnored), and the credential ends when its source said. `null` says nothing.
//!
//! ```
//! # use ws_session::dialect::{Dialect, InForm, TimeForm};
//! # let dialect = Dialect::from_toml(r#"
//! name = "mine"
//! login.send = { type = "auth", token = "${credential}" }
//! accept.message = { "/type" = "welcome" }
//! capture.expires_at_rfc3339 = "/session/expires"
//! # "#)?;
//! # let expected = InForm { at: "/session/expires".to_owned(), form: TimeForm::Rfc3339 };
//! # assert_eq!(dialect.captured.expires_at, Some(expected));
//! # Ok::<(), ws_session::dialect::description::InvalidDescription>(())
//! ```
//!
//! ## `renew`: how a fresh credential reaches a live connection
//!
//! | Key | Value | Default |
//! |---|---|---|
//! | `how` | `"in_band"`, by a message; `"reconnect"`, by a new connection; `"never"` | must be there |
//! | `send` | in band: the message | the login's last with the credential |
//! | `accepted` | in band: matchers of the answer; `[]` if there is none | as `accept.message` |
//! | `overlap` | reconnecting: whether the new connection is made before the old one is closed | `true` |
//! | `asked_by` | matchers of messages by which the server asks for it; followed at once where the credential in use is no longer [fresh](super::Renewal), and with pauses that grow where it is | none |
//! | `when` | if nobody asks: `"early"`, before the credential expires; `"at_expiry"`; `"when_asked"`, not at all | `"early"` |
//!
//! ## `reply`: answers to messages, at any time
//!
//! One table, or an array of them: `on`, a matcher, and `send`, a template without the credential.
//!
//! ## `farewell`: what a session says before it closes its last connection
//!
//! | Key | Value | Default |
//! |---|---|---|
//! | `send` | the message, a template without the credential | must be there |
//! | `answered` | matchers of the answer, for which the close frame waits | none: it follows at once |
//!
//! ## `request`: how replies find the requests that they answer
//!
//! With the codecs of JSON only.
//!
//! | Key | Value | Default |
//! |---|---|---|
//! | `id` | the place in a request for its identifier, a JSON pointer | must be there |
//! | `reply_id` | places in a reply where it comes back | as `id` |
//! | `error` | matchers of replies that say that the request failed | none |
//! | `interim` | matchers of replies after which another comes | none |
//!
//! ## `rule`: what failures mean
//!
//! One table, or an array of them; the first that matches decides, and [`default_verdict`](super::default_verdict) what none
//! matches. One of the first five must be there.
//!
//! | Key | Value | Default |
//! |---|---|---|
//! | `status` | the upgrade's HTTP status: codes and ranges, as `[401, "500-599"]` | |
//! | `close` | close codes: codes and ranges, and `"none"` for a connection that ends without a code | |
//! | `message` | a matcher | |
//! | `timeout` | `true`: an answer that did not come in time | |
//! | `transport` | `true`: a transport that failed | |
//! | `reason` | with `close`: what the reason contains | any |
//! | `phase` | `"upgrade"`, `"login"`, `"live"`, `"renewing"`, or some of these | any |
//! | `after_s`, `after_ms` | how long the connection has been in that phase, at least | any time |
//! | `means` | `"transient"`, `"rate_limited"`, `"reconnect_now"`, `"expired"`, `"authentication_timeout"`, `"rejected"`, `"forbidden"`, `"misuse"`; see [`Verdict`](super::Verdict) | must be there |
//!
//! ## Templates
//!
//! A table or an array is a message of JSON; a text is sent as it is. Placeholders are those of [`Template`](super::Template):
//! `${credential}`, `${uuid}`, `${now_ms}`, `${now_s}`, `${session_id}`, the names of captures, and `${last.session_id}` and `${last.name}` for those of
//! the connection before. What TOML can't say, a null above all, goes as
//! a text of JSON under `send_json` in the place of `send`:
//!
//! ```
//! # use ws_session::dialect::Dialect;
//! # let dialect = Dialect::from_toml(r#"
//! name = "mine"
//! place.query.token = "${credential}"
//! ping.send_json = '[null, "1", "phoenix", "heartbeat", {}]'
//! # "#)?;
//! # assert_ne!(dialect.ping, ws_session::dialect::Ping::Frame);
//! # Ok::<(), ws_session::dialect::description::InvalidDescription>(())
//! ```
//!
//! ## Matchers
//!
//! A table of places, JSON pointers (RFC 6901), and what must hold there, each of them:
//!
//! | Condition | Holds when the place has |
//! |---|---|
//! | `"text"`, `4`, `true` | this value |
//! | `[4, 9]` | one of these values |
//! | `{ json = "null" }` | this value, as a text of JSON |
//! | `{ between = [40140, 40149] }` | an integer in this range, both ends included |
//! | `{ contains = "Expired" }` | a text that contains this one |
//! | `{ exists = false }` | nothing; or, with `true`, anything |

mod check;
mod node;
mod parts;
mod read;
#[cfg(test)]
mod tests;
mod text;
mod words;
mod write;

use std::fmt;

use toml::de::{DeTable, DeValue};

use self::node::Document;
use self::write::Writer;
use super::Dialect;

/// The longest description, in bytes.
const LONGEST: usize = 64 * 1024;

impl Dialect {
    /// Reads a description; [`description`](self) says how one is written.
    ///
    /// # Errors
    ///
    /// [`InvalidDescription`] says where it is wrong and what to do.
    pub fn from_toml(text: &str) -> Result<Self, InvalidDescription> {
        if text.len() > LONGEST {
            return Err(InvalidDescription {
                line: None,
                place: String::new(),
                problem: "a description is at most 64 KiB long; is this the right file?".to_owned(),
            });
        }
        let line_at = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        let table = DeTable::parse(text).map_err(|error| InvalidDescription {
            line: error.span().map(|span| line_at(span.start)),
            place: String::new(),
            problem: format!("this is no TOML: {}", error.message()),
        })?;
        let value = DeValue::Table(table.into_inner());
        let document = Document::new(text, &value);
        let dialect = document.dialect()?;
        check::check(&dialect).map_err(|(place, problem)| InvalidDescription {
            line: document.line_of(&place),
            place,
            problem,
        })?;
        Ok(dialect)
    }

    /// Writes the description of a dialect, which [`from_toml`](Self::from_toml) reads as an equal one.
    ///
    /// # Errors
    ///
    /// [`InvalidDescription`] when a description can't say it: an [`Authenticator`](super::Authenticator), which is code, or what
    /// `from_toml` would refuse.
    pub fn to_toml(&self) -> Result<String, InvalidDescription> {
        let invalid =
            |place, problem: &str| InvalidDescription { line: None, place, problem: problem.to_owned() };
        let text = Writer::write(self).map_err(|(place, problem)| invalid(place, problem))?;
        let read = Self::from_toml(&text).map_err(|error| InvalidDescription { line: None, ..error })?;
        if read == *self {
            Ok(text)
        } else {
            Err(invalid(String::new(), "a description would say something else than this dialect"))
        }
    }
}

/// What is wrong with a description, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDescription {
    line: Option<usize>,
    place: String,
    problem: String,
}

impl InvalidDescription {
    /// The line, from 1, if there is a text and one line of it is to blame.
    #[must_use]
    pub const fn line(&self) -> Option<usize> {
        self.line
    }

    /// The key, as `rule[2].close`; empty for the whole.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Display for InvalidDescription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, place, problem } = self;
        if let Some(line) = line {
            write!(formatter, "line {line}: ")?;
        }
        if !place.is_empty() {
            write!(formatter, "`{place}`: ")?;
        }
        formatter.write_str(problem)
    }
}

impl std::error::Error for InvalidDescription {}
