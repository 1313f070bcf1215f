//! Requests of one's own with a bearer token (RFC 6750 §2.1), to the servers that it is meant for and to no other.

mod origin;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use auth_core::oauth::TokenType;
use auth_core::{Demand, Error, ErrorKind, Secret, Token, TokenSource};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderValue, Request, Response, StatusCode, Uri};

use self::origin::Origin;
use crate::exchange::HttpExchange;
use crate::wire::{ConfigError, EndpointUrl};

/// Sends requests with the token of a source, to origins that it was told of: by default there are none.
///
/// ```
/// use std::sync::Arc;
///
/// use auth_core::source::FixedToken;
/// use auth_core::{Error, Secret, Token};
/// use auth_http::bearer::BearerClient;
/// use auth_http::exchange::HttpExchange;
/// use bytes::Bytes;
/// use http::{Request, Response};
///
/// # struct Nobody;
/// # #[async_trait::async_trait]
/// # impl HttpExchange for Nobody {
/// #     async fn exchange(&self, _: Request<Bytes>) -> Result<Response<Bytes>, Error> { unreachable!() }
/// # }
/// # fn example(http: Arc<dyn HttpExchange>) -> Result<(), Box<dyn std::error::Error>> {
/// let tokens = Arc::new(FixedToken::new(Token::new(Secret::from("a.b.c"))));
/// let client = BearerClient::new(tokens, http).with_origin("https://api.example.com")?;
/// assert!(client.check("https://api.example.com/v1/messages").is_ok());
/// assert!(client.check("https://evil.example.com/v1/messages").is_err());
/// # Ok(())
/// # }
/// # example(Arc::new(Nobody)).unwrap();
/// ```
#[derive(Clone)]
pub struct BearerClient {
    tokens: Arc<dyn TokenSource>,
    http: Arc<dyn HttpExchange>,
    origins: Vec<Origin>,
}

impl BearerClient {
    /// Sends what `tokens` hands out by `http`. No origin may see it yet.
    #[must_use]
    pub fn new(tokens: Arc<dyn TokenSource>, http: Arc<dyn HttpExchange>) -> Self {
        Self { tokens, http, origins: Vec::new() }
    }

    /// One more origin (scheme, host and port, RFC 6454 §4) that may see the token, by any URL of it: `https`, or `http` on
    /// loopback.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAUrl`] and [`ConfigError::Plaintext`].
    pub fn with_origin(mut self, url: &str) -> Result<Self, ConfigError> {
        let url = EndpointUrl::parse(url)?;
        self.origins.extend(Origin::of(url.uri()));
        Ok(self)
    }

    /// Whether a server may see the token, by a URL of it: `wss` stands for `https`, and `ws` for `http`.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](ErrorKind::Misconfigured) when it may not, or this is no absolute URL.
    pub fn check(&self, url: &str) -> Result<(), Error> {
        self.permit(url.parse().ok().as_ref())
    }

    /// Sends a request with the token, which is obtained if need be. The URL is absolute; an `Authorization` header that the
    /// request has is replaced, and a `Host` header left out: the URL alone says whom it reaches. The reply is handed back
    /// whatever its status; redirects are not followed.
    ///
    /// A reply of 401 means that the request was not applied (RFC 9110 §15.5.2). So one token is asked for instead of the
    /// refused one, and the request sent once more with that, whatever its method. The second reply is handed back as it is.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](ErrorKind::Misconfigured) as [`check`](Self::check), before anything is asked for or sent;
    /// and when the
    /// token is bound to a key; [`InvalidToken`](ErrorKind::InvalidToken) when it can stand in no header; why there is no token, or none
    /// instead of the refused one; otherwise as [`HttpExchange::exchange`].
    pub async fn request(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.permit(Some(request.uri()))?;
        request.headers_mut().remove(HOST);
        let token = self.tokens.token(Demand::Current).await?;
        let response = self.send(request.clone(), &token).await?;
        if response.status() != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let fresh = self.tokens.token(Demand::InsteadOf(token.generation())).await?;
        self.send(request, &fresh).await
    }

    async fn send(&self, mut request: Request<Bytes>, token: &Token) -> Result<Response<Bytes>, Error> {
        if token.token_type() != TokenType::Bearer {
            let text = "the token is bound to a key, and is presented with its proof, not as a bearer token; see wire::Dpop";
            return Err(Error::new(ErrorKind::Misconfigured, text));
        }
        let text = Secret::from(["Bearer ", token.secret().expose()].concat());
        let mut value = HeaderValue::from_str(text.expose()).map_err(|_| {
            let text = "the token has characters that no header can carry; look at its source";
            Error::new(ErrorKind::InvalidToken, text)
        })?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        self.http.exchange(request).await
    }

    fn permit(&self, url: Option<&Uri>) -> Result<(), Error> {
        let misconfigured = |text: &'static str| Error::new(ErrorKind::Misconfigured, text);
        let origin = url.and_then(Origin::of).ok_or_else(|| {
            misconfigured(
                "the URL must be absolute and hold no credentials, such as https://api.example.com/v1",
            )
        })?;
        match self.origins.contains(&origin) {
            true => Ok(()),
            false => Err(misconfigured(
                "the URL is of a server that must not see the token; if it may, name its origin in the configuration",
            )),
        }
    }
}

impl fmt::Debug for BearerClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens: _, http: _, origins } = self;
        formatter.debug_struct("BearerClient").field("origins", origins).finish_non_exhaustive()
    }
}
