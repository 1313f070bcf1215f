//! Answering an upgrade: what the session says of it, and the verdict on the credential that it holds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use auth_core::Secret;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_PROTOCOL, WWW_AUTHENTICATE};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::json;
use ws_session::dialect::Codec;
use ws_session::server::{Output, Refusal, ServerSession, Terms};

use crate::authority::random_text;
use crate::clock::Clock;
use crate::doors::Doors;
use crate::websocket::{Shared, Task, until};
use crate::witness::Witness;
use crate::{Admission, Authenticator, Presented};

/// A connection whose upgrade is accepted.
pub(crate) struct Opened {
    pub(crate) session: ServerSession,
    pub(crate) session_id: String,
    pub(crate) codec: Codec,
    pub(crate) judge: Judge,
}

/// Who reaches the verdicts of one connection, and has them recorded.
pub(crate) struct Judge {
    authenticator: Arc<dyn Authenticator>,
    clock: Clock,
    /// Whom the first credential was issued to: each later one must be theirs too.
    subject: Option<String>,
    pub(crate) witness: Arc<Witness>,
}

/// A verdict for the session, and whether it is on a renewal.
pub(crate) type Judged = (bool, Result<Admission, Refusal>);

impl Judge {
    /// Reaches a verdict, and returns it when it is on record.
    pub(crate) fn verify(&self, credential: Secret, renewal: bool) -> Task<Judged> {
        let (authenticator, witness) = (Arc::clone(&self.authenticator), Arc::clone(&self.witness));
        let (clock, subject) = (self.clock, self.subject.clone());
        Box::pin(async move {
            witness.presents(&credential);
            let presented = Presented::new(credential, renewal);
            let begun = clock.now();
            let verdict = match authenticator.authenticate(begun, &presented).await {
                Ok(admission) => {
                    let took = clock.now().mono.elapsed().saturating_sub(begun.mono.elapsed());
                    admitted(&witness, clock, subject.as_deref(), admission, took, renewal).await
                }
                Err(refusal) => Err(refusal),
            };
            match &verdict {
                Err(Refusal { is_replay: true, .. }) => witness.replays(),
                // Of a first credential, its connection's end tells.
                Err(refusal) if renewal => witness.refuses_renewal(refusal.reason),
                Ok(_) | Err(_) => {}
            }
            (renewal, verdict)
        })
    }

    /// The verdict for the session.
    pub(crate) fn decide(&mut self, verdict: Result<Admission, Refusal>) -> Result<Duration, Refusal> {
        let Admission { subject, expires_in, is_consumed: _ } = verdict?;
        self.subject.get_or_insert(subject);
        Ok(expires_in)
    }
}

/// What a credential that its authenticator accepts is good for on this connection, once that is on record.
async fn admitted(
    witness: &Arc<Witness>,
    clock: Clock,
    before: Option<&str>,
    admission: Admission,
    verdict_took: Duration,
    renewal: bool,
) -> Result<Admission, Refusal> {
    let begun = clock.now().mono.elapsed();
    let unrecorded = |_| Refusal::unreachable("this can't be recorded at the moment");
    if admission.is_consumed {
        witness.consumes(&admission.subject, verdict_took).await.map_err(unrecorded)?;
    }
    if before.is_some_and(|before| before != admission.subject) {
        return Err(Refusal::rejected("the credential is another subject's"));
    }
    if admission.expires_in.is_zero() {
        return Err(Refusal::expired("the credential has expired"));
    }
    let recorded = if renewal {
        witness.renews(&admission.subject).await
    } else {
        witness.admits(&admission.subject).await
    };
    recorded.map_err(unrecorded)?;
    // What the records took is no time won.
    let taken = clock.now().mono.elapsed().saturating_sub(begun);
    Ok(Admission { expires_in: admission.expires_in.saturating_sub(taken), ..admission })
}

/// Accepts an upgrade or refuses it. A malformed one reaches no authenticator, so that it costs no credential.
pub(crate) async fn accept(
    request: &Request<()>,
    doors: &Doors,
    shared: &Shared,
    peer: SocketAddr,
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
    let clock = shared.clock;
    let terms = Terms::of(&door.dialect).with_patience(shared.patience);
    let dialect = Arc::clone(&door.dialect);
    let mut session = ServerSession::new(clock.now(), dialect, terms, session_id.clone(), upgrade);
    let witness = Arc::new(Witness::new(Arc::clone(&shared.ledger), clock, &door.dialect.name, peer));
    let authenticator = Arc::clone(&door.authenticator);
    let mut judge = Judge { authenticator, clock, subject: None, witness };
    let mut verifying = None;
    loop {
        match session.poll() {
            Output::Verify { credential, renewal } => verifying = Some(judge.verify(credential, renewal)),
            Output::Accept => {
                return Ok((response, Opened { session, session_id, codec: door.dialect.codec, judge }));
            }
            Output::Refuse { status, reason } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNAUTHORIZED);
                judge.witness.ends(reason, Some(status.as_u16()));
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
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if status == StatusCode::UNAUTHORIZED {
        // It must name a scheme (RFC 9110 §15.5.2): of those that are registered, this comes nearest to whatever the dialect does.
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
