//! Endpoints that issue no tokens.

use std::sync::Arc;

use auth_core::jwt::Asymmetric;
use auth_core::time::{Moment, Now, Timestamp};
use auth_http::client::HyperClient;
use auth_http::exchange::HttpExchange as _;
use auth_http::fetched::{JwksCache, MetadataCache};
use auth_http::grant::Revocation;
use auth_http::wire::{
    ClientAuthentication, DeviceEndpoint, Introspection, IntrospectionEndpoint, Issuer, RevocationEndpoint,
    TokenHint, Wanted,
};
use realtime_auth_tests::ear::Listening;
use realtime_auth_tests::script::Script;

use super::echoes::echoes;
use super::secret;
use super::shown::{Shown, forms};

#[tokio::test]
async fn no_other_endpoint_shows_a_secret_whatever_the_server_sends_back() {
    let listening = Listening::begin();
    let mut shown = Shown::default();
    for answer in echoes() {
        let server = Script::serve(vec![answer]).await.unwrap();
        let url = server.url();
        let client = || ClientAuthentication::post("c", &secret()).unwrap();
        let http = HyperClient::plaintext();

        let device = DeviceEndpoint::new(url, client()).unwrap();
        shown.debug(&device);
        if let Ok(response) = http.exchange(device.request(&Wanted::new(), None).unwrap()).await
            && let Ok(login) = device.read(&response).inspect_err(|error| shown.error(error))
        {
            // What a person must read is no secret, whoever chose it; the device code is one.
            let login =
                format!("{login:?}").replace(&login.user_code, "").replace(&login.verification_uri, "");
            shown.debug(&login);
        }
        let revocation = RevocationEndpoint::new(url, client()).unwrap();
        shown.debug(&revocation);
        let revocation = Revocation::new(revocation, Arc::new(http.clone()));
        shown.debug(&revocation);
        shown.outcome(&revocation.revoke(&secret(), TokenHint::RefreshToken).await);

        let introspection = IntrospectionEndpoint::new(url, client()).unwrap();
        shown.debug(&introspection);
        let request = introspection.request(&secret(), Some(TokenHint::AccessToken), None).unwrap();
        if let Ok(response) = http.exchange(request).await {
            let outcome = introspection.read(&response);
            assert!(!matches!(outcome, Ok(Introspection::Active(_))));
            shown.outcome(&outcome);
        }
        let clock = || Arc::new(|| Now { wall: Timestamp::from_millis(0), mono: Moment::ORIGIN });
        let issuer = Issuer::new(url).unwrap();
        let metadata = MetadataCache::new(issuer, Arc::new(http.clone()), clock());
        shown.outcome(&metadata.metadata().await);
        let keys = JwksCache::new(url, Arc::new(http.clone()), Arc::new(Asymmetric), clock()).unwrap();
        shown.outcome(&keys.keys().await);
        shown.debug(&keys);
        shown.debug(&metadata);
    }
    shown.0.push_str(&listening.end());
    shown.holds_none_of(&forms(&[]));
}
