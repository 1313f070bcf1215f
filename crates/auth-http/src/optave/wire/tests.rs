//! The vendor's rules for URLs, and the requests.

use super::*;

#[test]
fn an_authentication_url_gets_its_token_once() {
    for (given, url) in [
        ("https://a/auth/oauth2", "https://a/auth/oauth2/token"),
        ("https://a/auth/oauth2/", "https://a/auth/oauth2/token"),
        ("https://a/auth/oauth2//", "https://a/auth/oauth2/token"),
        ("https://a/token", "https://a/token"),
        ("https://a/token/", "https://a/token/"),
        ("https://a", "https://a/token"),
        ("https://a/tokens", "https://a/tokens/token"),
        ("https://a/token?x=/y", "https://a/token?x=/y"),
        ("https://a/auth?next=/token", "https://a/auth/token?next=/token"),
    ] {
        assert_eq!(token_url(given), url);
    }
}

fn endpoint(placement: CredentialPlacement) -> AuthenticationEndpoint {
    let secret = Secret::from("canary&");
    AuthenticationEndpoint::new("https://a/auth", "c d", &secret, placement).unwrap()
}

#[test]
fn credentials_go_where_they_were_asked_to() {
    let request = endpoint(CredentialPlacement::Basic).request().unwrap();
    // base64("c+d:canary%26"): form-encoded before (RFC 6749 §2.3.1).
    assert_eq!(request.headers()["authorization"], "Basic YyUyMGQ6Y2FuYXJ5JTI2");
    assert_eq!(&request.body()[..], b"grant_type=client_credentials");
    let request = endpoint(CredentialPlacement::Post).request().unwrap();
    assert_eq!(&request.body()[..], b"grant_type=client_credentials&client_id=c+d&client_secret=canary%26");
    assert_eq!(request.uri(), "https://a/auth/token");
    let request = endpoint(CredentialPlacement::Query).request().unwrap();
    let url = "https://a/auth/token?grant_type=client_credentials&client_id=c+d&client_secret=canary%26";
    assert_eq!((request.uri().to_string().as_str(), request.body().len()), (url, 0));
    for placement in [CredentialPlacement::Basic, CredentialPlacement::Post, CredentialPlacement::Query] {
        assert!(!format!("{:?}", endpoint(placement)).contains("canary"));
    }
}

#[test]
fn a_secret_that_no_url_holds_is_an_error_and_no_panic() {
    let secret = Secret::from("x".repeat(100_000));
    let endpoint =
        AuthenticationEndpoint::new("https://a", "c", &secret, CredentialPlacement::Query).unwrap();
    assert_eq!(endpoint.request().unwrap_err().kind(), ErrorKind::Misconfigured);
}

#[test]
fn a_ticket_endpoint_without_a_path_is_at_the_usual_one() {
    for (given, url) in [
        ("https://shop.example", "https://shop.example/api/optave/ws-ticket"),
        ("https://shop.example/", "https://shop.example/api/optave/ws-ticket"),
        ("https://shop.example/my/ticket", "https://shop.example/my/ticket"),
        ("https://shop.example/?x=1", "https://shop.example/?x=1"),
    ] {
        assert_eq!(TicketEndpoint::new(given).unwrap().request().uri(), url);
    }
}
