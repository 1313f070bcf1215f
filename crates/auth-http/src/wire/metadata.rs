//! What a server says of itself (RFC 8414, OpenID Connect Discovery): where its endpoints are, and what they can do.

use auth_core::{Error, ErrorKind};
use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use serde::Deserialize;

use super::ConfigError;
use super::reply::failure;
use super::url::EndpointUrl;

/// An authorization server, by the identifier that it gives itself.
#[derive(Debug, Clone)]
pub struct Issuer {
    identifier: String,
    url: EndpointUrl,
}

impl Issuer {
    /// The largest metadata that are read, in bytes.
    pub const LARGEST_METADATA: usize = 64 * 1_024;

    /// The server of this identifier: an `https` URL without query and fragment (RFC 8414 §2), to the letter; plain `http`
    /// on loopback only.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is not such.
    pub fn new(identifier: &str) -> Result<Self, ConfigError> {
        let url = EndpointUrl::parse(identifier)?;
        if url.uri().query().is_some() {
            return Err(ConfigError::NotAnIssuer);
        }
        Ok(Self { identifier: identifier.to_owned(), url })
    }

    /// The identifier.
    #[must_use]
    pub fn identifier(&self) -> &str {
        &self.identifier
    }

    /// The request for its metadata (RFC 8414 §3.1): the well-known part stands between host and path.
    #[must_use]
    pub fn request(&self) -> Request<Bytes> {
        self.get(|path| format!("/.well-known/oauth-authorization-server{path}"))
    }

    /// The request for its metadata as OpenID Connect has it (Discovery §4.1): the well-known part stands behind the path.
    /// For a server that has no other.
    #[must_use]
    pub fn openid_request(&self) -> Request<Bytes> {
        self.get(|path| format!("{path}/.well-known/openid-configuration"))
    }

    fn get(&self, place: impl Fn(&str) -> String) -> Request<Bytes> {
        let mut request = Request::new(Bytes::new());
        let path = place(self.url.uri().path().trim_end_matches('/'));
        let mut parts = self.url.uri().clone().into_parts();
        parts.path_and_query = path.parse().ok();
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_else(|_| self.url.uri().clone());
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        request
    }

    /// What a reply says.
    ///
    /// Endpoints may be on other hosts: what makes them trustworthy is that they come from the right issuer.
    ///
    /// # Errors
    ///
    /// As for a token endpoint; [`MalformedResponse`](ErrorKind::MalformedResponse) when it is too large, or no metadata;
    /// [`Refused`](ErrorKind::Refused) when it is of another issuer (RFC 8414 §3.3), or an endpoint is not encrypted.
    pub fn read(&self, response: &Response<Bytes>) -> Result<ServerMetadata, Error> {
        if response.status() == StatusCode::NOT_FOUND {
            let text = "the issuer publishes no metadata; check it to the letter, or configure its endpoints instead";
            return Err(Error::new(ErrorKind::Refused, text).with_code(404));
        }
        if !response.status().is_success() {
            return Err(failure("the issuer", response));
        }
        let body = response.body();
        let wire = match body.first() {
            Some(b'{' | b' ' | b'\t' | b'\r' | b'\n') if body.len() <= Self::LARGEST_METADATA => {
                serde_json::from_slice::<ServerMetadata>(body).ok()
            }
            Some(_) | None => None,
        };
        let metadata = wire.ok_or_else(|| {
            Error::new(
                ErrorKind::MalformedResponse,
                "the issuer's answer is no metadata (RFC 8414); check the issuer",
            )
        })?;
        if metadata.issuer != self.identifier {
            return Err(Error::new(
                ErrorKind::Refused,
                "the metadata are of another issuer; configure the issuer to the letter as the server states it",
            ));
        }
        if metadata.endpoints().any(|endpoint| EndpointUrl::parse(endpoint).is_err()) {
            return Err(Error::new(
                ErrorKind::Refused,
                "the metadata name an endpoint that is no https URL; have the server's configuration mended",
            ));
        }
        Ok(metadata)
    }
}

/// What a server says of itself; what it does not say is absent or empty.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
pub struct ServerMetadata {
    /// Its identifier.
    pub issuer: String,
    /// Where tokens come from.
    #[serde(default)]
    pub token_endpoint: Option<String>,
    /// Where people log in.
    #[serde(default)]
    pub authorization_endpoint: Option<String>,
    /// Where logins on other devices begin (RFC 8628 §4).
    #[serde(default)]
    pub device_authorization_endpoint: Option<String>,
    /// Where tokens end.
    #[serde(default)]
    pub revocation_endpoint: Option<String>,
    /// Where tokens are asked about.
    #[serde(default)]
    pub introspection_endpoint: Option<String>,
    /// Where its keys are.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// The grants that it has; none stated means authorization code and implicit.
    #[serde(default)]
    pub grant_types_supported: Vec<String>,
    /// The ways in which clients may authenticate; none stated means Basic.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// The proof keys that it knows; without `S256` it has none that is any good.
    #[serde(default)]
    pub code_challenge_methods_supported: Vec<String>,
    /// The algorithms that it takes DPoP proofs with; none stated means no DPoP.
    #[serde(default)]
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// Whether answers to logins name the issuer (RFC 9207 §3).
    #[serde(default)]
    pub authorization_response_iss_parameter_supported: bool,
    /// Endpoints for clients that authenticate by certificate (RFC 8705 §5).
    #[serde(default)]
    pub mtls_endpoint_aliases: EndpointAliases,
}

