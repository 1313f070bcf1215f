//! Where the REST endpoints are, and what every request to them carries.

use std::fmt;

use auth_core::ably::{ApiKey, ClientId, ErrorCode, RevocationRequest, TokenRequest};
use auth_core::{Error, ErrorKind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use super::authorization::{BearerFormat, Credential, basic};
use super::query::encoded;
use super::{AGENT, PROTOCOL_VERSION};
use crate::wire::EndpointUrl;

/// The REST endpoints of Ably's service, or of whoever stands in for it.
#[derive(Clone)]
pub struct Service {
    url: EndpointUrl,
    bearer: BearerFormat,
    plaintext_basic: bool,
    client_id: Option<ClientId>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const VERSION: HeaderName = HeaderName::from_static("x-ably-version");
const AGENT_NAME: HeaderName = HeaderName::from_static("ably-agent");
const CLIENT_ID: HeaderName = HeaderName::from_static("x-ably-clientid");

impl Service {
    /// The service at this URL, such as [`PRIMARY_ENDPOINT`](super::PRIMARY_ENDPOINT). Plain `http` is for this machine
    /// only, for tokens too.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](ErrorKind::Misconfigured) when it is no such URL, or has a query.
    pub fn new(url: &str) -> Result<Self, Error> {
        let misconfigured = |text: String| Error::new(ErrorKind::Misconfigured, text);
        let url = EndpointUrl::parse(url)
            .map_err(|error| misconfigured(format!("the service's URL can't be used: {error}")))?;
        if url.uri().query().is_some() {
            return Err(misconfigured("the service's URL must not have a query".to_owned()));
        }
        Ok(Self { url, bearer: BearerFormat::default(), plaintext_basic: false, client_id: None })
    }

    /// How tokens stand in the header.
    #[must_use]
    pub fn with_bearer(self, bearer: BearerFormat) -> Self {
        Self { bearer, ..self }
    }

    /// Names this client in `X-Ably-ClientId` (RSA7e2).
    #[must_use]
    pub fn with_client_id(self, client_id: ClientId) -> Self {
        Self { client_id: Some(client_id), ..self }
    }

    /// Sends keys unencrypted, to this machine: for tests.
    #[must_use]
    pub(crate) fn with_plaintext_basic(self) -> Self {
        Self { plaintext_basic: true, ..self }
    }

    /// Where it is.
    pub(crate) const fn url(&self) -> &EndpointUrl {
        &self.url
    }

    /// `POST /keys/{keyName}/requestToken`: exchanges a signed request for a token. It is signed, so it carries no
    /// credential, nor a client's name beside the one that is signed.
    ///
    /// # Errors
    ///
    /// Code 40101 when the request names a key that can stand in no URL.
    pub fn request_token(&self, request: &TokenRequest) -> Result<Request<Bytes>, Error> {
        let path = self.key_path(request.key_name(), "requestToken")?;
        let body = Bytes::from(request.to_json().expose().to_owned());
        Ok(self.complete(Method::POST, path, body))
    }

    /// `POST /keys/{keyName}/revokeTokens` with the key (RSA17g).
    ///
    /// # Errors
    ///
    /// Code 40103 without TLS.
    pub fn revoke_tokens(&self, key: &ApiKey, request: &RevocationRequest) -> Result<Request<Bytes>, Error> {
        let path = self.key_path(key.name(), "revokeTokens")?;
        let body = Bytes::from(request.to_json().expose().to_owned());
        let request = self.complete(Method::POST, path, body);
        self.identified(request, &Credential::Basic(key.clone()))
    }

    /// `GET /time`, which needs no credential (RSC16).
    ///
    /// # Errors
    ///
    /// None for a URL that [`new`](Self::new) took.
    pub fn time(&self) -> Result<Request<Bytes>, Error> {
        let mut request = self.complete(Method::GET, self.uri("/time")?, Bytes::new());
        self.name_client(&mut request);
        Ok(request)
    }

    /// A REST request of one's own, with the credential and what every request carries. An `Authorization` header that
    /// it has is replaced (RSC19b); an `Accept` header stays, and is JSON otherwise.
    ///
    /// Its URL is a path, or begins with the service's own URL.
    ///
    /// # Errors
    ///
    /// Code 40000 when it is for another server, which would get to see the credential; code 40103 for a key without
    /// TLS.
    pub fn authorized(
        &self,
        mut request: Request<Bytes>,
        credential: &Credential,
    ) -> Result<Request<Bytes>, Error> {
        *request.uri_mut() = self.own(request.uri())?;
        let accept = request.headers_mut().remove(ACCEPT).unwrap_or(JSON);
        self.headers(&mut request, accept);
        self.identified(request, credential)
    }

    /// Whether a key may be sent there.
    ///
    /// # Errors
    ///
    /// Code 40103 when it may not.
    pub fn check_basic(&self) -> Result<(), Error> {
        if self.url.is_plaintext() && !self.plaintext_basic {
            let text = "an API key is sent over TLS only; use https, or token authentication";
            return Err(ErrorCode::BASIC_WITHOUT_TLS.error(text));
        }
        Ok(())
    }

    fn identified(
        &self,
        mut request: Request<Bytes>,
        credential: &Credential,
    ) -> Result<Request<Bytes>, Error> {
        let value = match credential {
            Credential::Basic(key) => {
                self.check_basic()?;
                basic(key)
            }
            Credential::Bearer(token) => self.bearer.header(token),
        };
        let value = value.ok_or_else(|| {
            let text = "the credential has characters that no header can carry; check what the token provider answers";
            ErrorCode::INVALID_CREDENTIALS.error(text)
        })?;
        request.headers_mut().insert(AUTHORIZATION, value);
        self.name_client(&mut request);
        Ok(request)
    }

    fn name_client(&self, request: &mut Request<Bytes>) {
        let Some(client_id) = &self.client_id else { return };
        // Base64 is always a header's value.
        if let Ok(value) = HeaderValue::from_str(&STANDARD.encode(client_id.as_str())) {
            request.headers_mut().insert(CLIENT_ID, value);
        }
    }

    fn complete(&self, method: Method, uri: Uri, body: Bytes) -> Request<Bytes> {
        let mut request = Request::new(body);
        if method == Method::POST {
            request.headers_mut().insert(CONTENT_TYPE, JSON);
        }
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        self.headers(&mut request, JSON);
        request
    }

    fn headers(&self, request: &mut Request<Bytes>, accept: HeaderValue) {
        let headers = request.headers_mut();
        headers.insert(ACCEPT, accept);
        headers.insert(VERSION, HeaderValue::from_static(PROTOCOL_VERSION));
        headers.insert(AGENT_NAME, HeaderValue::from_static(AGENT));
    }

    fn key_path(&self, key_name: &str, verb: &str) -> Result<Uri, Error> {
        // No key is called like a step to another folder.
        let is_step = key_name.trim_matches('.').is_empty();
        if is_step || key_name.len() > ApiKey::LONGEST {
            let text = "the token request names a key that can't be one";
            return Err(ErrorCode::INVALID_CREDENTIALS.error(text));
        }
        self.uri(&format!("/keys/{}/{verb}", encoded(key_name)))
    }

    fn own(&self, uri: &Uri) -> Result<Uri, Error> {
        let (scheme, authority) = (self.url.uri().scheme(), self.url.uri().authority());
        let foreign = uri.authority().is_some() && (uri.scheme() != scheme || uri.authority() != authority);
        if foreign {
            let text = "the request is for another server than the service's, which must not see the credential; give its path alone";
            return Err(ErrorCode::BAD_REQUEST.error(text));
        }
        match uri.authority() {
            Some(_) => Ok(uri.clone()),
            None => self.uri(uri.path_and_query().map_or("/", |path| path.as_str())),
        }
    }

    fn uri(&self, path: &str) -> Result<Uri, Error> {
        let prefix = self.url.uri().to_string();
        let separator = if path.starts_with('/') { "" } else { "/" };
        let text = format!("{}{separator}{path}", prefix.trim_end_matches('/'));
        text.parse().map_err(|_| ErrorCode::BAD_REQUEST.error("the request's path can stand in no URL"))
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, bearer, plaintext_basic, client_id } = self;
        formatter
            .debug_struct("Service")
            .field("url", url)
            .field("bearer", bearer)
            .field("plaintext_basic", plaintext_basic)
            .field("client_id", client_id)
            .finish()
    }
}

#[cfg(test)]
mod tests;
