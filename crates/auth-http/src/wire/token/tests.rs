//! Golden requests of every grant and every way to authenticate, and what replies mean.

use std::time::Duration;

use auth_core::Retry;
use auth_core::oauth::CodeVerifier;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::testing::{Fixed, TOKEN, claims, es256, form, reply};
use crate::wire::Wanted;

fn endpoint(id: &str, secret: &str) -> TokenEndpoint {
    TokenEndpoint::new("https://api.mypurecloud.com/oauth/token", id, Secret::from(secret)).unwrap()
}

/// An endpoint whose client authenticates in this way.
fn by(client: Result<ClientAuthentication, ConfigError>) -> TokenEndpoint {
    TokenEndpoint::for_client("https://as.example.com/token", client.unwrap()).unwrap()
}

fn credentials(endpoint: &TokenEndpoint) -> Request<Bytes> {
    endpoint.request(&TokenForm::client_credentials(), None).unwrap()
}

fn body(form: &TokenForm) -> String {
    let request = by(ClientAuthentication::none("c")).request(form, None).unwrap();
    String::from_utf8(request.body().to_vec()).unwrap()
}

fn read(status: u16, headers: &[(&str, &str)], body: &str) -> Result<TokenResponse, Error> {
    endpoint("id", "secret").read(&reply(status, headers, body))
}

/// What `purecloud-platform-client-v2` 262.0.0 from npm sends, read off a loopback socket.
#[test]
fn client_credentials_are_the_bytes_that_the_vendors_client_sends() {
    let request = credentials(&endpoint("s1", "s1"));
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), "https://api.mypurecloud.com/oauth/token");
    assert_eq!(request.headers()[AUTHORIZATION], "Basic czE6czE=");
    assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(&request.body()[..], b"grant_type=client_credentials");
}

#[test]
fn a_refresh_token_is_form_encoded() {
    let request =
        endpoint("id", "secret").request(&TokenForm::refresh_token(&Secret::from("a+b/c=&d")), None).unwrap();
    assert_eq!(&request.body()[..], b"grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%26d");
}

#[test]
fn scopes_are_asked_for_in_one_parameter() {
    let wanted = Wanted::new().with_scope("a:read b".parse().unwrap());
    let form = TokenForm::client_credentials().with_wanted(&wanted);
    let request = endpoint("id", "secret").request(&form, None).unwrap();
    assert_eq!(&request.body()[..], b"grant_type=client_credentials&scope=a%3Aread+b");
}

#[test]
fn id_and_secret_are_form_encoded_before_base64() {
    let request = credentials(&endpoint("a:b", "c%d é"));
    let header = request.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
    let decoded = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(String::from_utf8(decoded).unwrap(), "a%3Ab:c%25d%20%C3%A9");
}

#[test]
fn no_secret_shows_in_debug() {
    let endpoint = endpoint("id", "canary");
    let request = credentials(&endpoint);
    let keyed = TokenEndpoint::new("https://a/t?key=canary", "i", Secret::from("s")).unwrap();
    let text = format!("{endpoint:?} {keyed:?} {:?}", request.headers());
    assert!(!text.contains("canary") && !text.contains(&STANDARD.encode("id:canary")), "{text}");
}

#[test]
fn configuration_mistakes_are_found_at_construction() {
    let new = |uri, id, secret| TokenEndpoint::new(uri, id, Secret::from(secret)).unwrap_err();
    assert_eq!(new("https://a/t", "", "s"), ConfigError::NoClientId);
    assert_eq!(new("https://a/t", "i", ""), ConfigError::NoClientSecret);
    assert_eq!(new("http://api.example.com/t", "i", "s"), ConfigError::Plaintext);
    for uri in ["", "/oauth/token", "api.example.com", "ftp://a/t", "https://", "https://user:secret@a/t"] {
        assert_eq!(new(uri, "i", "s"), ConfigError::NotAUrl, "{uri:?}");
    }
    assert!(TokenEndpoint::new("http://127.0.0.1:9/t", "i", Secret::from("s")).unwrap().is_plaintext());
}

