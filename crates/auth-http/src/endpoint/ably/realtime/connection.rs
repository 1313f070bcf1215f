//! One connection: who it is, until when, and what it says.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use auth_core::Secret;
use auth_core::ably::{ErrorCode, TokenClientId};
use auth_core::time::{Deadline, Now};
use serde_json::{Value, json};

use super::super::authenticate::{expired, revoked};
use super::super::{Caller, Refusal, code};
use super::channels::Attachment;
use super::protocol::{Frame, action, failure, failure_in_msgpack};
use super::{IDLE, Identity, LARGEST_FRAME, LARGEST_MESSAGE, Opening, Output};

/// One connection as the server sees it.
pub struct Connection {
    identity: Identity,
    pub(super) echo: bool,
    heartbeats: bool,
    /// `None` once the connection is refused or has ended.
    standing: Option<Standing>,
    /// Why it was refused or ended, where it was the server that did so.
    ending: Option<Refusal>,
    pub(super) attachments: BTreeMap<String, Attachment>,
    /// How many publications came from here.
    pub(super) published: u64,
    /// When the client is due for a sign of life.
    heartbeat: Deadline,
    /// How many pings it has not answered.
    unanswered: u32,
    pub(super) outputs: VecDeque<Output>,
}

/// Who a connection is, and for how long.
struct Standing {
    caller: Caller,
    /// `None` for the key itself, which lasts.
    token: Option<Secret>,
    expiry: Option<Deadline>,
    revocation: Option<Deadline>,
    /// When the client is asked for a fresh token.
    ask: Option<Deadline>,
}

/// How long before its expiry a client is asked for a fresh token; a token that lives less than twice as long is asked for
/// halfway, so that no client is kept busy with it.
const ASK_BEFORE: Duration = Duration::from_secs(30);

/// With less left than this nobody is asked: the answer could not be awaited.
const TOO_LATE_TO_ASK: Duration = Duration::from_millis(5_500);

/// How many pings a client may leave without any sign of life.
const MOST_UNANSWERED: u32 = 2;

impl Connection {
    /// A connection whose WebSocket is open, with the verdict on its credentials.
    #[must_use]
    pub fn open(now: Now, identity: Identity, opening: &Opening, caller: Result<Caller, Refusal>) -> Self {
        let mut connection = Self {
            identity,
            echo: opening.echo,
            heartbeats: opening.heartbeats,
            standing: None,
            ending: None,
            attachments: BTreeMap::new(),
            published: 0,
            heartbeat: now.timer(IDLE),
            unanswered: 0,
            outputs: VecDeque::new(),
        };
        let text = "only JSON is spoken here; set the library's option useBinaryProtocol to false";
        let binary = opening.binary.then(|| Refusal::new(code::ENCODING, text));
        match (binary, caller) {
            (Some(refusal), _) => {
                connection.outputs.push_back(Output::SendBinary(failure_in_msgpack(&refusal)));
                connection.outputs.push_back(Output::Close);
                connection.ending = Some(refusal);
            }
            (None, Ok(caller)) => {
                connection.connected(&caller, opening.resumes);
                connection.standing = Some(Standing::of(now, caller, opening.token()));
            }
            (None, Err(refusal)) => connection.end(action::ERROR, &refusal),
        }
        connection
    }

    /// Its public name.
    #[must_use]
    pub fn connection_id(&self) -> &str {
        &self.identity.connection_id
    }

    /// The application that it belongs to; `None` once it is refused or has ended.
    #[must_use]
    pub fn application(&self) -> Option<&str> {
        self.standing.as_ref().map(|standing| standing.caller.application())
    }

    /// Who it is; `None` once it is refused or has ended.
    #[must_use]
    pub fn caller(&self) -> Option<&Caller> {
        self.standing.as_ref().map(|standing| &standing.caller)
    }

    /// Why it was refused or has ended; `None` while it lives, and where its client ended it.
    #[must_use]
    pub const fn ending(&self) -> Option<&Refusal> {
        self.ending.as_ref()
    }

