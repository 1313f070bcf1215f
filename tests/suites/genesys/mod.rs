//! The Genesys document, sentence by sentence, over real sockets against the gateway and a scripted token endpoint.
//!
//! | Sentence | Test |
//! | --- | --- |
//! | "OAuth client type: Confidential client (Client Credentials or Authorization Code with Refresh Token)." | `tokens::the_token_request_is_a_form_post_with_basic_credentials`, `tokens::a_refresh_token_is_redeemed_as_the_document_writes_it` |
//! | "Genesys Cloud WebSocket connections begin as unauthenticated TCP streams." | `sockets::the_first_message_is_the_credential_and_the_upgrade_has_none` |
//! | "The client must send a JSON authentication message immediately after the WebSocket handshake completes." | `sockets::the_first_message_is_the_credential_and_the_upgrade_has_none` |
//! | "token caching, expiration validation" | `tokens::a_cached_token_is_not_asked_for_again` |
//! | "const expirationThreshold = 120; // Refresh 2 minutes before actual expiry" | `tokens::a_token_is_renewed_120_s_before_it_expires` |
//! | "this.refreshHook(tokenData)" | `trail::each_new_token_is_told_to_the_hook` |
//! | "/oauth/token does not require scopes in the request." | `tokens::the_token_request_is_a_form_post_with_basic_credentials` |
//! | "OAuth authentication failed: Invalid client credentials or expired refresh token." | `tokens::invalid_client_credentials_are_a_verdict_that_is_not_retried`, `tokens::an_expired_refresh_token_is_a_verdict_that_is_not_retried` |
//! | "When the API returns a 429 status, the client must implement exponential backoff." | `tokens::a_rate_limit_without_a_wait_is_backed_off_from` |
//! | "retry logic with jitter to prevent thundering herd scenarios" | `tokens::a_rate_limit_without_a_wait_is_backed_off_from` |
//! | "axiosError.response.headers\['retry-after'\]" | `tokens::rate_limits_and_server_errors_are_retried` |
//! | "maxRetries: number = 3", "Max retry attempts exceeded for token acquisition." | `tokens::three_attempts_are_the_limit` |
//! | "Expected Response: access_token, token_type, expires_in, refresh_token, scope" | `tokens::the_documented_answer_is_read` |
//! | "401: Invalid client credentials or revoked refresh token." | `tokens::invalid_client_credentials_are_a_verdict_that_is_not_retried`, `tokens::an_expired_refresh_token_is_a_verdict_that_is_not_retried` |
//! | "403: Client lacks permission to request tokens for the requested grant type." | `tokens::bad_answers_of_the_token_endpoint_each_end_in_a_clear_kind` |
//! | "5xx: Transient server errors. The retry logic handles this with exponential backoff." | `tokens::every_transient_server_error_is_retried` |
//! | "a JSON message with the type field set to auth and the token field containing the bearer token" | `sockets::the_first_message_is_the_credential_and_the_upgrade_has_none` |
//! | "The server responds with an auth message indicating success or failure." | `sockets::the_first_message_is_the_credential_and_the_upgrade_has_none`, `sockets::a_refused_token_is_replaced_once` |
//! | "sessionId?: string" in the payload | `sockets::a_new_connection_names_the_session_of_the_one_before` |
//! | "WebSocket authentication successful. Session ID:" | `sockets::a_session_id_is_told` |
//! | "Connection refusal: Invalid region or network restriction. Verify the wss://api.{region}/ws endpoint matches your tenant." | `sockets::a_websocket_that_is_not_there_is_told_by_its_status`, `sockets::an_invalid_region_is_refused_before_anything_is_sent`, `sockets::a_network_that_refuses_connections_is_told_as_such` |
//! | "Auth rejection: Expired token or missing scopes. The server returns status: "error" with a descriptive message.": the rejection is told by its kind, the message is not | `sockets::a_refused_token_is_replaced_once`, `sockets::a_fresh_token_that_is_refused_too_ends_the_session` |
//! | "If no auth message arrives within 10 seconds, the client should close the connection and retry." | `sockets::a_client_waits_10_s_for_an_answer_and_tries_again` |
//! | "validating that the access token contains the exact scopes needed" | `trail::missing_scopes_are_named_before_any_socket_is_opened` |
//! | "auditPayload: timestamp, action, result, required, granted, missing, clientId" | `trail::a_scope_check_is_written_to_the_audit_with_all_that_the_document_lists` |
//! | "Malformed JWT: … returns a denial with an error audit payload." | `trail::a_token_that_can_not_be_read_is_refused_with_an_error_verdict` |
//! | "The application must abort the subscription request and log a 403-equivalent event." | `trail::missing_scopes_are_named_before_any_socket_is_opened` |
//! | "tracks token latency, success rates, and generates compliance-ready audit entries" | `trail::attempts_are_counted_and_told_to_both_hooks_in_the_documents_words` |
//! | "getMetrics()" | `trail::attempts_are_counted_and_told_to_both_hooks_in_the_documents_words` |
//! | "Hook failures: … audit logging failures do not crash the WebSocket stream." | `trail::hooks_that_panic_cost_nothing`, `trail::a_session_goes_on_without_its_audit` |
//! | "if (!validation.isValid) { this.recordMetrics('failure'" | `trail::missing_scopes_are_named_before_any_socket_is_opened` |
//! | "const refreshInMs = (token.expires_in - 120) * 1000;" | `tokens::a_token_is_renewed_120_s_before_it_expires` |
//! | "this.ws.send(JSON.stringify({ type: 'auth', token: newToken.access_token }))" | `sockets::a_renewed_token_goes_over_the_connection_that_is_there` |
//! | "console.error('Token refresh failed:', error)" | `sockets::a_renewal_that_fails_leaves_the_connection_as_it_is` |
//! | "close(): void" | `sockets::a_closed_session_leaves_no_connection` |
//!
//! "Common Errors & Debugging":
//!
//! | Sentence | Test |
//! | --- | --- |
//! | "401 Unauthorized: Invalid client credentials, revoked refresh token" | `tokens::invalid_client_credentials_are_a_verdict_that_is_not_retried`, `tokens::an_expired_refresh_token_is_a_verdict_that_is_not_retried` |
//! | "or expired access token sent to the WebSocket endpoint" | `sockets::a_refused_token_is_replaced_once`, `session::a_connection_whose_token_expires_without_renewal_is_closed_with_4401` |
//! | "403 Forbidden (Scope Mismatch): … The scope validation middleware will report exactly which scopes are missing." | `trail::missing_scopes_are_named_before_any_socket_is_opened` |
//! | "429 Too Many Requests: Exceeding the OAuth token endpoint rate limit" | `tokens::rate_limits_and_server_errors_are_retried` |
//! | "or WebSocket authentication frequency threshold" | `faults::upgrade::the_wait_that_a_server_asks_for_is_kept` |
//! | "Ensure token caching prevents redundant requests." | `tokens::a_cached_token_is_not_asked_for_again` |
//! | "The server does not receive the authentication payload within 10 seconds of connection establishment." | `sockets::a_gateway_waits_10_s_for_a_credential` |
//! | "Verify network latency and proxy configurations." | `tokens::a_proxy_is_asked_for_the_way_to_the_token_endpoint`, `spatium::requests::a_proxy_is_asked_for_the_way_to_every_server` |
//! | "rejects the promise if an error … message arrives" | `sockets::a_fresh_token_that_is_refused_too_ends_the_session` |
//! | "or non-auth message": otherwise here, where it is no answer, and the answer is waited for until the 10 s are over | `sockets::a_message_that_is_no_answer_does_not_end_the_wait_for_one`, `session::a_server_that_talks_instead_of_answering_is_left_in_time` |
//!
//! The server's own message is in no error, event or audit: it may hold anything, a token too. What is missing is told before, by the
//! check of scopes.
//!
//! What the document leaves to the application is not here: a fallback to the authorization code grant (it needs a person; the
//! error says so by its kind), and the arithmetic of averages and rates.

