//! Auth URLs: what is sent to them, and what is made of what they answer.

use std::error::Error as _;
use std::time::Duration;

use auth_core::Retry;
use auth_core::ably::ClientId;

use super::*;
use crate::testing::reply;

fn carol() -> TokenParams {
    TokenParams::new().with_client_id(ClientId::new("carol").unwrap()).with_ttl(Duration::from_secs(60))
}

#[test]
fn rsa8c1a_rsa8c1c_rsa8c2_by_get_all_parameters_are_in_the_query_and_later_ones_win() {
    let url = AuthUrl::new("https://a.example/my-auth?a=1&conf=url")
        .with_param("conf", "param")
        .with_param("foo", "bar")
        .with_param("clientId", "whoever");
    let request = auth_url_request(&url, &carol()).unwrap();
    assert_eq!(request.method(), Method::GET);
    let expected = "https://a.example/my-auth?a=1&conf=param&foo=bar&clientId=carol&ttl=60000";
    assert_eq!(*request.uri(), expected);
    assert!(request.body().is_empty());
    let bare = auth_url_request(&AuthUrl::new("https://a.example/auth"), &TokenParams::new()).unwrap();
    assert_eq!(*bare.uri(), "https://a.example/auth");
}

#[test]
fn rsa8c1b_by_post_the_query_stays_and_the_parameters_are_a_form() {
    let url = AuthUrl::new("https://a.example/my-auth?conf=url")
        .with_method(AuthMethod::Post)
        .with_param("foo", "b r&=")
        .with_param("clientId", "whoever");
    let params = TokenParams::new().with_client_id(ClientId::new("dave").unwrap());
    let request = auth_url_request(&url, &params).unwrap();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(*request.uri(), "https://a.example/my-auth?conf=url");
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(request.body().as_ref(), b"foo=b%20r%26%3D&clientId=dave");
}

#[test]
fn rsa8c1_the_headers_are_those_that_were_given_and_no_others() {
    let url = AuthUrl::new("https://a.example/auth").with_header("X-Mine", "canary");
    let request = auth_url_request(&url, &carol()).unwrap();
    assert_eq!(request.headers()["accept"], "application/json, text/plain");
    assert_eq!(request.headers()["x-mine"], "canary");
    assert_eq!(request.headers().len(), 2, "nothing of ours");
    assert!(!format!("{request:?}").contains("canary"));
    let own = auth_url_request(&url.with_header("accept", "text/plain"), &carol()).unwrap();
    assert_eq!(own.headers()["accept"], "text/plain");
    let twice = AuthUrl::new("https://a.example/auth").with_header("a", "1").with_header("a", "2");
    let twice = auth_url_request(&twice, &carol()).unwrap();
    assert_eq!(twice.headers().get_all("a").iter().count(), 2);
}

#[test]
fn an_auth_url_that_cannot_be_asked_says_so_and_shows_nothing() {
    for url in [
        AuthUrl::new("/relative"),
        AuthUrl::new("http://a.example/auth"),
        AuthUrl::new("https://user:canary@a.example/"),
        AuthUrl::new("https://a.example/").with_header("a b", "canary"),
        AuthUrl::new("https://a.example/").with_header("a", "canary\n"),
        AuthUrl::new("https://a.example/").with_param("a", "canary".repeat(20_000)),
    ] {
        let error = auth_url_request(&url, &TokenParams::new()).unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Misconfigured, Some(40_170)));
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[test]
fn rsa8c_the_content_type_says_what_the_answer_is() {
    let read =
        |content_type: &str, body: &str| read_auth_url(&reply(200, &[("content-type", content_type)], body));
    let details = r#"{"token":"t","issued":1}"#;
    let request = r#"{"keyName":"k","timestamp":1,"nonce":"n","mac":"m"}"#;
    for json in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert!(matches!(read(json, details), Ok(TokenReply::Details(_))), "{json}");
    }
    assert!(matches!(read("application/json", request), Ok(TokenReply::Request(_))));
    for text in ["text/plain", "text/plain;charset=UTF-8", "application/jwt"] {
        assert!(matches!(read(text, "a.b.c"), Ok(TokenReply::Token(_))), "{text}");
    }
}

