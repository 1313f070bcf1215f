//! Routing: the endpoints, the upgrades, and nothing else.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use auth_http::endpoint::ably::realtime::Opening;
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

use crate::ably;
use crate::endpoints::Endpoints;
use crate::upgrade::{Opened, accept, handshake};
use crate::websocket::Shared;

/// Where an accepted upgrade is left for whoever owns the connection.
pub(crate) type Upgrade = Arc<Mutex<Option<Accepted>>>;

/// An upgrade, and what it was accepted for.
pub(crate) struct Accepted {
    pub(crate) upgrade: OnUpgrade,
    pub(crate) spoken: Spoken,
}

/// What is spoken over a WebSocket.
pub(crate) enum Spoken {
    /// A dialect.
    Dialect(Box<Opened>),
    /// Ably's realtime protocol.
    Ably(Opening),
}

/// Answers one request. An accepted upgrade is put into `upgrade`.
pub(crate) async fn respond(
    mut request: Request<Incoming>,
    endpoints: Arc<Endpoints>,
    shared: Arc<Shared>,
    peer: SocketAddr,
    upgrade: Upgrade,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let at_ablys = endpoints.ably.is_some() && ably::upgrades_at(path);
    let is_upgrade = endpoints.doors.has(path) || at_ablys;
    let response = match (endpoints.at(path), is_upgrade) {
        (Some(endpoint), _) => {
            let read = tokio::time::timeout(shared.patience, read(request, endpoint.largest_body())).await;
            last(match read.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT)) {
                Ok(request) => endpoint.respond(&shared, peer, &request).await,
                Err(status) => endpoint.refuse(status).unwrap_or_else(|| refused(status)),
            })
        }
        (None, true) if request.method() == Method::GET && request.body().is_end_stream() => {
            let accepted = hyper::upgrade::on(&mut request);
            let request = request.map(drop);
            // Whoever asks is let in: what is wrong with the credentials is told in the protocol's own words.
            let answer = if at_ablys && Opening::is_asked_for(&request) {
                let response = handshake(&request).map_err(|refused| *refused);
                response.map(|response| (response, Spoken::Ably(Opening::read(&request))))
            } else {
                let accepted = accept(&request, &endpoints.doors, &shared, peer).await;
                accepted.map(|(response, opened)| (response, Spoken::Dialect(Box::new(opened))))
            };
            match answer {
                Ok((response, spoken)) => {
                    *upgrade.lock().unwrap_or_else(PoisonError::into_inner) =
                        Some(Accepted { upgrade: accepted, spoken });
                    response
                }
                Err(refusal) => last(refusal),
            }
        }
        // The bytes of a body would be taken for frames.
        (None, true) if request.method() == Method::GET => refused(StatusCode::BAD_REQUEST),
        (None, true) => {
            let mut response = refused(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            response
        }
        (None, false) => refused(StatusCode::NOT_FOUND),
    };
    Ok(response.map(Full::new))
}

async fn read(request: Request<Incoming>, most: usize) -> Result<Request<Bytes>, StatusCode> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, most).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::BAD_REQUEST }
    })?;
    Ok(Request::from_parts(head, body.to_bytes()))
}

/// The last reply of its connection. One request each: replies that nobody reads can't pile up, and what follows a
/// refused request may be the rest of its body.
fn last(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// An error in plain words.
fn refused(status: StatusCode) -> Response<Bytes> {
    let text = status.canonical_reason().unwrap_or_default();
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    last(response)
}
