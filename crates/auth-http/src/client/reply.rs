//! What comes back: a reply that is whole, small and plain, or an error that says why there is none.

use std::error::Error as StdError;
use std::io;

use auth_core::{Error, ErrorKind};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rustls::AlertDescription;

use super::pool::Failure;

/// Reads the rest of a reply, at most `limit` bytes, whatever its head promises.
pub(super) async fn whole(response: Response<Incoming>, limit: usize) -> Result<Response<Bytes>, Error> {
    let (head, mut body) = response.into_parts();
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(malformed("the server switches protocols unasked; check the URL"));
    }
    let plain = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !head.headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(malformed(
            "the server compressed its reply although it was not asked to; turn that off for this URL, \
             there or in a proxy before it",
        ));
    }
    // Most replies come in one piece, which is handed on as it is. Of more pieces a copy is made, since each may hold on to
    // a large buffer.
    let (mut first, mut joined) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(broken)?;
        // Trailers mean nothing here.
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > limit - first.len() - joined.len() {
            return Err(malformed(format!("the server's reply is larger than {limit} bytes; check the URL")));
        }
        if first.is_empty() && joined.is_empty() {
            first = data;
        } else {
            joined.extend_from_slice(&std::mem::take(&mut first));
            joined.extend_from_slice(&data);
        }
    }
    let whole = if joined.is_empty() { first } else { joined.into() };
    Ok(Response::from_parts(head, whole))
}

/// What a failure of the pool means. What was not sent had no effect.
pub(super) fn failed(failure: Failure) -> Error {
    let (error, unsent) = match failure {
        Failure::Unconnected(fault) if fault.is_the_servers() && refuses_certificate(&fault) => {
            return wants_certificate().with_source(fault);
        }
        Failure::Unconnected(fault) => return fault.to_error().with_source(fault),
        Failure::Broken { error, .. } if refuses_certificate(&error) => {
            return wants_certificate().with_source(error);
        }
        Failure::Broken { error, unsent } => (error, unsent),
    };
    let failure = if error.is_parse() {
        malformed("the server's answer is not HTTP as this client accepts it; check the URL and its port")
    } else {
        Error::new(ErrorKind::Transport, "the connection broke before the server's reply; it may recover")
    };
    let failure = if unsent || error.is_canceled() { failure.without_effect() } else { failure };
    failure.with_source(error)
}

fn wants_certificate() -> Error {
    Error::new(
        ErrorKind::InvalidClient,
        "the server wants a client certificate, or another one; configure one that it trusts",
    )
}

/// The total timeout passed; `begun` says whether any of the request may have been written by then.
pub(super) fn late(begun: bool) -> Error {
    if begun {
        Error::new(ErrorKind::Timeout, "the server did not answer in time; it may recover")
    } else {
        Error::new(ErrorKind::Timeout, "no connection to the server was made in time; check the network")
            .without_effect()
    }
}

/// A reply broke off in its body.
fn broken(error: hyper::Error) -> Error {
    let nonsense = cause::<io::Error>(&error).is_some_and(|error| {
        matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
    });
    let failure = if nonsense {
        malformed("the server's reply is garbled; check the URL and the proxies on the way")
    } else {
        Error::new(ErrorKind::Transport, "the connection broke during the server's reply; it may recover")
    };
    failure.with_source(error)
}

/// Whether the server ended TLS over the client's certificate. In TLS 1.3 it can only say so after the client has begun to
/// send, but it has read none of that.
fn refuses_certificate(error: &(dyn StdError + 'static)) -> bool {
    use AlertDescription as Alert;
    let Some(rustls::Error::AlertReceived(alert)) = cause::<rustls::Error>(error) else { return false };
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            // A signature in the handshake that does not hold: a certificate of another authority by the same name.
            | Alert::DecryptError
    )
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::MalformedResponse, message)
}

/// The first `E` among an error and its causes. What an [`io::Error`] wraps counts: its own `source` leaves that out.
fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}