#[test]
fn statuses_are_told_apart() {
    for (status, body, kind) in [
        (400, r#"{"error":"invalid_grant"}"#, ErrorKind::InvalidGrant),
        (400, r#"{"error":"invalid_client"}"#, ErrorKind::InvalidClient),
        (401, "", ErrorKind::InvalidClient),
        (403, "<html>", ErrorKind::Refused),
        (404, "", ErrorKind::Refused),
        (302, "", ErrorKind::Refused),
        (408, "", ErrorKind::Timeout),
        (429, "", ErrorKind::RateLimited),
        (500, "", ErrorKind::ServerFailed),
        (501, "", ErrorKind::Refused),
        (503, r#"{"error":"invalid_client"}"#, ErrorKind::ServerFailed),
        (200, r#"{"error":"invalid_grant"}"#, ErrorKind::InvalidGrant),
        (200, "<html>", ErrorKind::MalformedResponse),
    ] {
        let error = read(status, &[], body).unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, Some(u32::from(status))), "{status} {body}");
    }
}

#[test]
fn the_servers_wait_becomes_the_advice() {
    let wait = Retry::After(Duration::from_secs(3));
    assert_eq!(read(429, &[("retry-after", "3")], "").unwrap_err().retry(), wait);
    assert_eq!(read(503, &[("retry-after", "3")], "").unwrap_err().retry(), wait);
    assert_eq!(read(429, &[], "").unwrap_err().retry(), Retry::Backoff);
    assert_eq!(read(400, &[("retry-after", "3")], "").unwrap_err().retry(), Retry::Never);
}

#[test]
fn only_an_answer_that_may_hide_a_spent_token_is_in_doubt() {
    for (status, body, in_doubt) in [
        (400, r#"{"error":"invalid_grant"}"#, false),
        (400, r#"{"error":"temporarily_unavailable"}"#, false),
        (400, r#"{"error":"server_error"}"#, true),
        (200, r#"{"error":"temporarily_unavailable"}"#, false),
        (200, "<html>", true),
        (408, "", false),
        (429, "", false),
        (500, "", true),
        (502, "", true),
        (503, "", false),
        (504, "", true),
    ] {
        let error = read(status, &[], body).unwrap_err();
        assert_eq!(error.is_in_doubt(), in_doubt, "{status} {body}");
    }
}

#[test]
fn the_date_of_a_reply_is_the_servers_time() {
    let body = r#"{"access_token":"t"}"#;
    let server_time = |headers: &[(&str, &str)]| read(200, headers, body).unwrap().server_time;
    let date = server_time(&[("date", "Fri, 20 Nov 2026 10:00:30 GMT")]).unwrap();
    assert_eq!(date.to_string(), "2026-11-20T10:00:30.000Z");
    assert_eq!(server_time(&[("date", "today")]), None);
    assert_eq!(server_time(&[]), None);
}

/// RFC 7523 §2.2 and §3, with the type and the audience of its revision.
/// RFC 6749 §4.1.3 and RFC 7636 §4.5.
#[test]
fn a_code_goes_with_its_redirect_uri_and_its_verifier() {
    let verifier = CodeVerifier::from_random([
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
        214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ]);
    let form = TokenForm::authorization_code(
        &Secret::from("SplxlOBeZQQYbYS6WxSbIA"),
        "https://client.example.com/cb",
        &verifier,
    );
    assert_eq!(
        body(&form),
        "grant_type=authorization_code&code=SplxlOBeZQQYbYS6WxSbIA&redirect_uri=https%3A%2F%2Fclient.example.com%2Fcb\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk&client_id=c"
    );
}

/// RFC 7523 §2.1.
#[test]
fn an_assertion_is_a_grant_of_its_own() {
    let form = TokenForm::jwt_bearer(&Secret::from("eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.e30.sig"));
    assert_eq!(
        body(&form),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
         &assertion=eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.e30.sig&client_id=c"
    );
}

/// The example of RFC 8693 §2.3, with an actor besides.
#[test]
fn a_token_is_exchanged_for_one_of_another_resource() {
    let access = "urn:ietf:params:oauth:token-type:access_token";
    let subject = Secret::from("accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC");
    let wanted = Wanted::new().with_resource("https://backend.example.com/api").unwrap();
    let form = TokenForm::token_exchange((&subject, access), None).with_wanted(&wanted);
    assert_eq!(
        body(&form),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &subject_token=accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
         &resource=https%3A%2F%2Fbackend.example.com%2Fapi&client_id=c"
    );
    let actor = Secret::from("a");
    let form =
        TokenForm::token_exchange((&subject, access), Some((&actor, "urn:ietf:params:oauth:token-type:jwt")));
    assert!(
        body(&form)
            .contains("&actor_token=a&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt")
    );
}

/// The example of RFC 8628 §3.4.
#[test]
fn a_device_code_is_polled_with() {
    let form = TokenForm::device_code(&Secret::from("GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS"));
    assert_eq!(
        body(&form),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
         &device_code=GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS&client_id=c"
    );
}

/// The example of RFC 8707 §2.2, whose resource stands twice.
#[test]
fn resources_may_stand_more_than_once_and_everything_else_only_once() {
    let wanted = Wanted::new()
        .with_scope("contacts".parse().unwrap())
        .with_resource("https://cal.example.com/")
        .unwrap()
        .with_resource("https://contacts.example.com/")
        .unwrap()
        .with_audience("aud")
        .with_parameter("organization", "acme")
        .unwrap();
    let form = TokenForm::refresh_token(&Secret::from("r")).with_wanted(&wanted);
    assert_eq!(
        body(&form),
        "grant_type=refresh_token&refresh_token=r&scope=contacts&resource=https%3A%2F%2Fcal.example.com%2F\
         &resource=https%3A%2F%2Fcontacts.example.com%2F&audience=aud&organization=acme&client_id=c"
    );
    for resource in ["cal.example.com", "https://cal.example.com/#f", "", "/a"] {
        assert_eq!(
            Wanted::new().with_resource(resource).unwrap_err(),
            ConfigError::NotAResource,
            "{resource}"
        );
    }
    for name in ["", "grant_type", "client_secret", "scope", "client_assertion", "code_verifier", "state"] {
        assert_eq!(Wanted::new().with_parameter(name, "v").unwrap_err(), ConfigError::Parameter, "{name}");
    }
    assert_eq!(wanted.with_parameter("organization", "b").unwrap_err(), ConfigError::Parameter);
}

#[test]
fn a_bound_token_is_asked_for_with_a_proof_for_this_very_endpoint() {
    let dpop = Dpop::new(es256(), Fixed::new()).unwrap();
    let endpoint = by(ClientAuthentication::none("c")).with_dpop(dpop);
    let request = credentials(&endpoint);
    let proof = claims(request.headers()["dpop"].to_str().unwrap());
    assert_eq!(
        (proof["htm"].as_str(), proof["htu"].as_str()),
        (Some("POST"), Some("https://as.example.com/token"))
    );
    assert!(proof.get("ath").is_none() && proof.get("nonce").is_none());

    let refused = endpoint.read(&reply(200, &[], TOKEN)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::MalformedResponse, "a bearer token is not what was asked for");
    let bound = TOKEN.replace("Bearer", "DPoP");
    assert_eq!(endpoint.read(&reply(200, &[], &bound)).unwrap().token_type, TokenType::Dpop);
    let bearer = by(ClientAuthentication::none("c"));
    assert_eq!(bearer.read(&reply(200, &[], &bound)).unwrap_err().kind(), ErrorKind::MalformedResponse);
}

/// The example of RFC 9449 §8.
#[test]
fn a_nonce_is_taken_from_every_reply_and_asked_for_by_one_code_alone() {
    let dpop = Dpop::new(es256(), Fixed::new()).unwrap();
    let endpoint = by(ClientAuthentication::none("c")).with_dpop(dpop);
    let told = |nonce, status, body| endpoint.wants_nonce(&reply(status, &[("DPoP-Nonce", nonce)], body));
    let nonce = || claims(credentials(&endpoint).headers()["dpop"].to_str().unwrap())["nonce"].clone();
    assert!(told("eyJ7S_zG.eyJH0-Z.HX4w-7v", 400, r#"{"error":"use_dpop_nonce"}"#));
    assert_eq!(nonce(), "eyJ7S_zG.eyJH0-Z.HX4w-7v");
    assert!(!told("n2", 400, r#"{"error":"invalid_grant"}"#));
    assert!(!told("n3", 503, r#"{"error":"use_dpop_nonce"}"#), "a proxy may have written it");
    assert!(!endpoint.wants_nonce(&reply(400, &[], r#"{"error":"use_dpop_nonce"}"#)), "there is no nonce");
    assert_eq!(nonce(), "n3");
    endpoint.read(&reply(200, &[("DPoP-Nonce", "n4")], &TOKEN.replace("Bearer", "DPoP"))).unwrap();
    assert_eq!(nonce(), "n4");
}

#[test]
fn tokens_for_something_else_have_another_credential_key() {
    let endpoint = by(ClientAuthentication::none("c"));
    let key = |wanted: Wanted| endpoint.credential_key(&TokenForm::client_credentials().with_wanted(&wanted));
    let scopes = |text: &str| Wanted::new().with_scope(text.parse().unwrap());
    assert_eq!(key(scopes("a b")), key(scopes("b a")));
    let bound = by(ClientAuthentication::none("c")).with_dpop(Dpop::new(es256(), Fixed::new()).unwrap());
    let keys = [
        key(Wanted::new()),
        key(scopes("a")),
        key(scopes("a").with_resource("https://a/").unwrap()),
        key(scopes("a").with_audience("https://a/")),
        key(Wanted::new().with_parameter("tenant", "canary").unwrap()),
        by(ClientAuthentication::none("d")).credential_key(&TokenForm::client_credentials()),
        bound.credential_key(&TokenForm::client_credentials()),
        endpoint.credential_key(&TokenForm::token_exchange((&Secret::from("canary"), "t"), None)),
        endpoint.credential_key(&TokenForm::token_exchange((&Secret::from("canary2"), "t"), None)),
        endpoint.credential_key(&TokenForm::refresh_token(&Secret::from("canary"))),
    ];
    for (index, key) in keys.iter().enumerate() {
        assert!(!keys[..index].contains(key), "{key:?}");
    }
    let rotated = endpoint.credential_key(&TokenForm::refresh_token(&Secret::from("another")));
    assert_eq!(keys.last(), Some(&rotated), "a refresh token changes, and its tokens are of one login");
    let holders: Vec<_> = keys.iter().map(CredentialKey::holder).collect();
    assert_eq!(holders[0], holders[4], "whatever is wanted, the login is the same");
    assert!(holders[0] != holders[5] && holders[0] != holders[6], "another client, another key");
}

#[test]
fn no_way_of_formatting_shows_a_secret() {
    let canary = &Secret::from("canary-canary-canary-canary-canary");
    let wanted = Wanted::new().with_parameter("tenant", canary.expose()).unwrap();
    let verifier = CodeVerifier::from_random([7; 32]);
    for client in [
        ClientAuthentication::basic("c", canary),
        ClientAuthentication::basic_raw("c", canary),
        ClientAuthentication::post("c", canary),
        ClientAuthentication::query("c", canary),
        ClientAuthentication::client_secret_jwt("c", canary, Fixed::new()),
    ] {
        let endpoint = by(client);
        let form = TokenForm::authorization_code(canary, "https://a/", &verifier).with_wanted(&wanted);
        let headers = endpoint.request(&form, None).unwrap().headers().clone();
        let text = format!("{:?} {endpoint:?} {form:?} {wanted:?} {headers:?}", endpoint.client());
        assert!(!text.contains("canary") && !text.contains(verifier.secret().expose()), "{text}");
    }
}

#[test]
fn a_parameter_without_a_value_is_left_out() {
    let wanted = Wanted::new().with_audience("").with_parameter("tenant", "").unwrap();
    assert_eq!(
        body(&TokenForm::client_credentials().with_wanted(&wanted)),
        "grant_type=client_credentials&client_id=c"
    );
}

proptest::proptest! {
    #[test]
    fn whatever_a_value_is_it_stays_in_its_parameter(value in "\\PC{1,40}", id in "\\PC{1,20}") {
        let secret = Secret::from(value.as_str());
        let endpoint = by(ClientAuthentication::post(&id, &secret));
        let request = endpoint.request(&TokenForm::refresh_token(&secret), None).unwrap();
        let text = |text: &str| text.to_owned();
        proptest::prop_assert_eq!(form(&request), [
            (text("grant_type"), text("refresh_token")),
            (text("refresh_token"), value.clone()),
            (text("client_id"), id.clone()),
            (text("client_secret"), value.clone()),
        ]);
        let queried = by(ClientAuthentication::query(&id, &secret));
        proptest::prop_assert!(queried.request(&TokenForm::client_credentials(), None).is_ok());
    }

    #[test]
    fn no_reply_makes_the_reader_panic_or_repeat_what_it_says(
        status in 200_u16..600,
        text in "\\PC{0,60}",
        member in "error_description|access_token|token_type|scope|expires_in|x",
    ) {
        let quoted = serde_json::to_string(&format!("canary{text}")).unwrap();
        for body in [format!("canary{text}"), format!("{{\"{member}\":{quoted}}}")] {
            let reply = reply(status, &[], &body);
            let shown = match endpoint("id", "secret").read(&reply) {
                Ok(issued) => format!("{issued:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            proptest::prop_assert!(!shown.contains("canary"), "{}", shown);
        }
    }
}
