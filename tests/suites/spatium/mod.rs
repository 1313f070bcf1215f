//! The Spatium document, sentence by sentence, over real sockets against the gateway, and against servers that misbehave;
//! what is about hours, in virtual time.
//!
//! | Sentence | Test |
//! | --- | --- |
//! | "After establishing an authorization session keeps refreshing both access and refresh tokens on demand." | `document::after_establishing_both_tokens_are_refreshed_on_demand` |
//! | "In case of refresh token expiration, it throws an error and is no longer functional until a new session is established." | `lifetimes::an_expired_refresh_token_is_an_error_until_a_new_session_is_established`, `requests::a_session_that_is_over_sends_nothing_until_it_is_established_anew` |
//! | "For multiple parallel sessions, one should provide distinct tokens that are stable for every session" | `document::parallel_sessions_with_distinct_token_ids_live_side_by_side`, `document::a_session_of_the_same_token_id_displaces_the_one_before`, `requests::parallel_sessions_send_tokens_of_their_own` |
//! | "does not perform periodic refreshes while idle, so the session would inevitably expire if not called long enough" | `lifetimes::an_idle_session_is_not_refreshed_and_expires` |
//! | "One may, however, periodically call refresh method" | `lifetimes::a_session_whose_refresh_is_called_periodically_does_not_expire` |
//! | "new AuthorizationSession(url, tokenId, permissions)", and its example | `document::the_example_of_the_document_works` |
//! | "'request-id': uuid(randomBytes)" | `document::each_request_has_a_request_id_of_its_own` |
//! | "url: authorization service endpoint (HTTP(S))" | `document::the_url_is_http_or_https` |
//! | "tokenId: authorization session ID, controls multiple parallel sessions" | `document::parallel_sessions_with_distinct_token_ids_live_side_by_side` |
//! | "permissions: list of required permissions for this session"; "permission token as per constructor parameters" | `document::a_permission_token_has_the_permissions_of_the_constructor` |
//! | "Establish a new authorization session, replacing the previous one, if any." | `document::establishing_again_replaces_the_session_before` |
//! | "This method performs initial token acquisition" | `document::establishing_acquires_the_first_tokens` |
//! | "may be called once again (with valid tokens) to invalidate a previous refresh token" | `document::establishing_again_invalidates_the_previous_refresh_token` |
//! | "Before session establishment, no token operation may be performed." | `document::before_a_session_is_established_no_token_operation_is_performed` |
//! | "securityTokens: a list of gathered security tokens, sufficient to acquire required permissions" | `document::insufficient_or_invalid_security_tokens_establish_nothing` |
//! | "Get current permission (access) token" | `document::the_current_permission_token_is_cached` |
//! | "As long as a refresh token is not expired, this method always returns a valid access token and refreshes it if necessary." | `lifetimes::a_permission_token_is_valid_whenever_it_is_asked_for` |
//! | "Manually refreshes a session" | `document::refresh_replaces_both_tokens` |
//! | "This method is called internally as required" | `document::after_establishing_both_tokens_are_refreshed_on_demand` |
//! | (the token in use, in the vendor's words) "Authorization: Bearer", on every request | `requests::a_request_carries_the_permission_token_that_is_cached`, `requests::at_401_a_request_is_made_once_more_with_one_fresh_token`, `requests::no_token_goes_to_another_origin` |
//! | "and throws an error if this refresh token has already expired." | `lifetimes::refresh_is_an_error_once_the_refresh_token_has_expired` |

mod document;
mod hostile;
mod lifetimes;
mod lost;
mod requests;
mod strangers;

use std::sync::Arc;
use std::time::Duration;

use auth_core::jwt::{Claims, HmacKey, KeySet, Verifier};
use auth_core::{Error, Secret};
use auth_http::client::HyperClient;
use auth_http::endpoint::spatium::{Account, AuthorizationServer, Counts, Merchant};
use auth_http::manager::StdClock;
use auth_http::spatium::wire::{AuthorizationService, WantedPermissions};
use auth_http::spatium::{AuthorizationSession, Builder};
use gateway::{Config, Gateway, RateLimit, Running};
use realtime_auth_tests::relay::Relay;

pub(crate) use self::requests::streaming;

const KEY: [u8; 32] = [7; 32];
const BASE: &str = "/authorization/v1";
const FACTORS: &str = "/authorization/v1/api/permission/issue-by-factors";
const KEY_PATH: &str = "/authorization/v1/api/permission/issue-by-key";
const REFRESH: &str = "/authorization/v1/api/permission/refresh";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A gateway with a user, and a relay in front of it that sees what goes over the wire.
struct Served {
    _gateway: Running,
    relay: Relay,
    counts: Counts,
}

async fn served() -> Served {
    serve(|server| server).await
}

async fn serve(settings: impl FnOnce(AuthorizationServer) -> AuthorizationServer) -> Served {
    let password = Secret::from("password");
    let server = AuthorizationServer::hs256(KEY)
        .with_account(Account::new("username", password.clone(), ["read", "secret"]))
        .with_account(Account::new("other", password, ["read"]))
        .with_merchant(Merchant::new("merchant", Secret::from("canary-merchant-key"), ["read"]));
    let server = settings(server);
    let counts = server.counts();
    let config = Config::new("127.0.0.1:0".parse().unwrap())
        .with_spatium(server)
        .with_rate_limit(RateLimit::new(Duration::from_millis(1), 1_000));
    let gateway = Gateway::bind(config).await.unwrap().spawn();
    let relay = Relay::to(gateway.http_url()).await.unwrap();
    Served { _gateway: gateway, relay, counts }
}

impl Served {
    fn url(&self) -> String {
        format!("{}{BASE}", self.relay.url())
    }

    fn session(&self, token_id: &str) -> AuthorizationSession {
        AuthorizationSession::new(&self.url(), token_id, ["read", "secret"]).unwrap()
    }

    fn builder(&self, token_id: &str) -> Builder {
        let service = AuthorizationService::new(&self.url()).unwrap();
        let wanted = WantedPermissions::new(token_id, ["read", "secret"]).unwrap();
        AuthorizationSession::builder(service, Arc::new(HyperClient::plaintext()), wanted)
    }

    async fn established(&self, token_id: &str) -> AuthorizationSession {
        let session = self.session(token_id);
        establish(&session).await.unwrap();
        session
    }

    fn refreshes(&self) -> usize {
        self.relay.requests_to(REFRESH).len()
    }
}

async fn establish(session: &AuthorizationSession) -> Result<(), Error> {
    let factor = session.security_factor_credentials("username", &Secret::from("password")).await?;
    session.establish(&[factor]).await
}

async fn text(session: &AuthorizationSession) -> String {
    session.permission_token().await.unwrap().secret().expose().to_owned()
}

/// The claims of a token, as whoever it is presented to verifies it.
fn verified(token: &str) -> Claims {
    let keys = KeySet::of(HmacKey::hs256(&KEY).unwrap());
    let verifier = Verifier::new(keys).with_issuer("authorization-service");
    verifier.verify(token, StdClock::start().now()).unwrap().into_inner()
}

/// The member of a request's body, or of an answer's.
fn member(message: &str, pointer: &str) -> String {
    let body = message.split_once("\r\n\r\n").unwrap().1;
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    body.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
}

/// The refresh token of each refresh, in order.
fn presented(served: &Served) -> Vec<String> {
    let requests = served.relay.requests_to(REFRESH);
    requests.iter().map(|request| member(request, "/permissionRefreshToken")).collect()
}