/// Endpoints under another address.
#[derive(Debug, Clone, Default, Deserialize)]
#[non_exhaustive]
pub struct EndpointAliases {
    /// Where tokens come from.
    #[serde(default)]
    pub token_endpoint: Option<String>,
    /// Where tokens end.
    #[serde(default)]
    pub revocation_endpoint: Option<String>,
    /// Where tokens are asked about.
    #[serde(default)]
    pub introspection_endpoint: Option<String>,
}

impl ServerMetadata {
    fn endpoints(&self) -> impl Iterator<Item = &str> {
        [
            &self.token_endpoint,
            &self.authorization_endpoint,
            &self.device_authorization_endpoint,
            &self.revocation_endpoint,
            &self.introspection_endpoint,
            &self.jwks_uri,
            &self.mtls_endpoint_aliases.token_endpoint,
            &self.mtls_endpoint_aliases.revocation_endpoint,
            &self.mtls_endpoint_aliases.introspection_endpoint,
        ]
        .into_iter()
        .filter_map(Option::as_deref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::reply;

    fn issuer(identifier: &str) -> Issuer {
        Issuer::new(identifier).unwrap()
    }

    fn read(body: &str) -> Result<ServerMetadata, Error> {
        issuer("https://server.example.com").read(&reply(200, &[], body))
    }

    /// RFC 8414 §3.1 and §5, OpenID Connect Discovery §4.1.
    #[test]
    fn the_well_known_part_stands_where_each_specification_has_it() {
        for (identifier, oauth, openid) in [
            (
                "https://example.com",
                "https://example.com/.well-known/oauth-authorization-server",
                "https://example.com/.well-known/openid-configuration",
            ),
            (
                "https://example.com/",
                "https://example.com/.well-known/oauth-authorization-server",
                "https://example.com/.well-known/openid-configuration",
            ),
            (
                "https://example.com:8443/issuer1",
                "https://example.com:8443/.well-known/oauth-authorization-server/issuer1",
                "https://example.com:8443/issuer1/.well-known/openid-configuration",
            ),
        ] {
            assert_eq!(issuer(identifier).request().uri(), oauth);
            assert_eq!(issuer(identifier).openid_request().uri(), openid);
        }
    }

    /// RFC 8414 §3.2, shortened.
    #[test]
    fn the_answer_of_rfc_8414_is_read() {
        let metadata = read(
            r#"{"issuer":"https://server.example.com","authorization_endpoint":"https://server.example.com/authorize",
                "token_endpoint":"https://server.example.com/token",
                "token_endpoint_auth_methods_supported":["client_secret_basic","private_key_jwt"],
                "jwks_uri":"https://keys.example.net/jwks.json","scopes_supported":["openid"],
                "mtls_endpoint_aliases":{"token_endpoint":"https://mtls.example.com/token"}}"#,
        )
        .unwrap();
        assert_eq!(metadata.token_endpoint.as_deref(), Some("https://server.example.com/token"));
        assert_eq!(
            metadata.jwks_uri.as_deref(),
            Some("https://keys.example.net/jwks.json"),
            "on another host"
        );
        assert_eq!(metadata.token_endpoint_auth_methods_supported.len(), 2);
        assert_eq!(
            metadata.mtls_endpoint_aliases.token_endpoint.as_deref(),
            Some("https://mtls.example.com/token")
        );
        assert!(!metadata.authorization_response_iss_parameter_supported);
    }

    #[test]
    fn an_issuer_is_compared_to_the_letter() {
        for other in ["https://server.example.com/", "https://SERVER.example.com", "https://evil.example.com"]
        {
            let error = read(&format!(r#"{{"issuer":"{other}"}}"#)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{other}");
        }
    }

    #[test]
    fn an_endpoint_that_is_not_encrypted_spoils_the_metadata() {
        for member in [
            r#""token_endpoint":"http://server.example.com/token""#,
            r#""jwks_uri":"file:///etc/passwd""#,
            r#""revocation_endpoint":"/revoke""#,
            r#""mtls_endpoint_aliases":{"token_endpoint":"http://a/t"}"#,
        ] {
            let error = read(&format!(r#"{{"issuer":"https://server.example.com",{member}}}"#)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{member}");
        }
        let local = issuer("http://127.0.0.1:9000");
        let body = r#"{"issuer":"http://127.0.0.1:9000","token_endpoint":"http://127.0.0.1:9000/token"}"#;
        assert!(local.read(&reply(200, &[], body)).is_ok(), "on this machine");
    }

    #[test]
    fn what_is_no_metadata_is_malformed_and_what_is_large_is_not_read() {
        let large = format!(
            r#"{{"issuer":"https://server.example.com","x":"{}"}}"#,
            "x".repeat(Issuer::LARGEST_METADATA)
        );
        for body in ["", "[]", "<html>", "{}", r#"["https://server.example.com"]"#, &large] {
            assert_eq!(read(body).unwrap_err().kind(), ErrorKind::MalformedResponse);
        }
        let issuer = issuer("https://server.example.com");
        assert_eq!(issuer.read(&reply(404, &[], "")).unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(issuer.read(&reply(302, &[], "")).unwrap_err().kind(), ErrorKind::Refused, "not followed");
    }

    #[test]
    fn an_issuer_is_an_encrypted_url_without_query_and_fragment() {
        for (identifier, error) in [
            ("http://example.com", ConfigError::Plaintext),
            ("https://example.com/?a=b", ConfigError::NotAnIssuer),
            ("https://example.com/#f", ConfigError::NotAUrl),
            ("example.com", ConfigError::NotAUrl),
        ] {
            assert_eq!(Issuer::new(identifier).unwrap_err(), error);
        }
    }
}
