//! The token server without a socket.

use auth_core::jwt::{Algorithm, HmacKey};
use auth_core::time::{Moment, Timestamp};
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;

use super::*;
use crate::optave::CredentialPlacement;
use crate::optave::wire::AuthenticationEndpoint;

fn at(seconds: u64) -> Now {
    let wall = Timestamp::from_millis((1_700_000_000 + seconds) * 1_000);
    Now { wall, mono: Moment::since_origin(Duration::from_secs(seconds)) }
}

fn server() -> TokenServer {
    TokenServer::hs256([1; 32])
        .with_client("cid", Secret::from("s&é"))
        .with_client("unguarded", Secret::from(""))
}

#[test]
fn what_our_client_sends_is_read_wherever_it_puts_the_credentials() {
    for placement in [CredentialPlacement::Basic, CredentialPlacement::Post, CredentialPlacement::Query] {
        let secret = Secret::from("s&é");
        let endpoint = AuthenticationEndpoint::new("https://a", "cid", &secret, placement).unwrap();
        let response = server().token(at(0), [1; 32], &endpoint.request().unwrap(), &mut |_| Ok(()));
        let issued = endpoint.read(&response).unwrap();
        assert_eq!(issued.expires_in, Some(Duration::from_secs(300)), "{placement:?}");
        let opening = server().redeem(at(0), &issued.access_token).unwrap();
        assert_eq!(opening.subject, "cid");
    }
}

#[test]
fn a_client_with_an_empty_secret_is_refused_whatever_it_presents() {
    // In a form it would be left out; by HTTP Basic it comes in.
    let ask = |credentials: &str| {
        let request = Request::post("https://a/token")
            .header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(credentials)))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = request.body(Bytes::from_static(b"grant_type=client_credentials")).unwrap();
        server().token(at(0), [1; 32], &request, &mut |_| Ok(())).status()
    };
    assert_eq!(ask("unguarded:"), StatusCode::UNAUTHORIZED);
    assert_eq!(ask("cid:s%26%C3%A9"), StatusCode::OK, "the control");
}

/// A key that can't sign.
struct Broken;

impl SignJws for Broken {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Hs256
    }

    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, Error> {
        Err(Error::new(auth_core::ErrorKind::Transport, "the module is away"))
    }
}

#[test]
fn a_key_that_can_not_sign_is_the_servers_trouble_and_not_the_clients() {
    let server = TokenServer::new(Arc::new(Broken), KeySet::of(HmacKey::hs256(&[1; 32]).unwrap()));
    let server = server.with_client("cid", Secret::from("s"));
    let query = "https://a/token?grant_type=client_credentials&client_id=cid&client_secret=s";
    let request = Request::post(query).body(Bytes::new()).unwrap();
    let response = server.token(at(0), [1; 32], &request, &mut |_| Ok(()));
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn a_token_outlives_a_clock_that_is_stepped_back() {
    let mut server = server();
    let token = server.mint(at(30), [1; 32], "cid").unwrap();
    assert_eq!(server.redeem(at(0), &token).unwrap().subject, "cid");
    let token = server.mint(at(90), [2; 32], "cid").unwrap();
    assert_eq!(server.redeem(at(0), &token), Err(NotOpened::InvalidToken), "a minute, and no more");
}

#[test]
fn a_token_opens_one_connection_until_it_expires() {
    let mut server = server();
    let token = server.mint(at(0), [1; 32], "cid").unwrap();
    assert_eq!(server.redeem(at(299), &token).unwrap().expires_in, Duration::from_secs(1));
    assert_eq!(server.redeem(at(299), &token), Err(NotOpened::AlreadyUsed));
    let other = server.mint(at(0), [2; 32], "cid").unwrap();
    assert_eq!(server.redeem(at(300), &other), Err(NotOpened::InvalidToken));
}

#[test]
fn no_token_lives_longer_than_a_quarter_of_an_hour() {
    let mut server = server().with_lifetime(Duration::from_secs(86_400));
    let token = server.mint(at(0), [1; 32], "cid").unwrap();
    assert_eq!(server.redeem(at(0), &token).unwrap().expires_in, LONGEST_LIFETIME);
}

#[test]
fn a_client_that_asks_too_often_is_told_when_to_come_back_once_its_secret_is_right() {
    let ask = |secret: &str| {
        let query =
            format!("https://a/token?grant_type=client_credentials&client_id=cid&client_secret={secret}");
        let request = Request::post(query).body(Bytes::new()).unwrap();
        server().token(at(0), [1; 32], &request, &mut |_| Err(Duration::from_secs(7)))
    };
    let response = ask("s%26%C3%A9");
    assert_eq!((response.status().as_u16(), &response.headers()[RETRY_AFTER]), (429, &HeaderValue::from(7)));
    assert_eq!(ask("wrong").status(), StatusCode::UNAUTHORIZED);
}