    /// When the connection ends unless it is renewed; `None` if it never does.
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        let standing = self.standing.as_ref()?;
        [standing.expiry, standing.revocation].into_iter().flatten().reduce(Deadline::or)
    }

    /// What to do next.
    pub fn poll(&mut self) -> Output {
        self.outputs.pop_front().unwrap_or_else(|| {
            let until = |standing: &Standing| {
                [self.deadline(), standing.ask].into_iter().flatten().fold(self.heartbeat, Deadline::or)
            };
            Output::Wait(self.standing.as_ref().map(until))
        })
    }

    /// Takes a text frame. `verify` is asked about the token in it, if there is one.
    pub fn receive(&mut self, now: Now, text: &str, verify: impl FnOnce(&Secret) -> Result<Caller, Refusal>) {
        self.heard();
        self.tick(now);
        let Some(standing) = &self.standing else { return };
        let Ok(frame) = serde_json::from_str::<Frame>(text) else {
            let text = "a frame is a JSON object with an action, and of the protocol's types";
            return self.end(action::ERROR, &Refusal::new(ErrorCode::BAD_REQUEST, text));
        };
        let caller = standing.caller.clone();
        match frame.action {
            action::HEARTBEAT => {
                if let Some(id) = frame.id {
                    self.say(&json!({ "action": action::HEARTBEAT, "id": id }));
                }
            }
            action::AUTH => {
                let token = frame.auth.and_then(|auth| auth.access_token).map(Secret::from);
                self.authorize(now, &caller, token, verify);
            }
            action::ATTACH => self.attach(now, &caller, &frame),
            action::DETACH => self.detach(&frame),
            action::MESSAGE => self.publish(now, &caller, &frame),
            action::PRESENCE => self.enter(&caller, &frame),
            action::OBJECT | action::ANNOTATION => {
                let text = "neither objects nor annotations are served here";
                self.acknowledge(&frame, Err(&Refusal::new(ErrorCode::BAD_REQUEST, text)));
            }
            action::DISCONNECT => self.finish(&json!({ "action": action::DISCONNECTED })),
            action::CLOSE => self.finish(&json!({ "action": action::CLOSED })),
            // What a later version of the protocol adds is left alone.
            _ => {}
        }
    }

    /// Takes a binary frame, which is none of the protocol's.
    pub fn receive_binary(&mut self) {
        let text = "only JSON is spoken here, in text frames";
        self.end(action::ERROR, &Refusal::new(code::ENCODING, text));
    }

    /// The client has given a sign of life.
    pub fn heard(&mut self) {
        self.unanswered = 0;
    }

    /// Looks at the clock.
    pub fn tick(&mut self, now: Now) {
        let Some(standing) = &mut self.standing else { return };
        let passed = |deadline: Option<Deadline>| deadline.is_some_and(|deadline| deadline.passed(now));
        if passed(standing.revocation) {
            return self.end(action::DISCONNECTED, &revoked());
        }
        if passed(standing.expiry) {
            return self.end(action::DISCONNECTED, &expired());
        }
        if passed(standing.ask) {
            standing.ask = None;
            self.say(&json!({ "action": action::AUTH }));
        }
        if self.heartbeat.passed(now) {
            if self.unanswered >= MOST_UNANSWERED {
                return self.disconnect("the client has not answered for too long");
            }
            self.unanswered += 1;
            self.heartbeat = now.timer(IDLE);
            self.outputs.push_back(Output::Ping);
            if self.heartbeats {
                self.say(&json!({ "action": action::HEARTBEAT }));
            }
        }
    }

    /// Looks at the token again, after something was revoked.
    pub fn recheck(&mut self, now: Now, verify: impl FnOnce(&Secret) -> Result<Caller, Refusal>) {
        let Some(Standing { token: Some(token), revocation, ask, .. }) = &mut self.standing else { return };
        match verify(token) {
            Ok(caller) => {
                if caller.revoked.is_some() && caller.revoked != *revocation {
                    *revocation = caller.revoked;
                    *ask = Some(now.timer(Duration::ZERO));
                }
                self.tick(now);
            }
            Err(refusal) => self.end(action::DISCONNECTED, &refusal),
        }
    }

    /// The credentials were taken back, whatever they are.
    pub fn revoked(&mut self) {
        self.end(action::DISCONNECTED, &revoked());
    }

    /// Lets the client go for a reason of the server's own: it may come back.
    pub fn disconnect(&mut self, reason: &str) {
        // With a status of 500 to 504, ably-python closes its socket and does not connect again.
        self.end(action::DISCONNECTED, &Refusal::with_status(code::DISCONNECTED, 400, reason));
    }

    /// Goes on under the token of an `AUTH` (RTC8a), or fails (RTC8a2).
    fn authorize(
        &mut self,
        now: Now,
        before: &Caller,
        token: Option<Secret>,
        verify: impl FnOnce(&Secret) -> Result<Caller, Refusal>,
    ) {
        let verdict = match &token {
            Some(token) => verify(token).and_then(|caller| succeeding(before, caller)),
            None => Err(Refusal::new(ErrorCode::INVALID_CREDENTIALS, "AUTH needs auth.accessToken, a token")),
        };
        match verdict {
            Ok(caller) => {
                // Ahead of the answer: whoever keeps records does so before it leaves.
                self.outputs.push_back(Output::Renewed);
                self.connected(&caller, false);
                self.recheck_attachments(now, &caller);
                self.standing = Some(Standing::of(now, caller, token));
            }
            Err(refusal) => self.end(action::ERROR, &refusal),
        }
    }

    /// The key is the same all along: ably-js resumes with the first (facts of RTC8a1).
    fn connected(&mut self, caller: &Caller, resumes: bool) {
        let mut details = json!({
            "connectionKey": self.identity.connection_key.expose(),
            "maxMessageSize": LARGEST_MESSAGE,
            "maxFrameSize": LARGEST_FRAME,
            "maxIdleInterval": IDLE.as_millis() as u64,
            "connectionStateTtl": 120_000,
            "serverId": "rtauth-gateway",
        });
        if let Some(client_id) = &caller.client_id {
            details["clientId"] = json!(client_id.as_str());
        }
        let mut frame = json!({
            "action": action::CONNECTED, "connectionId": self.connection_id(), "connectionDetails": details,
        });
        if resumes {
            let text = "connections are not kept here, so this is a new one; the library attaches its channels again";
            let refusal = Refusal::with_status(code::NOT_RESUMED, 400, text);
            frame["error"] = super::protocol::error(refusal.info());
        }
        self.say(&frame);
    }

    pub(super) fn say(&mut self, frame: &Value) {
        self.outputs.push_back(Output::Send(frame.to_string()));
    }

    /// Ends the connection for a reason.
    fn end(&mut self, action: u8, refusal: &Refusal) {
        self.ending = Some(refusal.clone());
        self.finish(&failure(action, refusal));
    }

    fn finish(&mut self, last: &Value) {
        self.standing = None;
        self.attachments.clear();
        self.say(last);
        self.outputs.push_back(Output::Close);
    }
}

