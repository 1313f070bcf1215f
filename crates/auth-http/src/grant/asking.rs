//! One question to a token endpoint, and once more where the server wants its nonce in the proof.

use std::fmt;
use std::sync::Arc;

use auth_core::oauth::{TokenResponse, TokenType};
use auth_core::renewal::Attempt;
use auth_core::{Error, Secret};
use bytes::Bytes;
use http::Response;

use crate::exchange::HttpExchange;
use crate::store::CredentialKey;
use crate::wire::{TokenEndpoint, TokenForm, Wanted, server_time};

/// An endpoint, and the way there.
#[derive(Clone)]
pub(super) struct Asking {
    endpoint: TokenEndpoint,
    http: Arc<dyn HttpExchange>,
}

impl Asking {
    pub(super) fn new(endpoint: TokenEndpoint, http: Arc<dyn HttpExchange>) -> Self {
        Self { endpoint, http }
    }

    pub(super) async fn ask(&self, form: &TokenForm, attempt: &Attempt) -> Result<TokenResponse, Error> {
        self.read(&self.exchange(form, attempt).await?)
    }

    pub(super) fn token_type(&self) -> TokenType {
        self.endpoint.dpop().map_or(TokenType::Bearer, |_| TokenType::Dpop)
    }

    /// Whose tokens a form asks for.
    pub(super) fn credential(&self, form: &TokenForm) -> Option<CredentialKey> {
        Some(self.endpoint.credential_key(form))
    }

    /// Whose tokens a person's login gives, however it came about: its refresh token is the same for all grants.
    pub(super) fn login(&self, wanted: &Wanted) -> Option<CredentialKey> {
        self.credential(&TokenForm::refresh_token(&Secret::from("any")).with_wanted(wanted))
    }

    pub(super) async fn redeem(
        &self,
        refresh_token: &Secret,
        wanted: &Wanted,
        attempt: &Attempt,
    ) -> Result<TokenResponse, Error> {
        self.ask(&TokenForm::refresh_token(refresh_token).with_wanted(wanted), attempt).await
    }

    pub(super) fn read(&self, response: &Response<Bytes>) -> Result<TokenResponse, Error> {
        self.endpoint.read(response)
    }

    /// A server that wants its nonce has not looked at the grant, so the second request may carry the same.
    pub(super) async fn exchange(
        &self,
        form: &TokenForm,
        attempt: &Attempt,
    ) -> Result<Response<Bytes>, Error> {
        let request = self.endpoint.request(form, attempt.server_time).map_err(Error::without_effect)?;
        let response = self.http.exchange(request).await?;
        if !self.endpoint.wants_nonce(&response) {
            return Ok(response);
        }
        let server_time = server_time(response.headers()).or(attempt.server_time);
        let request = self.endpoint.request(form, server_time).map_err(Error::without_effect)?;
        self.http.exchange(request).await
    }
}