#[test]
fn rsa4f_an_answer_in_a_bad_format_is_40170() {
    let json = [("content-type", "application/json")];
    let plain = [("content-type", "text/plain")];
    let long = "a".repeat(TokenReply::LONGEST + 1);
    for response in [
        reply(200, &[], r#"{"token":"t"}"#),
        reply(200, &[("content-type", "text/html")], "a.b.c"),
        reply(200, &json, ""),
        reply(200, &json, "[]"),
        reply(200, &json, r#"{"capability":"{}"}"#),
        reply(200, &json, &format!(r#"{{"token":"{long}"}}"#)),
        reply(200, &plain, ""),
        reply(200, &plain, "undefined"),
        reply(200, &plain, "null"),
        reply(200, &plain, r#"{"token":"t"}"#),
        reply(200, &plain, &long),
    ] {
        assert_eq!(read_auth_url(&response).unwrap_err().code(), Some(40_170));
    }
    let mut binary = reply(200, &plain, "");
    *binary.body_mut() = Bytes::from_static(&[0xff, 0xfe]);
    assert_eq!(read_auth_url(&binary).unwrap_err().code(), Some(40_170));
}

#[test]
fn rsa4d_a_403_is_a_refusal_whatever_stands_in_it() {
    let ably = |code: u32| format!(r#"{{"error":{{"code":{code},"statusCode":403}}}}"#);
    for (body, code) in [
        ("canary".to_owned(), 40_300),
        (ably(40_330), 40_330),
        (ably(40_142), 40_300),
        (ably(50_000), 40_300),
    ] {
        let error = read_auth_url(&reply(403, &[], &body)).unwrap_err();
        assert_eq!((error.code(), error.retry()), (Some(code), Retry::Never), "{body}");
        assert!(!format!("{error:?}").contains("canary"));
    }
}

#[test]
fn rsa4e_a_failure_is_40170_with_its_cause_and_an_ably_number_is_kept() {
    for (status, kind, retry) in [
        (500, ErrorKind::ServerFailed, Retry::After(Duration::from_secs(3))),
        (429, ErrorKind::RateLimited, Retry::After(Duration::from_secs(3))),
        (302, ErrorKind::Refused, Retry::Never),
        (401, ErrorKind::Refused, Retry::Never),
    ] {
        let error = read_auth_url(&reply(status, &[("retry-after", "3")], "canary")).unwrap_err();
        assert_eq!((error.code(), error.retry()), (Some(40_170), retry), "{status}");
        let cause: &Error = error.source().unwrap().downcast_ref().unwrap();
        assert_eq!((cause.kind(), cause.code()), (kind, Some(status.into())));
        assert!(!format!("{error:?}").contains("canary"));
    }
    let told = r#"{"error":{"code":40101,"statusCode":401,"message":"canary"}}"#;
    let error = read_auth_url(&reply(401, &[], told)).unwrap_err();
    assert_eq!(error.code(), Some(40_101));
    assert!(!format!("{error:?}").contains("canary"));
}

#[test]
fn the_wait_that_an_auth_url_names_counts_beside_an_ably_number_too() {
    let told = r#"{"error":{"code":50003,"statusCode":503}}"#;
    let error = read_auth_url(&reply(503, &[("retry-after", "3")], told)).unwrap_err();
    assert_eq!((error.code(), error.retry()), (Some(50_003), Retry::After(Duration::from_secs(3))));
    let error =
        read_auth_url(&reply(401, &[("retry-after", "3")], &told.replace("50003", "40101"))).unwrap_err();
    assert_eq!((error.code(), error.retry()), (Some(40_101), Retry::Never));
}
