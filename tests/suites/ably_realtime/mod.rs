//! Ably's realtime client by the points of its specification: against servers by script, and against our own gateway.
//!
//! | Point | Test | Otherwise than there |
//! | --- | --- | --- |
//! | RTC4a, RSA7b3, RSA7b4 | `tests/suites/ably_realtime/connecting.rs::rtc4a_rsa7b3_the_client_is_whom_connected_says` |  |
//! | RTC8a | `tests/suites/ably_realtime/authorize.rs::rtc8a_authorize_sends_auth_on_the_live_connection`, `tests/suites/ably_realtime/our_gateway.rs::rtc8a_authorize_changes_what_the_connection_may_do_and_leaves_it_the_same`, `tests/suites/ably_realtime/authorize.rs::rtc8a_of_two_at_once_both_are_done_and_the_later_token_is_the_connections` |  |
//! | RTC8a, no answer | `tests/suites/ably_realtime/authorize.rs::rtc8a_an_auth_that_is_not_answered_costs_the_connection_and_the_next_has_the_token` | not in the specification, and for ever in ably-js: after 10 s the connection is replaced |
//! | RTC8a1 | `tests/suites/ably_realtime/authorize.rs::rtc8a1_what_the_answer_says_takes_the_place_of_what_was_said`, `tests/suites/ably_realtime/our_gateway.rs::rtc8a1_a_channel_that_the_new_token_does_not_allow_fails_and_the_connection_lives` | UPDATE is `SessionEvent::Renewed`; a channel's state is its user's, who gets the ERROR |
//! | RTC8a2 | `tests/suites/ably_realtime/authorize.rs::rtc8a2_an_error_in_answer_to_auth_fails_the_connection`, `tests/suites/ably_realtime/authorize.rs::rtc8a_a_token_error_in_answer_to_auth_is_cured_by_one_more_token_on_a_new_connection`, `tests/suites/ably_realtime/our_gateway.rs::rtc8a2_a_token_of_somebody_else_fails_the_connection_with_40102` | a token error is RTN15h's, as in ably-js |
//! | RTC8a3 | `tests/suites/ably_realtime/authorize.rs::rtc8a3_authorize_is_done_only_when_the_server_has_answered` |  |
//! | RTC8b | `tests/suites/ably_realtime/authorize.rs::rtc8b_authorize_while_connecting_gives_the_attempt_up_and_connects_with_the_new_token` |  |
//! | RTC8b1 | `tests/suites/ably_realtime/authorize.rs::rtc8b1_authorize_fails_with_the_connection_that_it_waits_for`, `tests/suites/ably_realtime/authorize.rs::rtc8b1_authorize_fails_when_the_connection_is_closed_or_dropped`, `tests/suites/ably_realtime/authorize.rs::rtc8b1_authorize_fails_when_the_connection_is_suspended_and_that_goes_on_trying` |  |
//! | RTC8c | `tests/suites/ably_realtime/authorize.rs::rtc8c_authorize_without_a_connection_makes_one_which_connect_hands_over`, `tests/suites/ably_realtime/authorize.rs::rtc8c_authorize_connects_again_after_the_connection_has_failed_or_was_closed`, `tests/suites/ably_realtime/authorize.rs::rtc8c_authorize_while_disconnected_waits_no_longer` | a wait that a rate limit asks for is kept |
//! | RSA10a, RSA10j | `tests/suites/ably_realtime/authorize.rs::rtc8_rsa10j_what_authorize_was_given_is_used_from_then_on` |  |
//! | RTN2a, d, e, f; RSA3c, RSA7e1 | `tests/suites/ably_realtime/connecting.rs::rtn2_the_request_has_the_token_and_what_the_protocol_wants` | `access_token`, as the SDKs have it; a key never stands in a URL: it signs a request for a token |
//! | RTN2e, RTN4, RTN27b | `tests/suites/ably_realtime/connecting.rs::rtn2e_rtn27b_rtn4_a_connection_begins_with_a_token_and_tells_each_state_once` |  |
//! | RTN12, RTN12a | `tests/suites/ably_realtime/closing.rs::rtn12a_close_says_close_behind_what_was_sent_and_is_done_with_closed`, `tests/suites/ably_realtime/closing.rs::rtn12a_a_session_that_is_dropped_says_close_too`, `tests/suites/ably_realtime/closing.rs::rtn12_close_elsewhere_changes_nothing`, `tests/suites/ably_realtime/our_gateway.rs::rtn12a_close_is_answered_with_closed` | after CLOSED, closed is what the connection is when its close frame is answered; of one that has failed, `close` says why |
//! | RTN12b | `tests/suites/ably_realtime/closing.rs::rtn12b_without_closed_the_connection_is_dropped_after_ten_seconds` |  |
//! | RTN12c | `tests/suites/ably_realtime/closing.rs::rtn12c_a_connection_that_drops_after_close_is_closed` |  |
//! | RTN12d | `tests/suites/ably_realtime/closing.rs::rtn12d_close_while_disconnected_or_suspended_is_done_at_once` |  |
//! | RTN12f | `tests/suites/ably_realtime/closing.rs::rtn12f_close_while_connecting_says_close_once_connected_has_come`, `tests/suites/ably_realtime/closing.rs::rtn12f_close_while_connecting_is_done_when_the_attempt_comes_to_nothing` | while there is no token yet there is no attempt: closed at once; waited for like CLOSED |
//! | RTN13a, RTN13e | `tests/suites/ably_realtime/ping.rs::rtn13a_rtn13e_a_ping_is_answered_by_the_heartbeat_with_its_id_alone`, `tests/suites/ably_realtime/our_gateway.rs::rtn13a_a_ping_is_answered` |  |
//! | RTN13b | `tests/suites/ably_realtime/ping.rs::rtn13b_a_ping_fails_where_there_is_no_connection_nor_will_be`, `tests/suites/ably_realtime/ping.rs::rtn13b_a_ping_fails_with_the_connection_that_it_waits_for` | lost before the answer: an error at once, 80003 |
//! | RTN13c | `tests/suites/ably_realtime/ping.rs::rtn13c_a_ping_that_is_not_answered_fails_after_ten_seconds` |  |
//! | RTN13d | `tests/suites/ably_realtime/ping.rs::rtn13d_a_ping_while_connecting_or_disconnected_goes_out_once_connected` |  |
//! | RTN14a, RTN14g | `tests/suites/ably_realtime/connecting.rs::rtn14a_rtn14g_an_error_that_no_token_cures_fails_the_session_with_its_number`, `tests/suites/ably_realtime/our_gateway.rs::rtn14a_a_key_that_the_service_does_not_know_fails_the_connection`, `crates/auth-http/src/ably/tests/source.rs::rtn14a_what_the_service_says_of_a_key_is_final_and_an_outage_is_not` | the server's number is kept, its text is not; an ERROR of a limit (such as 40111 or 42910) is tried again later |
//! | RTN14b | `tests/suites/ably_realtime/connecting.rs::rtn14b_a_token_error_is_cured_by_one_new_token`, `tests/suites/ably_realtime/connecting.rs::rtn14b_a_second_token_error_fails_the_session`, `tests/suites/ably_realtime/connecting.rs::rtn14b_a_callback_that_fails_after_a_token_error_leads_to_disconnected` | the second is final rather than DISCONNECTED: a service that refuses what it has just issued is not asked for ever |
//! | RTN14c | `tests/suites/ably_realtime/in_time.rs::rtn14c_an_attempt_without_an_upgrade_is_given_up_after_ten_seconds`, `tests/suites/ably_realtime/in_time.rs::rtn14c_an_attempt_without_connected_is_given_up_after_ten_seconds`, `crates/ws-session/src/driver/tests/ably.rs::rtn14c_an_attempt_without_connected_is_given_up_after_ten_seconds` | 10 s to open and 10 s for CONNECTED |
//! | RTN14d | `tests/suites/ably_realtime/connecting.rs::rtn14d_a_fault_that_may_pass_leads_to_disconnected_and_another_attempt` | waits grow from 0.5 s to 30 s, spread over their whole length, in the place of RTB1 |
//! | RTN14d, RTN14e, RTN14f | `crates/ws-session/src/driver/tests/ably.rs::rtn14d_rtn14e_rtn14f_attempts_that_fail_lead_to_disconnected_and_to_suspended_and_go_on` |  |
//! | RTN14e, RTN21 (`connectionStateTtl`) | `tests/suites/ably_realtime/closing.rs::rtn14e_rtn21_the_time_that_the_server_names_decides_when_the_connection_is_suspended`, `tests/suites/ably_realtime/closing.rs::rtn14e_rtn21_a_server_that_keeps_the_state_for_longer_is_asked_to_resume_for_longer` | of the other details `maxIdleInterval` counts; sizes and rates are the program's |
//! | RTN15a | `crates/ws-session/src/driver/tests/ably.rs::rtn15a_a_connection_that_is_closed_without_a_word_is_replaced_at_once` | within 0.5 s, so that clients which were dropped together do not come together |
//! | RTN15b, RTN15c6, RTN15c7 | `crates/ws-session/src/driver/tests/ably.rs::rtn15b_a_lost_connection_is_resumed_by_its_latest_key_and_rtn15c6_its_id_says_whether_it_was`, `tests/suites/ably_realtime/our_gateway.rs::rtn15h2_rtn15c7_a_revoked_connection_comes_back_with_a_new_token_as_another` | what it means for channels and `msgSerial` is their user's: `SessionEvent::Authenticated` tells |
//! | RTN15c4 | `crates/ws-session/src/driver/tests/ably.rs::rtn15c4_a_fatal_error_on_resume_fails_the_session` |  |
//! | RTN15c5 | `crates/ws-session/src/driver/tests/ably.rs::rtn15c5_a_token_that_is_refused_on_resume_is_renewed_and_the_resume_asked_for_again` |  |
//! | RTN15g (RTN14h since 6.1) | `crates/ws-session/src/driver/tests/ably.rs::rtn15g_after_the_time_that_the_state_is_kept_for_nothing_is_resumed` | RTN14h would ask to resume for ever |
//! | RTN15h1 | `tests/suites/ably_realtime/living.rs::rtn15h1_disconnected_by_a_token_error_without_means_to_renew_fails_the_session` |  |
//! | RTN15h2, RTN22a | `tests/suites/ably_realtime/living.rs::rtn15h2_rtn22a_disconnected_by_a_token_error_a_new_token_resumes_the_connection`, `tests/suites/ably_realtime/living.rs::rtn15h2_after_a_second_token_error_the_session_fails`, `tests/suites/ably_realtime/living.rs::rtn15h2_a_callback_that_fails_after_a_token_error_leads_to_disconnected`, `tests/suites/ably/our_realtime.rs::a_session_that_is_revoked_comes_back_with_a_fresh_token` | it passes through DISCONNECTED (RTN15h2i); as RTN14b, the second is final |
//! | RTN15h3 | `tests/suites/ably_realtime/living.rs::rtn15h3_disconnected_for_another_reason_the_connection_is_resumed_with_the_same_token` |  |
//! | RTN15j | `tests/suites/ably_realtime/living.rs::rtn15j_an_error_of_the_connection_fails_the_session_and_one_of_a_channel_is_the_users` |  |
//! | RTN22 | `tests/suites/ably_realtime/living.rs::rtn22_a_server_that_asks_gets_a_new_token_in_place`, `tests/suites/ably/our_realtime.rs::a_session_outlives_its_tokens_on_the_same_connection` |  |
//! | RTN23a, RTN23b | `crates/ws-session/src/driver/tests/ably.rs::rtn23a_a_silence_that_is_longer_than_promised_costs_the_connection_and_heartbeats_save_it` | looked at every half of it; with the default settings ours is a ping after 12.5 s of silence |
//! | RTN24 | `tests/suites/ably_realtime/connecting.rs::rtc4a_rsa7b3_the_client_is_whom_connected_says` | one that answers no AUTH is the user's message, and changes `clientId` only |
//! | RSA4a2 | `tests/suites/ably_realtime/connecting.rs::rsa4a2_rtn14b_a_token_that_can_not_be_renewed_fails_the_session_with_40171`, `tests/suites/ably_realtime/our_gateway.rs::rsa4a2_a_token_that_expires_and_can_not_be_renewed_ends_the_session_with_it`, `tests/suites/ably_realtime/living.rs::rtn22_rsa4a2_a_server_that_asks_where_there_is_no_other_token_keeps_the_connection` |  |
//! | RSA4c1, RSA4c2 | `tests/suites/ably_realtime/connecting.rs::rsa4c2_a_callback_that_fails_leads_to_disconnected_and_is_asked_again`, `tests/suites/ably_realtime/connecting.rs::rsa4c_what_is_no_token_is_a_failure_of_its_callback`, `crates/auth-http/src/ably/tests/source.rs::rsa4c_rsa4c1_a_provider_that_fails_is_80019_with_its_cause_and_tried_again` |  |
//! | RSA4c3 | `tests/suites/ably_realtime/living.rs::rtn22_rsa4c3_a_callback_that_fails_then_leaves_the_connection_and_is_asked_again`, `tests/suites/ably_realtime/authorize.rs::rtc8_rsa4c_authorize_that_gets_no_token_leaves_the_connection_alone` |  |
//! | RSA4d, RSA4d1 | `tests/suites/ably_realtime/connecting.rs::rsa4d_a_callback_that_refuses_fails_the_session_with_80019`, `tests/suites/ably_realtime/living.rs::rtn22_rsa4d_a_callback_that_refuses_then_ends_the_session_with_the_token`, `tests/suites/ably_realtime/authorize.rs::rtc8_rsa4c_authorize_that_gets_no_token_leaves_the_connection_alone`, `crates/auth-http/src/ably/tests/source.rs::rsa4d_who_refuses_the_next_token_is_heard_and_who_fails_is_not_as_long_as_the_last_is_alive` | a live connection serves until its token ends, and fails then: a renewal that was refused hides no token that is still good |
//! | RSA15a, RSA15c | `tests/suites/ably_realtime/connecting.rs::rsa15c_a_connection_that_speaks_for_somebody_else_fails_with_40102`, `tests/suites/ably_realtime/our_gateway.rs::rsa15c_a_bare_token_of_somebody_else_is_refused_by_the_service_with_40102` |  |
//!
//! Not kept: RTN16 (`recover`: but for the connection's key, what a recovery key holds is the program's), RTN17 (fallback hosts: an
//! endpoint is one host, as for REST); channels, presence and the resending of messages (RTL, RTP, RTN7, RTN19) are the program's.

