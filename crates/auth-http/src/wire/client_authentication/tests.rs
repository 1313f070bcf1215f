//! The bytes of each way to authenticate, and what is in an assertion.

use auth_core::jwt::{Asymmetric, HmacKey, KeySet, verify_signature};
use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;

use super::*;
use crate::testing::{Fixed, claims, es256, part, value};
use crate::wire::TokenEndpoint;

/// An endpoint whose client authenticates in this way.
fn by(client: Result<ClientAuthentication, ConfigError>) -> TokenEndpoint {
    TokenEndpoint::for_client("https://as.example.com/token", client.unwrap()).unwrap()
}

fn credentials(endpoint: &TokenEndpoint) -> Request<Bytes> {
    endpoint.request(&TokenForm::client_credentials(), None).unwrap()
}

#[test]
fn each_way_to_authenticate_has_its_bytes_and_leaves_no_trace_of_another() {
    let (id, secret) = ("a b", &Secret::from("s+%"));
    for (client, uri, authorization, body) in [
        (ClientAuthentication::none(id), "", None, "&client_id=a+b"),
        (ClientAuthentication::mutual_tls(id), "", None, "&client_id=a+b"),
        (ClientAuthentication::basic(id, secret), "", Some("a%20b:s%2B%25"), ""),
        (ClientAuthentication::basic_raw(id, secret), "", Some("a b:s+%"), ""),
        (ClientAuthentication::post(id, secret), "", None, "&client_id=a+b&client_secret=s%2B%25"),
        (ClientAuthentication::query(id, secret), "?client_id=a+b&client_secret=s%2B%25", None, ""),
    ] {
        let request = credentials(&by(client));
        assert_eq!(request.uri().to_string(), format!("https://as.example.com/token{uri}"));
        let basic = authorization.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(
            request.headers().get(AUTHORIZATION).map(|value| value.to_str().unwrap()),
            basic.as_deref()
        );
        assert_eq!(request.body(), &format!("grant_type=client_credentials{body}"));
    }
}

#[test]
fn a_private_key_signs_an_assertion_for_the_issuer_that_lives_a_minute() {
    let client = ClientAuthentication::private_key_jwt("c1", es256(), Fixed::new()).unwrap();
    let endpoint = by(Ok(client.with_audience("https://as.example.com")));
    let request = credentials(&endpoint);
    assert_eq!(
        value(&request, "client_assertion_type").unwrap(),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(value(&request, "client_id").unwrap(), "c1");
    assert_eq!((value(&request, "client_secret"), request.headers().get(AUTHORIZATION)), (None, None));
    let assertion = value(&request, "client_assertion").unwrap();
    assert_eq!(part(&assertion, 0), r#"{"typ":"client-authentication+jwt","alg":"ES256","kid":"k1"}"#);
    assert_eq!(
        part(&assertion, 1),
        r#"{"iss":"c1","sub":"c1","aud":"https://as.example.com","iat":1700000000,"exp":1700000060,"jti":"AQEBAQEBAQEBAQEBAQEBAQ"}"#
    );
    let keys = KeySet::parse_public(&es256().public_key().unwrap().to_jwk(), &Asymmetric).unwrap();
    verify_signature(&assertion, &keys).unwrap();
}

#[test]
fn an_assertion_carries_the_servers_time_and_a_new_name() {
    let secret = Secret::from("s".repeat(32));
    let endpoint = by(ClientAuthentication::client_secret_jwt("c1", &secret, Fixed::new()));
    let server_time = Some(Timestamp::from_millis(1_800_000_000_000));
    let assertion =
        |form: &TokenForm| value(&endpoint.request(form, server_time).unwrap(), "client_assertion").unwrap();
    let form = TokenForm::client_credentials();
    let (first, second) = (assertion(&form), assertion(&form));
    assert_eq!(
        (claims(&first)["iat"].as_u64(), claims(&first)["exp"].as_u64()),
        (Some(1_800_000_000), Some(1_800_000_060))
    );
    assert_eq!(claims(&first)["aud"], "https://as.example.com/token", "where no issuer is known");
    assert_ne!(claims(&first)["jti"], claims(&second)["jti"]);
    verify_signature(&first, &KeySet::of(HmacKey::hs256(&[b's'; 32]).unwrap())).unwrap();
    assert!(
        !String::from_utf8_lossy(endpoint.request(&form, None).unwrap().body()).contains(secret.expose())
    );

    let key = HmacKey::hs256(&[7; 32]).unwrap().with_key_id("k1");
    let shared = ClientAuthentication::private_key_jwt("c1", Arc::new(key), Fixed::new());
    assert_eq!(shared.unwrap_err(), ConfigError::NoPublicKey);
    let weak = ClientAuthentication::client_secret_jwt("c1", &Secret::from("short"), Fixed::new());
    assert_eq!(weak.unwrap_err(), ConfigError::WeakClientSecret);
}

#[test]
fn a_server_that_refuses_an_unknown_type_gets_a_plain_one() {
    let client = ClientAuthentication::private_key_jwt("c1", es256(), Fixed::new()).unwrap();
    let request = credentials(&by(Ok(client.with_assertion_type("JWT"))));
    assert!(part(&value(&request, "client_assertion").unwrap(), 0).starts_with(r#"{"typ":"JWT""#));
}

#[test]
fn a_secret_that_no_url_has_room_for_is_a_mistake_and_no_panic() {
    let endpoint = by(ClientAuthentication::query("c", &Secret::from("s".repeat(70_000))));
    let error = endpoint.request(&TokenForm::client_credentials(), None).unwrap_err();
    assert_eq!(error.kind(), auth_core::ErrorKind::Misconfigured);
}

#[test]
fn clients_without_what_their_way_needs_are_refused() {
    let (id, secret, none) = ("c", &Secret::from("s"), &Secret::from(""));
    assert_eq!(ClientAuthentication::none("").unwrap_err(), ConfigError::NoClientId);
    assert_eq!(ClientAuthentication::post(id, none).unwrap_err(), ConfigError::NoClientSecret);
    assert_eq!(ClientAuthentication::query(id, none).unwrap_err(), ConfigError::NoClientSecret);
    assert_eq!(ClientAuthentication::basic_raw(id, none).unwrap_err(), ConfigError::NoClientSecret);
    assert_eq!(ClientAuthentication::basic_raw("a:b", secret).unwrap_err(), ConfigError::ColonInClientId);
}