impl Standing {
    fn of(now: Now, caller: Caller, token: Option<Secret>) -> Self {
        let expiry = caller.expires.map(|expires| now.expiry(expires.saturating_since(now.wall)));
        let left = expiry.map(|expiry| expiry.remaining(now));
        let ask = left.filter(|left| *left > TOO_LATE_TO_ASK).map(|left| {
            let wait = left.saturating_sub(ASK_BEFORE).max(left / 2);
            now.timer(wait)
        });
        let revocation = caller.revoked;
        let ask = revocation.map_or(ask, |_| Some(now.timer(Duration::ZERO)));
        Self { caller, token, expiry, revocation, ask }
    }
}

/// Whoever takes over a connection from whoever had it: the same client of the same application.
fn succeeding(before: &Caller, caller: Caller) -> Result<Caller, Refusal> {
    let refused = |text| Err(Refusal::new(ErrorCode::INCOMPATIBLE_CREDENTIALS, text));
    if before.application() != caller.application() {
        return refused("the token is of another application than the connection");
    }
    match (&before.client_id, &caller.client_id) {
        (Some(TokenClientId::Identified(client_id)), _) => caller.declared_as(Some(client_id)),
        (None, None) | (Some(TokenClientId::Wildcard), Some(_)) => Ok(caller),
        (None, Some(_)) => {
            refused("the connection is anonymous, and the token is for a client; open another")
        }
        (Some(TokenClientId::Wildcard), None) => {
            refused("the connection may speak for anybody, and the token is anonymous; open another")
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("connection_id", &self.identity.connection_id)
            .field("attachments", &self.attachments)
            .finish_non_exhaustive()
    }
}