mod authorize;
mod closing;
mod connecting;
mod in_time;
mod living;
mod our_gateway;
mod ping;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_core::ably::{AuthOptions, TokenParams, TokenReply};
use auth_core::backoff::Backoff;
use auth_core::{AuthEvent, Error, Secret};
use auth_http::ably::{Surroundings, callback};
use auth_http::client::HyperClient;
use providers::ably::{Builder, Realtime};
use realtime_auth_tests::flawed_server::{frame, hear};
use realtime_auth_tests::raw_server::RawServer;
use realtime_auth_tests::raw_socket::{opcode, request, switching_protocols};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use ws_session::driver::tokio::{Events, Session, SessionEvent};
use ws_session::machine::{Config, State};

/// What a new token may cure (RSA4b).
const TOKEN_ERRORS: RangeInclusive<u32> = 40_140..=40_149;

/// How long anything here may take before its test has failed.
const SOON: Duration = Duration::from_secs(10);

/// A server of Ably's protocol whose test says what it does: each connection is handed to it.
struct Server {
    server: RawServer,
    connections: UnboundedReceiver<TcpStream>,
}

/// The server's end of a connection, upgraded.
struct Peer {
    stream: TcpStream,
    query: Vec<(String, String)>,
}

impl Server {
    async fn start() -> Self {
        let (hand_over, connections) = unbounded_channel();
        let serving = RawServer::serve(move |stream, _| {
            let _ = hand_over.send(stream);
            async { Ok(()) }
        });
        Self { server: serving.await.unwrap(), connections }
    }

