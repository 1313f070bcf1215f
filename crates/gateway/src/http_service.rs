//! Routing: the token endpoint, Ably's REST interface where it is configured, the upgrade, and nothing else.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth_core::time::Now;
use auth_http::endpoint::ably::{self as ably_wire, Refusal};
use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

use crate::Config;
use crate::ably::{self, AblyEndpoint};
use crate::clock::Clock;
use crate::token_endpoint::TokenEndpoint;

/// What answers requests that are no upgrade.
pub(crate) struct Endpoints {
    pub(crate) tokens: TokenEndpoint,
    /// `None` where no Ably key is configured.
    ably: Option<AblyEndpoint>,
}

impl Endpoints {
    pub(crate) fn new(config: &Config, now: Now) -> Self {
        Self { tokens: TokenEndpoint::new(config, now), ably: AblyEndpoint::new(config, now) }
    }
}

/// The largest body of a request for an OAuth token that is read, in bytes: such a request is a few hundred.
const LARGEST_BODY: usize = 16 * 1024;

/// Where an accepted upgrade is left for whoever owns the connection.
pub(crate) type Upgrade = Arc<Mutex<Option<OnUpgrade>>>;

/// Answers one request. An accepted upgrade is put into `upgrade`.
pub(crate) async fn respond(
    mut request: Request<Incoming>,
    endpoints: Arc<Endpoints>,
    clock: Clock,
    patience: Duration,
    upgrade: Upgrade,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = match request.uri().path() {
        "/oauth/token" => match tokio::time::timeout(patience, read(request, LARGEST_BODY)).await {
            Ok(Ok(request)) => last(endpoints.tokens.respond(clock.now(), &request)),
            Ok(Err(status)) => refused(status),
            Err(_) => refused(StatusCode::REQUEST_TIMEOUT),
        },
        "/ws" if request.method() == Method::GET && request.body().is_end_stream() => {
            let accepted = hyper::upgrade::on(&mut request);
            match tungstenite::handshake::server::create_response(&request.map(drop)) {
                Ok(response) => {
                    *upgrade.lock().unwrap_or_else(PoisonError::into_inner) = Some(accepted);
                    response.map(|()| Bytes::new())
                }
                Err(_) => refused(StatusCode::BAD_REQUEST),
            }
        }
        // The bytes of a body would be taken for frames.
        "/ws" if request.method() == Method::GET => refused(StatusCode::BAD_REQUEST),
        "/ws" => {
            let mut response = refused(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
            response
        }
        path if let Some(ably) = endpoints.ably.as_ref().filter(|_| ably::serves(path)) => {
            last(match tokio::time::timeout(patience, read(request, ably_wire::LARGEST_BODY)).await {
                Ok(Ok(request)) => ably.respond(clock.now(), &request),
                Ok(Err(StatusCode::PAYLOAD_TOO_LARGE)) => Refusal::body_too_large().into_response(),
                Ok(Err(_)) => Refusal::body_incomplete(false).into_response(),
                Err(_) => Refusal::body_incomplete(true).into_response(),
            })
        }
        _ => refused(StatusCode::NOT_FOUND),
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