mod sockets;
mod spoken;
mod tokens;
mod trail;

use std::sync::Arc;
use std::time::Duration;

use auth_core::{AuthEvent, Secret};
use gateway::{Client, Config, Gateway, Running};
use providers::genesys;
use realtime_auth_tests::recorder::Recorder;

const SECRET: &str = "canary-client-secret";
const REFRESH_TOKEN: &str = "canary-refresh-token";
const SCOPES: &str = "conversation:read user:read";
const HOUR: Duration = Duration::from_secs(3_600);

fn config(lifetime: Duration) -> Config {
    let client = Client::new("abc123", Secret::from(SECRET), SCOPES.parse().unwrap())
        .with_refresh_token(Secret::from(REFRESH_TOKEN));
    Config::new("127.0.0.1:0".parse().unwrap()).with_client(client).with_token_lifetime(lifetime)
}

async fn gateway(lifetime: Duration) -> Running {
    Gateway::bind(config(lifetime)).await.unwrap().spawn()
}

fn client(url: &str, recorder: &Recorder) -> genesys::Builder {
    genesys::Client::builder(url, "abc123", SECRET).with_observer(Arc::new(recorder.clone()))
}

fn is_authenticated(event: &AuthEvent) -> bool {
    matches!(event, AuthEvent::Authenticated { .. })
}

fn is_lost(event: &AuthEvent) -> bool {
    matches!(event, AuthEvent::ConnectionLost { .. })
}
