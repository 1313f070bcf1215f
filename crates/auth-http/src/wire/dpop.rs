//! Proofs of possession (RFC 9449): a signature for each request, with the nonce that its server last asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use auth_core::jwt::{Draft, PublicKey, SignJws};
use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use sha2::{Digest as _, Sha256};

use super::ConfigError;
use super::reply::server_time as told;
use crate::freshness::{Corrected, Freshness};

/// The key that tokens are bound to, and the nonces that servers asked for. Clones share the nonces: a program has one of
/// these for each key, for its token endpoint and its resources alike.
///
/// A token endpoint that has one takes only tokens bound to the key, and such a token is presented by
/// [`authorize`](Self::authorize): as a bearer token, servers refuse it.
#[derive(Clone)]
pub struct Dpop {
    key: Arc<dyn SignJws>,
    public: PublicKey,
    freshness: Corrected,
    nonces: Arc<Mutex<BTreeMap<String, String>>>,
}

/// The longest nonce that is kept, in bytes; longer ones would fill the header.
const LONGEST_NONCE: usize = 1_024;
/// The most origins whose nonces are kept: more than a program of one key talks to.
const MOST_ORIGINS: usize = 64;

impl Dpop {
    /// Proofs under this key, with fresh names.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoPublicKey`] when the key is a shared secret, or does not show its public half.
    pub fn new(key: Arc<dyn SignJws>, freshness: Arc<dyn Freshness>) -> Result<Self, ConfigError> {
        let public = key.public_key().ok_or(ConfigError::NoPublicKey)?;
        Ok(Self { key, public, freshness: Corrected::new(freshness), nonces: Arc::default() })
    }

    /// The thumbprint of the key (RFC 7638): the `jkt` that its tokens are bound to.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.public.thumbprint()
    }

    /// The proof for one request, to be sent in the header `DPoP`; `token` is the one that goes with it, if one does. Each
    /// has a name of its own, so a request that is sent again needs another.
    ///
    /// # Errors
    ///
    /// Those of the key.
    pub fn proof(
        &self,
        method: &Method,
        uri: &Uri,
        token: Option<&Secret>,
        server_time: Option<Timestamp>,
    ) -> Result<HeaderValue, Error> {
        let origin = origin(uri);
        let draft = Draft::new()
            .with_type("dpop+jwt")
            .with_header_key(&self.public)
            .with_token_id(&self.freshness.token_id())
            .with_text("htm", method.as_str())
            .with_text("htu", &format!("{origin}{}", uri.path()))
            .with_issued_at(self.freshness.now(server_time));
        let draft = match token {
            Some(token) => draft.with_text("ath", &URL_SAFE_NO_PAD.encode(Sha256::digest(token.expose()))),
            None => draft,
        };
        let draft = match self.nonce(&origin) {
            Some(nonce) => draft.with_text("nonce", &nonce),
            None => draft,
        };
        header(draft.signed_by(&*self.key)?.expose())
    }

    /// Presents a token that is bound to the key: sets `Authorization` and `DPoP` (RFC 9449 §7.1).
    ///
    /// # Errors
    ///
    /// Those of the key; [`InvalidToken`](ErrorKind::InvalidToken) when the token has characters that no header may have.
    pub fn authorize<B>(
        &self,
        request: &mut Request<B>,
        token: &Secret,
        server_time: Option<Timestamp>,
    ) -> Result<(), Error> {
        let proof = self.proof(request.method(), request.uri(), Some(token), server_time)?;
        let authorization = header(&format!("DPoP {}", token.expose()))?;
        request.headers_mut().insert(AUTHORIZATION, authorization);
        request.headers_mut().insert("dpop", proof);
        Ok(())
    }

    /// Takes in the nonce and the time of a reply from `uri`: every reply counts, be it a success or not. Returns whether it
    /// had a nonce.
    pub fn heard(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        self.freshness.heard(told(headers));
        let mut stated = headers.get_all("dpop-nonce").into_iter();
        let (Some(nonce), None) = (stated.next().and_then(|nonce| nonce.to_str().ok()), stated.next()) else {
            return false;
        };
        if nonce.is_empty() || nonce.len() > LONGEST_NONCE {
            return false;
        }
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let origin = origin(uri);
        if nonces.len() >= MOST_ORIGINS && !nonces.contains_key(&origin) {
            nonces.pop_first();
        }
        nonces.insert(origin, nonce.to_owned());
        true
    }

    fn nonce(&self, origin: &str) -> Option<String> {
        self.nonces.lock().unwrap_or_else(PoisonError::into_inner).get(origin).cloned()
    }
}

impl fmt::Debug for Dpop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Dpop({})", self.thumbprint())
    }
}

/// Scheme and authority, in lower case (RFC 3986 §6.2.2.1).
fn origin(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    format!("{}://{}", uri.scheme_str().unwrap_or("https"), authority.to_ascii_lowercase())
}

