//! Logins: what the browser is sent to, and which answers are believed.

use super::*;
use crate::testing::Fixed;

const STATE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

fn endpoint() -> AuthorizationEndpoint {
    AuthorizationEndpoint::new(
        "https://as.example.com/authorize?p=1",
        "s6BhdRkqt3",
        "https://client.example.com/cb",
    )
    .unwrap()
}

fn pending(endpoint: &AuthorizationEndpoint) -> PendingLogin {
    endpoint.begin(Wanted::new().with_scope("a b".parse().unwrap()), &*Fixed::new())
}

#[test]
fn a_login_is_protected_by_a_state_and_a_proof_key() {
    let login = pending(&endpoint());
    assert_eq!(
        login.url(),
        format!(
            "https://as.example.com/authorize?p=1&response_type=code&client_id=s6BhdRkqt3\
             &redirect_uri=https%3A%2F%2Fclient.example.com%2Fcb&state={STATE}&code_challenge={}\
             &code_challenge_method=S256&scope=a+b",
            CodeVerifier::from_random([2; 32]).challenge()
        )
    );
}

/// RFC 6749 §4.1.2 and RFC 9207 §2.1, with the URL in each form that a program may see it in.
#[test]
fn the_code_of_ones_own_login_is_read() {
    let login = pending(&endpoint().with_required_issuer("https://as.example.com"));
    let query = format!(
        "code=x1848ZT64p4IirMPT0R-X3141MFPTuBX-VFL_cvaplMH58&state={STATE}&iss=https%3A%2F%2Fas.example.com&session_state=x"
    );
    for redirected in
        [query.clone(), format!("/cb?{query}"), format!("https://client.example.com/cb?{query}#_=_")]
    {
        let code = login.read(&redirected).unwrap();
        assert_eq!(code.code.expose(), "x1848ZT64p4IirMPT0R-X3141MFPTuBX-VFL_cvaplMH58");
        assert_eq!(code.verifier.secret(), login.verifier.secret());
    }
}

#[test]
fn an_answer_of_another_login_or_another_server_is_refused() {
    let login = pending(&endpoint().with_required_issuer("https://as.example.com"));
    let iss = "iss=https%3A%2F%2Fas.example.com";
    for query in [
        format!("code=c&{iss}"),
        format!("code=c&state=&{iss}"),
        format!("code=c&state={}&{iss}", STATE.to_ascii_lowercase()),
        format!("code=c&state={STATE}x&{iss}"),
        format!("code=c&state={STATE}&iss=https%3A%2F%2Fas.example.com%2F"),
        format!("code=c&state={STATE}&iss=https%3A%2F%2Fevil.example.com"),
        format!("code=c&state={STATE}"),
        format!("error=access_denied&{iss}"),
    ] {
        let error = login.read(&query).unwrap_err();
        assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("login"), "{query} {error}");
    }
    let lenient = pending(&endpoint().with_issuer("https://as.example.com"));
    assert!(lenient.read(&format!("code=c&state={STATE}")).is_ok(), "a server that names no issuer");
    assert!(lenient.read(&format!("code=c&state={STATE}&iss=x")).is_err());
}

#[test]
fn a_verdict_is_told_by_its_code_and_its_description_is_not_repeated() {
    let login = pending(&endpoint());
    for (code, kind) in [
        ("access_denied", ErrorKind::Refused),
        ("invalid_scope", ErrorKind::Refused),
        ("temporarily_unavailable", ErrorKind::ServerFailed),
        ("login_required", ErrorKind::InvalidGrant),
    ] {
        let query = format!("error={code}&error_description=canary&code=canary&state={STATE}");
        let error = login.read(&query).unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

#[test]
fn an_answer_without_a_code_or_with_two_is_malformed() {
    let login = pending(&endpoint());
    for query in [
        format!("state={STATE}"),
        format!("code=&state={STATE}"),
        format!("code=a&code=b&state={STATE}"),
        format!("code=a&state={STATE}&state={STATE}"),
    ] {
        assert_eq!(login.read(&query).unwrap_err().kind(), ErrorKind::MalformedResponse, "{query}");
    }
}

#[test]
fn a_redirect_uri_is_encrypted_or_of_this_machine() {
    let new = |redirect: &str| AuthorizationEndpoint::new("https://as/authorize", "c", redirect);
    for redirect in ["http://127.0.0.1:7777/cb", "http://[::1]/cb", "https://a/cb", "com.example.app:/cb"] {
        assert!(new(redirect).is_ok(), "{redirect}");
    }
    for redirect in ["", "/cb", "http://a/cb", "https://a/cb#f"] {
        assert_eq!(new(redirect).unwrap_err(), ConfigError::NotARedirectUri, "{redirect}");
    }
    let http = AuthorizationEndpoint::new("http://as/authorize", "c", "https://a/cb");
    assert_eq!(http.unwrap_err(), ConfigError::Plaintext);
}

#[test]
fn no_way_of_formatting_shows_a_secret() {
    let login = pending(&endpoint());
    let code = login.read(&format!("code=canary&state={STATE}")).unwrap();
    let text = format!("{login:?} {code:?} {:?}", code.form());
    for secret in ["canary", STATE, login.verifier.secret().expose()] {
        assert!(!text.contains(secret), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_comes_back_without_the_state_is_refused(query in "\\PC{0,80}") {
        proptest::prop_assert!(pending(&endpoint()).read(&query).is_err());
    }
}

#[test]
fn an_answer_of_anybody_else_is_not_recognized_whatever_it_says() {
    let login = pending(&endpoint().with_issuer("https://as.example.com"));
    for own in [
        format!("https://client.example.com/cb?state={STATE}&code=1#f"),
        format!("/cb?error=access_denied&state={STATE}"),
        format!("state={STATE}&iss=https%3A%2F%2Fevil.example&code=1&code=2"),
    ] {
        assert!(login.recognizes(&own), "{own}");
    }
    for other in ["", "/cb", "/cb?code=1", "/cb?state=&code=1", "/cb?state=x&code=1", "/cb?State=x"] {
        assert!(!login.recognizes(other), "{other}");
    }
    assert!(!login.recognizes(&format!("state={STATE}&state={STATE}")));
    assert!(!login.recognizes(&format!("/cb#?state={STATE}x")));
}
