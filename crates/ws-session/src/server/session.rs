//! One connection as a server sees it.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use auth_core::time::{Deadline, Moment, Now};
use auth_core::{ApiMisuse, Secret};
use serde_json::Value;

use super::words::{self, Announced, Occasion};
use super::{AUTHENTICATED_TWICE, Output, Received, Refusal, Terms, UNAUTHORIZED, Upgrade};
use crate::dialect::{Acceptance, Codec, Dialect, Incoming, Matcher, Phase, Ping, Renewal, Trigger, Verdict};

/// One connection as a server sees it.
#[derive(Debug)]
pub struct ServerSession {
    pub(super) dialect: Arc<Dialect>,
    terms: Terms,
    session_id: String,
    pub(super) stage: Stage,
    /// When the client's phase began, as far as the server sees it.
    since: Moment,
    /// By when the client must be authenticated.
    patience: Deadline,
    /// What the newest credential that was accepted is good for.
    lease: Option<Lease>,
    /// When the dialect's own ping is due, where silence was promised to be short.
    ping: Option<Deadline>,
    pub(super) outputs: VecDeque<Output>,
}

/// Where a connection stands.
#[derive(Debug)]
pub(super) enum Stage {
    /// A verdict on the upgrade's credential is being reached.
    Upgrading,
    /// The login's message with this index is due; an earlier one had this credential.
    Login { step: usize, credential: Option<Secret> },
    /// A verdict on the login's credential is being reached.
    Deciding,
    /// Authenticated.
    Live,
    /// Authenticated, and a verdict on a fresh credential is being reached.
    Renewing,
    /// Refused or closed.
    Closed,
}

/// How long a credential is good for.
#[derive(Debug, Clone, Copy)]
struct Lease {
    expiry: Deadline,
    /// When the connection ends: after the grace, or earlier if the credential was revoked.
    end: Deadline,
    /// When the client is asked for the next one.
    ask: Option<Deadline>,
}

impl ServerSession {
    /// A connection whose upgrade request was read. Where the client placed a credential there, the verdict on it decides how the
    /// upgrade is answered; where the dialect has it in a message, the upgrade is accepted at once, and the client has time to
    /// present one; where it is missing, the upgrade is refused.
    ///
    /// `session_id` is announced where the dialect has a place for it, also as whatever else it captures, such as a
    /// nonce: let it be random.
    #[must_use]
    pub fn new(
        now: Now,
        dialect: impl Into<Arc<Dialect>>,
        terms: Terms,
        session_id: String,
        upgrade: Upgrade,
    ) -> Self {
        let mut session = Self {
            dialect: dialect.into(),
            terms,
            session_id,
            stage: Stage::Upgrading,
            since: now.mono,
            patience: now.timer(terms.patience),
            lease: None,
            ping: None,
            outputs: VecDeque::new(),
        };
        if let Some(credential) = upgrade.credential {
            session.outputs.push_back(Output::Verify { credential, renewal: false });
        } else if session.dialect.login.iter().any(|step| step.send.mentions("credential")) {
            session.accept(now);
        } else {
            session.refuse(now, Refusal::rejected("no credential was presented"));
        }
        session
    }

