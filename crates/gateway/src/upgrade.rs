//! Answering an upgrade: what the session says of it, and the verdict on the credential that it holds.

use std::sync::Arc;
use std::time::Duration;

use auth_core::Secret;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SEC_WEBSOCKET_PROTOCOL, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::json;
use ws_session::dialect::Codec;
use ws_session::server::{Output, Refusal, ServerSession, Terms};

use crate::authority::random_text;
use crate::clock::Clock;
use crate::doors::Doors;
use crate::websocket::{Task, until};
use crate::{Admission, Authenticator, Presented};

/// A connection whose upgrade is accepted.
pub(crate) struct Opened {
    pub(crate) session: ServerSession,
    pub(crate) session_id: String,
    pub(crate) codec: Codec,
    pub(crate) judge: Judge,
}

/// Who reaches the verdicts of one connection.
pub(crate) struct Judge {
    authenticator: Arc<dyn Authenticator>,
    clock: Clock,
    /// Whom the first credential was issued to: each later one must be theirs too.
    subject: Option<String>,
}

impl Judge {
    pub(crate) fn verify(
        &self,
        credential: Secret,
        renewal: bool,
    ) -> Task<(bool, Result<Admission, Refusal>)> {
        let (authenticator, clock) = (Arc::clone(&self.authenticator), self.clock);
        Box::pin(async move {
            let presented = Presented::new(credential, renewal);
            (renewal, authenticator.authenticate(clock.now(), &presented).await)
        })
    }

    /// The verdict for the session.
    pub(crate) fn decide(&mut self, verdict: Result<Admission, Refusal>) -> Result<Duration, Refusal> {
        let Admission { subject, expires_in } = verdict?;
        match &self.subject {
            Some(admitted) if *admitted != subject => {
                Err(Refusal::rejected("the credential is another subject's"))
            }
            Some(_) => Ok(expires_in),
            None => {
                self.subject = Some(subject);
                Ok(expires_in)
            }
        }
    }
}

/// Accepts an upgrade or refuses it. A malformed one reaches no authenticator, so that it costs no credential.
pub(crate) async fn accept(
    request: &Request<()>,
    doors: &Doors,
    clock: Clock,
    patience: Duration,
) -> Result<(Response<Bytes>, Opened), Response<Bytes>> {
    let mut response = handshake(request).map_err(|refused| *refused)?;
    let (door, upgrade) =
        doors.choose(request).ok_or_else(|| refused(StatusCode::NOT_FOUND, "nothing is spoken here"))?;
    if let Some(subprotocol) = &upgrade.subprotocol
        && let Ok(subprotocol) = HeaderValue::from_str(subprotocol)
    {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, subprotocol);
    }
    let session_id = random_text();
    let terms = Terms::of(&door.dialect).with_patience(patience);
    let dialect = Arc::clone(&door.dialect);
    let mut session = ServerSession::new(clock.now(), dialect, terms, session_id.clone(), upgrade);
    let mut judge = Judge { authenticator: Arc::clone(&door.authenticator), clock, subject: None };
    let mut verifying = None;
    loop {
        match session.poll() {
            Output::Verify { credential, renewal } => verifying = Some(judge.verify(credential, renewal)),
            Output::Accept => {
                return Ok((response, Opened { session, session_id, codec: door.dialect.codec, judge }));
            }
            Output::Refuse { status, reason } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
                return Err(refused(status, reason));
            }
            Output::Wait(deadline) => {
                let Some(verdict) = &mut verifying else { return Err(stuck()) };
                let input = tokio::select! {
                    (_, verdict) = verdict => session.decided(clock.now(), judge.decide(verdict)),
                    () = until(deadline, clock) => session.tick(clock.now()),
                };
                input.map_err(|_| stuck())?;
            }
            // There is no connection yet.
            Output::Send { .. } | Output::Deliver { .. } | Output::Close { .. } => return Err(stuck()),
        }
    }
}

/// The answer to an upgrade that RFC 6455 asks for.
pub(crate) fn handshake(request: &Request<()>) -> Result<Response<Bytes>, Box<Response<Bytes>>> {
    match tungstenite::handshake::server::create_response(request) {
        Ok(response) => Ok(response.map(|()| Bytes::new())),
        Err(_) => Err(Box::new(refused(StatusCode::BAD_REQUEST, "the upgrade is against RFC 6455"))),
    }
}

fn stuck() -> Response<Bytes> {
    debug_assert!(false, "a session answers an upgrade before all else");
    refused(StatusCode::INTERNAL_SERVER_ERROR, "the upgrade could not be answered")
}

/// The reply in place of the upgrade.
fn refused(status: StatusCode, reason: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(json!({ "error": reason }).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::UNAUTHORIZED {
        // It must name a scheme (RFC 9110 §15.5.2): of those that are registered, this comes nearest to whatever the dialect does.
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