impl fmt::Debug for Asking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, http: _ } = self;
        endpoint.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use auth_core::time::Timestamp;
    use auth_core::{ErrorKind, Retry};

    use super::*;
    use crate::testing::{Fixed, Scripted, TOKEN, claims, es256, reply};
    use crate::wire::{ClientAuthentication, Dpop};

    fn asking(http: &Arc<Scripted>) -> Asking {
        let client = ClientAuthentication::private_key_jwt("c", es256(), Fixed::new()).unwrap();
        let endpoint = TokenEndpoint::for_client("https://as.example.com/token", client).unwrap();
        let dpop = Dpop::new(es256(), Fixed::new()).unwrap();
        Asking::new(endpoint.with_dpop(dpop), Arc::clone(http) as Arc<dyn HttpExchange>)
    }

    const NONCE: (&str, &str) = ("dpop-nonce", "n1");
    const DATE: (&str, &str) = ("date", "Fri, 20 Nov 2026 10:00:30 GMT");
    const WANTED: &str = r#"{"error":"use_dpop_nonce"}"#;

    #[tokio::test]
    async fn a_nonce_is_answered_once_with_a_new_proof_and_the_same_grant() {
        let bound = TOKEN.replace("Bearer", "DPoP");
        let http = Scripted::new([Ok(reply(400, &[NONCE, DATE], WANTED)), Ok(reply(200, &[], &bound))]);
        let form = TokenForm::refresh_token(&Secret::from("r1"));
        asking(&http).ask(&form, &Attempt::new(None)).await.unwrap();

        let asked = http.asked();
        let proofs: Vec<_> =
            asked.iter().map(|one| claims(one.headers()["dpop"].to_str().unwrap())).collect();
        assert!(proofs[0].get("nonce").is_none());
        assert_eq!(proofs[1]["nonce"], "n1");
        assert_ne!(proofs[0]["jti"], proofs[1]["jti"]);
        assert_eq!(proofs[1]["iat"], 1_795_168_830, "by the server's own clock");
        let names = asked
            .iter()
            .map(|one| claims(&crate::testing::value(one, "client_assertion").unwrap())["jti"].clone());
        let names: Vec<_> = names.collect();
        assert_ne!(names[0], names[1]);
        assert!(asked.iter().all(|one| crate::testing::value(one, "refresh_token").as_deref() == Some("r1")));
    }

    #[tokio::test]
    async fn a_server_that_is_never_content_is_asked_twice_and_no_more() {
        let http = Scripted::new([
            Ok(reply(400, &[NONCE], WANTED)),
            Ok(reply(400, &[("dpop-nonce", "n2")], WANTED)),
        ]);
        let error =
            asking(&http).ask(&TokenForm::client_credentials(), &Attempt::new(None)).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Refused, Retry::Never));
        assert!(!error.is_in_doubt(), "the refresh token is not consumed by a missing nonce");
        assert_eq!(http.count(), 2);

        http.answer(Ok(reply(200, &[], &TOKEN.replace("Bearer", "DPoP"))));
        asking(&http).ask(&TokenForm::client_credentials(), &Attempt::new(None)).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_signed_carries_the_servers_time() {
        let http = Scripted::new([Ok(reply(200, &[], &TOKEN.replace("Bearer", "DPoP")))]);
        let mut attempt = Attempt::new(None);
        attempt.server_time = Some(Timestamp::from_millis(1_800_000_000_000));
        asking(&http).ask(&TokenForm::client_credentials(), &attempt).await.unwrap();
        let asked = http.asked();
        assert_eq!(claims(asked[0].headers()["dpop"].to_str().unwrap())["iat"], 1_800_000_000);
        let assertion = crate::testing::value(&asked[0], "client_assertion").unwrap();
        assert_eq!(claims(&assertion)["iat"], 1_800_000_000);
    }

    /// A machine whose clock is five minutes behind, and a server that forgives one.
    #[tokio::test]
    async fn a_refusal_tells_the_time_and_the_next_assertion_is_not_too_old() {
        let late = [("date", "Tue, 14 Nov 2023 22:18:20 GMT")];
        let http = Scripted::new([
            Ok(reply(401, &late, r#"{"error":"invalid_client"}"#)),
            Ok(reply(200, &[], &TOKEN.replace("Bearer", "DPoP"))),
        ]);
        let asking = asking(&http);
        asking.ask(&TokenForm::client_credentials(), &Attempt::new(None)).await.unwrap_err();
        asking.ask(&TokenForm::client_credentials(), &Attempt::new(None)).await.unwrap();
        let issued = |index: usize| {
            let asked = &http.asked()[index];
            let assertion = claims(&crate::testing::value(asked, "client_assertion").unwrap());
            let proof = claims(asked.headers()["dpop"].to_str().unwrap());
            (assertion["iat"].as_u64().unwrap(), proof["iat"].as_u64().unwrap())
        };
        assert_eq!((issued(0), issued(1)), ((1_700_000_000, 1_700_000_000), (1_700_000_300, 1_700_000_300)));
    }

    #[tokio::test]
    async fn no_answer_is_quoted_in_an_error() {
        let secret = "canary";
        for status in [200, 201, 302, 400, 401, 403, 404, 408, 429, 500, 503] {
            for body in [
                secret.to_owned(),
                format!("<html>{secret}"),
                format!(
                    r#"{{"error":"invalid_request","error_description":"{secret}","error_uri":"{secret}"}}"#
                ),
                format!(r#"{{"access_token":"{secret}","token_type":"{secret}"}}"#),
                format!(r#"{{"access_token":["{secret}"]}}"#),
            ] {
                let http = Scripted::new([Ok(reply(status, &[], &body))]);
                let form = TokenForm::refresh_token(&Secret::from(secret));
                let error = asking(&http).ask(&form, &Attempt::new(None)).await.unwrap_err();
                let text = format!("{error} {error:?} {:?}", asking(&http));
                assert!(!text.contains(secret), "{status} {body}: {text}");
            }
        }
    }

    /// Whoever presents a token can tell that it must not go as a bearer token.
    #[cfg(feature = "tokio")]
    #[tokio::test]
    async fn a_token_manager_hands_out_bound_tokens_as_such_and_no_others() {
        use auth_core::{Demand, TokenSource as _};

        use crate::grant::{Callback, ClientCredentials};
        use crate::manager::TokenManager;

        let bound = TOKEN.replace("Bearer", "DPoP");
        let http = Scripted::new([Ok(reply(200, &[], &bound))]);
        let Asking { endpoint, http } = asking(&http);
        let manager = TokenManager::builder(ClientCredentials::new(endpoint, http)).spawn();
        let token = manager.token(Demand::Current).await.unwrap();
        assert_eq!(token.token_type(), TokenType::Dpop);

        let says_bearer = Callback::new(move |_| {
            let response = TokenResponse::parse_as(bound.as_bytes(), TokenType::Dpop);
            async move { response }
        });
        let error = TokenManager::builder(says_bearer).spawn().token(Demand::Current).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
    }
}
