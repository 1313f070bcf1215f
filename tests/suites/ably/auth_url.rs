//! Auth URLs over real sockets: content types, sizes, silence, redirects.

use std::time::Duration;

use auth_core::ErrorKind;
use auth_core::ably::AuthMethod;

use super::*;

/// What a client makes of one answer of an auth URL.
async fn given(answer: Answer) -> Result<String, Error> {
    let script = serve(vec![answer]).await;
    let auth = client(ask(&script), script.url()).build().unwrap();
    auth.request_token(None, None).await.map(|details| token(details.token()).to_owned())
}

fn cause(error: &Error) -> &Error {
    std::error::Error::source(error).and_then(|cause| cause.downcast_ref()).expect("an error with a cause")
}

#[tokio::test]
async fn rsa8c_each_content_type_is_read_for_what_it_is() {
    for (content_type, body, expected) in [
        ("application/json", r#"{"token":"json","issued":1}"#, Some("json")),
        ("application/json; charset=utf-8", r#"{"token":"charset"}"#, Some("charset")),
        ("text/plain; charset=utf-8", "plain.text", Some("plain.text")),
        ("application/jwt", "a.b.c", Some("a.b.c")),
        ("text/html", "a.b.c", None),
        ("application/octet-stream", "a.b.c", None),
    ] {
        let answer = Answer::http(200, &format!("Content-Type: {content_type}\r\n"), body);
        match (given(answer).await, expected) {
            (Ok(token), Some(expected)) => assert_eq!(token, expected),
            (Err(error), None) => assert_eq!(error.code(), Some(40_170), "{content_type}"),
            (outcome, _) => panic!("{content_type}: {outcome:?}"),
        }
    }
    assert_eq!(given(Answer::http(200, "", "a.b.c")).await.unwrap_err().code(), Some(40_170), "none at all");
}

#[tokio::test]
async fn rsa4f_128_kib_are_read_and_a_byte_more_is_40170() {
    let plain = |length: usize| Answer::http(200, "Content-Type: text/plain\r\n", &"a".repeat(length));
    assert_eq!(given(plain(TokenReply::LONGEST)).await.unwrap().len(), TokenReply::LONGEST);
    for length in [TokenReply::LONGEST + 1, 10 * TokenReply::LONGEST] {
        assert_eq!(given(plain(length)).await.unwrap_err().code(), Some(40_170), "{length}");
    }
}

#[tokio::test]
async fn rsa4e_a_silent_auth_url_is_given_up_and_named() {
    let script = serve(vec![Answer::Silence]).await;
    let auth = client(ask(&script), script.url()).with_provider_timeout(Duration::from_millis(200));
    let auth = auth.build().unwrap();
    let outcome = auth.request_token(None, None);
    let error = tokio::time::timeout(Duration::from_secs(20), outcome).await.expect("it hangs").unwrap_err();
    assert_eq!((error.code(), cause(&error).kind()), (Some(40_170), ErrorKind::Timeout));
    assert!(cause(&error).to_string().contains("the auth URL did not answer within 200ms"));
}

#[tokio::test]
async fn rsa4e_a_connection_that_ends_without_a_word_is_40170_with_its_cause() {
    let error = given(Answer::HangUp).await.unwrap_err();
    assert_eq!((error.code(), cause(&error).kind()), (Some(40_170), ErrorKind::Transport));
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_headers_of_the_auth_url() {
    let elsewhere = serve(vec![Answer::http(200, JSON, r#"{"token":"stolen"}"#)]).await;
    let to = format!("Location: {}/auth\r\n", elsewhere.url());
    let script = serve(vec![Answer::http(302, &to, "")]).await;
    let url = AuthUrl::new(format!("{}/auth", script.url())).with_header("cookie", "canary");
    let auth = client(AuthOptions::new().with_auth_url(url), script.url()).build().unwrap();
    let error = auth.request_token(None, None).await.unwrap_err();
    assert_eq!(error.code(), Some(40_170));
    assert!(cause(&error).to_string().contains("redirects"));
    assert_eq!((script.requests().len(), elsewhere.requests().len()), (1, 0));
    assert!(header(&script.requests()[0], "cookie").is_some(), "the control");
}

#[tokio::test]
async fn rsa8c1_what_is_received_is_what_was_given_and_nothing_of_ours() {
    let script = serve(vec![Answer::http(200, JSON, r#"{"token":"t"}"#)]).await;
    for method in [AuthMethod::Get, AuthMethod::Post] {
        let url = AuthUrl::new(format!("{}/auth?own=1", script.url()))
            .with_method(method)
            .with_param("foo", "b r&=")
            .with_header("X-Mine", "yes");
        let auth = client(AuthOptions::new().with_auth_url(url), script.url()).build().unwrap();
        auth.request_token(None, None).await.unwrap();
    }
    let [get, post] = &script.requests()[..] else { panic!("two requests") };
    assert!(get.starts_with("GET /auth?own=1&foo=b%20r%26%3D HTTP/1.1\r\n"), "{get}");
    assert!(
        post.starts_with("POST /auth?own=1 HTTP/1.1\r\n") && post.ends_with("\r\n\r\nfoo=b%20r%26%3D"),
        "{post}"
    );
    for request in [get, post] {
        let names: Vec<_> = request
            .lines()
            .skip(1)
            .map_while(|line| line.split_once(':').map(|(name, _)| name.to_ascii_lowercase()))
            .collect();
        let known = ["accept", "x-mine", "host", "content-type", "content-length"];
        assert!(names.iter().all(|name| known.contains(&name.as_str())), "{names:?}");
        assert_eq!(header(request, "accept").as_deref(), Some("application/json, text/plain"));
    }
}
