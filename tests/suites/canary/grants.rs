//! Every grant, of every kind of client.

use std::fmt::Debug;
use std::sync::Arc;

use auth_core::jwt::Draft;
use auth_core::oauth::CodeVerifier;
use auth_core::renewal::Attempt;
use auth_core::source::FixedToken;
use auth_core::{Secret, Token};
use auth_http::grant::{
    AuthorizationCode, ClientCredentials, DeviceCode, Grant, JwtBearer, RefreshToken, TokenExchange,
};
use auth_http::wire::{self, ClientAuthentication, Dpop, TokenEndpoint, Wanted};
use realtime_auth_tests::ear::Listening;
use realtime_auth_tests::script::Script;

use super::echoes::echoes;
use super::shown::{Shown, forms};
use super::{CANARY, LETTERS, NoDelay, device_login, freshness, http, key, secret};

/// Every way in which a client can say who it is.
fn clients() -> Vec<ClientAuthentication> {
    vec![
        ClientAuthentication::none("c").unwrap(),
        ClientAuthentication::basic("c", &secret()).unwrap(),
        ClientAuthentication::basic_raw("c", &secret()).unwrap(),
        ClientAuthentication::post("c", &secret()).unwrap(),
        ClientAuthentication::query("c", &secret()).unwrap(),
        ClientAuthentication::private_key_jwt("c", key(), freshness()).unwrap(),
        ClientAuthentication::client_secret_jwt("c", &secret(), freshness()).unwrap(),
    ]
}

/// Every grant with a secret of its own in it.
fn grants(endpoint: &TokenEndpoint) -> Vec<Box<dyn Shows>> {
    let endpoint = || endpoint.clone();
    let wanted = Wanted::new().with_parameter("key", CANARY).unwrap();
    let code =
        wire::AuthorizationCode::new(secret(), "https://app.example/", CodeVerifier::from_random([7; 32]));
    let token = || Arc::new(FixedToken::new(Token::new(secret())));
    vec![
        Box::new(ClientCredentials::new(endpoint(), http()).with_wanted(wanted.clone())),
        Box::new(RefreshToken::new(endpoint(), http(), Secret::from(LETTERS)).with_wanted(wanted)),
        Box::new(AuthorizationCode::new(endpoint(), http(), code)),
        Box::new(DeviceCode::new(endpoint(), http(), &device_login(), Arc::new(NoDelay))),
        Box::new(JwtBearer::new(endpoint(), http(), Draft::new().with_issuer(CANARY), key(), freshness())),
        Box::new(JwtBearer::with_assertions(endpoint(), http(), |_| Ok(secret()))),
        Box::new(
            TokenExchange::new(endpoint(), http(), token(), TokenExchange::JWT)
                .with_actor(token(), TokenExchange::JWT),
        ),
    ]
}

trait Shows: Grant + Debug {}

impl<T: Grant + Debug> Shows for T {}

/// Each with each. All on one thread: the tests, the servers, and the tasks of the client, or they would not be heard.
#[tokio::test]
async fn no_grant_shows_a_secret_whatever_the_server_sends_back() {
    for answer in echoes() {
        let listening = Listening::begin();
        let mut shown = Shown::default();
        let server = Script::serve(vec![answer]).await.unwrap();
        let url = format!("{}/token?key={CANARY}", server.url());
        let mut asked = 0;
        for client in clients() {
            shown.debug(&client);
            let plain = TokenEndpoint::for_client(&url, client).unwrap();
            let bound = plain.clone().with_dpop(Dpop::new(key(), freshness()).unwrap());
            for endpoint in [plain, bound] {
                shown.debug(&endpoint);
                shown.debug(&endpoint.dpop());
                for grant in grants(&endpoint) {
                    shown.debug(&grant);
                    shown.outcome(&grant.obtain(&Attempt::new(grant.configured())).await);
                    shown.debug(&grant);
                    asked += 1;
                }
            }
        }
        shown.0.push_str(&listening.end());
        let requests = server.requests();
        assert!(requests.len() >= asked, "{} requests of {asked} grants", requests.len());
        let forms = forms(&requests);
        assert!(forms.len() > asked / 2, "proofs and assertions are among them");
        shown.holds_none_of(&forms);
    }
}