    fn url(&self) -> String {
        format!("http://{}", self.server.address())
    }

    fn connections(&self) -> usize {
        self.server.connections()
    }

    /// The next connection.
    async fn peer(&mut self) -> Peer {
        Peer::upgraded(soon(self.connections.recv()).await.unwrap()).await
    }

    /// The next connection, which is accepted.
    async fn welcomed(&mut self) -> Peer {
        self.welcomed_with(json!({})).await
    }

    /// The same, with these details.
    async fn welcomed_with(&mut self, details: Value) -> Peer {
        let mut peer = self.peer().await;
        peer.welcome("id", details).await;
        peer
    }

    /// The next connections, each of which is refused like this.
    async fn refuse(&mut self, times: usize, code: u32) {
        for _ in 0..times {
            self.peer().await.say(&failure(9, code)).await;
        }
    }
}

impl Peer {
    /// Reads the request of a connection, and agrees to it.
    async fn upgraded(mut stream: TcpStream) -> Self {
        let request = soon(request(&mut stream)).await.unwrap();
        stream.write_all(switching_protocols(&request, "").unwrap().as_bytes()).await.unwrap();
        let target = request.split(' ').nth(1).unwrap();
        let query = target.split_once('?').unwrap().1;
        Self { stream, query: form_urlencoded::parse(query.as_bytes()).into_owned().collect() }
    }

