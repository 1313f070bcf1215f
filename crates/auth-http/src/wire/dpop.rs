//! Proofs of possession (RFC 9449): a signature for each request, with the nonce that its server last asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use auth_core::jwt::{Draft, PublicKey, SignJws};
use auth_core::time::Timestamp;
use auth_core::{Error, ErrorKind, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use sha2::{Digest as _, Sha256};

use super::ConfigError;
use super::reply::server_time;
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
    freshness: Arc<dyn Freshness>,
    origins: Arc<Mutex<BTreeMap<String, Origin>>>,
}

/// What a server has told, for requests to it alone: one that lies spoils no other.
#[derive(Clone)]
struct Origin {
    clock: Corrected,
    nonce: Option<String>,
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
        Ok(Self { key, public, freshness, origins: Arc::default() })
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
        let place = origin(uri).ok_or_else(|| {
            Error::new(
                ErrorKind::Misconfigured,
                "a proof is for one place; give the request its absolute URL",
            )
        })?;
        let Origin { clock, nonce } = self.origin(&place);
        let draft = Draft::new()
            .with_type("dpop+jwt")
            .with_header_key(&self.public)
            .with_token_id(&clock.token_id())
            .with_text("htm", method.as_str())
            .with_text("htu", &format!("{place}{}", uri.path()))
            .with_issued_at(clock.now(server_time));
        let draft = match token {
            Some(token) => draft.with_text("ath", &URL_SAFE_NO_PAD.encode(Sha256::digest(token.expose()))),
            None => draft,
        };
        let draft = match nonce {
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
        let Some(place) = origin(uri) else { return false };
        let mut stated = headers.get_all("dpop-nonce").into_iter();
        let nonce = match (stated.next().and_then(|nonce| nonce.to_str().ok()), stated.next()) {
            (Some(nonce), None) if (1..=LONGEST_NONCE).contains(&nonce.len()) => Some(nonce.to_owned()),
            _ => None,
        };
        let told = nonce.is_some();
        let mut heard = self.origin(&place);
        heard.clock.heard(server_time(headers));
        heard.nonce = nonce.or(heard.nonce);
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if origins.len() >= MOST_ORIGINS && !origins.contains_key(&place) {
            origins.pop_first();
        }
        origins.insert(place, heard);
        told
    }

    /// Whether a resource at `uri` asks for the same request with another proof, because this one lacked its nonce
    /// (RFC 9449 §9). Takes in the nonce as [`heard`](Self::heard) does. Send it again once, no more.
    #[must_use]
    pub fn wants_nonce<B>(&self, uri: &Uri, response: &Response<B>) -> bool {
        let challenged = response.headers().get_all(WWW_AUTHENTICATE).iter().any(|challenge| {
            let text = challenge.to_str().unwrap_or_default().to_ascii_lowercase();
            text.contains("dpop ") && text.contains("error=\"use_dpop_nonce\"")
        });
        self.heard(uri, response.headers()) && challenged && response.status() == StatusCode::UNAUTHORIZED
    }

    fn origin(&self, place: &str) -> Origin {
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        origins
            .get(place)
            .cloned()
            .unwrap_or_else(|| Origin { clock: Corrected::new(Arc::clone(&self.freshness)), nonce: None })
    }
}

impl fmt::Debug for Dpop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Dpop({})", self.thumbprint())
    }
}

/// Scheme and authority, in lower case (RFC 3986 §6.2.2.1).
fn origin(uri: &Uri) -> Option<String> {
    let authority = uri.authority()?.as_str().to_ascii_lowercase();
    Some(format!("{}://{authority}", uri.scheme_str()?))
}

fn header(text: &str) -> Result<HeaderValue, Error> {
    let mut header = HeaderValue::try_from(text).map_err(|_| {
        Error::new(ErrorKind::InvalidToken, "the token has characters that no header may have; fetch another")
    })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests;
