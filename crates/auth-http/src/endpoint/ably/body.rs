//! What a request's method, format and body must be.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};

use super::{LARGEST_BODY, Refusal, code};

/// Checks the method, the size of the body, and that both ends speak JSON.
pub(super) fn check(request: &Request<Bytes>, method: &'static Method) -> Result<(), Refusal> {
    if request.method() != method {
        return Err(Refusal::method_not_allowed(method.as_str()));
    }
    check_format(request)
}

/// Checks that the body is not too large, and that both ends speak JSON.
///
/// # Errors
///
/// 40009 with status 413 for a body above [`LARGEST_BODY`]; 40013 when it comes in another format, or the reply is
/// accepted in another only.
pub fn check_format(request: &Request<Bytes>) -> Result<(), Refusal> {
    if request.body().len() > LARGEST_BODY {
        return Err(Refusal::body_too_large());
    }
    let json_in = request.body().is_empty() || media_types(request, &CONTENT_TYPE).eq(["application/json"]);
    let mut accepted = media_types(request, &ACCEPT).peekable();
    let json_out = accepted.peek().is_none()
        || accepted.any(|accepted| matches!(&*accepted, "application/json" | "application/*" | "*/*"));
    if json_in && json_out {
        Ok(())
    } else {
        Err(Refusal::new(
            code::ENCODING,
            "only application/json is spoken here; set useBinaryProtocol to false",
        ))
    }
}

/// The media types of a header, without their parameters.
fn media_types<'a>(
    request: &'a Request<Bytes>,
    header: &http::HeaderName,
) -> impl Iterator<Item = String> + use<'a> {
    let values = request.headers().get_all(header).into_iter();
    values
        .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
        .map(|media_type| media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(content_type: Option<&str>, accept: Option<&str>, body: &'static str) -> Result<(), u32> {
        let mut request = Request::post("/");
        for (name, value) in [(CONTENT_TYPE, content_type), (ACCEPT, accept)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let request = request.body(Bytes::from_static(body.as_bytes())).unwrap();
        check(&request, &Method::POST).map_err(|refusal| refusal.info().code.number())
    }

    #[test]
    fn json_is_spoken_and_nothing_else() {
        for (content_type, accept, expected) in [
            (Some("application/json"), None, Ok(())),
            (Some("Application/JSON; charset=utf-8"), Some("application/json"), Ok(())),
            (Some("application/json"), Some("application/x-msgpack,application/json"), Ok(())),
            (Some("application/json"), Some("text/html, */*;q=0.1"), Ok(())),
            (Some("application/json"), Some("application/x-msgpack"), Err(40_013)),
            (Some("application/x-msgpack"), Some("application/json"), Err(40_013)),
            (Some("application/x-www-form-urlencoded"), None, Err(40_013)),
            (None, None, Err(40_013)),
        ] {
            assert_eq!(post(content_type, accept, "{}"), expected, "{content_type:?} {accept:?}");
        }
        assert_eq!(post(None, None, ""), Ok(()), "nothing has no type");
    }

    #[test]
    fn another_method_and_a_large_body_are_refused() {
        let request = Request::get("/").body(Bytes::new()).unwrap();
        assert_eq!(check(&request, &Method::POST).unwrap_err().info().code.number(), 40_500);
        let large = Request::post("/").header(CONTENT_TYPE, "application/json");
        let large = large.body(Bytes::from(vec![b' '; LARGEST_BODY + 1])).unwrap();
        let refusal = check(&large, &Method::POST).unwrap_err();
        assert_eq!((refusal.info().code.number(), refusal.info().status), (40_009, 413));
    }
}
