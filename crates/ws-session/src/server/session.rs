//! One connection as a server sees it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use auth_core::time::{Deadline, Moment, Now};
use auth_core::{ApiMisuse, Secret};
use serde_json::Value;

use super::receiving::Addressee;
use super::{Output, Received, Refusal, Terms, Upgrade, words};
use crate::dialect::{
    Acceptance, Dialect, Incoming, Matcher, Read, Renewal, RenewalTime, Step, Template, Trigger, Verdict,
};

/// One connection as a server sees it.
#[derive(Debug)]
pub struct ServerSession {
    pub(super) dialect: Arc<Dialect>,
    /// The messages of the login as they come.
    pub(super) login: Arc<[Step]>,
    terms: Terms,
    pub(super) session_id: String,
    pub(super) stage: Stage,
    /// When the client's phase began, as far as the server sees it.
    pub(super) since: Moment,
    /// By when the client must be authenticated.
    patience: Deadline,
    /// What the newest credential that was accepted is good for.
    pub(super) lease: Option<Lease>,
    /// Its client has said farewell.
    pub(super) left: bool,
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
pub(super) struct Lease {
    pub(super) expiry: Deadline,
    /// When the connection ends: after the grace, or earlier if the credential was revoked.
    end: Deadline,
    /// When the client is asked for the next one.
    pub(super) ask: Option<Deadline>,
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
        let dialect = dialect.into();
        let mut session = Self {
            login: dialect.login.iter().flat_map(lines).collect(),
            dialect,
            terms,
            session_id,
            stage: Stage::Upgrading,
            since: now.mono,
            patience: now.timer(terms.patience),
            lease: None,
            left: false,
            ping: None,
            outputs: VecDeque::new(),
        };
        if let Some(credential) = upgrade.credential {
            session.outputs.push_back(Output::Verify { credential, renewal: false });
        } else if !session.dialect.placement.has_credential()
            && session.login.iter().any(|step| step.send.has_credential())
        {
            session.accept(now);
        } else {
            session.refuse(now, Refusal::rejected("no credential was presented"));
        }
        session
    }