    /// Takes a message. One that comes too late is not taken: the connection is closed instead.
    ///
    /// Of a frame that holds messages of the login or of a renewal beside the application's, the latter are handed
    /// out one by one, as [`Output::Deliver`].
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::OutputsPending`] when [`poll`](Self::poll) has not answered [`Output::Wait`] since the last
    /// input; the input was not taken.
    pub fn receive(&mut self, now: Now, incoming: Incoming<'_>) -> Result<Received, ApiMisuse> {
        self.tick(now)?;
        let dialect = Arc::clone(&self.dialect);
        let messages = dialect.codec.read(incoming);
        if messages.is_empty() {
            return Ok(self.received(now, ""));
        }
        let mut delivered = Vec::new();
        for message in &messages {
            if self.received(now, message.text) == Received::Deliver {
                delivered.push(message.text);
            }
        }
        if delivered.len() == messages.len() {
            return Ok(Received::Deliver);
        }
        // Ahead of all else: what it is answered with may be a close.
        for text in delivered.into_iter().rev() {
            self.outputs.push_front(Output::Deliver { text: text.to_owned() });
        }
        Ok(Received::Consumed)
    }

    /// Takes the verdict on the credential: the time it still lives, or a refusal for the client to read.
    ///
    /// A refused renewal leaves the connection as it was, until its own credential expires.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn decided(&mut self, now: Now, verdict: Result<Duration, Refusal>) -> Result<(), ApiMisuse> {
        self.tick(now)?;
        let verdict = match verdict {
            Ok(Duration::ZERO) => Err(Refusal::expired("the credential has expired")),
            verdict => verdict,
        };
        match (&self.stage, verdict) {
            (Stage::Upgrading, Ok(expires_in)) => {
                self.lease(now, expires_in);
                self.accept(now);
            }
            (Stage::Deciding, Ok(expires_in)) => {
                self.lease(now, expires_in);
                self.admit(now);
            }
            (Stage::Renewing, Ok(expires_in)) => {
                self.lease(now, expires_in);
                self.enter(now, Stage::Live);
                if let Renewal::InBand { accepted, .. } = &Arc::clone(&self.dialect).renewal
                    && let Some(matcher) = accepted.first()
                {
                    self.say(now, matcher);
                }
            }
            (Stage::Upgrading, Err(refusal)) => self.refuse(now, refusal),
            (Stage::Deciding, Err(refusal)) => self.end(now, refusal),
            (Stage::Renewing, Err(refusal)) => {
                if let Some(message) =
                    words::refusal(&self.dialect, self.occasion(now, refusal.verdict), refusal.reason)
                {
                    self.send(&message);
                }
                self.enter(now, Stage::Live);
            }
            (Stage::Login { .. } | Stage::Live | Stage::Closed, _) => {}
        }
        Ok(())
    }

    /// The credential was revoked: the client is asked for another where the dialect can ask for one on this connection, and has as
    /// long as for its first; elsewhere the connection is closed.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn revoked(&mut self, now: Now) -> Result<(), ApiMisuse> {
        self.tick(now)?;
        let dialect = Arc::clone(&self.dialect);
        let Some(lease) = &mut self.lease else { return Ok(()) };
        match (&self.stage, &dialect.renewal) {
            (Stage::Closed, _) => {}
            (Stage::Live, Renewal::InBand { asked_by, .. }) if !asked_by.is_empty() => {
                lease.ask = None;
                lease.end = lease.end.or(now.timer(self.terms.patience));
                self.ask();
            }
            // The fresh credential that it has just presented may be good.
            (Stage::Renewing, _) => lease.end = lease.end.or(now.timer(self.terms.patience)),
            _ => self.end(now, Refusal::expired("the credential was revoked")),
        }
        Ok(())
    }

    /// Takes note that time has passed.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn tick(&mut self, now: Now) -> Result<(), ApiMisuse> {
        if !self.outputs.is_empty() {
            return Err(ApiMisuse::OutputsPending);
        }
        let passed = |deadline: Option<Deadline>| deadline.is_some_and(|deadline| deadline.passed(now));
        let expired = passed(self.lease.map(|lease| lease.end));
        match self.stage {
            Stage::Closed => {}
            Stage::Upgrading if self.patience.passed(now) => {
                self.refuse(now, Refusal::unreachable("no verdict in time"));
            }
            _ if expired => self.end(now, Refusal::expired("the credential has expired")),
            Stage::Login { .. } | Stage::Deciding if self.patience.passed(now) => {
                self.end(now, Refusal::new(Verdict::AuthenticationTimeout, "no credential in time"));
            }
            Stage::Live if passed(self.lease.and_then(|lease| lease.ask)) => {
                if let Some(lease) = &mut self.lease {
                    lease.ask = None;
                }
                self.ask();
            }
            _ => {}
        }
        if self.is_live() && passed(self.ping) {
            self.ping = self.terms.idle.map(|idle| now.timer(idle / 2));
            if let Some(ping) = self.dialect.replies.first().map(|reply| words::smallest(&reply.on)) {
                self.send(&ping);
            }
        }
        Ok(())
    }

    /// The next output; [`Output::Wait`] when there is nothing left to do.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| Output::Wait(self.deadline()))
    }

    /// Whether the client is authenticated.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Live | Stage::Renewing)
    }

    fn deadline(&self) -> Option<Deadline> {
        let lease = self.lease.map(|lease| lease.end);
        let ask = self.lease.and_then(|lease| lease.ask);
        let deadlines = match self.stage {
            Stage::Upgrading => [Some(self.patience), None, None],
            Stage::Login { .. } | Stage::Deciding => [Some(self.patience), lease, None],
            Stage::Live => [lease, ask, self.ping],
            Stage::Renewing => [lease, self.ping, None],
            Stage::Closed => [None; 3],
        };
        deadlines.into_iter().flatten().reduce(Deadline::or)
    }

    /// What one message means.
    fn received(&mut self, now: Now, text: &str) -> Received {
        match self.stage {
            Stage::Login { .. } => self.received_login(now, text),
            Stage::Deciding if self.credential(text).is_some() => {
                self.close(Some(AUTHENTICATED_TWICE), "one credential at a time");
            }
            Stage::Deciding => self.close(Some(UNAUTHORIZED), "authenticate before anything else"),
            Stage::Live | Stage::Renewing => return self.received_live(now, text),
            Stage::Upgrading | Stage::Closed => {}
        }
        Received::Consumed
    }

    fn received_login(&mut self, now: Now, text: &str) {
        let Stage::Login { step, credential } = &mut self.stage else { return };
        let Some(found) = self.dialect.login.get(*step).and_then(|step| step.send.read(text)) else {
            return self.close(Some(UNAUTHORIZED), "authenticate before anything else");
        };
        if found.is_some() && credential.is_some() && found != *credential {
            return self.close(Some(AUTHENTICATED_TWICE), "one credential at a time");
        }
        *step += 1;
        *credential = found.or(credential.take());
        self.proceed(now);
    }

    fn received_live(&mut self, now: Now, text: &str) -> Received {
        let dialect = Arc::clone(&self.dialect);
        if let Renewal::InBand { send, .. } = &dialect.renewal
            && let Some(Some(credential)) = send.read(text)
        {
            if matches!(self.stage, Stage::Renewing) {
                self.close(Some(AUTHENTICATED_TWICE), "one credential at a time");
            } else {
                self.enter(now, Stage::Renewing);
                self.outputs.push_back(Output::Verify { credential, renewal: true });
            }
            return Received::Consumed;
        }
        if self.credential(text).is_some() {
            self.close(Some(AUTHENTICATED_TWICE), "authenticated already");
            return Received::Consumed;
        }
        if let Ping::Message(ping) = &dialect.ping
            && ping.read(text).is_some()
        {
            // Most services say the same thing back, if they have no word of their own.
            self.outputs
                .push_back(Output::Send { text: text.to_owned(), binary: dialect.codec == Codec::Nats });
            return Received::Consumed;
        }
        Received::Deliver
    }

    /// The credential of a message of the login.
    fn credential(&self, text: &str) -> Option<Secret> {
        self.dialect.login.iter().find_map(|step| step.send.read(text).flatten())
    }

    /// Answers the upgrade with 101, and begins the login.
    fn accept(&mut self, now: Now) {
        self.outputs.push_back(Output::Accept);
        self.enter(now, Stage::Login { step: 0, credential: None });
        self.proceed(now);
    }

    /// Says what the next message of the login waits for, or ends the login behind the last one.
    fn proceed(&mut self, now: Now) {
        let dialect = Arc::clone(&self.dialect);
        let Stage::Login { step, credential } = &mut self.stage else { return };
        match (dialect.login.get(*step), credential.take()) {
            (Some(next), earlier) => {
                *credential = earlier;
                if let Trigger::Message(matcher) = &next.on {
                    self.say(now, matcher);
                }
            }
            (None, Some(credential)) => {
                self.stage = Stage::Deciding;
                self.outputs.push_back(Output::Verify { credential, renewal: false });
            }
            (None, None) if self.lease.is_some() => self.admit(now),
            (None, None) => self.end(now, Refusal::rejected("no credential was presented")),
        }
    }

    fn admit(&mut self, now: Now) {
        self.enter(now, Stage::Live);
        self.ping = self.idle().map(|idle| now.timer(idle / 2));
        if let Acceptance::Message { any_of, .. } = &Arc::clone(&self.dialect).acceptance
            && let Some(matcher) = any_of.first()
        {
            self.say(now, matcher);
        }
    }

    fn lease(&mut self, now: Now, expires_in: Duration) {
        let (can_ask, grace) = match &self.dialect.renewal {
            Renewal::InBand { asked_by, .. } => (!asked_by.is_empty(), self.terms.grace),
            Renewal::Reconnect { asked_by, .. } => (!asked_by.is_empty(), Duration::ZERO),
            Renewal::Never => (false, Duration::ZERO),
        };
        // A short life must not be asked about as soon as it begins.
        let ask = expires_in.saturating_sub(self.terms.ask_before).max(expires_in / 2);
        self.lease = Some(Lease {
            expiry: now.expiry(expires_in),
            end: now.expiry(expires_in.saturating_add(grace)),
            ask: can_ask.then(|| now.expiry(ask)),
        });
    }

    fn ask(&mut self) {
        if let Renewal::InBand { asked_by, .. } | Renewal::Reconnect { asked_by, .. } = &self.dialect.renewal
            && let Some(matcher) = asked_by.first()
        {
            let message = words::smallest(matcher);
            self.send(&message);
        }
    }

    fn enter(&mut self, now: Now, stage: Stage) {
        self.stage = stage;
        self.since = now.mono;
    }

    /// The longest silence that is promised; none, where the dialect has no word to break it with.
    fn idle(&self) -> Option<Duration> {
        self.terms.idle.filter(|_| !self.dialect.replies.is_empty())
    }

    fn say(&mut self, now: Now, matcher: &Matcher) {
        let announced = Announced {
            session_id: &self.session_id,
            expires_in: self.lease.map(|lease| lease.expiry.remaining(now)),
            idle: self.idle(),
        };
        let message = words::message(&self.dialect, matcher, &announced);
        self.send(&message);
    }

    fn send(&mut self, message: &Value) {
        let (text, binary) = words::frame(self.dialect.codec, message);
        self.outputs.push_back(Output::Send { text, binary });
    }

    fn occasion(&self, now: Now, verdict: Verdict) -> Occasion {
        let phase = match self.stage {
            Stage::Upgrading => Phase::Upgrade,
            Stage::Login { .. } | Stage::Deciding => Phase::Login,
            Stage::Renewing => Phase::Renewing,
            Stage::Live | Stage::Closed => Phase::Live,
        };
        Occasion { phase, elapsed: now.mono.elapsed().saturating_sub(self.since.elapsed()), verdict }
    }

    /// Refuses the upgrade.
    fn refuse(&mut self, now: Now, refusal: Refusal) {
        let default = refusal.status();
        let status = words::status(&self.dialect, self.occasion(now, refusal.verdict), default);
        self.stage = Stage::Closed;
        self.outputs.push_back(Output::Refuse { status, reason: refusal.reason });
    }

    /// Ends the connection in the dialect's own words.
    fn end(&mut self, now: Now, refusal: Refusal) {
        let dialect = Arc::clone(&self.dialect);
        let occasion = self.occasion(now, refusal.verdict);
        if let Some(message) = words::refusal(&dialect, occasion, refusal.reason) {
            self.send(&message);
        }
        let (code, reason) = words::close(&dialect, occasion, refusal.close_code());
        self.close(
            code,
            reason.map_or(Cow::Borrowed(refusal.reason), |reason| Cow::Owned(reason.to_owned())),
        );
    }

    fn close(&mut self, code: Option<u16>, reason: impl Into<Cow<'static, str>>) {
        self.stage = Stage::Closed;
        self.outputs.push_back(Output::Close { code, reason: reason.into() });
    }
}
