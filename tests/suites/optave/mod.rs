//! The Optave document, sentence by sentence, over real sockets against the gateway, and against servers that misbehave.
//!
//! | Sentence | Test |
//! | --- | --- |
//! | "For browser applications, use a token provider function" | `document::a_token_provider_is_invoked_for_each_token` |
//! | "const response = await fetch('/api/optave-token'); const { token } = await response.json();" | `browsers::the_backend_of_the_example_hands_a_token_to_its_page` |
//! | "Never expose client secrets in browser code." | `document::a_client_secret_beside_a_token_provider_is_refused_at_construction`, `browsers::no_answer_to_a_browser_holds_the_client_secret` |
//! | "Use a backend endpoint to fetch tokens." | `browsers::a_ticket_endpoint_gives_a_token_for_one_connection` |
//! | "For Node.js servers, use the authenticate method with client credentials" | `document::authenticate_gives_a_token_by_client_credentials` |
//! | "Ensure that authenticationUrl, clientId, and clientSecret are correctly set in the configuration." | `document::each_missing_setting_is_named_at_construction`, `document::a_wrong_secret_is_an_error_and_never_an_empty_token` |
//! | "console.error('Authentication or connection failed:', error)" | `document::a_wrong_secret_is_an_error_and_never_an_empty_token` |
//! | "After authentication (if required), establish a WebSocket connection" | `sockets::a_token_opens_a_connection_by_subprotocol_and_by_query` |
//! | "Each JWT token can only be used once to establish a WebSocket connection." | `sockets::each_token_opens_one_connection_however_many_try` |
//! | "If you need to reconnect or establish a new connection, you must obtain a fresh token by calling authenticate() again" | `document::authenticating_again_gives_a_fresh_token_each_time` |
//! | "or invoking your tokenProvider function" | `document::a_token_provider_is_invoked_for_each_token` |
//! | "Attempting to reuse the same token will result in an authentication error." | `sockets::reusing_a_token_is_an_authentication_error_before_the_upgrade` |
//! | "Reconnecting requires a new token" | `sockets::reconnecting_takes_a_new_token` |
//! | "authTransport: Optional: 'subprotocol' or 'query'" | `sockets::a_token_opens_a_connection_by_subprotocol_and_by_query` |
//! | "authTransport: 'subprotocol'" | `connections::authenticate_and_open_connection_connect_by_either_transport` |
//! | "const token = await client.authenticate(); await client.openConnection(token);" | `connections::authenticate_and_open_connection_connect_by_either_transport` |
//! | "Or with token provider (browser): await client.openConnection();" | `connections::without_a_token_of_ones_own_the_token_provider_is_asked_for_each_connection` |
//! | "Authentication or connection failed" | `connections::wrong_credentials_end_in_an_error_that_says_so` |
//! | "Each JWT token can only be used once", by us | `connections::a_used_token_is_never_sent_again`, `connections::a_token_whose_connection_came_to_nothing_is_used_too`, `connections::a_session_that_keeps_itself_connected_sends_each_token_once` |
//! | "Attempting to reuse the same token will result in an authentication error.", as a client sees it | `connections::reusing_a_token_is_an_authentication_error_of_the_server` |
//! | "client.on('close', () => { … reconnect(); });" | `connections::on_close_a_fresh_token_opens_the_next_connection` |
//! | "connectionTimeoutMs: 30000" | `requests::a_server_that_never_answers_the_upgrade_is_left_after_the_connection_timeout` |
//! | "requestTimeoutMs: 30000" | `requests::a_request_without_a_reply_ends_after_the_request_timeout_and_may_have_arrived`, `requests::a_request_that_found_no_connection_in_time_was_not_sent` |
//! | "(default: 30s)", and each mistake in the configuration | `crates/providers/src/optave/tests.rs` |

mod browsers;
mod connections;
mod document;
mod hostile;
mod requests;
mod shown;
mod sockets;
mod wire;

use std::time::Duration;

use auth_core::Secret;
use auth_core::jwt::{Claims, HmacKey, KeySet, Verifier};
use auth_http::endpoint::optave::{Browsers, TokenServer};
use auth_http::manager::StdClock;
use auth_http::optave::{Builder, Client};
use gateway::{Config, Gateway, RateLimit, Running};

const KEY: [u8; 32] = [9; 32];
/// One that form-encoding changes.
const SECRET: &str = "canary s&c r=t";

fn server() -> TokenServer {
    TokenServer::hs256(KEY).with_client("cid", Secret::from(SECRET)).with_browsers(Browsers::new())
}

async fn serve(server: TokenServer) -> Running {
    let config = Config::new("127.0.0.1:0".parse().unwrap())
        .with_optave(server)
        .with_rate_limit(RateLimit::new(Duration::from_millis(1), 1_000));
    Gateway::bind(config).await.unwrap().spawn()
}

fn builder(gateway: &Running) -> Builder {
    Client::builder()
        .with_authentication_url(format!("{}/auth/oauth2", gateway.http_url()))
        .with_client_id("cid")
        .with_client_secret(SECRET)
}

async fn text(client: &Client) -> String {
    client.authenticate().await.unwrap().secret().expose().to_owned()
}

fn verified(token: &str) -> Claims {
    let verifier = Verifier::new(KeySet::of(HmacKey::hs256(&KEY).unwrap())).with_single_use();
    verifier.verify(token, StdClock::start().now()).unwrap().into_inner()
}