    /// Takes a message. One that comes too late is not taken: the connection is closed instead.
    ///
    /// Of a frame that holds a credential beside messages of the application's, the latter are handed out as [`Output::Deliver`].
    ///
    /// # Errors
    ///
    /// [`ApiMisuse::OutputsPending`] when [`poll`](Self::poll) has not answered [`Output::Wait`] since the last
    /// input; the input was not taken.
    pub fn receive(&mut self, now: Now, incoming: Incoming<'_>) -> Result<Received, ApiMisuse> {
        self.tick(now)?;
        let dialect = Arc::clone(&self.dialect);
        let mut messages = dialect.codec.read(incoming).peekable();
        if messages.peek().is_none() {
            // Nothing at all, but said too early if it is.
            let nothing = Read { text: "", value: Value::Null };
            let meaning = self.received(now, &nothing);
            return Ok(if meaning == Addressee::Application {
                Received::Deliver
            } else {
                Received::Consumed
            });
        }
        let mut delivered = false;
        let mut credentials = Vec::new();
        for message in messages {
            match self.received(now, &message) {
                Addressee::Application => delivered = true,
                Addressee::Credential => credentials.push(message.text),
                Addressee::Dialect => {}
            }
        }
        if !delivered {
            return Ok(Received::Consumed);
        }
        if credentials.is_empty() {
            return Ok(Received::Deliver);
        }
        // Ahead of all else: what it is answered with may be a close.
        let text = without(incoming.as_text().unwrap_or_default(), &credentials);
        self.outputs.push_front(Output::Deliver { text });
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

    /// The credential was revoked: the client is asked for another where the dialect can ask for one on this connection, and has the
    /// [time](Terms::patience_after_revocation) that there is for that; elsewhere the connection is closed.
    ///
    /// A credential on which the verdict is still being reached is refused, whatever the verdict will be; the driver may drop it. Where none
    /// was presented yet, nothing happens.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub fn revoked(&mut self, now: Now) -> Result<(), ApiMisuse> {
        self.tick(now)?;
        let patience = self.terms.patience_after_revocation;
        let refusal = Refusal::expired("the credential was revoked");
        let can_ask =
            matches!(&self.dialect.renewal, Renewal::InBand { asked_by, .. } if !asked_by.is_empty());
        match (&self.stage, &mut self.lease) {
            (Stage::Closed, _) | (Stage::Login { credential: None, .. }, None) => {}
            (Stage::Upgrading, _) => self.refuse(now, refusal),
            (Stage::Live, Some(lease)) if can_ask && !patience.is_zero() => {
                lease.ask = None;
                lease.end = lease.end.or(now.timer(patience));
                self.ask();
            }
            // The fresh credential that it has just presented may be good.
            (Stage::Renewing, Some(lease)) if !patience.is_zero() => {
                lease.end = lease.end.or(now.timer(patience))
            }
            _ => self.end(now, refusal),
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
            if let Some(ping) = self.heartbeat().map(Matcher::message) {
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

    /// Whether the time of the newest credential that was accepted is up: after its grace, or earlier once it was revoked.
    #[must_use]
    pub fn is_expired(&self, now: Now) -> bool {
        self.lease.is_some_and(|lease| lease.end.passed(now))
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

    /// Answers the upgrade with 101, and begins the login.
    fn accept(&mut self, now: Now) {
        self.outputs.push_back(Output::Accept);
        self.enter(now, Stage::Login { step: 0, credential: None });
        self.proceed(now);
    }

    /// Says what the next message of the login waits for, or ends the login behind the last one.
    pub(super) fn proceed(&mut self, now: Now) {
        let login = Arc::clone(&self.login);
        let Stage::Login { step, credential } = &mut self.stage else { return };
        match (login.get(*step), credential.take()) {
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
            Renewal::Reconnect { asked_by, when: RenewalTime::AtExpiry, .. } => {
                (!asked_by.is_empty(), self.terms.grace)
            }
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
            let message = matcher.message();
            self.send(&message);
        }
    }

    pub(super) fn enter(&mut self, now: Now, stage: Stage) {
        self.stage = stage;
        self.since = now.mono;
    }

    /// The longest silence that is promised; none, where the dialect has no word to break it with.
    pub(super) fn idle(&self) -> Option<Duration> {
        self.terms.idle.filter(|_| self.heartbeat().is_some())
    }

    /// What breaks a silence: what clients answer; or what tells them that we live, if they were promised to hear it.
    fn heartbeat(&self) -> Option<&Matcher> {
        let promised = self.dialect.heartbeats.first().filter(|_| self.dialect.captured.idle.is_some());
        self.dialect.replies.first().map(|reply| &reply.on).or(promised)
    }
}

/// The messages of one step: where NATS is spoken, a template may have several lines.
fn lines(step: &Step) -> Vec<Step> {
    let lines = step.send.as_text().into_iter().flat_map(str::lines).filter(|line| !line.trim().is_empty());
    let lines = lines.enumerate().map(|(index, line)| Step {
        on: if index == 0 { step.on.clone() } else { Trigger::Open },
        send: Template::text(line),
    });
    let lines: Vec<_> = lines.collect();
    if lines.len() > 1 { lines } else { vec![step.clone()] }
}

/// A frame without some of its messages, which stand in it in this order.
fn without(frame: &str, messages: &[&str]) -> String {
    let mut rest = String::new();
    let mut from = 0;
    for message in messages {
        let at = message.as_ptr().addr().saturating_sub(frame.as_ptr().addr());
        rest.push_str(frame.get(from..at).unwrap_or_default());
        from = at + message.len();
    }
    rest.push_str(frame.get(from..).unwrap_or_default());
    rest
}
