//! A request on its way: where it goes, and whether any of it may be there already.

use std::mem;

use auth_core::{Error, ErrorKind};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderName, PROXY_AUTHORIZATION};
use http::{Request, Uri};
use http_body_util::Full;

/// A request that is being sent.
pub(super) struct Sending {
    /// Without its URL, which each protocol states in its own form.
    pub(super) request: Request<Full<Bytes>>,
    pub(super) target: Uri,
    /// Whether some of the request may have been written: it is never written twice.
    pub(super) begun: bool,
}

impl Sending {
    /// Takes a request apart.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](ErrorKind::Misconfigured) when its URL is not absolute, or holds credentials.
    pub(super) fn of(mut request: Request<Bytes>) -> Result<Self, Error> {
        let authority = request.uri().authority().map_or("", |authority| authority.as_str());
        if authority.is_empty() || request.uri().scheme().is_none() {
            let message = "the URL must be absolute, such as https://api.example.com/oauth/token";
            return Err(Error::new(ErrorKind::Misconfigured, message));
        }
        if authority.contains('@') {
            let message = "the URL holds credentials, which end up in logs; send them in a header";
            return Err(Error::new(ErrorKind::Misconfigured, message));
        }
        conceal(&mut request);
        let target = mem::take(request.uri_mut());
        Ok(Self { request: request.map(Full::new), target, begun: false })
    }
}

/// Marks the headers that are secret, so that nobody's `Debug` shows them and HTTP/2 keeps them out of its tables.
fn conceal(request: &mut Request<Bytes>) {
    const DPOP: HeaderName = HeaderName::from_static("dpop");
    for (name, value) in request.headers_mut() {
        if *name == AUTHORIZATION || *name == PROXY_AUTHORIZATION || *name == DPOP {
            value.set_sensitive(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_headers_are_marked_before_anybody_sees_them() {
        let request = Request::post("https://login.example/");
        let request =
            request.header("authorization", "canary").header("dpop", "canary").header("accept", "shown");
        let mut request = request.body(Bytes::new()).unwrap();
        assert!(format!("{request:?}").contains("canary"), "the control");
        conceal(&mut request);
        let text = format!("{request:?}");
        assert!(!text.contains("canary") && text.contains("shown"), "{text}");
    }
}