fn header(text: &str) -> Result<HeaderValue, Error> {
    let mut header = HeaderValue::try_from(text).map_err(|_| {
        Error::new(ErrorKind::InvalidToken, "the token has characters that no header may have; fetch another")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use auth_core::jwt::{Asymmetric, HmacKey, KeySet, verify_signature};

    use super::*;
    use crate::testing::{Fixed, claims, es256, part};

    fn dpop() -> Dpop {
        Dpop::new(es256(), Fixed::new()).unwrap()
    }

    fn proof(dpop: &Dpop, uri: &str, token: Option<&Secret>) -> String {
        let proof = dpop.proof(&Method::POST, &uri.parse().unwrap(), token, None).unwrap();
        proof.to_str().unwrap().to_owned()
    }

    fn nonce(nonce: &str) -> HeaderMap {
        [("dpop-nonce".parse().unwrap(), nonce.parse().unwrap())].into_iter().collect()
    }

    /// The shape of RFC 9449 §4.2, byte for byte.
    #[test]
    fn a_proof_says_what_rfc_9449_asks_for_and_no_more() {
        let dpop = dpop();
        let proof = proof(&dpop, "https://Server.example.com/token?a=b", None);
        assert_eq!(
            part(&proof, 0),
            format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{}}}"#, es256().public_key().unwrap().to_jwk())
        );
        assert_eq!(
            part(&proof, 1),
            r#"{"jti":"AQEBAQEBAQEBAQEBAQEBAQ","htm":"POST","htu":"https://server.example.com/token","iat":1700000000}"#
        );
        let keys = KeySet::parse_public(&es256().public_key().unwrap().to_jwk(), &Asymmetric).unwrap();
        verify_signature(&proof, &keys).unwrap();
    }

    /// The token and its `ath` of RFC 9449 §7.1.
    #[test]
    fn a_token_that_goes_with_the_request_is_hashed_as_in_rfc_9449() {
        let token = Secret::from("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
        let proof = proof(&dpop(), "https://resource.example.org/protectedresource", Some(&token));
        assert_eq!(claims(&proof)["ath"], "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
    }

    #[test]
    fn each_proof_has_a_name_of_its_own_and_the_servers_time() {
        let dpop = dpop();
        let (first, second) = (proof(&dpop, "https://a/t", None), proof(&dpop, "https://a/t", None));
        assert_ne!(claims(&first)["jti"], claims(&second)["jti"]);
        let server_time = Some(Timestamp::from_millis(1_800_000_000_999));
        let proof = dpop.proof(&Method::GET, &"https://a/t".parse().unwrap(), None, server_time).unwrap();
        assert_eq!(claims(proof.to_str().unwrap())["iat"], 1_800_000_000);
    }

    #[test]
    fn the_last_nonce_of_an_origin_goes_into_its_proofs_alone() {
        let dpop = dpop();
        let (a, b) = ("https://a.example/x".parse().unwrap(), "https://b.example/x".parse().unwrap());
        assert!(
            dpop.heard(&a, &nonce("n1")) && dpop.heard(&a, &nonce("n2")) && dpop.heard(&b, &nonce("other"))
        );
        assert_eq!(claims(&proof(&dpop, "https://A.example/another", None))["nonce"], "n2");
        assert_eq!(claims(&proof(&dpop.clone(), "https://b.example/x", None))["nonce"], "other");
        assert!(claims(&proof(&dpop, "https://a.example:8443/x", None)).get("nonce").is_none());
    }

    #[test]
    fn a_nonce_that_is_empty_too_long_or_stated_twice_is_not_kept() {
        let dpop = dpop();
        let uri = "https://a/x".parse().unwrap();
        let mut twice = nonce("n1");
        twice.append("dpop-nonce", "n2".parse().unwrap());
        for headers in [nonce(""), nonce(&"n".repeat(1_025)), twice, HeaderMap::new()] {
            assert!(!dpop.heard(&uri, &headers));
        }
        assert!(claims(&proof(&dpop, "https://a/x", None)).get("nonce").is_none());
    }

    #[test]
    fn the_number_of_nonces_is_bounded() {
        let dpop = dpop();
        for number in 0..200 {
            dpop.heard(&format!("https://a{number}/").parse().unwrap(), &nonce("n"));
        }
        assert_eq!(dpop.nonces.lock().unwrap().len(), MOST_ORIGINS);
    }

    #[test]
    fn a_bound_token_is_presented_with_its_proof_and_never_as_bearer() {
        let mut request = Request::get("https://a/x").body(()).unwrap();
        dpop().authorize(&mut request, &Secret::from("canary"), None).unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "DPoP canary");
        assert_eq!(claims(request.headers()["dpop"].to_str().unwrap())["htm"], "GET");
        assert!(!format!("{:?}", request.headers()).contains("canary"));
        let error = dpop().authorize(&mut request, &Secret::from("a\r\nb: c"), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken);
    }

    #[test]
    fn a_shared_secret_proves_nothing_to_a_stranger() {
        let key = Arc::new(HmacKey::hs256(&[7; 32]).unwrap());
        assert_eq!(Dpop::new(key, Fixed::new()).unwrap_err(), ConfigError::NoPublicKey);
    }
}