    /// A parameter of the request.
    fn asked(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn token(&self) -> &str {
        self.asked("access_token").unwrap()
    }

    async fn say(&mut self, message: &Value) {
        self.stream.write_all(&frame(0x80 | opcode::TEXT, message.to_string().as_bytes())).await.unwrap();
    }

    /// CONNECTED, with these details beside the usual ones.
    async fn welcome(&mut self, id: &str, details: Value) {
        let mut all = json!({ "connectionKey": format!("{id}!key"), "connectionStateTtl": 120_000 });
        all.as_object_mut().unwrap().extend(details.as_object().unwrap().clone());
        self.say(&json!({ "action": 4, "connectionId": id, "connectionDetails": all })).await;
    }

    /// The next message.
    async fn heard(&mut self) -> Value {
        loop {
            let (kind, payload) = soon(hear(&mut self.stream)).await.unwrap();
            if kind == opcode::TEXT {
                return serde_json::from_slice(&payload).unwrap();
            }
            assert_eq!(kind, opcode::PING, "{payload:?}");
        }
    }

    /// The next message, which must be an AUTH: its token.
    async fn reauthorized(&mut self) -> String {
        let message = self.heard().await;
        assert_eq!(message["action"], 17, "{message}");
        message["auth"]["accessToken"].as_str().unwrap().to_owned()
    }

    /// Waits until the client has seen the upgrade, and what was said since, as its answer to a ping says: it says nothing before that.
    async fn has_answered_a_ping(&mut self) {
        self.stream.write_all(&frame(0x80 | opcode::PING, b"")).await.unwrap();
        assert_eq!(soon(hear(&mut self.stream)).await.unwrap().0, opcode::PONG);
    }

    /// Reads up to the client's close frame, and answers that: nothing else comes.
    async fn closed(&mut self) {
        let (kind, payload) = soon(hear(&mut self.stream)).await.unwrap();
        assert_eq!(kind, opcode::CLOSE, "{payload:?}");
        self.stream.write_all(&frame(0x80 | opcode::CLOSE, &payload)).await.unwrap();
    }

    /// Says CLOSED to CLOSE, which must come next, and closes with the client.
    async fn lets_go(&mut self) {
        assert_eq!(self.heard().await, json!({ "action": 7 }));
        self.say(&json!({ "action": 8 })).await;
        self.closed().await;
    }

    /// Reads until the client has ended the connection: nothing but the end comes.
    async fn ended(&mut self) {
        while let Ok((kind, payload)) = soon(hear(&mut self.stream)).await {
            assert_ne!(kind, opcode::TEXT, "{payload:?}");
        }
    }
}

/// ERROR (9) or DISCONNECTED (6) of the connection.
fn failure(action: u8, code: u32) -> Value {
    let status = if code < 60_000 { code / 100 } else { 400 };
    json!({ "action": action, "error": { "code": code, "statusCode": status, "message": "canary" } })
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(SOON, work).await.expect("in time")
}

/// A callback that gives `token-1`, `token-2` and so on, except where `fails` has an error for a call, and how often it was
/// called.
fn failing(
    fails: impl Fn(usize) -> Option<Error> + Send + Sync + 'static,
) -> (AuthOptions, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let ask = callback(move |_: TokenParams| {
        let call = counted.fetch_add(1, Ordering::Relaxed) + 1;
        let failure = fails(call);
        let token = Secret::from(format!("token-{call}"));
        async move { failure.map_or(Ok(TokenReply::Token(token)), Err) }
    });
    (AuthOptions::new().with_auth_callback(ask), calls)
}

fn numbered() -> (AuthOptions, Arc<AtomicUsize>) {
    failing(|_| None)
}

/// A token, and no way to another.
fn bare(token: &str) -> AuthOptions {
    AuthOptions::new().with_token(auth_core::ably::TokenDetails::new(Secret::from(token)))
}

/// As its user gets it, except that it waits for no longer than it takes to see it.
fn quick() -> Config {
    Config::new().with_backoff(Backoff::new(Duration::from_millis(5), Duration::from_millis(20)))
}

fn builder(options: AuthOptions, url: &str) -> Builder {
    with_defaults(options, url).with_session_config(quick())
}

fn with_defaults(options: AuthOptions, url: &str) -> Builder {
    let surroundings = Surroundings::over(Arc::new(HyperClient::plaintext()));
    Realtime::builder(options).with_endpoint(url).with_surroundings(surroundings)
}

fn client(options: AuthOptions, server: &Server) -> Realtime {
    builder(options, &server.url()).build().unwrap()
}

/// A client that is connected, with its session and the server's end of it.
async fn connected(options: AuthOptions, server: &mut Server) -> (Realtime, Session, Peer) {
    let realtime = client(options, server);
    let (session, peer) = tokio::join!(realtime.connect(), server.welcomed());
    (realtime, session.unwrap(), peer)
}

/// The states that come, up to this one.
async fn states_until(events: &mut Events, last: State) -> Vec<State> {
    let mut states = Vec::new();
    while states.last() != Some(&last) {
        if let SessionEvent::State { state, .. } = soon(events.next()).await.expect("it goes on") {
            states.push(state);
        }
    }
    states
}

/// Waits until the session has failed: the number that it names.
async fn failed(session: &mut Session) -> Option<u32> {
    while soon(session.next()).await.is_some() {}
    assert_eq!(session.state(), State::Failed);
    let error = session.error().unwrap();
    error.token_error().map_or_else(|| error.code().map(u32::from), Error::code)
}

/// What somebody does who is asked for a token and refuses (RSA4d).
fn refusal() -> Error {
    auth_core::ably::ErrorCode::FORBIDDEN.error("not you")
}

fn outage() -> Error {
    Error::new(auth_core::ErrorKind::Transport, "the backend is down")
}
