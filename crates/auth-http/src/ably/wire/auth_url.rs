//! The request to an auth URL, with what the program gave and nothing of ours, and its reply (RSA8c).

use auth_core::ably::{AuthMethod, AuthUrl, ErrorCode, ErrorInfo, TokenParams, TokenReply};
use auth_core::{Error, ErrorKind};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};

use super::query::{Parameter, layered, text_of};
use super::rest_error::advised;
use crate::wire::EndpointUrl;

/// The request that asks an auth URL for a token.
///
/// By GET, the query is the URL's own, under the URL's parameters, under those of the token: later ones win. By POST,
/// the URL keeps its query and the parameters are a form. No credential and no header of ours goes there.
///
/// # Errors
///
/// Code 40170, of kind [`Misconfigured`](ErrorKind::Misconfigured), when the URL is not absolute, would be asked
/// unencrypted on another machine, or a header can't be one.
pub fn auth_url_request(url: &AuthUrl, params: &TokenParams) -> Result<Request<Bytes>, Error> {
    let endpoint =
        EndpointUrl::parse(&url.url).map_err(|error| misconfigured(format!("the auth URL: {error}")))?;
    let given = url.params.iter().map(|(name, value)| Parameter::new(name, value.expose())).collect();
    let token = Parameter::of_token(params);
    let mut request = Request::new(Bytes::new());
    let headers = request.headers_mut();
    for (name, value) in &url.headers {
        let unusable = || misconfigured(format!("the header {name:?} of the auth URL can't be one"));
        let header = HeaderName::try_from(name).map_err(|_| unusable())?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| unusable())?;
        value.set_sensitive(true);
        headers.append(header, value);
    }
    if !headers.contains_key(ACCEPT) {
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/plain"));
    }
    match url.method {
        AuthMethod::Get => {
            let own = Parameter::of_query(endpoint.uri().query().unwrap_or_default());
            let query = text_of(&layered(layered(own, given), token));
            let text = endpoint.uri().to_string();
            let (before, _) = text.split_once('?').unwrap_or((&text, ""));
            let target =
                if query.is_empty() { before.to_owned() } else { format!("{before}?{}", query.expose()) };
            *request.uri_mut() = target.parse().map_err(|_| {
                misconfigured("the parameters are too long for the auth URL; ask it by POST".to_owned())
            })?;
        }
        AuthMethod::Post => {
            *request.method_mut() = Method::POST;
            *request.uri_mut() = endpoint.uri().clone();
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, form);
            *request.body_mut() = Bytes::from(text_of(&layered(given, token)).expose().to_owned());
        }
    }
    Ok(request)
}

/// Reads what an auth URL answered: its content type says what it is.
///
/// # Errors
///
/// Code 40300 when it refused (status 403), which ends a realtime connection (RSA4d); Ably's own number where the
/// answer has one; 40170 for everything else, its cause behind it (RSA4e, RSA4f).
pub fn read_auth_url(response: &Response<Bytes>) -> Result<TokenReply, Error> {
    if !response.status().is_success() {
        return Err(failure(response));
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let is = |name| content_type.contains(name);
    if is("application/json") {
        TokenReply::from_json(response.body())
    } else if is("text/plain") || is("application/jwt") {
        let text = std::str::from_utf8(response.body());
        TokenReply::from_text(text.map_err(|_| failed("the auth URL answered what is no text"))?)
    } else {
        Err(failed(
            "the auth URL's answer has a content type that is not known; answer application/json, text/plain or application/jwt",
        ))
    }
}

fn failure(response: &Response<Bytes>) -> Error {
    let status = response.status();
    let told = ErrorInfo::parse(response.body());
    if status == StatusCode::FORBIDDEN {
        let text = "the auth URL refused (status 403); whoever is behind it must allow this client";
        let code = told.map(|told| told.code).filter(|code| code.status() == 403);
        return code.unwrap_or(ErrorCode::FORBIDDEN).error(text);
    }
    if let Some(told) = told {
        return advised(told.to_error(), response.headers());
    }
    let (kind, text) = match status {
        StatusCode::TOO_MANY_REQUESTS => (ErrorKind::RateLimited, "the auth URL asks for fewer requests"),
        StatusCode::REQUEST_TIMEOUT => (ErrorKind::Timeout, "the auth URL timed out"),
        _ if status.is_server_error() => (ErrorKind::ServerFailed, "the auth URL failed; it may recover"),
        _ if status.is_redirection() => (
            ErrorKind::Refused,
            "the auth URL redirects, which is not followed with its headers; configure its final URL",
        ),
        _ => (ErrorKind::Refused, "the auth URL refused; check it, its parameters and its headers"),
    };
    let cause = advised(Error::new(kind, text).with_code(status.as_u16().into()), response.headers());
    failed("the auth URL gave no token").with_retry(cause.retry()).with_source(cause)
}

fn failed(text: &'static str) -> Error {
    ErrorCode::PROVIDER_FAILED.error(text)
}

fn misconfigured(text: String) -> Error {
    Error::new(ErrorKind::Misconfigured, text).with_code(ErrorCode::PROVIDER_FAILED.number())
}

#[cfg(test)]
mod tests;
