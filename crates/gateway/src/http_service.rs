//! Routing: the token endpoint, the upgrade, and nothing else.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;

use crate::clock::Clock;
use crate::token_endpoint::TokenEndpoint;

/// The largest request body that is read, in bytes. A token request is a few hundred.
const LARGEST_BODY: usize = 16 * 1024;

/// Where an accepted upgrade is left for whoever owns the connection.
pub(crate) type Upgrade = Arc<Mutex<Option<OnUpgrade>>>;

/// Answers one request. An accepted upgrade is put into `upgrade`.
pub(crate) async fn respond(
    mut request: Request<Incoming>,
    tokens: Arc<TokenEndpoint>,
    clock: Clock,
    patience: Duration,
    upgrade: Upgrade,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let response = match request.uri().path() {
        "/oauth/token" => match tokio::time::timeout(patience, read(request)).await {
            Ok(Ok(request)) => last(tokens.respond(clock.now(), &request)),
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
        _ => refused(StatusCode::NOT_FOUND),
    };
    Ok(response.map(Full::new))
}

async fn read(request: Request<Incoming>) -> Result<Request<Bytes>, StatusCode> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|error| {
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
